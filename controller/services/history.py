"""What happened, for people to read: incidents with timeline and evidence, notices, the audit. Pages have cursors."""

import base64
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from controller.db.store import Store
from controller.domain.incident import Incident, State
from controller.domain.model import (
    Attempt,
    AuditRow,
    Delivery,
    DeliveryStatus,
    Effect,
    Event,
    Notice,
    RoundRecord,
    RoundRun,
)
from controller.services.errors import BadInput, NotFound
from controller.services.lookup import cluster_by_ref, host_by_ref

T = TypeVar("T")
ROUNDS_READ = 240
"""Of this many rounds at most the evidence is read for a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Newest first. ``next_cursor`` None: there is no more."""

    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cursor:
    """Where the next page starts: at this time, after ``served`` items of exactly this time (a storm has many)."""

    at: datetime
    served: int

    def encode(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.at.isoformat(), self.served]).encode()).decode()

    @classmethod
    def decode(cls, text: str) -> "_Cursor":
        try:
            at, served = json.loads(base64.urlsafe_b64decode(text.encode()))
            cursor = cls(at=datetime.fromisoformat(at), served=int(served))
        except (ValueError, TypeError, OverflowError):
            raise _bad_cursor() from None
        if cursor.at.tzinfo is None or cursor.at.year > 9000 or not 0 <= cursor.served <= 100_000:
            raise _bad_cursor()
        return cursor


async def incidents(
    store: Store,
    *,
    host: str | None,
    cluster: str | None,
    only_open: bool,
    cursor: str | None,
    limit: int,
    states: Collection[State] | None = None,
) -> Page[Incident]:
    """Incidents of everything, a host or a cluster, in any or some states. The open ones come on one page."""
    async with store.transaction() as tx:
        host_id = (await host_by_ref(tx, host)).id if host is not None else None
        cluster_id = (await cluster_by_ref(tx, cluster)).id if cluster is not None else None
        if only_open:
            found = [
                one
                for one in await tx.open_incidents()
                if host_id in (None, one.host_id) and cluster_id in (None, one.cluster_id)
                if states is None or one.state in states
            ]
            return Page(items=sorted(found, key=lambda one: one.opened_at, reverse=True), next_cursor=None)

        async def fetch(before: datetime | None, count: int) -> list[Incident]:
            return await tx.incidents(
                host_id=host_id, cluster_id=cluster_id, opened_before=before, states=states, limit=count
            )

        return await _page(fetch, lambda one: one.opened_at, cursor=cursor, limit=limit)


async def incident(store: Store, incident_id: str) -> Incident:
    """One incident."""
    async with store.transaction() as tx:
        found = await tx.incident(incident_id)
    if found is None:
        raise NotFound(
            f"there is no incident {incident_id!r}; GET /api/v1/incidents lists them", code="unknown_incident"
        )
    return found


async def timeline(store: Store, incident_id: str) -> list[Event]:
    """What happened in an incident, oldest first."""
    await incident(store, incident_id)
    async with store.transaction() as tx:
        return await tx.events(incident_id)


async def rounds(store: Store, incident_id: str, *, limit: int) -> list[RoundRecord]:
    """The newest ``limit`` check rounds with their evidence, oldest first."""
    await incident(store, incident_id)
    async with store.transaction() as tx:
        return await tx.rounds(incident_id, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsSeen:
    """All check rounds of an incident as runs, and the evidence of some of them: of all where they are few."""

    runs: list[RoundRun]
    sample: list[RoundRecord]

    @property
    def total(self) -> int:
        """How many rounds there were."""
        return sum(run.last - run.first + 1 for run in self.runs)


async def rounds_seen(store: Store, incident_id: str, *, most: int = ROUNDS_READ) -> RoundsSeen:
    """What a picture of all rounds needs: a day's hold has thousands, each with some kilobytes of evidence."""
    async with store.transaction() as tx:
        runs = await tx.round_runs(incident_id)
        return RoundsSeen(
            runs=runs, sample=await tx.rounds_numbered(incident_id, numbers_worth_reading(runs, most=most))
        )


def numbers_worth_reading(runs: Sequence[RoundRun], *, most: int) -> frozenset[int]:
    """The first and the newest rounds, where the verdict changed, and a thin sample of the rest."""
    total = runs[-1].last if runs else 0
    if total <= most:
        return frozenset(range(1, total + 1))
    quarter = most // 4
    ends = {*range(1, quarter + 1), *range(total - quarter + 1, total + 1)}
    changes = [run.first for run in runs]
    return frozenset(ends | set(_thinned(changes, quarter)) | set(_thinned(range(1, total + 1), quarter)))


def _thinned(numbers: Sequence[int], most: int) -> Sequence[int]:
    return numbers[:: -(-len(numbers) // most)]


async def attempts(store: Store, incident_id: str) -> list[Attempt]:
    """The power commands of an incident, oldest first."""
    await incident(store, incident_id)
    async with store.transaction() as tx:
        return await tx.attempts_of(incident_id)


async def effects(store: Store, incident_id: str) -> list[Effect]:
    """Quarantine, release and the like of an incident, oldest first."""
    found = await incident(store, incident_id)
    async with store.transaction() as tx:
        return [one for one in await tx.effects_of(host_id=found.host_id) if one.incident_id == incident_id]


async def notices(
    store: Store, *, incident_id: str | None, cursor: str | None, limit: int
) -> Page[tuple[Notice, list[Delivery]]]:
    """What people were told and where that stands, newest first."""
    async with store.transaction() as tx:

        async def fetch(before: datetime | None, count: int) -> list[tuple[Notice, list[Delivery]]]:
            return await tx.notices(incident_id=incident_id, before=before, limit=count)

        return await _page(fetch, lambda one: one[0].at, cursor=cursor, limit=limit)


async def notice(store: Store, notice_id: str) -> tuple[Notice, list[Delivery], list[Notice]]:
    """One notice, where it stands, and what it tells where it is a digest."""
    async with store.transaction() as tx:
        found = await tx.notice(notice_id)
        members = await tx.members_of(notice_id) if found else []
    if found is None:
        raise NotFound(f"there is no notification {notice_id!r}", code="unknown_notification")
    return *found, members


async def deliveries(
    store: Store,
    *,
    channel: str | None,
    status: DeliveryStatus | None,
    incident_id: str | None,
    cursor: str | None,
    limit: int,
) -> Page[tuple[Delivery, Notice]]:
    """Where each message stands, those of the newest notices first."""
    async with store.transaction() as tx:

        async def fetch(before: datetime | None, count: int) -> list[tuple[Delivery, Notice]]:
            return await tx.deliveries(
                channel=channel, status=status, incident_id=incident_id, before=before, limit=count
            )

        return await _page(fetch, lambda one: one[1].at, cursor=cursor, limit=limit)


async def audit(store: Store, *, cursor: str | None, limit: int) -> Page[AuditRow]:
    """Who changed what, newest first."""
    async with store.transaction() as tx:

        async def fetch(before: datetime | None, count: int) -> list[AuditRow]:
            return await tx.audit(before=before, limit=count)

        return await _page(fetch, lambda row: row.at, cursor=cursor, limit=limit)


async def _page(
    fetch: Callable[[datetime | None, int], Awaitable[list[T]]],
    time_of: Callable[[T], datetime],
    *,
    cursor: str | None,
    limit: int,
) -> Page[T]:
    start = _Cursor.decode(cursor) if cursor else None
    skip = start.served if start else 0
    # The store's bound is exclusive: one microsecond later lets the cursor's own time in again.
    before = start.at + timedelta(microseconds=1) if start else None
    rest = (await fetch(before, skip + limit + 1))[skip:]
    items = rest[:limit]
    if len(rest) <= limit:
        return Page(items=items, next_cursor=None)
    last = time_of(items[-1])
    served = sum(1 for one in items if time_of(one) == last) + (skip if start and start.at == last else 0)
    return Page(items=items, next_cursor=_Cursor(at=last, served=served).encode())


def _bad_cursor() -> BadInput:
    return BadInput("take the cursor from next_cursor of the page before", code="bad_cursor", field="cursor")
