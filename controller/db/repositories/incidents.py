"""Incidents, their timeline and rounds."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Text, bindparam, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from controller.db import claims
from controller.db.mapping import Mapping
from controller.db.models import Events, Hosts, Incidents, Rounds
from controller.db.models.incidents import OPEN
from controller.db.session import Repository
from controller.db.store import LastInLine
from controller.db.types import Json
from controller.domain.incident import Incident, IncidentBrief, State
from controller.domain.model import Event, RoundRecord, RoundRun
from controller.domain.reasons import Reason

EVENTS = Mapping(Event, Events)
ROUNDS = Mapping(RoundRecord, Rounds)

_LOCK = select(Incidents.body).where(Incidents.id == bindparam("incident")).with_for_update()
_LOCK_LEASED = _LOCK.where(Incidents.lease_token == bindparam("token"))
_SAVE = update(Incidents.__table__).where(Incidents.id == bindparam("incident"))  # type: ignore[arg-type]
_ADD_EVENT = EVENTS.table.insert()
_ADD_ROUND = ROUNDS.table.insert()
_OPEN_HOSTS = select(Incidents.host_id).where(Incidents.open)
_OPEN_HOSTS_OF_CLUSTER = _OPEN_HOSTS.join(Hosts, Hosts.id == Incidents.host_id).where(
    Hosts.cluster_id == bindparam("cluster")
)
_BRIEFS = (
    select(
        Incidents.id,
        Incidents.host_id,
        Incidents.cluster_id,
        Incidents.state,
        Incidents.opened_at,
        Incidents.closed_at,
        Incidents.body.op("->", return_type=Json())(literal("sticky", Text)).label("sticky"),
    )
    .where(
        Incidents.cluster_id == bindparam("cluster"),
        or_(Incidents.closed_at.is_(None), Incidents.closed_at >= bindparam("since")),
    )
    .order_by(Incidents.opened_at, Incidents.id)
)


class IncidentRepository(Repository):
    """Part of :class:`controller.db.store.Tx`."""

    async def claim_due(
        self, *, now: datetime, lease_until: datetime, token: str, limit: int, behind: LastInLine | None = None
    ) -> list[Incident]:
        """See the port."""
        statement, values = claims.claim(now=now, lease_until=lease_until, token=token, limit=limit, behind=behind)
        return await self._bodies(statement, values)

    async def incident_for_update(self, incident_id: str, *, token: str | None) -> Incident | None:
        """See the port."""
        if token is None:
            return await self._body(_LOCK, {"incident": incident_id})
        return await self._body(_LOCK_LEASED, {"incident": incident_id, "token": token})

    async def extend_lease(self, incident_id: str, *, token: str, lease_until: datetime) -> bool:
        """See the port."""
        return await self._session.touched(*claims.extend(incident_id, token=token, lease_until=lease_until))

    async def save_incident(self, incident: Incident, *, end_lease: bool) -> None:
        """See the port."""
        freed: dict[str, Any] = {"lease_token": None, "lease_until": None} if end_lease else {}
        values = _columns(incident) | freed | {"incident": incident.id}
        await self._session.must_touch(_SAVE, f"incident {incident.id}", values)
        self._session.written.append(incident)

    async def open_incident(self, incident: Incident) -> bool:
        """See the port. The host's row is locked against being deleted meanwhile."""
        lock = select(Hosts.id).where(Hosts.id == incident.host_id).with_for_update(read=True, key_share=True)
        if await self._session.first(lock) is None:
            self._session.refuse("host_id", f"no host {incident.host_id}")
        statement = (
            insert(Incidents)
            .values(_columns(incident))
            .on_conflict_do_nothing(index_elements=[Incidents.host_id], index_where=OPEN)
        )
        if not await self._session.touched(statement):
            return False
        self._session.written.append(incident)
        return True

    async def incident(self, incident_id: str) -> Incident | None:
        """See the port."""
        return await self._body(select(Incidents.body).where(Incidents.id == incident_id))

    async def open_incidents(self) -> list[Incident]:
        """See the port."""
        oldest_first = (Incidents.opened_at, Incidents.id)
        return await self._bodies(select(Incidents.body).where(Incidents.open).order_by(*oldest_first))

    async def open_incident_of(self, host_id: str) -> Incident | None:
        """See the port."""
        return await self._body(select(Incidents.body).where(Incidents.host_id == host_id, Incidents.open))

    async def open_hosts(self, *, cluster_id: str | None = None) -> frozenset[str]:
        """See the port."""
        found = await (
            self._session.run(_OPEN_HOSTS)
            if cluster_id is None
            else self._session.run(_OPEN_HOSTS_OF_CLUSTER, {"cluster": cluster_id})
        )
        return frozenset(found.scalars())

    async def briefs(self, cluster_id: str, *, since: datetime) -> list[IncidentBrief]:
        """See the port."""
        rows = await self._session.all(_BRIEFS, {"cluster": cluster_id, "since": since})
        return [IncidentBrief(**dict(row) | {"sticky": frozenset(map(Reason, row["sticky"]))}) for row in rows]

    async def incidents(
        self,
        *,
        host_id: str | None = None,
        cluster_id: str | None = None,
        opened_before: datetime | None = None,
        states: Collection[State] | None = None,
        limit: int = 50,
    ) -> list[Incident]:
        """See the port."""
        statement = select(Incidents.body).order_by(Incidents.opened_at.desc(), Incidents.id.desc()).limit(limit)
        if host_id is not None:
            statement = statement.where(Incidents.host_id == host_id)
        if cluster_id is not None:
            statement = statement.where(Incidents.cluster_id == cluster_id)
        if opened_before is not None:
            statement = statement.where(Incidents.opened_at < opened_before)
        if states is not None:
            statement = statement.where(Incidents.state.in_(states))
        return await self._bodies(statement)

    async def add_event(self, event: Event) -> None:
        """See the port."""
        await self._session.run(_ADD_EVENT, EVENTS.values(event))
        self._session.written.append(event)

    async def events(self, incident_id: str) -> list[Event]:
        """See the port."""
        statement = EVENTS.select().where(EVENTS.c.incident_id == incident_id).order_by(EVENTS.c.at, EVENTS.c.seq)
        return [EVENTS.entity(row) for row in await self._session.all(statement)]

    async def add_round(self, record: RoundRecord) -> None:
        """See the port."""
        await self._session.run(_ADD_ROUND, ROUNDS.values(record))
        self._session.written.append(record)

    async def rounds(self, incident_id: str, *, limit: int = 200) -> list[RoundRecord]:
        """See the port."""
        newest = ROUNDS.select().where(ROUNDS.c.incident_id == incident_id).order_by(ROUNDS.c.number.desc())
        rows = await self._session.all(newest.limit(limit))
        return [ROUNDS.entity(row) for row in reversed(rows)]

    async def round_runs(self, incident_id: str) -> list[RoundRun]:
        """See the port. Gaps and islands: a run is where the number and the place among its like differ by the same."""
        c = ROUNDS.c
        alike = (c.verdict, c.reasons)
        island = (c.number - func.row_number().over(partition_by=alike, order_by=c.number)).label("island")
        marked = (
            select(c.number, c.at, *alike, c.counted, island).where(c.incident_id == incident_id).subquery("marked")
        )
        m = marked.c
        last = (func.array_agg(aggregate_order_by(m.counted, m.number.desc())))[1]
        statement = (
            select(
                func.min(m.number).label("first"),
                func.max(m.number).label("last"),
                func.min(m.at).label("first_at"),
                func.max(m.at).label("last_at"),
                m.verdict,
                m.reasons,
                last.label("counted"),
            )
            .group_by(m.verdict, m.reasons, m.island)
            .order_by(func.min(m.number))
        )
        return [RoundRun(**dict(row)) for row in await self._session.all(statement)]

    async def rounds_numbered(self, incident_id: str, numbers: Collection[int]) -> list[RoundRecord]:
        """See the port."""
        statement = ROUNDS.select().where(ROUNDS.c.incident_id == incident_id, ROUNDS.c.number.in_(sorted(numbers)))
        return [ROUNDS.entity(row) for row in await self._session.all(statement.order_by(ROUNDS.c.number))]

    async def _body(self, statement: Executable, values: dict[str, Any] | None = None) -> Incident | None:
        row = await self._session.first(statement, values)
        return None if row is None else row["body"]

    async def _bodies(self, statement: Executable, values: dict[str, Any] | None = None) -> list[Incident]:
        return [row["body"] for row in await self._session.all(statement, values)]


def _columns(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "host_id": incident.host_id,
        "cluster_id": incident.cluster_id,
        "state": incident.state,
        "open": incident.open,
        "opened_at": incident.opened_at,
        "closed_at": incident.closed_at,
        "next_step_at": incident.next_step_at,
        "body": incident,
    }
