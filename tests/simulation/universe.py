"""The simulated physical world: what truly happens, and what can be read of it from where.

Hosts beat, write and sample on timers of the loop; everything else is computed when somebody looks.
"""

import asyncio
import bisect
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from typing_extensions import override

from controller.domain.incident import Incident
from controller.domain.power import Accepted, BmcTarget, Outcome, PowerAction, PowerCode, PowerState
from controller.domain.steady import Base
from shared.enums import Reach
from tests.fakes.power import Entry, FakeBmc, FakeMachine, FakePower
from tests.simulation.hardware import Fault, File, Guest, Mark, Metal, SharedPool, Sight
from tests.simulation.journal import Journal

EPOCH = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSWORD = "fence-me-not-7"
STALE_BEATS = 3


@dataclass(slots=True)
class CloudTruth:
    """The cloud's own state. ``opinions``: it has a view of hosts (else it is no cloud: nobody to ask)."""

    opinions: bool = False
    notices_after_s: float = 40.0
    unreachable: bool = False
    effects_fail: bool = False
    loses_answers: bool = False
    slow_release: bool = False
    """It says first what it will start elsewhere, then starts one machine at a time."""
    mute: bool = False
    """It tells where VMs are placed, and nothing of hosts."""
    adapter_fails: bool = False
    """A bug in the adapter: it raises what it never should."""
    quarantined: set[str] = field(default_factory=set)
    released: list[tuple[float, str]] = field(default_factory=list)
    pinged_at: dict[str, float] = field(default_factory=dict)


class Wires(FakePower):
    """The power world, telling the referee of every command at the instant it takes effect."""

    def __init__(self, *, clock: Callable[[], float], sleep: Callable[[float], Awaitable[object]]) -> None:
        super().__init__(clock=clock, sleep=sleep)
        self.on_command: Callable[[Entry], None] | None = None
        self.overlapping_commands = 0
        self._commanding: list[str] = []

    @override
    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        if target.identity in self._commanding:
            self.overlapping_commands += 1
        self._commanding.append(target.identity)
        try:
            return await super().act(target, action, deadline_s=deadline_s, not_after=not_after)
        finally:
            self._commanding.remove(target.identity)

    @override
    def _note(
        self,
        target: BmcTarget,
        action: PowerAction,
        code: PowerCode,
        *,
        accepted: Accepted | None = None,
        state: PowerState | None = None,
    ) -> None:
        super()._note(target, action, code, accepted=accepted, state=state)
        if accepted not in (None, Accepted.NOT_SENT) and self.on_command is not None:
            self.on_command(self.entries[-1])


@dataclass(slots=True)
class Database:
    """The database server's wall clock, and the shared correction that hostfence keeps there."""

    wall_offset: timedelta = timedelta(0)
    base: Base = field(default_factory=Base)


class Universe:
    """Everything that is true."""

    def __init__(self, rng: random.Random, *, heartbeat_s: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        """Seconds of the schedule."""
        self.rng = rng
        self.heartbeat_s = heartbeat_s
        self.journal = Journal()
        self.hosts: dict[str, Metal] = {}
        self.pools: dict[str, SharedPool] = {}
        self.guests: dict[str, Guest] = {}
        self.bmcs: dict[str, FakeBmc] = {}
        self.seconds: dict[str, FakeBmc] = {}
        """Second power devices, by host, where the plan has them."""
        self.identities: dict[str, str] = {}
        self.devices: dict[str, list[str]] = {}
        """Host id -> the identities of its devices, in the order in which they are tried."""
        self.cloud = CloudTruth()
        self.database = Database()
        self.cut_off: set[str] = set()
        self.cut_pairs: set[frozenset[str]] = set()
        self.beats: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        self.slow_answers: set[str] = set()
        self.watches_slow = False
        """Every agent takes too long to tell what it watches; it answers questions in time."""
        self.disordered: set[str] = set()
        """Hosts whose agents' answers come in any order, some of them twice."""
        self.refused_addresses: set[str] = set()
        self.driver_proves = True
        self.broken_assumptions: dict[str, str] = {}
        """Host id -> which assumption of the design a fault broke for it (a BMC that lies, a person who does)."""
        self.power = Wires(clock=self.loop.time, sleep=asyncio.sleep)

    # -- building

    def time(self) -> datetime:
        """hostfence time as every controller would be told it now."""
        return self.database.base.time(self.wall())

    def wall(self) -> datetime:
        """What the database server's wall clock shows."""
        return EPOCH + timedelta(seconds=self.now()) + self.database.wall_offset

    def note(self, who: str, what: str, said: str = "") -> None:
        self.journal.add(self.now(), who, what, said)

    def add_pool(self, pool_id: str, cluster_id: str) -> SharedPool:
        pool = self.pools[pool_id] = SharedPool(id=pool_id, root=f"/mnt/{pool_id}", cluster_id=cluster_id)
        return pool

    def add_host(self, host_id: str, cluster_id: str, *, boot_s: float) -> Metal:
        machine = FakeMachine(name=host_id)
        metal = self.hosts[host_id] = Metal(id=host_id, cluster_id=cluster_id, machine=machine, boot_s=boot_s)
        self.bmcs[host_id] = self._add_device(f"bmc-{host_id}", metal)
        self.cloud.pinged_at[host_id] = 0.0
        self.loop.call_later(self.rng.uniform(0, self.heartbeat_s), self._tick, metal)
        return metal

    def add_second_device(self, host_id: str) -> str:
        """A power strip, say: its address."""
        address = f"pdu-{host_id}"
        self.seconds[host_id] = self._add_device(address, self.hosts[host_id])
        return address

    def _add_device(self, address: str, metal: Metal) -> FakeBmc:
        bmc = FakeBmc(machine=metal.machine, users={"fencer": PASSWORD}, takes_s=0.05, answers_after_s=0.02)
        target = BmcTarget(driver="ipmi", address=address, port=623, username="fencer", password=PASSWORD)
        self.identities[target.identity] = metal.id
        self.devices.setdefault(metal.id, []).append(target.identity)
        return self.power.put(target, bmc)

    def add_guest(self, guest_id: str, host_id: str, pool: SharedPool, *, writes: bool) -> None:
        path = f"{pool.root}/{guest_id}.qcow2"
        pool.files[path] = File(inode=len(pool.files) + 1)
        self.guests[guest_id] = Guest(
            id=guest_id,
            name=f"vm {guest_id}",
            path=path,
            pool_id=pool.id,
            host_id=host_id,
            boot=1,
            writes=writes,
            placed_on=host_id,
        )

    # -- what happens by itself

    def _tick(self, metal: Metal) -> None:
        """One heartbeat interval of one host: beat, let guests write, sample the neighbors."""
        now = self.now()
        self.loop.call_later(self.heartbeat_s, self._tick, metal)
        if not metal.kernel_up(now):
            metal.sampler_agent_up = False
            return
        pools = [p for p in self.pools.values() if p.cluster_id == metal.cluster_id]
        if metal.id not in self.cut_off:
            self.cloud.pinged_at[metal.id] = now
        for pool in pools:
            if self.can_write(metal, pool):
                self._write(metal, pool, now)
        if metal.agent_up(now):
            self._sample(metal, pools, now)
        else:
            metal.sampler_agent_up = False

    def _write(self, metal: Metal, pool: SharedPool, now: float) -> None:
        if self.cloud.opinions:
            pool.cloud_beat(metal.id, at=now)
        if metal.beats(now):
            withdrawn = metal.faulty(Fault.WITHDRAWN, now)
            mark = pool.marks.get(metal.id)
            if not (withdrawn and mark is not None and mark.withdrawn):
                metal.counter += 1
                pool.beat(metal.id, Mark(metal.boot_id(now), metal.counter, withdrawn), at=now)
                if not withdrawn:
                    self.beats[metal.id, pool.id].append(now)
        boot = metal.boot(now)
        for guest in self.guests.values():
            if guest.host_id != metal.id or guest.pool_id != pool.id:
                continue
            if guest.boot < boot and guest.placed_on == metal.id and metal.id not in self.cloud.quarantined:
                guest.boot = boot  # the cloud starts again what it believes to be here
                pool.write(guest.path, at=now)
            elif guest.boot == boot and guest.writes:
                pool.write(guest.path, at=now)

    def _sample(self, metal: Metal, pools: list[SharedPool], now: float) -> None:
        boot = metal.boot(now)
        if metal.sampler_boot != boot or not metal.sampler_agent_up:
            metal.sights.clear()  # the sampler keeps its memory only as long as it runs
        metal.sampler_boot, metal.sampler_agent_up = boot, True
        if metal.faulty(Fault.SAMPLER_STUCK, now):
            return
        for pool in pools:
            if not self.can_read(metal, pool):
                continue
            for host_id, mark in pool.marks.items():
                sight = metal.sights.get((pool.id, host_id))
                if sight is None:
                    metal.sights[pool.id, host_id] = Sight(mark, now)
                else:
                    sight.saw(mark, at=now)

    # -- what is true

    def can_read(self, metal: Metal, pool: SharedPool) -> bool:
        return pool.state.readable and not metal.storage_cut and pool.id not in metal.stuck_mounts

    def can_write(self, metal: Metal, pool: SharedPool) -> bool:
        return pool.state.writable and not metal.storage_cut and pool.id not in metal.stuck_mounts

    def connected(self, a: str, b: str) -> bool:
        """Packets go both ways between two places (a controller's name or a host's id)."""
        return not ({a, b} & self.cut_off) and frozenset({a, b}) not in self.cut_pairs

    def reach(self, source: str, metal: Metal) -> Reach:
        """What the host's own address answers to somebody at ``source``, now."""
        now = self.now()
        if not self.connected(source, metal.id) or not metal.kernel_up(now):
            return Reach.NO_ANSWER
        if metal.faulty(Fault.AGENT_DOWN, now) or not metal.understood(now):
            return Reach.KERNEL_ANSWERS
        return Reach.UNKNOWN if metal.faulty(Fault.AGENT_SLOW, now) else Reach.AGENT_ANSWERED

    def beat_between(self, host_id: str, pool_id: str, start: float, end: float) -> bool:
        """The host's heartbeat was really written to the pool in (start, end]."""
        times = self.beats[host_id, pool_id]
        return bisect.bisect_right(times, start) < bisect.bisect_right(times, end)

    def runs(self, guest: Guest) -> bool:
        """The guest executes: its host has power and is still in the boot that started it."""
        metal, now = self.hosts[guest.host_id], self.now()
        return metal.on(now) and metal.boot(now) == guest.boot

    def bmc_tells_truth(self, host_id: str) -> bool:
        """The device wired to this host reads what is true of this host, now."""
        bmc, metal, now = self.bmcs[host_id], self.hosts[host_id], self.now()
        if bmc.reads is not None and (bmc.reads is PowerState.ON) != metal.on(now):
            return False
        return bmc.machine is metal.machine and not (bmc.claims_off and metal.on(now))

    def reads_of(self, identity: str, *, since: float) -> list[tuple[float, PowerState, PowerCode]]:
        """Status reads of the device since then, in order."""
        found = []
        for entry in reversed(self.power.entries):
            if entry.at < since:
                break
            if entry.action is PowerAction.STATUS and entry.identity == identity:
                found.append((entry.at, entry.state or PowerState.UNKNOWN, entry.code))
        return found[::-1]

    def device_of(self, incident: Incident) -> str:
        """The identity of the device that the incident uses."""
        return self.devices[incident.host_id][incident.method]

    def is_stale(self, sight: Sight) -> bool:
        return self.now() - sight.sampled_at > STALE_BEATS * self.heartbeat_s
