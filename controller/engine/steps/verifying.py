"""VERIFYING: read the power state until it is proven off, contradicted, or out of time. Never sends.

Carries rules 1 and 6 (only spaced, consecutive, countable reads prove) and rule 9 (a further command needs FENCING
again: a fresh read, a fresh dead round, the budget).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

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

BEAT_S = 0.25
"""A step that is due begins up to so much later (the worker's beat): steps are made due that much earlier, and wait."""

READ_AGAIN_S = 0.5
"""A device that still says *on* is read again after so long, or after as long as the read took: it must have time for
itself. Such reads prove nothing; the sooner the first *off* is seen, the sooner its spaced successors may begin."""

OFTEN_FOR = timedelta(seconds=15)
"""After a command, or where none was needed after the state began; what has not switched by then is read at the
distance of a proof's reads."""


@dataclass(frozen=True, slots=True)
class _Read:
    """``at``: when it was taken. The slow answer of a dead address must not make it look younger."""

    reading: PowerReading
    at: datetime

    @property
    def pause_s(self) -> float:
        """How long the device is left alone before it is read again while it says *on*."""
        return max(READ_AGAIN_S, self.reading.took_s)


async def run(step: Step) -> None:
    """One question to the host's own address, and meanwhile reads of the power state: one, or more while it is *on*."""
    scene = await step.scene()
    deadline = deadline_s(scene.policy)
    await step.world.clock.sleep(await _to_spare(step, scene.policy, OWN_ADDRESS_S, at_most=BEAT_S))
    own, reads = await asyncio.gather(
        step.world.probing.watch(scene.host, deadline_s=min(OWN_ADDRESS_S, deadline)), _reads(step, scene, deadline)
    )
    async with step.change(scene) as claimed:
        change, incident = claimed.change, claimed.incident
        if own.answered or life_since(incident):
            reasons = (Reason.CONTRADICTION, Reason.AGENT_ANSWERS)
            claimed.incident = await change.move(incident, State.HELD, reasons=reasons[: 2 if own.answered else 1])
            return
        if not reads:
            claimed.incident = await change.move(incident, State.HELD, reasons=(Reason.NOT_CONFIGURED,))
            return
        health = await change.tx.health(incident.host_id)
        standing = Standing(on_seen_alive=bmc_seen_on(health, scene.policy))
        incident = await _note(claimed, incident, reads, standing, scene.policy)
        if incident.proof.proven_at is not None:
            await tell(change.tx, notices.off_proven(incident, change.host, at=claimed.now))
            claimed.incident = await change.move(incident, State.RELEASING, reasons=(Reason.PROVEN_OFF,))
            return
        await _not_yet(claimed, incident, standing, reads[-1])


async def _to_spare(step: Step, policy: Policy, before: float, *, at_most: float) -> float:
    """How many seconds there are until ``before`` seconds before the proof's next read."""
    last = step.incident.proof.last_at
    if last is None:
        return 0.0
    left = (last + policy.read_spacing - await step.world.clock.now()).total_seconds()
    return min(max(0.0, left - before), at_most)


async def _reads(step: Step, scene: Scene, deadline: float) -> list[_Read]:
    """All of this step, in order; none where there is no device to read.

    The question to the host's address began as much earlier as it takes, so that both end together.
    """
    clock = step.world.clock
    began, often = clock.boottime(), _often(step.incident, await clock.now())
    await clock.sleep(await _to_spare(step, scene.policy, 0.0, at_most=OWN_ADDRESS_S))
    reads: list[_Read] = []
    while (reading := await read_power(step.world, scene.host, scene.policy, deadline)) is not None:
        read = _Read(reading, await clock.now())
        reads.append(read)
        if reading.state is not PowerState.ON or not often or clock.boottime() - began + read.pause_s > OWN_ADDRESS_S:
            break
        await clock.sleep(read.pause_s)
    return reads


def _often(incident: Incident, now: datetime) -> bool:
    return now - (incident.command.last_at or incident.entered_at) < OFTEN_FOR


async def _note(
    claimed: Claimed, incident: Incident, reads: Sequence[_Read], standing: Standing, policy: Policy
) -> Incident:
    """The proof after every one of the reads; the timeline gets those in a row that say the same as one."""
    for (state, code), run_of in groupby(reads, lambda read: (read.reading.state, read.reading.code)):
        same = list(run_of)
        for one in same:
            proof = note_read(incident.proof, one.reading, at=one.at, standing=standing, policy=policy)
            incident = replace(incident, proof=proof)
        said = same[-1].reading.said
        data = {"state": state, "code": code, "said": said, "off_reads": incident.proof.reads, "reads": len(same)}
        await claimed.change.note(incident, "power_read", text=f"power state {state}", data=data)
    return incident


def life_since(incident: Incident) -> bool:
    """True when any sign of life came after the last command (or, without one, after this state began)."""
    since = incident.command.last_at or incident.entered_at
    return incident.life_at is not None and incident.life_at > since


async def _not_yet(claimed: Claimed, incident: Incident, standing: Standing, last: _Read) -> None:
    now, change, policy = claimed.now, claimed.change, claimed.change.policy
    if now < _deadline(incident, policy):
        claimed.incident = replace(incident, next_step_at=max(now, _next_read(incident, policy, last, now)))
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


def _next_read(incident: Incident, policy: Policy, last: _Read, now: datetime) -> datetime:
    """When the next step is due. One that counts on a proof waits for the very moment by itself."""
    if last.reading.state is PowerState.ON and _often(incident, now):
        return last.at + timedelta(seconds=last.pause_s)
    early = timedelta(seconds=OWN_ADDRESS_S + BEAT_S) if incident.proof.reads else timedelta(0)
    return last.at + policy.read_spacing - early


def _deadline(incident: Incident, policy: Policy) -> datetime:
    """``off_deadline`` after the state began, longer while a device that was out of reach settles."""
    end = incident.entered_at + policy.off_deadline
    if incident.proof.unreachable_at is not None and incident.proof.last_state is PowerState.OFF:
        settled = incident.proof.unreachable_at + policy.bmc_settle
        end = max(end, settled + policy.off_reads * policy.read_spacing + policy.check_interval)
    return end
