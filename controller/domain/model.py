"""What hostfence keeps, as plain values: inventory, health, pauses, attempts, effects, the outbox, the timeline.

These are what the store port hands out and takes in; tables and columns are the store's own business.
"""

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from controller.domain.power import Accepted, PowerAction, PowerCode
from controller.domain.reasons import Reason


class PoolKind(StrEnum):
    """What a pool is to a witness: files at the same path everywhere, images of Ceph, or nothing it can look at."""

    FILE = "file"
    RBD = "rbd"
    LOCAL = "local"
    BLOCK = "block"


class VmKind(StrEnum):
    """Whose machine it is; all kinds count as evidence."""

    USER = "user"
    ROUTER = "router"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A set of hosts that share storage and settings. ``zone``, ``pod``: where it stands, as the cloud calls them."""

    id: str
    name: str
    external_id: str | None = None
    zone: str = ""
    pod: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One KVM host. ``agent_token`` is the shared secret with its agent, encrypted at rest.

    ``agent_tls``: it has enrolled, and its agent is never spoken to in plain HTTP again. ``agent_tls_until``: the end
    of the certificate it got last.
    """

    id: str
    cluster_id: str
    name: str
    address: str
    agent_port: int = 8441
    agent_token: str = field(default="", repr=False)
    external_id: str | None = None
    excluded: bool = False
    maintenance: bool = False
    runs_controller: bool = False
    agent_tls: bool = False
    agent_tls_until: datetime | None = None
    cloud_ha: bool = False
    """The cloud's own host HA would cut its power as well."""
    retired: bool = False
    """The cloud does not know it any more: it is neither watched nor a neighbor; its settings wait for its return."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Shared storage of one cluster (``cluster_id`` None: of all). ``root``: its path on every host; ``rbd:POOL``."""

    id: str
    name: str
    kind: PoolKind
    root: str
    cluster_id: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One disk: a path inside its pool's root (absolute), or its name on a pool that is no folder."""

    id: str
    vm_id: str
    pool_id: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vm:
    """One virtual machine the inventory places on ``host_id``."""

    id: str
    host_id: str
    name: str
    kind: VmKind = VmKind.USER
    ha_enabled: bool = True
    external_id: str | None = None
    disks: tuple[Disk, ...] = ()


class Level(StrEnum):
    """Where a setting or a pause is written."""

    GLOBAL = "global"
    CLUSTER = "cluster"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One field written at one level.

    ``owner_id`` is empty for global. ``value`` is JSON; secrets are encrypted at rest.
    """

    level: Level
    owner_id: str
    field: str
    value: Any = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHealth:
    """What is remembered of one power device. ``on_seen_at``: it last read *on* while the host's agent answered."""

    identity: str = ""
    on_seen_at: datetime | None = None
    checked_at: datetime | None = None
    code: PowerCode = PowerCode.NONE
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is remembered of a host between incidents.

    ``armed``: a new incident may be opened (it was seen healthy since the last close, or a person re-armed it).
    ``bmc_on_seen_at``: the BMC with ``bmc_identity`` last read *on* while the agent answered.
    ``fenced_by``: the incident that took it down, until it has returned.
    """

    host_id: str
    armed: bool = True
    boot_id: str = ""
    seen_at: datetime | None = None
    healthy_since: datetime | None = None
    bmc_identity: str = ""
    bmc_on_seen_at: datetime | None = None
    bmc_checked_at: datetime | None = None
    bmc_code: PowerCode = PowerCode.NONE
    bmc_said: str = ""
    second: DeviceHealth = field(default_factory=DeviceHealth)
    """Of the second power device, where there is one; the first one's stands in ``bmc_*``."""
    fenced_by: str = ""
    fenced_boot_id: str = ""
    quarantined_by: str = ""

    @property
    def first(self) -> DeviceHealth:
        """The ``bmc_*`` fields as one value."""
        return DeviceHealth(
            identity=self.bmc_identity,
            on_seen_at=self.bmc_on_seen_at,
            checked_at=self.bmc_checked_at,
            code=self.bmc_code,
            said=self.bmc_said,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Fencing is paused at a level until ``until`` (None: until lifted).

    ``sticky`` ones are lifted by a person only.
    """

    id: str
    level: Level
    owner_id: str
    reason: str
    by: str
    created_at: datetime
    until: datetime | None = None
    lifted_at: datetime | None = None
    lifted_by: str = ""

    def active(self, now: datetime) -> bool:
        """True while it holds."""
        return self.lifted_at is None and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One power command: the intent first (``finished_at`` None), then what became of it. Rule 8 for power.

    ``takes_slot``: counts in the caps as a host taken down (once per incident). ``automatic`` False: a person's
    command.
    """

    id: str
    host_id: str
    cluster_id: str
    incident_id: str | None
    action: PowerAction
    bmc_identity: str
    actor: str
    automatic: bool
    takes_slot: bool
    intended_at: datetime
    finished_at: datetime | None = None
    accepted: Accepted | None = None
    code: PowerCode = PowerCode.NONE
    said: str = ""


class EffectKind(StrEnum):
    """Idempotent side effects outside, other than power-downs."""

    QUARANTINE = "quarantine"
    UNQUARANTINE = "unquarantine"
    RELEASE = "release"
    BLINK = "blink"
    BLINK_OFF = "blink_off"
    POWER_ON = "power_on"


class EffectStatus(StrEnum):
    """Rule 8: the intent is stored as ``intended`` before anything is done."""

    INTENDED = "intended"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One idempotent side effect, tried again until done or until ``give_up_at``. ``earlier``: what to restore."""

    id: str
    host_id: str
    incident_id: str | None
    kind: EffectKind
    intended_at: datetime
    next_try_at: datetime | None
    give_up_at: datetime
    status: EffectStatus = EffectStatus.INTENDED
    tries: int = 0
    finished_at: datetime | None = None
    said: str = ""
    earlier: str = ""
    progress: dict[str, Any] = field(default_factory=dict)
    """How far a release has come, in the words of the cloud's adapter (JSON)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of an incident's append-only timeline. ``data`` is JSON without secrets."""

    id: str
    incident_id: str
    at: datetime
    kind: str
    text: str
    actor: str = "hostfence"
    from_state: str = ""
    to_state: str = ""
    reasons: tuple[Reason, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRecord:
    """One check round as it is kept and shown: the verdict and the evidence behind it (JSON)."""

    incident_id: str
    number: int
    at: datetime
    verdict: str
    reasons: tuple[Reason, ...]
    counted: int
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRun:
    """Rounds in a row with the same verdict and reasons, without their evidence: a day has thousands of rounds."""

    first: int
    last: int
    first_at: datetime
    last_at: datetime
    verdict: str
    reasons: tuple[Reason, ...]
    counted: int
    """Dead rounds in a row after the last of them."""


class Severity(StrEnum):
    """How loud a notification is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to people, as data; rendering is the channel's business. ``key`` is unique: told once."""

    id: str
    key: str
    at: datetime
    kind: str
    severity: Severity
    incident_id: str | None = None
    host_id: str | None = None
    cluster_id: str | None = None
    host_name: str = ""
    what: str = ""
    why: tuple[Reason, ...] = ()
    next: str = ""
    how_to_stop: str = ""


class DeliveryStatus(StrEnum):
    """Where one message to one channel stands.

    ``dead``: given up, visibly. ``in_digest``: told as part of another. ``test_failed``: a test is not tried again, and
    nothing is lost with it.
    """

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    IN_DIGEST = "in_digest"
    TEST_FAILED = "test_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notice to one channel (at least once). ``tries``: how often it was really begun to be sent."""

    id: str
    notice_id: str
    channel: str
    status: DeliveryStatus
    next_try_at: datetime | None
    tries: int = 0
    last_error: str = ""
    sent_at: datetime | None = None
    digest_id: str | None = None
    """The notice that this one is told in, where its status is ``in_digest``."""
    resent_at: datetime | None = None
    """When a person last had a dead one tried again: from then on it has its full time once more."""
    doubtful: bool = False
    """The far side may have taken it, and nobody knows: it is told in no other form."""

    @classmethod
    def of(cls, notice: Notice, channel: str) -> "Delivery":
        """The one of a new notice: due at once."""
        return cls(
            id=f"{notice.id}/{channel}",
            notice_id=notice.id,
            channel=channel,
            status=DeliveryStatus.PENDING,
            next_try_at=notice.at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerRow:
    """One controller process as the others see it."""

    id: str
    started_at: datetime
    alive_at: datetime
    version: str = ""


class Role(StrEnum):
    """What a bearer token may do; each role includes the ones before it but reporter, which may only report."""

    REPORTER = "reporter"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A bearer token; only its SHA-256 is kept."""

    id: str
    name: str
    role: Role
    digest: str = field(repr=False)
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Who changed what outside incidents (settings, pauses, inventory, manual power). ``data`` without secrets."""

    id: str
    at: datetime
    actor: str
    action: str
    target: str
    data: dict[str, Any] = field(default_factory=dict)
