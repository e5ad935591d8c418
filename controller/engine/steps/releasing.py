"""RELEASING: with a proof (or a person's word) in hand, look once more for life, then let the VMs start elsewhere.

Carries rule 1: the release's intent is stored only with an *off* read at most 30 s old, or an acknowledgement, and no
sign of life since; unknown is not silent, the release waits.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from controller.cloud.base import EffectResult
from controller.domain import notices
from controller.domain.evidence import RoundFacts, Verdict
from controller.domain.incident import Incident, State
from controller.domain.model import Effect, EffectKind, EffectStatus, Level
from controller.domain.policy import Action, Policy
from controller.domain.power import PowerState
from controller.domain.proof import Standing, fresh, note_read
from controller.domain.reasons import LIFE, Reason
from controller.domain.safeguards import bmc_seen_on
from controller.domain.watch import Seen, vanished
from controller.engine.step import Claimed, LeaseLost, Step
from controller.engine.steps.verifying import life_since
from controller.services.look import deadline_s, look
from controller.services.pauses import own_pause
from controller.services.rounds import judged, keep_round
from controller.services.scene import Scene
from controller.services.transition import Change

OFF_READ_WITHIN = timedelta(seconds=30)
POWER_ON_GIVES_UP_AFTER = timedelta(minutes=10)
RELEASE_WITHIN_S = 5.0
"""A release is not begun later than this after its look: a process that was stopped meanwhile must look again."""


async def run(step: Step) -> None:
    """One look; when nothing speaks against it, the release."""
    scene = await step.scene()
    facts = await look(step.world, scene, step.incident)
    others = await _watch_others(step, scene)
    looked_at = step.world.clock.boottime()
    effect = await _intend(step, scene, facts, others)
    if effect is None:
        return
    if step.world.clock.boottime() > min(looked_at + RELEASE_WITHIN_S, step.lease_ends()):
        raise LeaseLost
    result = await step.world.cloud.release(scene.host, step.incident.machines, effect.progress)
    await _keep_result(step, scene, effect, result)


async def _watch_others(step: Step, scene: Scene) -> tuple[Seen, ...]:
    """Of every cluster: a wrong BMC may be anybody's."""
    deadline = min(2.0, deadline_s(scene.policy))
    async with step.world.store.transaction() as tx:
        hosts = [host for host in await tx.hosts() if host.agent_token and host.id != scene.host.id]
    asked = (step.world.probing.watch(host, deadline_s=deadline) for host in hosts)
    return tuple(await asyncio.gather(*asked))


async def _intend(step: Step, scene: Scene, facts: RoundFacts, others: tuple[Seen, ...]) -> Effect | None:
    async with step.change(scene) as claimed:
        change = claimed.change
        judgement = judged(claimed.incident, facts, scene.policy)
        incident = await keep_round(change, claimed.incident, facts, judgement, counts=False)
        incident = await _note_power(change, incident, facts)
        life = tuple(r for r in judgement.reasons if r in LIFE)
        if life or life_since_off(incident):
            await contradicted(claimed, incident, (Reason.CONTRADICTION, *life))
            return None
        if incident.acknowledged is not None and facts.power is not None and facts.power.state is PowerState.ON:
            # Somebody gave it power after the word was given: it takes another look, and another word.
            incident = replace(incident, acknowledged=None)
            claimed.incident = await change.move(incident, State.HELD, reasons=(Reason.OFF_NOT_PROVEN,))
            return None
        sent = await _cut_at(change, incident)
        gone = _vanished(incident, others, scene.policy, now=claimed.now, sent=sent)
        known = _window_is_over(incident, scene.policy, now=claimed.now, sent=sent)
        if gone and known:
            await _stop_everything(claimed, incident, gone)
            return None
        wait = _why_wait(incident, facts, judgement.verdict, judgement.reasons, claimed.now)
        if gone:
            wait = (*wait, Reason.OTHER_HOST_VANISHED)
        if wait:
            await _wait(claimed, incident, wait, scene.policy)
            return None
        if not known:
            claimed.incident = replace(incident, next_step_at=claimed.now + scene.policy.read_spacing)
            return None
        claimed.incident = replace(incident, next_step_at=claimed.now)
        claimed.ends = False
        return await _release_effect(change, incident)


async def _note_power(change: Change, incident: Incident, facts: RoundFacts) -> Incident:
    if facts.power is None or incident.acknowledged is not None:
        return incident
    health = await change.tx.health(incident.host_id)
    standing = Standing(on_seen_alive=bmc_seen_on(health, change.policy))
    return replace(
        incident,
        proof=note_read(incident.proof, facts.power, at=change.now, standing=standing, policy=change.policy),
    )


def life_since_off(incident: Incident) -> bool:
    """Life after the command, the proof or the acknowledgement."""
    if incident.acknowledged is not None:
        return incident.life_at is not None and incident.life_at > incident.acknowledged.at
    return life_since(incident)


def _why_wait(
    incident: Incident,
    facts: RoundFacts,
    verdict: Verdict,
    reasons: tuple[Reason, ...],
    now: datetime,
) -> tuple[Reason, ...]:
    if incident.acknowledged is not None:
        return (Reason.KERNEL_ANSWERS,) if Reason.KERNEL_ANSWERS in reasons else ()
    if not fresh(incident.proof, now=now, within=OFF_READ_WITHIN):
        return (Reason.OFF_NOT_PROVEN,)
    if facts.power is None or facts.power.state is not PowerState.OFF:
        return (Reason.BMC_UNREACHABLE,)
    return () if verdict is Verdict.DEAD else reasons


async def _wait(claimed: Claimed, incident: Incident, why: tuple[Reason, ...], policy: Policy) -> None:
    """A voided proof goes back to reading; anything else waits here, within the checking limit."""
    change = claimed.change
    if incident.acknowledged is None and incident.proof.proven_at is None:
        claimed.incident = await change.move(incident, State.VERIFYING, reasons=why)
    elif claimed.now - incident.entered_at >= policy.checking_limit:
        claimed.incident = await change.move(incident, State.HELD, reasons=why or (Reason.RELEASE_FAILED,))
    else:
        claimed.incident = replace(incident, reasons=why, next_step_at=claimed.now + policy.read_spacing)


async def contradicted(claimed: Claimed, incident: Incident, why: tuple[Reason, ...]) -> None:
    """Something of the host lives although its power is said to be off: its cluster holds until a person has looked."""
    change = claimed.change
    await _pause(change, Level.CLUSTER, incident.cluster_id, Reason.CONTRADICTION)
    claimed.incident = await change.move(incident, State.HELD, reasons=why)


async def _stop_everything(claimed: Claimed, incident: Incident, hosts: tuple[str, ...]) -> None:
    change = claimed.change
    await _pause(change, Level.GLOBAL, "", Reason.OTHER_HOST_VANISHED)
    claimed.incident = await change.move(
        incident,
        State.HELD,
        reasons=(Reason.OTHER_HOST_VANISHED, Reason.CONTRADICTION),
        data={"vanished": list(hosts)},
    )


async def _pause(change: Change, level: Level, owner_id: str, reason: Reason) -> None:
    await change.tx.save_pause(own_pause(change.world, level, owner_id, reason, now=change.now))


async def _cut_at(change: Change, incident: Incident) -> datetime | None:
    """When the power of this host was last to be cut in this incident, by hostfence or by a person."""
    cut = [
        attempt.intended_at
        for attempt in await change.tx.attempts_since(incident.opened_at)
        if attempt.host_id == incident.host_id and attempt.action.destructive
    ]
    return max((at for at in (incident.command.last_at, *cut) if at is not None), default=None)


def _vanished(
    incident: Incident, others: tuple[Seen, ...], policy: Policy, *, now: datetime, sent: datetime | None
) -> tuple[str, ...]:
    """Hosts that fell silent with the command, as far as can be told now.

    A device may take its time to obey: what it cut fell silent between the command and its first *off*.
    """
    if sent is None:
        return ()
    took = max(timedelta(0), (incident.proof.first_at or sent) - sent)
    return vanished(
        others,
        but=incident.host_id,
        command_age=(now - sent).total_seconds(),
        within=(took + policy.vanish_window).total_seconds(),
        interval=policy.heartbeat_interval.total_seconds(),
        answering=frozenset(s.host_id for s in others if s.answered),
    )


def _window_is_over(incident: Incident, policy: Policy, *, now: datetime, sent: datetime | None) -> bool:
    """Only then is it known whether another host fell silent with the command: beats are sampled an interval late."""
    since = max(sent, incident.proof.first_at or sent) if sent is not None else None
    return since is None or now - since > policy.vanish_window + policy.heartbeat_interval


async def _keep_result(step: Step, scene: Scene, effect: Effect, result: EffectResult) -> None:
    """Store what became of the release; a reboot's *on* follows as an effect of its own."""
    async with step.change(scene) as claimed:
        change = claimed.change
        incident = replace(claimed.incident, begun=claimed.incident.begun | set(result.begun))
        kept = replace(effect, tries=effect.tries + 1, said=result.said, progress=result.progress or effect.progress)
        if result.pending:
            await change.tx.save_effect(kept)
            await _wait(claimed, incident, (), scene.policy)
            return
        await change.tx.save_effect(
            replace(
                kept,
                status=EffectStatus.DONE if result.done else EffectStatus.FAILED,
                finished_at=claimed.now,
            )
        )
        if not result.done:
            await _release_failed(claimed, incident, result, scene.policy)
            return
        incident = replace(incident, released_at=claimed.now)
        if _wants_on(incident):
            incident = replace(incident, sent_on=True)
            await change.effect(incident, EffectKind.POWER_ON, gives_up_after=POWER_ON_GIVES_UP_AFTER)
        claimed.incident = await change.move(
            incident,
            State.FENCED,
            reasons=_why_released(incident),
            data={"said": result.said, "not_started": list(result.not_started)},
            notice=notices.fenced(
                incident,
                change.host,
                at=change.now,
                action=Action.REBOOT if incident.sent_on else Action.OFF,
                not_started=result.not_started,
            ),
        )


def _why_released(incident: Incident) -> tuple[Reason, ...]:
    why = Reason.ACKNOWLEDGED if incident.acknowledged else Reason.PROVEN_OFF
    return (why, Reason.RELEASED_BY_CLOUD) if Reason.PLACED_ELSEWHERE in incident.told else (why,)


def _wants_on(incident: Incident) -> bool:
    """Only a host whose off this incident sent is powered on again."""
    return incident.action is Action.REBOOT and incident.command.may_have_been_sent


async def _release_failed(claimed: Claimed, incident: Incident, result: EffectResult, policy: Policy) -> None:
    change = claimed.change
    await change.note(incident, "release_failed", reasons=(Reason.RELEASE_FAILED,), data={"said": result.said})
    await _wait(claimed, incident, (Reason.RELEASE_FAILED,), policy)


async def _release_effect(change: Change, incident: Incident) -> Effect:
    """The intent of the release; one that a stopped controller left behind, or that takes long, is taken up again."""
    effects = await change.tx.effects_of(host_id=incident.host_id)
    mine = [e for e in effects if e.incident_id == incident.id and e.kind is EffectKind.RELEASE]
    if mine and mine[-1].status is EffectStatus.INTENDED:
        return mine[-1]
    return await change.effect(incident, EffectKind.RELEASE, progress=mine[-1].progress if mine else None)
