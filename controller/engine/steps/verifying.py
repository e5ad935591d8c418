"""VERIFYING: read the power state until it is proven off, contradicted, or out of time. Never sends.

Carries rules 1 and 6 (only spaced, consecutive, countable reads prove) and rule 9 (a further command needs FENCING
again: a fresh read, a fresh dead round, the budget).
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from controller.domain import notices
from controller.domain.incident import Incident, State
from controller.domain.methods import commands_allowed
from controller.domain.policy import Policy
from controller.domain.power import PowerReading, PowerState
from controller.domain.proof import Standing, note_read, why_off_does_not_count
from controller.domain.reasons import Reason
from controller.domain.safeguards import bmc_seen_on
from controller.engine.step import Claimed, Step
from controller.services.look import deadline_s, read_power
from controller.services.scene import Scene
from controller.services.telling import tell

OWN_ADDRESS_S = 1.1
"""How long the host's own address may take to answer, in seconds: enough for a lost SYN, which is sent again after 1 s.
The watch goes on asking it all the while, and what it hears counts here as well."""


async def run(step: Step) -> None:
    """One read of the power state, and one question to the host's own address."""
    scene = await step.scene()
    deadline = deadline_s(scene.policy)
    own, (reading, read_at) = await asyncio.gather(
        step.world.probing.watch(scene.host, deadline_s=min(OWN_ADDRESS_S, deadline)), _read(step, scene, deadline)
    )
    async with step.change(scene) as claimed:
        change, incident = claimed.change, claimed.incident
        if own.answered or life_since(incident):
            reasons = (Reason.CONTRADICTION, Reason.AGENT_ANSWERS)
            claimed.incident = await change.move(incident, State.HELD, reasons=reasons[: 2 if own.answered else 1])
            return
        if reading is None:
            claimed.incident = await change.move(incident, State.HELD, reasons=(Reason.NOT_CONFIGURED,))
            return
        health = await change.tx.health(incident.host_id)
        standing = Standing(on_seen_alive=bmc_seen_on(health, scene.policy))
        proof = note_read(incident.proof, reading, at=read_at, standing=standing, policy=scene.policy)
        incident = replace(incident, proof=proof)
        await change.note(
            incident,
            "power_read",
            text=f"power state {reading.state}",
            data={"state": reading.state, "code": reading.code, "said": reading.said, "off_reads": proof.reads},
        )
        if proof.proven_at is not None:
            await tell(change.tx, notices.off_proven(incident, change.host, at=claimed.now))
            claimed.incident = await change.move(incident, State.RELEASING, reasons=(Reason.PROVEN_OFF,))
            return
        await _not_yet(claimed, incident, standing, read_at)


async def _read(step: Step, scene: Scene, deadline: float) -> tuple[PowerReading | None, datetime]:
    """The reading, and when it was taken: the slow answer of a dead address must not make it look younger.

    The step began earlier by what the question to that address takes, so that both end together.
    """
    last = step.incident.proof.last_at
    if last is not None:
        early = (last + scene.policy.read_spacing - await step.world.clock.now()).total_seconds()
        await step.world.clock.sleep(min(max(0.0, early), OWN_ADDRESS_S))
    reading = await read_power(step.world, scene.host, scene.policy, deadline)
    return reading, await step.world.clock.now()


def life_since(incident: Incident) -> bool:
    """True when any sign of life came after the last command (or, without one, after this state began)."""
    since = incident.command.last_at or incident.entered_at
    return incident.life_at is not None and incident.life_at > since


async def _not_yet(claimed: Claimed, incident: Incident, standing: Standing, read_at: datetime) -> None:
    now, change, policy = claimed.now, claimed.change, claimed.change.policy
    if now < _deadline(incident, policy):
        early = timedelta(seconds=OWN_ADDRESS_S)
        claimed.incident = replace(incident, next_step_at=max(now, read_at + policy.read_spacing - early))
        return
    budget = incident.command.count < commands_allowed(incident, policy)
    if incident.proof.last_state is PowerState.ON and budget:
        claimed.incident = await change.move(incident, State.FENCING, reasons=(Reason.OFF_NOT_PROVEN,))
        return
    why = why_off_does_not_count(incident.proof, at=now, standing=standing, policy=policy)
    reasons = [Reason.OFF_NOT_PROVEN, *why]
    if incident.proof.last_state is PowerState.UNKNOWN:
        reasons.append(Reason.BMC_UNREACHABLE)
    if incident.proof.last_state is PowerState.ON and not budget:
        reasons.append(Reason.COMMAND_BUDGET)
    claimed.incident = await change.hold_or_next(incident, tuple(reasons))


def _deadline(incident: Incident, policy: Policy) -> datetime:
    """``off_deadline`` after the state began, longer while a device that was out of reach settles."""
    end = incident.entered_at + policy.off_deadline
    if incident.proof.unreachable_at is not None and incident.proof.last_state is PowerState.OFF:
        settled = incident.proof.unreachable_at + policy.bmc_settle
        end = max(end, settled + policy.off_reads * policy.read_spacing + policy.check_interval)
    return end
