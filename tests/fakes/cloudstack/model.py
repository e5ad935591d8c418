"""What a CloudStack site is made of: plain records, no behaviour beyond what one record knows of itself."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """A host's `state`: what the management server believes of its agent."""

    CREATING = "Creating"
    CONNECTING = "Connecting"
    UP = "Up"
    DOWN = "Down"
    DISCONNECTED = "Disconnected"
    ALERT = "Alert"
    REMOVED = "Removed"
    ERROR = "Error"
    REBALANCING = "Rebalancing"
    UNKNOWN = "Unknown"


class Resource(StrEnum):
    """A host's `resourcestate`: what administrators made of it."""

    CREATING = "Creating"
    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PREPARE_FOR_MAINTENANCE = "PrepareForMaintenance"
    ERROR_IN_PREPARE = "ErrorInPrepareForMaintenance"
    ERROR_IN_MAINTENANCE = "ErrorInMaintenance"
    MAINTENANCE = "Maintenance"
    ERROR = "Error"
    DEGRADED = "Degraded"


class VmState(StrEnum):
    STARTING = "Starting"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    MIGRATING = "Migrating"
    ERROR = "Error"


class Kind(StrEnum):
    """The `type` of a machine."""

    USER = "User"
    ROUTER = "DomainRouter"
    CONSOLE_PROXY = "ConsoleProxy"
    STORAGE_VM = "SecondaryStorageVm"


SYSTEM_KINDS = (Kind.CONSOLE_PROXY, Kind.STORAGE_VM)


@dataclass(slots=True, kw_only=True, eq=False)
class Zone:
    id: str
    number: int
    name: str
    settings: dict[str, str] = field(default_factory=dict)
    """Values of settings that are set for this zone alone."""


@dataclass(slots=True, kw_only=True, eq=False)
class Pod:
    id: str
    number: int
    name: str
    zone: Zone


@dataclass(slots=True, kw_only=True, eq=False)
class Cluster:
    id: str
    number: int
    name: str
    pod: Pod
    hypervisor: str = "KVM"


@dataclass(slots=True, kw_only=True, eq=False)
class OutOfBand:
    """CloudStack's own out-of-band management of a host. Its answers show the password's first letter only."""

    enabled: bool = True
    driver: str = "ipmitool"
    address: str = ""
    port: str = "623"
    username: str = "admin"
    password: str = "secret"
    power_state: str = "On"


@dataclass(slots=True, kw_only=True, eq=False)
class Host:
    """One host: the management server's row about it, and below what is really so."""

    id: str
    number: int
    name: str
    ip: str
    cluster: Cluster
    created: datetime
    connected_at: datetime
    """`lastpinged` is made of this, not of the last ping."""
    state: Status = Status.UP
    resource_state: Resource = Resource.ENABLED
    hypervisor: str = "KVM"
    type: str = "Routing"
    ha_host: bool = False
    host_ha: bool = False
    oob: OutOfBand | None = None
    disconnected: datetime | None = None
    tags: str = ""

    agent_alive: bool = True
    """The agent's process runs and can reach the management server."""
    really_alive: bool = True
    """The machine runs, and so do the guests on it."""
    nfs_heartbeat_stale: bool | None = None
    """What a neighbor finds at investigation. None: the truth (`not really_alive`). See `undecided`."""
    undecided: bool = False
    """No investigator can say anything (no neighbor, no NFS)."""
    last_ping: float = 0.0
    """Seconds of the site's schedule; kept only from the moment the agent went silent."""
    investigating: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Pool:
    id: str
    number: int
    name: str
    type: str
    zone: Zone
    path: str
    ipaddress: str
    scope: str
    """CLUSTER, ZONE or HOST."""
    cluster: Cluster | None = None
    host: Host | None = None
    state: str = "Up"


@dataclass(slots=True, kw_only=True, eq=False)
class Vm:
    id: str
    number: int
    name: str
    kind: Kind
    zone: Zone
    created: datetime
    instance_name: str
    state: VmState = VmState.STOPPED
    host: Host | None = None
    last_host: Host | None = None
    ha: bool = True
    account: str = "admin"
    project: str = ""
    project_id: str = ""
    left_running: bool = False
    """CloudStack forgets it when it stops a dead host's machines."""
    will_not_start: str = ""
    """Why its next starts fail."""
    volumes: list["Volume"] = field(default_factory=list)
    processes: set[str] = field(default_factory=set)
    """Ids of the hosts where its QEMU really runs. Two are two writers."""

    @property
    def active(self) -> bool:
        """Whether it counts as the host's when CloudStack restarts a host's machines."""
        return self.state in {VmState.STARTING, VmState.RUNNING, VmState.STOPPING}


@dataclass(slots=True, kw_only=True, eq=False)
class Volume:
    id: str
    number: int
    name: str
    path: str
    pool: Pool
    created: datetime
    vm: Vm | None
    type: str = "ROOT"
    device: int = 0
    size: int = 8 << 30
    state: str = "Ready"


@dataclass(slots=True, kw_only=True, eq=False)
class Alert:
    id: str
    type: int
    name: str
    description: str
    sent: datetime


@dataclass(slots=True, kw_only=True, eq=False)
class Event:
    type: str
    description: str
    created: datetime


@dataclass(slots=True, kw_only=True, eq=False)
class ManagementServer:
    id: str
    number: int
    name: str
    version: str
    last_server_start: datetime
    state: str = "Up"
