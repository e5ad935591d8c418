"""HELD: keep the evidence fresh, re-evaluate, remind. Never sends.

Carries rule 11 (every hold re-evaluates, reminds and has a way out) and rule 9 (after a command only VERIFYING may
follow, or the end once the host is back for good).
"""

from dataclasses import replace

from controller.domain import notices
from controller.domain.decision import is_back
from controller.domain.evidence import Judgement, RoundFacts, Verdict
from controller.domain.holds import reminder_due, reminders_by
from controller.domain.incident import Incident, State
from controller.domain.methods import looked_at_in_turn
from controller.domain.power import PowerState
from controller.domain.reasons import LIFE, NEEDS_A_PERSON, WAITS, Reason
from controller.domain.schedule import next_step
from controller.engine.step import Claimed, Step
from controller.engine.steps.checking import refused_now, tell_elsewhere
from controller.services.look import look
from controller.services.rounds import judged, keep_round
from controller.services.scene import Scene
from controller.services.telling import tell
from controller.services.transition import back_to_checking


async def run(step: Step) -> None:
    """One look and one re-evaluation."""
    scene = await step.scene()
    facts = await look(step.world, scene, step.incident)
    async with step.change(scene) as claimed:
        change = claimed.change
        judgement = judged(claimed.incident, facts, scene.policy)
        incident = await keep_round(change, claimed.incident, facts, judgement, counts=False)
        incident = await tell_elsewhere(change, incident, facts)
        if incident.command.may_have_been_sent:
            await _after_a_command(claimed, incident, facts, judgement)
        else:
            await _before_a_command(claimed, incident, scene, facts, judgement)


async def _before_a_command(
    claimed: Claimed, incident: Incident, scene: Scene, facts: RoundFacts, judgement: Judgement
) -> None:
    change = claimed.change
    back = is_back(judgement, incident=incident, cloud=facts.cloud)
    if back:
        claimed.incident = await change.move(
            incident,
            State.RECOVERED,
            reasons=back,
            notice=notices.recovered(incident, change.host, at=change.now, reasons=back),
        )
        return
    reasons: tuple[Reason, ...] = tuple(sorted(incident.sticky & NEEDS_A_PERSON))
    if judgement.verdict is not Verdict.DEAD:
        reasons = (*reasons, *judgement.reasons)
    elif scene.policy.action.takes_down:
        refused = (*await refused_now(change, incident, scene, facts.cloud), *_device_still_mute(incident, facts))
        # What time cures needs no hold; but a cloud that went on saying *Up* past the limit is waited for here.
        lasting = [r for r in refused if r not in WAITS or r is Reason.CLOUD_SAYS_UP]
        reasons = (*reasons, *(r for r in lasting if r not in reasons))
    if reasons and reasons != (Reason.OBSERVE_MODE,):
        await _stay(claimed, incident, reasons)
        return
    claimed.incident = await change.move(back_to_checking(incident), State.CHECKING, text="what held it is gone")


def _device_still_mute(incident: Incident, facts: RoundFacts) -> tuple[Reason, ...]:
    """What ended the last look before the command has not changed: going round again would only fill the timeline."""
    mute = facts.power is None or not facts.power.reachable
    return (Reason.BMC_UNREACHABLE,) if mute and Reason.BMC_UNREACHABLE in incident.reasons else ()


async def _after_a_command(claimed: Claimed, incident: Incident, facts: RoundFacts, judgement: Judgement) -> None:
    life = tuple(r for r in judgement.reasons if r in LIFE)
    if _stays_back(claimed, incident, facts, life):
        notice = notices.recovered(incident, claimed.change.host, at=claimed.now, reasons=life)
        claimed.incident = await claimed.change.move(incident, State.RECOVERED, reasons=life, notice=notice)
        return
    if life:
        await _stay(claimed, incident, (Reason.CONTRADICTION, *life))
        return
    off = facts.power is not None and facts.power.state is PowerState.OFF
    if off and not incident.sticky & NEEDS_A_PERSON:
        claimed.incident = await claimed.change.move(incident, State.VERIFYING, text="the device answers again")
        return
    await _stay(claimed, incident, incident.reasons)


def _stays_back(claimed: Claimed, incident: Incident, facts: RoundFacts, life: tuple[Reason, ...]) -> bool:
    """The contradiction's way out: told, and long enough after it the agent answers and the device says *on*."""
    held_for = claimed.now - (incident.held_since or claimed.now)
    return (
        Reason.AGENT_ANSWERS in life
        and facts.power is not None
        and facts.power.state is PowerState.ON
        and Reason.CONTRADICTION in incident.told
        and held_for >= claimed.change.policy.healthy_for
    )


async def _stay(claimed: Claimed, incident: Incident, reasons: tuple[Reason, ...]) -> None:
    change, now = claimed.change, claimed.now
    if set(reasons) != set(incident.reasons):
        await change.note(incident, "reasons", reasons=reasons, text="still held")
    incident = await change.hold(incident, reasons)
    since = incident.held_since or now
    if reminder_due(since, incident.reminders, now):
        await tell(change.tx, notices.reminder(incident, change.host, at=now))
        due = reminders_by(since, now)
        incident = replace(incident, reminders=max(incident.reminders + 1, due))
    incident = looked_at_in_turn(incident, change.policy, now=now)
    claimed.incident = replace(incident, next_step_at=next_step(incident, change.policy, now=now))
