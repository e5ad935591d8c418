"""FENCING: a last look, the intent, the command, its answer.

Carries rule 2 (the intent transaction re-checks evidence and every safeguard under the guard lock), rule 8 (intent
stored before
the BMC hears of it), rule 9 (an intent whose fate is unknown leads to reading, never to sending) and rule 10 (life
in the last look
ends it).
"""

from dataclasses import replace

from controller.domain import notices
from controller.domain.decision import action_after_fences, is_back, over_limit
from controller.domain.evidence import RoundFacts, Verdict
from controller.domain.incident import Command, CommandStatus, Incident, State
from controller.domain.model import Attempt
from controller.domain.power import Accepted, Outcome, PowerAction, PowerCode, PowerState
from controller.domain.proof import Proof
from controller.domain.reasons import LIFE, Reason
from controller.domain.safeguards import evidence_refusals, waits
from controller.engine.step import Claimed, Step
from controller.engine.steps.checking import refused_now
from controller.services import signs
from controller.services.look import look
from controller.services.rounds import judged, keep_round
from controller.services.scene import Scene, bmc_target, fences_before
from controller.services.telling import tell
from controller.services.transition import back_to_checking, with_fate_known

COMMAND_DEADLINE_S = 15.0
DRIVER_GRACE_S = 1.0
"""What a driver may take beyond its deadline (the power drivers' contract)."""
SEND_WITHIN_S = 5.0
"""A command is not sent later than this after its intent was stored: what was true then may not be any more."""


async def run(step: Step) -> None:
    """The last look and, if nothing stands against it, one power-off."""
    scene = await step.scene()
    if step.incident.command.status is CommandStatus.INTENDED:
        await _fate_unknown(step, scene)
        return
    facts = await look(step.world, scene, step.incident)
    intended_by = step.world.clock.boottime()
    attempt = await _intend(step, scene, facts)
    if attempt is None:
        return
    await signs.remember(step.world, at=attempt.intended_at)
    not_after = min(intended_by + SEND_WITHIN_S, step.lease_ends())
    outcome = await step.world.power.act(
        bmc_target(scene.host, scene.policy),
        PowerAction.OFF,
        # Whoever takes the lease over must find the device free, even while this process is stopped.
        deadline_s=min(COMMAND_DEADLINE_S, step.lease_ends() - step.world.clock.boottime() - DRIVER_GRACE_S),
        not_after=not_after,
    )
    await _keep_outcome(step, scene, attempt, outcome)


async def _intend(step: Step, scene: Scene, facts: RoundFacts) -> Attempt | None:
    """The intent transaction. None: nothing may be sent, and the incident went where it belongs."""
    async with step.change(scene, guarded=True) as claimed:
        change, looked_at, scene = claimed.change, scene.policy.bmc, claimed.scene
        judgement = judged(claimed.incident, facts, scene.policy)
        incident = await keep_round(change, claimed.incident, facts, judgement, counts=True)
        back = is_back(judgement, incident=incident, cloud=facts.cloud)
        if not scene.policy.action.takes_down and not incident.command.may_have_been_sent:
            claimed.incident = await change.move(incident, State.CHECKING, text="the action was changed meanwhile")
            return None
        if back or judgement.verdict is not Verdict.DEAD:
            await _not_dead(claimed, incident, back or judgement.reasons)
            return None
        refused = (
            *evidence_refusals(incident, scene.policy, now=claimed.now),
            *await refused_now(change, incident, scene, facts.cloud),
            # The power was read, and would be cut, at another device than the settings name now.
            *((Reason.EVIDENCE_STALE,) if scene.policy.bmc != looked_at else ()),
        )
        if refused:
            await _refused(claimed, incident, refused)
            return None
        if facts.power is None or facts.power.state is not PowerState.ON:
            await _no_command(claimed, incident, facts)
            return None
        attempt = await _store_intent(claimed, incident, scene)
        claimed.ends = False
        return attempt


async def _not_dead(claimed: Claimed, incident: Incident, reasons: tuple[Reason, ...]) -> None:
    life = any(r in LIFE for r in reasons)
    if incident.command.may_have_been_sent:
        to = State.HELD
        reasons = (Reason.CONTRADICTION, *reasons) if life else reasons
    elif Reason.AGENT_ANSWERS in reasons or Reason.CLOUD_SAW_RETURN in reasons:
        to = State.RECOVERED
    else:
        to = _back(claimed, incident)
    claimed.incident = await claimed.change.move(
        incident,
        to,
        reasons=reasons,
        notice=notices.recovered(incident, claimed.change.host, at=claimed.now, reasons=reasons)
        if to is State.RECOVERED and incident.told
        else None,
    )


async def _refused(claimed: Claimed, incident: Incident, refused: tuple[Reason, ...]) -> None:
    sent = incident.command.may_have_been_sent
    if waits(refused) and not sent:
        claimed.incident = await claimed.change.move(incident, _back(claimed, incident), reasons=refused)
        return
    claimed.incident = await claimed.change.hold_or_next(incident, refused)


def _back(claimed: Claimed, incident: Incident) -> State:
    """Back to checking, unless going to and fro has lasted too long (rule 11)."""
    too_long = over_limit(incident, claimed.change.policy, claimed.now)
    return State.HELD if too_long else State.CHECKING


async def _no_command(claimed: Claimed, incident: Incident, facts: RoundFacts) -> None:
    """Off already: the same reads follow, no command, no slot. No clear state: a person must look."""
    change = claimed.change
    if facts.power is not None and facts.power.state is PowerState.OFF:
        claimed.incident = await change.move(
            replace(incident, proof=_restart(incident.proof)),
            State.VERIFYING,
            reasons=(Reason.ALREADY_OFF,),
            data={"said": facts.power.said},
        )
        return
    said = facts.power.said if facts.power is not None else "no power device"
    claimed.incident = await change.hold_or_next(incident, (Reason.BMC_UNREACHABLE,), data={"said": said})


async def _store_intent(claimed: Claimed, incident: Incident, scene: Scene) -> Attempt:
    change, now = claimed.change, claimed.now
    meant = incident.action or scene.policy.action
    before = await fences_before(change.tx, incident, now=now)
    action = action_after_fences(meant, before)
    if action is not meant:
        await tell(change.tx, notices.stays_off(incident, change.host, at=now, fences=before + 1))
    attempt = Attempt(
        id=change.world.new_id(),
        host_id=incident.host_id,
        cluster_id=incident.cluster_id,
        incident_id=incident.id,
        action=PowerAction.OFF,
        bmc_identity=scene.policy.bmc.identity,
        actor=change.actor,
        automatic=True,
        takes_slot=True,
        intended_at=now,
    )
    await change.tx.add_attempt(attempt)
    claimed.incident = replace(
        incident,
        action=action,
        command=Command(
            status=CommandStatus.INTENDED,
            count=incident.command.count + 1,
            attempt_id=attempt.id,
            first_at=incident.command.first_at or now,
            last_at=now,
        ),
        proof=_restart(incident.proof),
        next_step_at=now,
    )
    await change.note(
        claimed.incident,
        "intent",
        reasons=(Reason.HOST_DEAD,),
        text=f"power off through {scene.policy.bmc.identity}",
        data={"attempt": attempt.id, "command": claimed.incident.command.count},
    )
    await tell(change.tx, notices.fencing(claimed.incident, change.host, at=now, action=action))
    await signs.write(change.tx, change.world, now=now)
    return attempt


async def _keep_outcome(step: Step, scene: Scene, attempt: Attempt, outcome: Outcome) -> None:
    async with step.change(scene) as claimed:
        change, incident = claimed.change, claimed.incident
        sent = outcome.accepted is not Accepted.NOT_SENT
        await change.tx.save_attempt(
            replace(
                attempt,
                finished_at=claimed.now,
                accepted=outcome.accepted,
                code=outcome.code,
                said=outcome.said,
                takes_slot=sent,
            )
        )
        data = {"accepted": outcome.accepted, "code": outcome.code, "said": outcome.said}
        if sent:
            command = replace(incident.command, status=CommandStatus.ANSWERED)
            claimed.incident = await change.move(replace(incident, command=command), State.VERIFYING, data=data)
            return
        await change.note(incident, "not_sent", text="the command was not sent", data=data)
        count = incident.command.count - 1
        command = replace(incident.command, status=CommandStatus.NOT_SENT, count=count)
        incident = replace(incident, command=command)
        if count:
            claimed.incident = await change.move(incident, State.VERIFYING, data=data)
        elif outcome.code in (PowerCode.STALLED, PowerCode.BUSY):
            fresh, to = back_to_checking(incident), _back(claimed, incident)
            claimed.incident = await change.move(fresh, to, reasons=(Reason.EVIDENCE_STALE,), data=data)
        else:
            claimed.incident = await change.hold_or_next(incident, (Reason.BMC_UNREACHABLE,), data=data)


async def _fate_unknown(step: Step, scene: Scene) -> None:
    """The process that stored the intent is gone: the command may have been sent. Only reading may follow."""
    async with step.change(scene) as claimed:
        change, incident = claimed.change, claimed.incident
        claimed.incident = await change.move(
            await with_fate_known(change, incident),
            State.VERIFYING,
            text="a command may have been sent by a controller that stopped",
        )


def _restart(proof: Proof) -> Proof:
    """A proof starts after the command; what is known of the device's reachability stays."""
    return Proof(unreachable_at=proof.unreachable_at, voided=proof.voided)
