"""CHECKING: one round, one verdict, one decision.

Carries rules 2, 3 and 10 by handing what was seen to the pure core and following what it says.
"""

from dataclasses import replace
from datetime import timedelta

from controller.domain import notices
from controller.domain.decision import Decision, Verb, decide, is_back, wants_quarantine
from controller.domain.evidence import CloudSays, RoundFacts, Verdict
from controller.domain.incident import Incident, State
from controller.domain.methods import next_method, with_method
from controller.domain.model import EffectKind, Notice
from controller.domain.policy import Action
from controller.domain.reasons import Reason
from controller.domain.safeguards import refusals
from controller.engine.step import Claimed, Step
from controller.services.look import look
from controller.services.rounds import judged, keep_round
from controller.services.scene import Scene, read_cluster_facts
from controller.services.telling import tell
from controller.services.transition import Change


async def run(step: Step) -> None:
    """One round."""
    scene = await step.scene()
    facts = await look(step.world, scene, step.incident)
    async with step.change(scene) as claimed:
        change = claimed.change
        judgement = judged(claimed.incident, facts, scene.policy)
        incident = await keep_round(change, claimed.incident, facts, judgement, counts=True)
        incident = await tell_elsewhere(change, incident, facts)
        refused = await refused_now(change, incident, scene, facts.cloud)
        back = is_back(judgement, incident=incident, cloud=facts.cloud)
        dead = judgement.verdict is Verdict.DEAD
        if not back and wants_quarantine(incident, scene.policy, refused, now_dead=dead):
            await change.effect(incident, EffectKind.QUARANTINE)
            incident = replace(incident, quarantined=True)
        decision = decide(
            incident,
            judgement,
            scene.policy,
            disks=facts.disks,
            back=back,
            refused=refused,
            now=claimed.now,
        )
        await _follow(claimed, incident, decision, step.looked_for())


async def refused_now(change: Change, incident: Incident, scene: Scene, cloud: CloudSays) -> tuple[Reason, ...]:
    """Every safeguard's refusal, on facts of this transaction."""
    facts = await read_cluster_facts(change.tx, change.world, scene, incident, now=change.now, cloud=cloud)
    return refusals(incident, facts, scene.policy, now=change.now)


async def tell_elsewhere(change: Change, incident: Incident, facts: RoundFacts) -> Incident:
    """A VM that the cloud now runs elsewhere while its old host is unfenced: two writers are possible.

    Said once, loudly.
    """
    if not facts.disks.elsewhere or Reason.PLACED_ELSEWHERE in incident.told:
        return incident
    await change.note(
        incident,
        "placed_elsewhere",
        reasons=(Reason.PLACED_ELSEWHERE,),
        text=", ".join(facts.disks.elsewhere),
    )
    where = dict.fromkeys(facts.disks.elsewhere, "")
    notice = notices.placed_elsewhere(incident, change.host, at=change.now, where=where)
    await tell(change.tx, notice)
    return replace(incident, told=incident.told | {Reason.PLACED_ELSEWHERE})


async def _follow(claimed: Claimed, incident: Incident, decision: Decision, looked_for: timedelta) -> None:
    change = claimed.change
    match decision.verb:
        case Verb.RECOVER:
            claimed.incident = await change.move(
                incident,
                State.RECOVERED,
                reasons=decision.reasons,
                notice=notices.recovered(incident, change.host, at=change.now, reasons=decision.reasons)
                if incident.told
                else None,
            )
        case Verb.GO_ON:
            claimed.incident = replace(
                incident,
                reasons=decision.reasons,
                next_step_at=change.now + max(timedelta(0), change.policy.check_interval - looked_for),
            )
        case Verb.FENCE:
            claimed.incident = await change.move(
                replace(incident, action=decision.action), State.FENCING, reasons=decision.reasons
            )
        case Verb.NOTIFY:
            claimed.incident = await _notify(change, incident, decision)
        case Verb.HOLD if (number := next_method(incident, change.policy, decision.reasons)) is not None:
            text = f"goes on with power device {number + 1}"
            await change.note(incident, "method", reasons=decision.reasons, text=text)
            claimed.incident = replace(
                with_method(incident, number),
                reasons=decision.reasons,
                next_step_at=change.now + max(timedelta(0), change.policy.check_interval - looked_for),
            )
        case Verb.HOLD:
            claimed.incident = await change.move(incident, State.HELD, reasons=decision.reasons)


async def _notify(change: Change, incident: Incident, decision: Decision) -> Incident:
    if decision.action is Action.BLINK:
        await change.effect(incident, EffectKind.BLINK)
    return await change.move(
        incident,
        State.NOTIFIED,
        reasons=decision.reasons,
        notice=_found_dead(change, incident, decision),
    )


def _found_dead(change: Change, incident: Incident, decision: Decision) -> Notice:
    host, at = change.host, change.now
    if Reason.NOTHING_TO_RELEASE in decision.reasons:
        return notices.nothing_to_release(incident, host, at=at)
    if Reason.OBSERVE_MODE in decision.reasons:
        return notices.would_have_fenced(incident, host, at=at, action=change.policy.action, reasons=decision.reasons)
    if Reason.ACTION_BLINK in decision.reasons:
        return notices.blink(incident, host, at=at)
    return notices.action_none(incident, host, at=at)
