"""Opening incidents and noting life: what reports, the cloud and the own watch do to the incident table.

Carries design section 3: opened only on an edge, at most one open a host, a disconnect in the future is clamped and
noted.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from controller.db.store import Tx
from controller.domain.incident import Incident, Source, State
from controller.domain.model import Event, Host
from controller.domain.reasons import Reason
from controller.domain.tally import Tally
from controller.services.operations import ReportResult
from controller.services.world import World

OLDEST_DISCONNECT = timedelta(hours=24)
NOT_WORTH_A_WORD = timedelta(seconds=5)


async def open_incident(
    world: World,
    host: Host,
    *,
    source: Source,
    disconnect_at: datetime | None = None,
    note: str = "",
    actor: str = "hostfence",
) -> ReportResult:
    """Open an incident for the host, or return the open one.

    A host that was not healthy since its last one gets none.
    """
    with structlog.contextvars.bound_contextvars(host=host.name):
        return await _open(world, host, source=source, disconnect_at=disconnect_at, note=note, actor=actor)


async def _open(
    world: World, host: Host, *, source: Source, disconnect_at: datetime | None, note: str, actor: str
) -> ReportResult:
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        known = await tx.open_incident_of(host.id)
        if known is not None:
            return ReportResult(incident=known, opened=False)
        health = await tx.health(host.id)
        if not health.armed:
            return ReportResult(incident=None, opened=False, why_not=Reason.NOT_REARMED)
        since = disconnect_at or now
        # A reporter's clock may be wrong; that the agent answered then is known by ours.
        earliest = max(now - OLDEST_DISCONNECT, health.seen_at or now - OLDEST_DISCONNECT)
        clamped = min(max(since, earliest), now)
        incident = Incident(
            id=world.new_id(),
            host_id=host.id,
            cluster_id=host.cluster_id,
            state=State.SUSPECT,
            source=source,
            opened_at=now,
            disconnect_at=clamped,
            entered_at=now,
            next_step_at=now,
            note=note,
        )
        if not await tx.open_incident(incident):
            return ReportResult(incident=None, opened=False)
        text = f"{source}: {note}" if note else str(source)
        if abs(clamped - since) > NOT_WORTH_A_WORD:
            text += f"; the disconnect time given ({since.isoformat()}) was put to {clamped.isoformat()}"
        await _note(tx, incident, event_id=world.new_id(), at=now, kind="opened", text=text, actor=actor)
        return ReportResult(incident=incident, opened=True)


async def note_life(world: World, host_id: str, *, why: Reason, actor: str = "hostfence") -> Incident | None:
    """The host of an open incident shows life.

    The count starts again and the incident is looked at at once (rule 10).
    """
    async with world.store.transaction() as tx:
        known = await tx.open_incident_of(host_id)
        incident = await tx.incident_for_update(known.id, token=None) if known else None
        if incident is None or not incident.open:
            return None
        now = await world.clock.now()
        lived = replace(incident, life_at=now, tally=Tally())
        if incident.state in (State.SUSPECT, State.CHECKING, State.HELD):
            lived = replace(lived, next_step_at=now)
        await tx.save_incident(lived, end_lease=False)
        if incident.life_at is None or now - incident.life_at > timedelta(minutes=1):
            text = f"sign of life: {why}"
            await _note(tx, lived, event_id=world.new_id(), at=now, kind="life", text=text, actor=actor, reasons=(why,))
        return lived


async def _note(
    tx: Tx,
    incident: Incident,
    *,
    event_id: str,
    at: datetime,
    kind: str,
    text: str,
    actor: str,
    reasons: tuple[Reason, ...] = (),
) -> None:
    await tx.add_event(
        Event(
            id=event_id,
            incident_id=incident.id,
            at=at,
            kind=kind,
            text=text,
            actor=actor,
            to_state=incident.state,
            reasons=reasons,
        )
    )
