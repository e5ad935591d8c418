"""The truth about machines and storage: power, boots, kernels, processes, pools, files. Nobody's opinion.

Time is passed in (seconds of the schedule); nothing here has a clock or a chance of its own.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from tests.fakes.power import FakeMachine


class PoolState(StrEnum):
    """What a shared pool's server does."""

    OK = "ok"
    HUNG = "hung"
    FULL = "full"
    READ_ONLY = "read_only"

    @property
    def readable(self) -> bool:
        return self is not PoolState.HUNG

    @property
    def writable(self) -> bool:
        return self is PoolState.OK


class Fault(StrEnum):
    """What is wrong with one boot of one host; a new boot is free of it."""

    HUNG = "hung"
    AGENT_DOWN = "agent_down"
    AGENT_SLOW = "agent_slow"
    BEAT_DOWN = "beat_down"
    WITHDRAWN = "withdrawn"
    SAMPLER_STUCK = "sampler_stuck"
    """The agent answers, and tells of heartbeats what it saw when its sampler still ran."""
    INCOMPATIBLE = "incompatible"
    """The agent speaks another protocol than the controller."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a heartbeat file says."""

    boot_id: str
    counter: int
    withdrawn: bool = False


@dataclass(slots=True)
class File:
    """What a stat tells of a file, and when it was really written last."""

    inode: int
    size: int = 1 << 30
    mtime_ns: int = 0
    written_at: float = float("-inf")


@dataclass(slots=True)
class SharedPool:
    """One shared pool. ``clock_offset_s``: the server's clock against the true one; file times follow it."""

    id: str
    root: str
    cluster_id: str
    state: PoolState = PoolState.OK
    clock_offset_s: float = 0.0
    files: dict[str, File] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)

    def write(self, path: str, *, at: float) -> None:
        """A write that changes the file's times, and nothing else."""
        file = self.files[path]
        file.mtime_ns = int((at + self.clock_offset_s) * 1e9)
        file.written_at = at

    def cloud_beat(self, host_id: str, *, at: float) -> None:
        """The cloud's own agent on the host writes its heartbeat."""
        path = self.cloud_path(host_id)
        if path not in self.files:
            self.files[path] = File(inode=2000 + len(self.files), size=16)
        self.write(path, at=at)

    def cloud_path(self, host_id: str) -> str:
        """Where the cloud keeps its own heartbeat of a host."""
        return f"{self.root}/KVMHA/hb-{host_id}"

    def fail_over(self) -> None:
        """Another server takes over: every file is the same, and every time of it another."""
        for file in self.files.values():
            file.mtime_ns += 1

    def beat(self, host_id: str, mark: Mark, *, at: float) -> None:
        """A heartbeat reaches the pool."""
        path = f"{self.root}/.hostfence/{host_id}"
        if path not in self.files:
            self.files[path] = File(inode=1000 + len(self.files), size=512)
        self.marks[host_id] = mark
        self.write(path, at=at)


DISPUTED_FOR_S = 120.0
"""As the agent's tracker has it."""


@dataclass(slots=True)
class Sight:
    """What one agent's sampler knows of one heartbeat, by its own monotonic clock."""

    mark: Mark
    sampled_at: float
    moved_at: float | None = None
    left_boots: set[str] = field(default_factory=set)
    disputed_at: float | None = None

    def saw(self, mark: Mark, *, at: float) -> None:
        """One more sample; a boot that comes back after another one is two hosts' writing, as the agent has it."""
        if mark != self.mark:
            if mark.boot_id != self.mark.boot_id:
                self.left_boots.add(self.mark.boot_id)
                if mark.boot_id in self.left_boots:
                    self.disputed_at = at
            self.mark, self.moved_at = mark, at
        self.sampled_at = at

    @property
    def disputed(self) -> bool:
        """Two hosts write this record, or did until a moment ago."""
        return (
            self.disputed_at is not None
            and self.moved_at is not None
            and self.moved_at - self.disputed_at < DISPUTED_FOR_S
        )


@dataclass(slots=True)
class Guest:
    """One virtual machine where it really runs. ``boot``: the boot of that host in which it was started."""

    id: str
    name: str
    path: str
    pool_id: str
    host_id: str
    boot: int
    writes: bool
    placed_on: str
    """Where the cloud believes it to be."""
    left: str = ""
    """The host from which the cloud has started it elsewhere without anybody's leave."""
    local: bool = False
    """It has a disk that no neighbor can see."""


_FIRST_BOOT = (1, float("-inf"))


@dataclass(slots=True)
class Metal:
    """One host as it really is. ``switched_off_by`` tells a death by power from others."""

    id: str
    cluster_id: str
    machine: FakeMachine
    boot_s: float
    faults: dict[Fault, int] = field(default_factory=dict)
    storage_cut: bool = False
    stuck_mounts: set[str] = field(default_factory=set)
    counter: int = 0
    sampler_boot: int = -1
    sampler_agent_up: bool = False
    sights: dict[tuple[str, str], Sight] = field(default_factory=dict)

    def boots(self, now: float) -> tuple[int, float]:
        """(how many times it was powered on until now, when last). The first boot was long ago."""
        if not self.machine.switches:
            return _FIRST_BOOT
        count, since, on = 1, float("-inf"), True
        for at, to in self.machine.switches:
            if at > now:
                break
            if to and not on:
                count, since = count + 1, at
            on = to
        return count, since

    def on(self, now: float) -> bool:
        """It has power."""
        return self.machine.is_on(now)

    def boot(self, now: float) -> int:
        return self.boots(now)[0]

    def boot_id(self, now: float) -> str:
        return f"boot-{self.id}-{self.boot(now)}"

    def faulty(self, fault: Fault, now: float) -> bool:
        return bool(self.faults) and self.faults.get(fault) == self.boot(now)

    def break_(self, fault: Fault, now: float) -> None:
        self.faults[fault] = self.boot(now)

    def mend(self, fault: Fault) -> None:
        self.faults.pop(fault, None)

    def kernel_up(self, now: float) -> bool:
        """Powered, booted, not hung: it answers TCP and can write."""
        if not self.on(now) or self.faulty(Fault.HUNG, now):
            return False
        return now >= self.boots(now)[1] + self.boot_s

    def agent_up(self, now: float) -> bool:
        return self.kernel_up(now) and not self.faulty(Fault.AGENT_DOWN, now)

    def understood(self, now: float) -> bool:
        """Its agent and the controllers speak the same protocol."""
        return not self.faulty(Fault.INCOMPATIBLE, now)

    def beats(self, now: float) -> bool:
        return self.kernel_up(now) and not self.faulty(Fault.BEAT_DOWN, now)
