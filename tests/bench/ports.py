"""Cheap stand-ins for agents, cloud and power: answers of a real size after a real time, at next to no cost."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from controller.cloud.base import EffectResult
from controller.domain.cloud import CloudHosts, CloudInventory
from controller.domain.evidence import (
    Beat,
    CloudSays,
    DiskList,
    DiskTarget,
    FileState,
    Machine,
    PoolView,
    Reading,
    Report,
)
from controller.domain.model import Host
from controller.domain.power import BmcTarget, Outcome, PowerAction, PowerReading, PowerState
from controller.domain.watch import PoolSeen, Seen
from controller.probing.base import Question
from shared.enums import Reach
from tests.bench.site import DISKS, ROOT, Site

_STILL = FileState(device="0:52", inode=7, size=21_474_836_480, blocks=1_234_567, mtime_ns=1, ctime_ns=1)


@dataclass(slots=True)
class Pace:
    """How long answers take, in seconds. A dead address takes the whole deadline, as it does on a network."""

    witness_s: float = 0.0
    power_s: float = 0.0
    dead_takes_its_deadline: bool = False


@dataclass(slots=True)
class Agents:
    """The silent are dead for good, the others answer, read everything and beat every five seconds."""

    site: Site
    silent_since: float
    boottime: Callable[[], float]
    pace: Pace
    _cluster: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        members: defaultdict[str, list[str]] = defaultdict(list)
        for host in self.site.hosts:
            members[host.cluster_id].append(host.id)
        self._cluster = dict(members)

    async def ask(self, witness: Host, question: Question, *, deadline_s: float) -> Report:
        del deadline_s
        await asyncio.sleep(self.pace.witness_s)
        return Report(
            witness_id=witness.id,
            boot_id="boot-1",
            readings=tuple(Reading(path=path, state=_STILL) for path in question.paths),
            pools=tuple(
                PoolView(root=root, own=self._beat(witness.id), subject=self._beat(question.subject.id))
                for root in question.pool_roots
            ),
            reach=Reach.NO_ANSWER if question.subject.id in self.site.silent else Reach.AGENT_ANSWERED,
            took_s=self.pace.witness_s,
        )

    async def watch(self, host: Host, *, deadline_s: float) -> Seen:
        if host.id in self.site.silent:
            await asyncio.sleep(deadline_s if self.pace.dead_takes_its_deadline else 0)
            return Seen(host_id=host.id, reach=Reach.NO_ANSWER, detail="ConnectTimeout")
        await asyncio.sleep(self.pace.witness_s)
        others = {other: self._beat(other) for other in self._cluster[host.cluster_id] if other != host.id}
        pool = PoolSeen(root=ROOT, readable=True, own=self._beat(host.id), others=others)
        return Seen(host_id=host.id, reach=Reach.AGENT_ANSWERED, boot_id="boot-1", pools=(pool,))

    def _beat(self, host_id: str) -> Beat:
        now = self.boottime()
        moved_at = self.silent_since if host_id in self.site.silent else now
        return Beat(
            known=True, boot_id="boot-1", counter=int(moved_at * 1000), moved_age=now - moved_at, sampled_age=0.0
        )


class StandInCloud:
    """An inventory that always answers: four disks a host."""

    async def disks(self, host: Host) -> DiskList:
        vms = tuple(f"vm-{number}-of-{host.id}" for number in range(DISKS))
        targets = tuple(
            DiskTarget(vm_id=vm, vm_name=vm, path=f"{ROOT}/{vm}-0b5e9a52-7c9e-4f0d-9c44.qcow2", pool_root=ROOT)
            for vm in vms
        )
        return DiskList(
            known=True, targets=targets, machines=tuple(Machine(id=vm, name=vm) for vm in vms), pool_roots=(ROOT,)
        )

    async def says(self, host: Host) -> CloudSays:
        del host
        return CloudSays.NONE

    async def quarantine(self, host: Host, earlier: str) -> EffectResult:
        del host, earlier
        return EffectResult(done=True)

    async def unquarantine(self, host: Host, earlier: str) -> EffectResult:
        del host, earlier
        return EffectResult(done=True)

    async def release(self, host: Host, machines: tuple[Machine, ...], progress: dict[str, Any]) -> EffectResult:
        del host, machines, progress
        return EffectResult(done=True)

    async def poll(self) -> CloudHosts:
        return CloudHosts(known=True)

    async def inventory(self) -> CloudInventory | None:
        return None

    async def aclose(self) -> None:
        pass


@dataclass(slots=True)
class Devices:
    """Every device says *on*. A command here would be a mistake of the benchmark."""

    pace: Pace

    async def status(self, target: BmcTarget, *, deadline_s: float, by_hand: bool = False) -> PowerReading:
        del target, deadline_s, by_hand
        await asyncio.sleep(self.pace.power_s)
        return PowerReading(state=PowerState.ON, took_s=self.pace.power_s)

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        return await self.status(target, deadline_s=deadline_s)

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        del target, deadline_s, not_after
        raise AssertionError(f"no device was to be told {action}")
