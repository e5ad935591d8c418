"""The one place where an incident changes its state: timeline, notices and consequences in the same transaction.

Carries rule 11: a hold is told, a close leaves nothing behind that nobody undoes.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from controller.db.store import Tx
from controller.domain import notices, schedule
from controller.domain.incident import CommandStatus, Incident, State, check_transition
from controller.domain.methods import next_method, with_method
from controller.domain.model import Attempt, Effect, EffectKind, Event, Health, Host, Notice
from controller.domain.policy import Policy
from controller.domain.power import Accepted, PowerCode
from controller.domain.reasons import NEEDS_A_PERSON, Reason
from controller.domain.tally import Tally
from controller.services.telling import tell
from controller.services.world import World

EFFECT_GIVES_UP_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Change:
    """An open transaction with the locked incident, the time, and who acts."""

    world: World
    tx: Tx
    now: datetime
    host: Host
    policy: Policy
    actor: str = "hostfence"

    async def move(
        self,
        incident: Incident,
        to: State,
        *,
        reasons: tuple[Reason, ...] = (),
        text: str = "",
        data: dict[str, Any] | None = None,
        notice: Notice | None = None,
    ) -> Incident:
        """Take the edge to ``to`` and store everything that follows from it. The caller saves the incident returned."""
        check_transition(incident.state, to)
        begins = to is State.CHECKING and incident.state is not State.FENCING
        moved = replace(
            incident,
            state=to,
            reasons=reasons,
            entered_at=self.now,
            held_since=self.now if to is State.HELD else None,
            reminders=0,
            checking_since=self.now if begins else incident.checking_since,
            closed_at=None if to.open else self.now,
        )
        moved = replace(moved, next_step_at=schedule.next_step(moved, self.policy, now=self.now))
        await self.note(moved, "state", text=text, reasons=reasons, data=data, from_state=incident.state)
        if to is State.HELD:
            moved = await self.hold(moved, reasons)
        if notice is not None:
            await tell(self.tx, notice)
        if not to.open:
            await self._close(moved)
        return moved

    async def hold(self, incident: Incident, reasons: tuple[Reason, ...]) -> Incident:
        """Remember why it is held; tell the reasons people were not told of yet."""
        held = replace(incident, reasons=reasons, sticky=incident.sticky | (NEEDS_A_PERSON & set(reasons)))
        notice = notices.held(held, self.host, at=self.now, reasons=reasons)
        if notice is not None:
            await tell(self.tx, notice)
        return replace(held, told=held.told | set(reasons))

    async def hold_or_next(
        self, incident: Incident, reasons: tuple[Reason, ...], *, data: dict[str, Any] | None = None
    ) -> Incident:
        """Hold; but where only the power device is in the way and there is another one, go on with that (FENCING).

        Every power-down needs the last look anew, so the next device's command does as well.
        """
        number = next_method(incident, self.policy, reasons)
        if number is None:
            return await self.move(incident, State.HELD, reasons=reasons, data=data)
        identity = self.policy.methods[number].identity
        text = f"goes on with power device {number + 1}: {identity}"
        return await self.move(with_method(incident, number), State.FENCING, reasons=reasons, text=text, data=data)

    async def note(
        self,
        incident: Incident,
        kind: str,
        *,
        text: str = "",
        reasons: tuple[Reason, ...] = (),
        data: dict[str, Any] | None = None,
        from_state: State | None = None,
    ) -> None:
        """Append to the timeline."""
        await self.tx.add_event(
            Event(
                id=self.world.new_id(),
                incident_id=incident.id,
                at=self.now,
                kind=kind,
                text=text,
                actor=self.actor,
                from_state=from_state or "",
                to_state=incident.state,
                reasons=reasons,
                data=data or {},
            )
        )

    async def effect(
        self,
        incident: Incident,
        kind: EffectKind,
        *,
        gives_up_after: timedelta = EFFECT_GIVES_UP_AFTER,
        progress: dict[str, Any] | None = None,
    ) -> Effect:
        """Store the intent of an idempotent side effect (rule 8).

        The effects loop does it; a release is the step's own, and goes on from ``progress`` of an earlier try.
        """
        effect = Effect(
            id=self.world.new_id(),
            host_id=incident.host_id,
            incident_id=incident.id,
            kind=kind,
            intended_at=self.now,
            next_try_at=None if kind is EffectKind.RELEASE else self.now,
            give_up_at=self.now + gives_up_after,
            progress=progress or {},
        )
        await self.tx.add_effect(effect)
        return effect

    async def _close(self, incident: Incident) -> None:
        health = await self.tx.health_for_update(incident.host_id)
        fenced = incident.state is State.FENCED
        await self.tx.save_health(
            replace(
                health,
                armed=False,
                healthy_since=None,
                fenced_by=incident.id if fenced else health.fenced_by,
                # Without a heartbeat nobody told the incident; the agent told the watch.
                fenced_boot_id=(incident.boot_id or health.boot_id) if fenced else health.fenced_boot_id,
                quarantined_by=_quarantined_by(incident, health),
            )
        )
        if incident.quarantined and not fenced:
            await self.effect(incident, EffectKind.UNQUARANTINE)


def _quarantined_by(incident: Incident, health: Health) -> str:
    """Whose quarantine the host's return undoes: this incident's, or one that an earlier fence left."""
    if not incident.quarantined:
        return health.quarantined_by
    return incident.id if incident.state is State.FENCED else ""


def fate_unknown(attempt: Attempt, *, at: datetime) -> Attempt:
    """The attempt of a process that is gone: closed as unknown, so that its host and device are free again."""
    return replace(
        attempt,
        finished_at=at,
        accepted=Accepted.UNKNOWN,
        code=PowerCode.DRIVER_FAILED,
        said="the controller that was to send it stopped; whether it was sent is unknown",
    )


async def with_fate_known(change: Change, incident: Incident) -> Incident:
    """The same incident, once nobody is left who could say what became of its intent."""
    if incident.command.status is not CommandStatus.INTENDED:
        return incident
    attempt = await change.tx.attempt(incident.command.attempt_id)
    if attempt is not None and attempt.finished_at is None:
        await change.tx.save_attempt(fate_unknown(attempt, at=change.now))
    return replace(incident, command=replace(incident.command, status=CommandStatus.ANSWERED))


def back_to_checking(incident: Incident) -> Incident:
    """What CHECKING starts from after a hold: no counted round is carried over."""
    return replace(incident, tally=Tally())
