"""Packs what a courier takes along: due messages of one channel, leased against every other process.

Where there are too many at once, :mod:`controller.domain.digest` says which become one, and the digest is stored with
them in the transaction that claims it: no notice is lost in between, and none is told both ways.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from controller.db.store import Clock, Store, Tx
from controller.domain import digest
from controller.domain.channels.base import ChannelSettings
from controller.domain.channels.kinds import KINDS
from controller.domain.model import Delivery, Notice
from controller.domain.notice_texts import NoticeKind
from controller.notifications.base import SEND_TIMEOUT

log = structlog.get_logger(__name__)

BATCH = 50
SORTED_AT_ONCE = 1000
"""Deliveries of a channel that are looked at together, to see whether they make a digest."""

BATCH_TIME = timedelta(seconds=60)
"""No message is begun later than this after the claim."""
LEASE = BATCH_TIME + 2 * SEND_TIMEOUT


@dataclass(frozen=True, slots=True)
class Work:
    """One message to send. ``members``: what a digest tells. ``was_doubtful``: as it was before it was packed."""

    delivery: Delivery
    notice: Notice
    members: Sequence[Notice] = ()
    was_doubtful: bool = False

    @property
    def unpacked(self) -> Delivery:
        """As if it had never been packed."""
        return replace(self.delivery, tries=self.delivery.tries - 1, doubtful=self.was_doubtful)


@dataclass(frozen=True, slots=True)
class Bag:
    """What one courier carries, oldest first; ``clusters``: their names by id."""

    works: Sequence[Work] = ()
    clusters: Mapping[str, str] = field(default_factory=dict)


async def pack(store: Store, clock: Clock, channel: str, settings: ChannelSettings | None) -> Bag:
    """Due messages of a channel, one try further, leased against every other process; too many become digests."""
    now = await clock.now()
    async with store.transaction() as tx:
        if not await tx.channel_turn(channel):
            return Bag()
        due = await tx.deliveries_due(channel=channel, now=now, limit=SORTED_AT_ONCE)
        ready = await _fold(tx, due, settings, now) if settings else [Work(*pair) for pair in due]
        ready.sort(key=lambda work: (work.notice.at, work.notice.id))
        works = []
        for work in ready[:BATCH]:
            # doubtful until its result is stored: this process may die in between
            leased = replace(work.delivery, tries=work.delivery.tries + 1, next_try_at=now + LEASE, doubtful=True)
            await tx.save_delivery(leased)
            members = work.members or await _members(tx, work.notice)
            works.append(Work(leased, work.notice, members, was_doubtful=work.delivery.doubtful))
        clusters = {one.id: one.name for one in await tx.clusters()} if works else {}
        return Bag(works, clusters)


async def _fold(tx: Tx, due: Sequence[tuple[Delivery, Notice]], settings: ChannelSettings, now: datetime) -> list[Work]:
    """What is to be sent now. Only what the far side cannot have is folded: nothing is told twice in two forms."""
    fresh = {notice.id: delivery for delivery, notice in due if _foldable(delivery, notice)}
    tried = [Work(delivery, notice) for delivery, notice in due if notice.id not in fresh]
    if not fresh:
        return tried
    found = digest.sort(
        sorted((notice for _, notice in due if notice.id in fresh), key=lambda notice: (notice.at, notice.id)),
        told=await tx.told_on(channel=settings.name, since=now - digest.WINDOW),
        after=settings.digest_after,
        room=KINDS[settings.kind].room,
        now=now,
    )
    if found.wait_until is not None:
        await tx.put_off([fresh[one.id].id for one in found.waiting], until=found.wait_until)
    made = [await _digest(tx, members, fresh, settings.name, now) for members in found.digests]
    return [*tried, *(Work(fresh[one.id], one) for one in found.singly), *made]


async def _digest(
    tx: Tx, members: Sequence[Notice], deliveries: Mapping[str, Delivery], channel: str, now: datetime
) -> Work:
    notice = digest.digest(members, channel=channel, at=now)
    await tx.add_notice(notice, channels=(channel,))
    await tx.fold([deliveries[one.id].id for one in members], digest_id=notice.id)
    log.info("notifications told in one digest", channel=channel, notice=notice.id, count=len(members))
    return Work(Delivery.of(notice, channel), notice, members)


async def _members(tx: Tx, notice: Notice) -> Sequence[Notice]:
    return await tx.members_of(notice.id) if notice.kind == NoticeKind.DIGEST else ()


def _foldable(delivery: Delivery, notice: Notice) -> bool:
    return not delivery.doubtful and notice.kind != NoticeKind.DIGEST
