"""What was seen in one check round, as values. :mod:`controller.domain.judge` says what it means.

Carries rule 3: what could not be read is a value of its own (``code`` set, no state), never a silence.
Carries rule 12: no wall-clock time of another machine, only ages by the witness's own monotonic clock.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from controller.domain.power import PowerReading
from controller.domain.reasons import Reason
from shared.enums import Reach, ReadingCode


class Verdict(StrEnum):
    """What a round, or one witness's report, says about the host."""

    ALIVE = "alive"
    DEAD = "dead"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """What a write changes. atime is left out: reading is no life."""

    device: str
    inode: int
    size: int
    blocks: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at one file: a state, or the code of why there is none.

    ``held``: the storage says that the host itself has it open for writing now; then there is neither.
    """

    path: str
    state: FileState | None
    code: ReadingCode | None = None
    detail: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One host's heartbeat on one pool as one witness knows it. Ages in seconds by the witness's monotonic clock."""

    known: bool
    code: ReadingCode | None = None
    boot_id: str = ""
    counter: int = 0
    withdrawn: bool = False
    disputed: bool = False
    """Two hosts write this record."""
    moved_age: float | None = None
    sampled_age: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """One pool as one witness sees it. ``code`` set: the pool could not be looked at."""

    root: str
    code: ReadingCode | None = None
    detail: str = ""
    own: Beat | None = None
    subject: Beat | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One witness's answer in one round; ``failure`` says why there is none."""

    witness_id: str
    failure: Reason | None = None
    detail: str = ""
    boot_id: str = ""
    readings: tuple[Reading, ...] = ()
    pools: tuple[PoolView, ...] = ()
    reach: Reach = Reach.UNKNOWN
    took_s: float = 0.0


def takes_heartbeats(root: str) -> bool:
    """Whether hosts write heartbeats there: a folder, unlike storage that tells by itself who holds what."""
    return root.startswith("/")


class CloudSays(StrEnum):
    """The cloud's opinion of the host. ``none``: there is no cloud to ask (standalone)."""

    UP = "up"
    NOT_UP = "not_up"
    UNREACHABLE = "unreachable"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskTarget:
    """One disk of one VM of the host: a file, or what a storage probe understands (``rbd:pool/image``)."""

    vm_id: str
    vm_name: str
    path: str
    pool_root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A virtual machine as a release needs it, known by its ``name`` where no cloud gives it an id.

    ``restart``: it is to start elsewhere (HA-enabled ones, routers, system VMs); others are only listed for people.
    """

    id: str
    name: str
    kind: str = "user"
    restart: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskList:
    """Where the host's VMs and disks are, read before every round.

    ``known`` False: the source could not be asked (never the same as empty). ``elsewhere``: names of VMs that the
    cloud now places on another host: their disks are left out of ``targets``. ``uncheckable``: VMs on storage no
    neighbor can see.
    """

    known: bool
    targets: tuple[DiskTarget, ...] = ()
    uncheckable: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    cloud_heartbeats: tuple[str, ...] = ()
    machines: tuple[Machine, ...] = ()
    """All VMs of the host, whatever their storage; those that the cloud has taken elsewhere meanwhile included."""
    pool_roots: tuple[str, ...] = ()
    """Every checkable pool of the host's cluster."""

    @property
    def vms(self) -> tuple[str, ...]:
        """The names of its VMs."""
        return tuple(machine.name for machine in self.machines)

    @property
    def roots_in_question(self) -> tuple[str, ...]:
        """The pools a dead verdict must cover: those that hold a disk, or all checkable ones where none does."""
        used = {t.pool_root for t in self.targets}
        return tuple(sorted(used)) if used else self.pool_roots

    def without(self, vm_ids: Collection[str]) -> "DiskList":
        """The same list, but the disks of these VMs are no evidence any more: others may write to them now."""
        names = {machine.name for machine in self.machines if machine.id in vm_ids}
        return replace(
            self,
            targets=tuple(t for t in self.targets if t.vm_id not in vm_ids),
            uncheckable=tuple(name for name in self.uncheckable if name not in names),
            elsewhere=tuple(name for name in self.elsewhere if name not in names),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundFacts:
    """Everything one round collected. ``at``: hostfence time when the last answer was in, or the deadline passed."""

    number: int
    at: datetime
    disks: DiskList
    reports: tuple[Report, ...]
    own_reach: Reach
    reach_detail: str = ""
    agent_boot_id: str = ""
    power: PowerReading | None = None
    cloud: CloudSays = CloudSays.NONE
    not_asked: tuple[tuple[str, Reason], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What one witness read last, the measure for its next report. Keys: path; pool root."""

    files: dict[str, FileState] = field(default_factory=dict)
    beats: dict[str, tuple[str, int]] = field(default_factory=dict)
    own_beats: dict[str, tuple[str, int]] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    """Targets that the host was seen holding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one witness's report says, with why and details for people."""

    witness_id: str
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    covers: tuple[str, ...] = ()
    """Roots of the pools on which this report is conclusively silent."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A round's verdict with all its reasons, and the memories to compare the next round with."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]
    memory: dict[str, Memory]
    subject_boot_id: str = ""
