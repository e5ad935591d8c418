"""After all mishaps everything is mended, people do what they can; then a host that dies must be fenced in time."""

import asyncio
from typing import TYPE_CHECKING

from controller.domain.incident import State
from controller.domain.policy import Mode, Policy
from controller.services.look import deadline_s
from tests.simulation.hardware import Metal, PoolState
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.sim import Simulation

MEND_S = 360.0
"""Long enough for every wait of the fast settings: caps, cool-down, returns, settling."""

NOTICES_AFTER_S = 40.0
"""Within every policy's ``checking_limit``: a cloud that takes longer holds, as it should."""

BOUND_S = 30.0
"""What the engine may take besides the policy's own waits: looks up to their deadline, polls, reads."""


class Liveness:
    """Judges rule 11's other half: what can end, ends."""

    def __init__(self, simulation: "Simulation") -> None:
        self._sim = simulation
        self._u = simulation.universe

    async def check(self) -> None:
        """Mend, wait, kill one, wait for its fence."""
        self._u.note("world", "everything is mended")
        self._mend()
        await self._settle()
        if self._sim.facts.breaches:
            return
        open_ = [i for i in self._sim.store.tables.incidents.values() if i.open]
        for incident in open_:
            self._sim.facts.breach(
                "11", f"{incident.host_id} is well, and its incident is still {incident.state} for {incident.reasons}"
            )
        if not open_:
            await self._one_dies()

    def _mend(self) -> None:
        u, now = self._u, self._u.now()
        u.cut_off.clear()
        u.cut_pairs.clear()
        u.slow_answers.clear()
        u.disordered.clear()
        u.watches_slow = False
        u.cloud.unreachable = u.cloud.effects_fail = u.cloud.loses_answers = u.cloud.mute = False
        u.cloud.adapter_fails = False
        u.cloud.notices_after_s = min(u.cloud.notices_after_s, NOTICES_AFTER_S)
        u.refused_addresses.clear()
        u.driver_proves = True
        for pool in u.pools.values():
            pool.state = PoolState.OK
        for metal in u.hosts.values():
            self._mend_host(metal, now)
        for guest in u.guests.values():
            guest.placed_on, guest.local, guest.left = guest.host_id, False, ""
        for host_id in u.hosts:
            self._sim.mishaps.own_device(host_id)
            self._sim.mishaps.unmark_host(host_id)
        self._sim.store.unavailable = False
        for process in self._sim.alive():
            self._mend_process(process)
        if not self._sim.alive():
            self._sim.start_process()
        self._sim.write_settings(self._sim.plan.settings)

    def _mend_host(self, metal: Metal, now: float) -> None:
        for device in (self._u.bmcs[metal.id], self._u.seconds.get(metal.id)):
            if device is not None:
                device.unreachable.clear()
        bmc = self._u.bmcs[metal.id]
        bmc.machine = metal.machine
        bmc.lies_off = bmc.ignores_off = bmc.rejects_off = bmc.claims_off = bmc.busy = bmc.loses_answers = False
        bmc.reads, bmc.off_delay_s, bmc.takes_s = None, 0.0, 0.05
        hung = not metal.kernel_up(now)
        metal.faults.clear()
        metal.storage_cut = False
        metal.stuck_mounts.clear()
        if hung:
            metal.machine.switch(on=False, at=now)
            metal.machine.switch(on=True, at=now + 1.0)

    def _mend_process(self, process: Process) -> None:
        process.traps.clear()
        process.database_gone = False
        process.database_late_s = 0.0
        process.devices_gone = False
        process.resume()

    async def _settle(self) -> None:
        """People lift what only people can lift, and ask again what is held."""
        for _ in range(int(MEND_S // 30)):
            await self._sleep(30.0)
            self._sim.mishaps.lift_pauses()
            for incident in list(self._sim.store.tables.incidents.values()):
                if incident.state is State.HELD:
                    self._sim.mishaps.retry(incident.host_id)
            for host_id, health in self._sim.store.tables.health.items():
                if health.fenced_boot_id and health.fenced_boot_id == health.boot_id:
                    self._sim.mishaps.rearm(host_id)  # it never was off: only a person ends that
            for metal in self._u.hosts.values():
                if not metal.on(self._u.now()):
                    metal.machine.switch(on=True, at=self._u.now())

    async def _sleep(self, seconds: float) -> None:
        until = self._u.now() + seconds
        while self._u.now() < until and not self._sim.facts.breaches:
            await asyncio.sleep(1.0)

    async def _one_dies(self) -> None:
        u = self._u
        victim = max(u.hosts.values(), key=lambda m: (len([g for g in u.guests.values() if g.placed_on == m.id]), m.id))
        if not any(g.placed_on == victim.id for g in u.guests.values()):
            return
        policy = self._sim.facts.policy(victim.id)
        health = self._sim.store.tables.health.get(victim.id)
        if policy.action.takes_down and (health is None or not health.armed or health.fenced_by):
            self._sim.facts.breach("11", f"{victim.id} has been well for long and is not armed again: {health}")
            return
        u.note("world", "hang", victim.id)
        began = u.now()
        self._sim.mishaps.hang(victim.id)
        fences = policy.action.takes_down and policy.mode is Mode.ENFORCE
        wanted = State.FENCED if fences else State.NOTIFIED
        members = [m for m in u.hosts.values() if m.cluster_id == victim.cluster_id]
        if fences and 100 / len(members) > policy.max_unhealthy_percent:
            wanted = State.HELD
        steps = 1 + sum(g.placed_on == victim.id for g in u.guests.values()) if u.cloud.slow_release else 0
        releasing = steps * (deadline_s(policy) + policy.read_spacing.total_seconds())
        within = waits_s(policy, cloud_s=u.cloud.notices_after_s if u.cloud.opinions else 0.0) + releasing + BOUND_S
        ended = await self._sim.wait_for(victim.id, State.HELD, wanted, within=within)
        if self._sim.facts.breaches:
            return
        if ended is not wanted:
            incident = self._sim.facts.incident_of(victim.id)
            why = incident.reasons if incident else ()
            self._sim.facts.breach(
                "liveness", f"{victim.id} died at {began:.1f} s and is not {wanted} after {within:.0f} s: {ended} {why}"
            )
        else:
            self._sim.facts.coverage.marks.add(f"after all mishaps a dead host was {wanted} in time")


def waits_s(policy: Policy, *, cloud_s: float) -> float:
    """The policy's own waits from death to release, in seconds."""
    between = policy.check_interval.total_seconds() + deadline_s(policy)
    rounds = (policy.rounds_needed + 1) * between
    silence = policy.min_silence.total_seconds() + 2 * between
    reads = (policy.off_reads + 1) * policy.read_spacing.total_seconds()
    return policy.watch_timeout.total_seconds() + policy.grace.total_seconds() + max(rounds, silence, cloud_s) + reads
