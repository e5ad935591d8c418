"""Clusters, hosts, pools, VMs and disks on the wire."""

from datetime import datetime
from typing import Annotated, cast

from pydantic import Field, StrictBool, StrictInt

from controller.api.schemas.base import AS_WHOLE, Answer, Body, Name, Text
from controller.domain.model import Health, Host, PoolKind, Severity, VmKind
from controller.domain.mounts import MountCode
from controller.domain.power import PowerCode
from controller.services.clusters import ClusterChanges
from controller.services.hosts import HostChanges, NewHost
from controller.services.pools import NewPool, PoolChanges
from controller.services.sights import Storage
from controller.services.vms import NewDisk, NewVm
from shared.enums import ReadingCode

Port = Annotated[StrictInt, Field(ge=1, le=65535), AS_WHOLE]


class ClusterIn(Body):
    """A cluster to add."""

    name: Name
    external_id: Name | None = None


class ClusterPatch(Body):
    """What to change; what is left out stays."""

    name: Name = Field(default="")
    external_id: Name | None = None

    def changes(self) -> ClusterChanges:
        """Only what was sent."""
        return cast("ClusterChanges", self.model_dump(exclude_unset=True))


class ClusterOut(Answer):
    """A cluster. ``zone``, ``pod``: where it stands, as the cloud names them; empty without one."""

    id: str
    name: str
    external_id: str | None
    zone: str
    pod: str


class HostIn(Body):
    """A host to add. ``cluster``: its id, external id or name."""

    cluster: Name
    name: Name
    address: Name
    agent_port: Port = 8441
    external_id: Name | None = None
    excluded: StrictBool = False
    maintenance: StrictBool = False
    runs_controller: StrictBool = False

    def new(self) -> NewHost:
        """The service's form of it."""
        return NewHost(**self.model_dump())


class HostPatch(Body):
    """What to change; what is left out stays."""

    name: Name = Field(default="")
    address: Name = Field(default="")
    agent_port: Port = 8441
    external_id: Name | None = None
    excluded: StrictBool = False
    maintenance: StrictBool = False
    runs_controller: StrictBool = False

    def changes(self) -> HostChanges:
        """Only what was sent."""
        return cast("HostChanges", self.model_dump(exclude_unset=True))


class HostOut(Answer):
    """A host."""

    id: str
    cluster_id: str
    name: str
    address: str
    agent_port: int
    external_id: str | None
    excluded: bool
    maintenance: bool
    runs_controller: bool
    agent_tls: bool
    agent_tls_until: datetime | None
    cloud_ha: bool
    retired: bool


class HostWithToken(HostOut):
    """A host and the secret for its agent's configuration. Shown only when it is made."""

    agent_token: str


class DeviceHealthOut(Answer):
    """What is remembered of a power device."""

    on_seen_at: datetime | None
    checked_at: datetime | None
    code: PowerCode
    said: str


class HealthOut(Answer):
    """What is remembered of a host between incidents."""

    armed: bool
    boot_id: str
    seen_at: datetime | None
    healthy_since: datetime | None
    bmc_on_seen_at: datetime | None
    bmc_checked_at: datetime | None
    bmc_code: PowerCode
    bmc_said: str
    second: DeviceHealthOut
    fenced_by: str
    quarantined_by: str


class MountNoteOut(Answer):
    """What is worth knowing of a pool's mount; ``code`` for programs."""

    code: MountCode
    severity: Severity
    text: str


class MountOut(Answer):
    """One pool as the host's agent has it. ``code`` and ``detail``: why it cannot be read, empty where it can."""

    root: str
    code: ReadingCode | None
    detail: str
    fs_type: str
    options: str
    source: str
    notes: list[MountNoteOut]


class StorageOut(Answer):
    """All pools by the newest answer of the agent to this controller; ``seen_at`` is null before the first one."""

    seen_at: datetime | None
    pools: list[MountOut]


class HostDetail(HostOut):
    """A host with its health and its storage."""

    health: HealthOut
    storage: StorageOut

    @classmethod
    def of(cls, host: Host, health: Health, storage: Storage) -> "HostDetail":
        """All in one answer."""
        plain = HostOut.model_validate(host).model_dump()
        return cls(**plain, health=HealthOut.model_validate(health), storage=StorageOut.model_validate(storage))


class PoolIn(Body):
    """A pool to add. ``cluster`` left out: every cluster has it."""

    name: Name
    kind: PoolKind
    root: Text = ""
    cluster: Name | None = None

    def new(self) -> NewPool:
        """The service's form of it."""
        return NewPool(**self.model_dump())


class PoolPatch(Body):
    """What to change; what is left out stays."""

    name: Name = Field(default="")
    root: Text = Field(default="")

    def changes(self) -> PoolChanges:
        """Only what was sent."""
        return cast("PoolChanges", self.model_dump(exclude_unset=True))


class PoolOut(Answer):
    """A pool."""

    id: str
    name: str
    kind: PoolKind
    root: str
    cluster_id: str | None
    external_id: str | None


class DiskIn(Body):
    """A disk: a path under a file pool (which is found by itself), or a name on the pool that is named."""

    path: Annotated[Text, Field(min_length=1)]
    pool: Name | None = None


class VmBody(Body):
    """A VM whose name stands in the address."""

    kind: VmKind = VmKind.USER
    ha_enabled: StrictBool = True
    external_id: Name | None = None
    disks: list[DiskIn] = Field(default_factory=list, max_length=256)

    def named(self, name: str) -> NewVm:
        """The service's form of it."""
        return NewVm(
            name=name,
            kind=self.kind,
            ha_enabled=self.ha_enabled,
            external_id=self.external_id,
            disks=tuple(NewDisk(path=disk.path, pool=disk.pool) for disk in self.disks),
        )


class VmIn(VmBody):
    """A VM in the list of a host."""

    name: Name

    def new(self) -> NewVm:
        """The service's form of it."""
        return self.named(self.name)


class DiskOut(Answer):
    """A disk."""

    id: str
    pool_id: str
    path: str


class VmOut(Answer):
    """A VM with its disks."""

    id: str
    host_id: str
    name: str
    kind: VmKind
    ha_enabled: bool
    external_id: str | None
    disks: list[DiskOut]
