"""The gates a host passes on its way from silence to off: what each asks, and which reasons close it. Data only.

``docs/readiness.md`` is generated from this; :mod:`controller.domain.explain` says how each stands.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.domain.model import Host
from controller.domain.reasons import WAITS, Reason
from controller.domain.words import words_for


class Readiness(StrEnum):
    """How a gate, or a host, stands. ``waits``: time cures it. ``warning``: open, but somebody should know."""

    READY = "ready"
    WARNING = "warning"
    WAITS = "waits"
    BLOCKED = "blocked"


WORST_FIRST = (Readiness.BLOCKED, Readiness.WAITS, Readiness.WARNING, Readiness.READY)


class Group(StrEnum):
    """What a gate is about."""

    ARMED = "armed"
    HOST = "host"
    DEVICE = "device"
    WITNESSES = "witnesses"
    STORAGE = "storage"
    DISKS = "disks"
    CLOUD = "cloud"
    LIMITS = "limits"
    RETURN = "return"


class GateCode(StrEnum):
    """Every gate, in the order in which a person would want to read them."""

    MODE = "mode"
    ACTION = "action"
    PAUSES = "pauses"
    ARMED = "armed"
    MARKS = "marks"
    AGENT = "agent"
    CERTIFICATE = "certificate"
    DEVICE = "device"
    DEVICE_WORKS = "device_works"
    WITNESSES = "witnesses"
    POOLS = "pools"
    HEARTBEAT = "heartbeat"
    CONTROL = "control"
    MOUNTS = "mounts"
    ROUNDS = "rounds"
    DISKS = "disks"
    CLOUD = "cloud"
    CLOUD_RACE = "cloud_race"
    CAPS = "caps"
    STORM = "storm"
    CLUSTER_HEALTH = "cluster_health"
    TURN = "turn"
    ISOLATION = "isolation"
    INCIDENT = "incident"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class About:
    """One gate for people: its group, what it asks, and the reasons that close it."""

    group: Group
    asks: str
    closed_by: tuple[Reason, ...] = ()


GATES: dict[GateCode, About] = {
    GateCode.MODE: About(Group.ARMED, "May hostfence send anything at all?", (Reason.OBSERVE_MODE,)),
    GateCode.ACTION: About(
        Group.ARMED, "Does the action take a dead host down?", (Reason.ACTION_NONE, Reason.ACTION_BLINK)
    ),
    GateCode.PAUSES: About(
        Group.ARMED,
        "Is fencing paused, by a person or by hostfence itself?",
        (
            Reason.PAUSED,
            Reason.STARTUP_QUIET,
            Reason.DATABASE_RESTORED,
            Reason.CONTRADICTION,
            Reason.OTHER_HOST_VANISHED,
        ),
    ),
    GateCode.ARMED: About(
        Group.ARMED, "Has the host been seen healthy since its last incident?", (Reason.NOT_REARMED,)
    ),
    GateCode.MARKS: About(
        Group.HOST,
        "Is the host marked as one that is left alone?",
        (Reason.EXCLUDED, Reason.MAINTENANCE, Reason.CONTROLLERS_OWN_HOST),
    ),
    GateCode.AGENT: About(Group.HOST, "Does the host's own agent answer, so that its silence would be noticed?"),
    GateCode.CERTIFICATE: About(Group.HOST, "How long is the agent's certificate good?"),
    GateCode.DEVICE: About(
        Group.DEVICE,
        "Is there a power device that is this host's own, and whose 'off' can be believed?",
        (
            Reason.NOT_CONFIGURED,
            Reason.BMC_SHARED,
            Reason.BMC_ADDRESS_REFUSED,
            Reason.DRIVER_CANNOT_PROVE,
            Reason.BMC_UNPROVEN,
        ),
    ),
    GateCode.DEVICE_WORKS: About(
        Group.DEVICE, "Did the power device answer when it was read last?", (Reason.BMC_UNREACHABLE,)
    ),
    GateCode.WITNESSES: About(
        Group.WITNESSES,
        "Could enough neighbors tell by now that the host is silent?",
        (Reason.TOO_FEW_WITNESSES, Reason.WITNESS_SILENT, Reason.WITNESS_SUSPECTED, Reason.WITNESS_INCOMPATIBLE),
    ),
    GateCode.POOLS: About(
        Group.STORAGE,
        "Is each pool in question read by a neighbor that could witness?",
        (Reason.STORAGE_UNREADABLE, Reason.POOL_NOT_COVERED, Reason.INODE_CHANGED, Reason.NO_BASELINE),
    ),
    GateCode.HEARTBEAT: About(
        Group.STORAGE,
        "Do the neighbors see the host's heartbeat move, so that its end would mean something?",
        (Reason.NO_HEARTBEAT, Reason.HEARTBEAT_WITHDRAWN, Reason.HEARTBEAT_DISPUTED),
    ),
    GateCode.CONTROL: About(
        Group.STORAGE,
        "Do the neighbors' own heartbeats move there, so that silence is not the storage's?",
        (Reason.NO_POSITIVE_CONTROL,),
    ),
    GateCode.MOUNTS: About(Group.STORAGE, "Is there anything to know about how the host has mounted its pools?"),
    GateCode.ROUNDS: About(Group.STORAGE, "Can check rounds follow each other so that they count?"),
    GateCode.DISKS: About(
        Group.DISKS,
        "Is it known which disks to look at, and can each be looked at?",
        (Reason.DISKS_UNKNOWN, Reason.UNCHECKABLE_DISKS, Reason.NOTHING_TO_RELEASE),
    ),
    GateCode.CLOUD: About(
        Group.CLOUD,
        "Does the cloud stand in the way?",
        (Reason.HOST_HA_ON, Reason.CLOUD_UNREACHABLE, Reason.CLOUD_SAYS_UP),
    ),
    GateCode.CLOUD_RACE: About(Group.CLOUD, "Is hostfence quicker than the cloud's own restart?"),
    GateCode.CAPS: About(
        Group.LIMITS,
        "Is there room for one more power-down in its time window?",
        (Reason.CAP_REACHED, Reason.GLOBAL_CAP_REACHED),
    ),
    GateCode.STORM: About(
        Group.LIMITS, "Did too many hosts of the cluster fall silent at once?", (Reason.STORM, Reason.STORM_COOLDOWN)
    ),
    GateCode.CLUSTER_HEALTH: About(
        Group.LIMITS, "Would enough of the cluster still be healthy?", (Reason.CLUSTER_UNHEALTHY,)
    ),
    GateCode.TURN: About(
        Group.LIMITS,
        "Is another power operation under way?",
        (Reason.OPERATION_IN_FLIGHT, Reason.CONCURRENCY),
    ),
    GateCode.ISOLATION: About(Group.LIMITS, "Does this controller reach anybody?", (Reason.ISOLATED,)),
    GateCode.INCIDENT: About(Group.LIMITS, "Is an incident of this host open?"),
    GateCode.RETURN: About(Group.RETURN, "What becomes of the host after its power was cut?"),
}
"""Every gate there is (checked by a test)."""

_GATE_OF = {reason: code for code, about in GATES.items() for reason in about.closed_by}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """How one gate stands for one host. ``change``: what would have to change, empty where nothing must."""

    code: GateCode
    readiness: Readiness
    text: str
    change: str = ""
    reason: Reason | None = None

    @property
    def group(self) -> Group:
        """What it is about."""
        return GATES[self.code].group

    @property
    def key(self) -> str:
        """What to count and to tell by: the reason where there is one, else the gate."""
        return (self.reason or self.code).value


def gate_of(reason: Reason) -> GateCode:
    """The gate that a reason closes; what no gate knows belongs to the incident it came from."""
    return _GATE_OF.get(reason, GateCode.INCIDENT)


def closed(reason: Reason, *, detail: str = "", readiness: Readiness | None = None) -> Gate:
    """The gate that stands as the engine's own refusal says, in the words used everywhere."""
    words = words_for(reason)
    stands = readiness or (Readiness.WAITS if reason in WAITS else Readiness.BLOCKED)
    text = f"{words.means} {detail}".strip()
    return Gate(code=gate_of(reason), readiness=stands, text=text, change=words.do, reason=reason)


def worst(gates: tuple[Gate, ...]) -> Readiness:
    """How the host stands: as its worst gate does; a warning leaves it ready."""
    found = {gate.readiness for gate in gates} - {Readiness.WARNING}
    return next((one for one in WORST_FIRST if one in found), Readiness.READY)


def in_order(gates: list[Gate]) -> tuple[Gate, ...]:
    """By gate, the worst of each gate first."""
    codes = list(GateCode)
    return tuple(sorted(gates, key=lambda gate: (codes.index(gate.code), WORST_FIRST.index(gate.readiness))))


def names(hosts: list[Host], *, most: int = 5) -> str:
    """Some of their names."""
    shown = ", ".join(sorted(host.name for host in hosts)[:most])
    return f"{shown} and {len(hosts) - most} more" if len(hosts) > most else shown
