"""The simulated cloud as one process reaches it: placement, opinions, and effects that fail or lose their answer."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from controller.cloud.base import EffectResult
from controller.domain.cloud import CloudHosts, CloudInventory
from controller.domain.evidence import CloudSays, DiskList, DiskTarget, Machine
from controller.domain.model import EffectKind, Host
from tests.simulation.hardware import Guest
from tests.simulation.process import Process
from tests.simulation.universe import Universe

ADAPTER_BUG = "the simulated cloud adapter fell over"


class SimCloud:
    """Implements :class:`controller.cloud.base.Cloud` on the truth."""

    def __init__(
        self, process: Process, universe: Universe, on_effect: Callable[[Process, EffectKind, str], None]
    ) -> None:
        self._process = process
        self._universe = universe
        self._on_effect = on_effect

    async def disks(self, host: Host) -> DiskList:
        await self._process.point("disks")
        u = self._universe
        if u.cloud.adapter_fails:
            raise RuntimeError(ADAPTER_BUG)
        pools = [p for p in u.pools.values() if p.cluster_id == host.cluster_id]
        if u.cloud.unreachable and u.cloud.opinions:
            return DiskList(known=False)
        here = [g for g in u.guests.values() if g.placed_on == host.id]
        return DiskList(
            known=True,
            targets=tuple(
                DiskTarget(vm_id=g.id, vm_name=g.name, path=g.path, pool_root=u.pools[g.pool_id].root) for g in here
            ),
            elsewhere=tuple(
                g.name for g in u.guests.values() if host.id in (g.host_id, g.left) and host.id != g.placed_on
            ),
            uncheckable=tuple(g.name for g in here if g.local),
            cloud_heartbeats=tuple(p.cloud_path(host.id) for p in pools) if u.cloud.opinions else (),
            machines=tuple(
                Machine(id=g.id, name=g.name) for g in u.guests.values() if host.id in (g.placed_on, g.host_id, g.left)
            ),
            pool_roots=tuple(p.root for p in pools),
        )

    async def says(self, host: Host) -> CloudSays:
        await self._process.point("says")
        cloud = self._universe.cloud
        if not cloud.opinions:
            return CloudSays.NONE
        if cloud.unreachable or cloud.mute:
            return CloudSays.UNREACHABLE
        silent = self._universe.now() - cloud.pinged_at[host.id]
        return CloudSays.UP if silent < cloud.notices_after_s else CloudSays.NOT_UP

    async def quarantine(self, host: Host, earlier: str) -> EffectResult:
        del earlier
        return await self._effect(EffectKind.QUARANTINE, host)

    async def unquarantine(self, host: Host, earlier: str) -> EffectResult:
        del earlier
        return await self._effect(EffectKind.UNQUARANTINE, host)

    async def release(self, host: Host, machines: tuple[Machine, ...], progress: dict[str, Any]) -> EffectResult:
        if not self._universe.cloud.slow_release:
            return await self._effect(EffectKind.RELEASE, host)
        if "said" not in progress:
            await self._process.point("cloud release said")
            begun = tuple(machine.id for machine in machines)
            return EffectResult(done=False, pending=True, said="about to", progress={"said": True}, begun=begun)
        result = await self._effect(EffectKind.RELEASE, host)
        more = result.done and not result.not_started and self._placed_on(host)
        return replace(result, done=False, pending=True, progress=progress) if more else result

    async def poll(self) -> CloudHosts:
        return CloudHosts(known=True)

    async def inventory(self) -> CloudInventory | None:
        return None

    async def _effect(self, kind: EffectKind, host: Host) -> EffectResult:
        self._process.spring(f"cloud {kind}")
        cloud = self._universe.cloud
        if cloud.effects_fail or cloud.unreachable:
            await asyncio.sleep(0.5)
            return EffectResult(done=False, said="the cloud does not answer")
        await asyncio.sleep(0.05)
        self._process.spring(f"cloud {kind} sent")  # on its way: stopping the process does not stop it
        self._on_effect(self._process, kind, host.id)
        not_started = self._do(kind, host)
        await asyncio.sleep(0.05)
        await self._process.point(f"cloud {kind} done")
        if cloud.loses_answers:
            return EffectResult(done=False, said="the answer was lost")
        return EffectResult(done=True, earlier="enabled", not_started=not_started)

    def _do(self, kind: EffectKind, host: Host) -> tuple[str, ...]:
        u = self._universe
        match kind:
            case EffectKind.QUARANTINE:
                u.cloud.quarantined.add(host.id)
            case EffectKind.UNQUARANTINE:
                u.cloud.quarantined.discard(host.id)
            case EffectKind.RELEASE:
                u.cloud.released.append((u.now(), host.id))
                return self._start_elsewhere(host)
            case _:
                pass
        return ()

    def _start_elsewhere(self, host: Host) -> tuple[str, ...]:
        u, now = self._universe, self._universe.now()
        others = [
            m for m in u.hosts.values() if m.id != host.id and m.cluster_id == host.cluster_id and m.agent_up(now)
        ]
        mine = self._placed_on(host)
        if not others:
            return tuple(guest.name for guest in mine)
        for guest in mine[:1] if u.cloud.slow_release else mine:
            there = others[len(guest.id) % len(others)]
            guest.host_id, guest.boot, guest.placed_on = there.id, there.boot(now), there.id
        return ()

    def _placed_on(self, host: Host) -> list[Guest]:
        return [guest for guest in self._universe.guests.values() if guest.placed_on == host.id]

    async def aclose(self) -> None:
        """Nothing to give back."""
