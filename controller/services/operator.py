"""What a person or a report asks of incidents: report, acknowledge, cancel, retry, re-arm.

Each in one short transaction.

Carries rule 1 (an acknowledgement is audited and never stands against life), rule 2 and rule 9 (retry never sends by
itself).
"""

from dataclasses import replace
from datetime import datetime

import structlog

from controller.db.store import Tx
from controller.domain import notices
from controller.domain.incident import Acknowledgement, CommandStatus, Incident, Source, State
from controller.domain.methods import from_the_first
from controller.domain.model import Attempt, AuditRow, Health
from controller.domain.power import PowerAction, PowerCode, PowerReading
from controller.domain.reasons import NEEDS_A_PERSON, Reason
from controller.services import manual_power
from controller.services.errors import BadInput, NotFound, Refused
from controller.services.incidents import note_life, open_incident
from controller.services.live_evidence import LiveEvidence, look_live
from controller.services.operations import ReportResult
from controller.services.returns import undo_quarantine
from controller.services.scene import Scene, read_scene
from controller.services.transition import Change, back_to_checking
from controller.services.world import World

CANCELLABLE = (State.SUSPECT, State.CHECKING, State.FENCING, State.HELD)

ACKNOWLEDGEMENT_REFUSED = "acknowledgement_refused"


class Operator:
    """Implements :class:`controller.services.operations.Operations` on the world's ports."""

    def __init__(self, world: World) -> None:
        """``world``: the ports."""
        self._world = world

    async def report_disconnect(
        self, host_id: str, *, at: datetime | None, source: Source, actor: str, note: str
    ) -> ReportResult:
        """Open an incident, or return the open one."""
        scene = await self._scene(host_id)
        return await open_incident(self._world, scene.host, source=source, disconnect_at=at, note=note, actor=actor)

    async def report_reconnect(self, host_id: str, *, actor: str) -> Incident | None:
        """A report is somebody else's word: it resets the count and makes hostfence look.

        It closes nothing by itself.
        """
        scene = await self._scene(host_id)
        return await note_life(self._world, scene.host.id, why=Reason.CLOUD_SAW_RETURN, actor=actor)

    async def acknowledge(
        self, incident_id: str, *, host_name: str, reason: str, actor: str, second_admin: bool = False
    ) -> Incident:
        """A person vouches that the host is off: looked at live first, refused against life."""
        incident = await self._incident(incident_id)
        scene = await self._scene(incident.host_id, method=incident.method)
        if host_name != scene.host.name:
            raise BadInput(
                f"host_name: {host_name!r} is not this incident's host; type its name ({scene.host.name}) to confirm",
                code="host_name_differs",
                field="host_name",
            )
        seen = await look_live(self._world, scene, incident, refused_to=await self._refused_to(incident_id))
        against = seen.against(second_admin=second_admin and seen.second_for(actor))
        if against is not None:
            await self._note_refused(incident_id, scene, actor, against)
            raise against
        async with self._world.store.transaction() as tx:
            current, change = await self._locked(tx, incident_id, scene, actor)
            if current.state is not State.HELD:
                raise _wrong_state(current, "acknowledged", "once it is held")
            ack = Acknowledgement(by=actor, at=change.now, reason=reason)
            # What this look saw is the measure from now on: only what moves after it speaks against the word.
            current = replace(current, acknowledged=ack, sticky=frozenset(), memory=seen.judgement.memory)
            moved = await change.move(
                current,
                State.RELEASING,
                reasons=(Reason.ACKNOWLEDGED,),
                text=reason,
                notice=notices.acknowledged(current, scene.host, at=change.now, by=actor, said=reason),
            )
            await tx.save_incident(moved, end_lease=True)
            await _audit(change, "acknowledge", incident_id, reason)
            return moved

    async def live_evidence(self, incident_id: str) -> LiveEvidence:
        """One look at the host now, as an acknowledgement would look."""
        incident = await self._incident(incident_id)
        scene = await self._scene(incident.host_id, method=incident.method)
        return await look_live(self._world, scene, incident, refused_to=await self._refused_to(incident_id))

    async def cancel(self, incident_id: str, *, reason: str, actor: str) -> Incident:
        """End the incident without action."""
        incident = await self._incident(incident_id)
        scene = await self._scene(incident.host_id)
        async with self._world.store.transaction() as tx:
            current, change = await self._locked(tx, incident_id, scene, actor)
            if current.command.may_have_been_sent or current.state not in CANCELLABLE:
                raise _wrong_state(current, "cancelled", "before a power command may have been sent")
            moved = await change.move(
                current,
                State.CANCELLED,
                reasons=(Reason.OPERATOR,),
                text=reason,
                notice=notices.cancelled(current, scene.host, at=change.now, by=actor, said=reason),
            )
            await tx.save_incident(moved, end_lease=True)
            await _audit(change, "cancel", incident_id, reason)
            return moved

    async def retry(self, incident_id: str, *, reason: str, actor: str) -> Incident:
        """Take a held incident up again: checking from zero, or only reading where a command may have been sent."""
        incident = await self._incident(incident_id)
        scene = await self._scene(incident.host_id)
        async with self._world.store.transaction() as tx:
            current, change = await self._locked(tx, incident_id, scene, actor)
            if current.state is not State.HELD:
                raise _wrong_state(current, "retried", "while it is held")
            to = State.VERIFYING if current.command.may_have_been_sent else State.CHECKING
            fresh = replace(
                from_the_first(back_to_checking(current), now=change.now),
                sticky=current.sticky - NEEDS_A_PERSON,
                waived=current.waived | current.sticky,
                life_at=None,
            )
            moved = await change.move(fresh, to, reasons=(Reason.OPERATOR,), text=reason)
            await tx.save_incident(moved, end_lease=True)
            await _audit(change, "retry", incident_id, reason)
            return moved

    async def power(
        self, host_id: str, *, action: PowerAction, reason: str, actor: str, force: bool, device: int = 1
    ) -> Attempt:
        """A person's own power command."""
        scene = await self._with_device(host_id, device)
        return await manual_power.command(self._world, scene, action=action, reason=reason, actor=actor, force=force)

    async def power_status(self, host_id: str, *, device: int = 1) -> PowerReading:
        """Read once, now."""
        return await manual_power.status(self._world, await self._with_device(host_id, device))

    async def rearm(self, host_id: str, *, reason: str, actor: str) -> Health:
        """Allow the next incident of a host that was not seen healthy since the last.

        It ends the host's return as well, so what the return would have undone is undone now.
        """
        scene = await self._scene(host_id)
        async with self._world.store.transaction() as tx:
            now = await self._world.clock.now()
            health = await undo_quarantine(tx, self._world, await tx.health_for_update(scene.host.id), now=now)
            health = replace(health, armed=True, fenced_by="", fenced_boot_id="")
            await tx.save_health(health)
            await _audit(Change(self._world, tx, now, scene.host, scene.policy, actor), "rearm", host_id, reason)
            return health

    async def _refused_to(self, incident_id: str) -> tuple[str, ...]:
        async with self._world.store.transaction() as tx:
            events = await tx.events(incident_id)
        return tuple(e.actor for e in events if e.kind == ACKNOWLEDGEMENT_REFUSED)

    async def _note_refused(self, incident_id: str, scene: Scene, actor: str, refused: Refused) -> None:
        async with self._world.store.transaction() as tx:
            current, change = await self._locked(tx, incident_id, scene, actor)
            await change.note(current, ACKNOWLEDGEMENT_REFUSED, text=refused.detail, reasons=refused.reasons)

    async def _with_device(self, host_id: str, device: int) -> Scene:
        scene = await self._scene(host_id, method=device - 1)
        if device > len(scene.policy.methods):
            raise BadInput(
                f"device: host {scene.host.name} has no power device {device}; set second.host first, or leave it out",
                code=PowerCode.NOT_CONFIGURED,
                field="device",
            )
        return scene

    async def _scene(self, host_id: str, *, method: int = 0) -> Scene:
        async with self._world.store.transaction() as tx:
            return await read_scene(tx, host_id, method=method)

    async def _incident(self, incident_id: str) -> Incident:
        async with self._world.store.transaction() as tx:
            incident = await tx.incident(incident_id)
        if incident is None:
            raise NotFound(f"there is no incident {incident_id}", code="incident_unknown")
        return incident

    async def _locked(self, tx: Tx, incident_id: str, scene: Scene, actor: str) -> tuple[Incident, Change]:
        """The incident under lock, in the guard: an intent under way is either stored or will see this."""
        await tx.guard()
        current = await tx.incident_for_update(incident_id, token=None)
        if current is None:
            raise NotFound(f"there is no incident {incident_id}", code="incident_unknown")
        now = await self._world.clock.now()
        if not current.open:
            raise _wrong_state(current, "changed", "while it is open")
        if current.command.status is CommandStatus.INTENDED:
            raise _wrong_state(current, "changed", "once the power command under way has been answered")
        structlog.contextvars.bind_contextvars(host=scene.host.name)  # of this request
        return current, Change(self._world, tx, now, scene.host, scene.policy, actor)


def _wrong_state(incident: Incident, done: str, when: str) -> Refused:
    return Refused(f"the incident is {incident.state}: it can be {done} only {when}", code="wrong_state")


async def _audit(change: Change, action: str, target: str, reason: str) -> None:
    await change.tx.add_audit(
        AuditRow(
            id=change.world.new_id(),
            at=change.now,
            actor=change.actor,
            action=action,
            target=target,
            data={"reason": reason, "host": change.host.name},
        )
    )
