"""One check round's looking: everybody is asked at once, within one deadline, with no transaction open."""

import asyncio
from dataclasses import replace

from controller.domain.evidence import DiskList, Report, RoundFacts, takes_heartbeats
from controller.domain.incident import Incident
from controller.domain.model import Host
from controller.domain.policy import Policy
from controller.domain.power import PowerCode, PowerReading, PowerState
from controller.domain.reasons import Reason
from controller.domain.watch import Seen
from controller.probing.base import Question
from controller.services.scene import Scene, bmc_target
from controller.services.world import World
from shared.enums import Reach

LONGEST_ROUND_S = 6.0
SHARE_OF_INTERVAL = 0.6
LATE_BY_S = 3.0
"""A look this much longer than its deadline was held up (a stopped process, a slow cloud): its answers are old."""


async def look(world: World, scene: Scene, incident: Incident) -> RoundFacts:
    """Read placement, then ask all witnesses, the host itself, its BMC and the cloud at once.

    ``at`` is the hostfence time when the last answer was in. Never raises for what anybody answered or did not.
    """
    deadline = deadline_s(scene.policy)
    disks = (await world.cloud.disks(scene.host)).without(incident.begun)
    question = Question(
        subject=scene.host,
        paths=_paths(disks),
        pool_roots=tuple(sorted(filter(takes_heartbeats, {*disks.roots_in_question, *disks.pool_roots}))),
    )
    asked, began = scene.witnesses.asked, world.clock.boottime()
    reports, own, power, cloud = await asyncio.gather(
        asyncio.gather(*(_ask(world, w, question, deadline) for w in asked)),
        world.probing.watch(scene.host, deadline_s=deadline),
        read_power(world, scene.host, scene.policy, deadline),
        world.cloud.says(scene.host),
    )
    at = await world.clock.now()
    if world.clock.boottime() - began > deadline + LATE_BY_S:
        reports, own, power = [_late(r) for r in reports], _late_seen(own), _late_reading(power)
    return RoundFacts(
        number=incident.rounds + 1,
        at=at,
        disks=disks,
        reports=tuple(reports),
        own_reach=own.reach,
        reach_detail=own.detail,
        agent_boot_id=own.boot_id,
        power=power,
        cloud=cloud,
        not_asked=scene.witnesses.not_asked,
    )


def deadline_s(policy: Policy) -> float:
    """How long one round may look, in seconds: well inside the check interval."""
    return min(LONGEST_ROUND_S, SHARE_OF_INTERVAL * policy.check_interval.total_seconds())


async def read_power(world: World, host: Host, policy: Policy, deadline: float) -> PowerReading | None:
    """The power state, or None where no device is configured or its address may not be used."""
    if not policy.bmc.configured or world.bmc_address_refused(policy.bmc.host):
        return None
    return await world.power.status(bmc_target(host, policy), deadline_s=deadline)


async def read_other_devices(world: World, scene: Scene) -> list[PowerReading | None]:
    """The power state as each device tells it that is not the one in use."""
    policy = scene.policy
    others = [policy.using(n) for n, device in enumerate(policy.methods) if device != policy.bmc]
    return list(await asyncio.gather(*(read_power(world, scene.host, other, deadline_s(other)) for other in others)))


def _late(report: Report) -> Report:
    """Late answers are unknown (rule 3); a sign of life stays one, however late."""
    if report.reach is Reach.AGENT_ANSWERED:
        return report
    return Report(witness_id=report.witness_id, failure=Reason.WITNESS_SILENT, detail="the look took too long")


def _late_seen(seen: Seen) -> Seen:
    return seen if seen.answered else replace(seen, reach=Reach.UNKNOWN)


def _late_reading(reading: PowerReading | None) -> PowerReading | None:
    if reading is None:
        return None
    return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.TIMED_OUT, said="the look took too long")


async def _ask(world: World, witness: Host, question: Question, deadline: float) -> Report:
    """The witness also stats its own heartbeat file: the storage server's own *now*, for the baseline."""
    paths = (*question.paths, *(f"{root}/.hostfence/{witness.id}" for root in question.pool_roots))
    mine = Question(subject=question.subject, paths=paths, pool_roots=question.pool_roots)
    return await world.probing.ask(witness, mine, deadline_s=deadline)


def _paths(disks: DiskList) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(t.path for t in disks.targets), *disks.cloud_heartbeats)))
