"""What a cloud says of itself, as values: its hosts at one moment, and everything it manages.

All ids are the cloud's own. :mod:`controller.services.inventory_sync` brings it into hostfence's inventory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.domain.model import PoolKind, VmKind

UNKNOWN_POOL = "unknown"
"""The pool of a disk of which the cloud does not tell where it lies: there is a disk, and nobody can check it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudHost:
    """One host as the cloud sees it now. ``state`` and ``resource_state`` are its own words, for people."""

    id: str
    cluster_id: str
    name: str
    address: str
    up: bool
    state: str = ""
    resource_state: str = ""
    maintenance: bool = False
    own_ha: bool = False
    """The cloud's own host HA, which drives the BMC, is on for it."""
    bmc: "CloudBmc | None" = None
    down_since: datetime | None = None
    """When the cloud says it was lost, where it says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudBmc:
    """What the cloud knows of a host's power device; it never tells the password."""

    driver: str
    address: str
    port: str = ""
    username: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudHosts:
    """One poll. ``known`` False: the cloud could not be asked, or is in trouble itself (``trouble`` says which)."""

    known: bool
    hosts: tuple[CloudHost, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudCluster:
    """One cluster, and where it stands: the names of its zone and pod. ``zone_id``: the cloud's."""

    id: str
    name: str
    zone: str = ""
    pod: str = ""
    zone_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPool:
    """One primary storage pool. ``cluster_ids``: who sees it (all clusters of its zone where it is zone-wide).

    ``host_id``: it is local to that host.
    """

    id: str
    name: str
    kind: PoolKind
    root: str
    cluster_ids: tuple[str, ...]
    host_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudDisk:
    """One volume. ``path``: absolute on a file pool, the image's name on others."""

    id: str
    pool_id: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudVm:
    """One virtual machine. ``host_id`` empty: the cloud places it nowhere. ``state``: the cloud's own word."""

    id: str
    name: str
    kind: VmKind
    state: str
    host_id: str = ""
    ha_enabled: bool = False
    disks: tuple[CloudDisk, ...] = ()
    placement_known: bool = True
    """False: it runs, and the cloud does not tell where (``host_id`` is empty then)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudInventory:
    """Everything of interest. ``unmapped``: what cannot be checked and why, one sentence each, for the report."""

    clusters: tuple[CloudCluster, ...]
    hosts: tuple[CloudHost, ...]
    pools: tuple[CloudPool, ...]
    vms: tuple[CloudVm, ...]
    unmapped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What the cloud, or hostfence's key to it, is not fit for; one sentence each."""
    restarts_after_s: Mapping[str, float | None] = field(default_factory=dict)
    """By zone: the soonest after a host's death that the cloud starts its machines elsewhere by itself; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudReport:
    """What became of the last reading of the cloud, for people: problems first, in plain sentences.

    ``problem``: what kept the inventory from being read or believed; ``warnings``: what the cloud is not fit or not set
    up for; ``unmapped``: what cannot be checked, taken over or imported, and why.
    """

    at: datetime
    problem: str = ""
    warnings: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    """How many of each were read: zones, pods, clusters, hosts, pools, vms, disks."""
    restarts_after_s: float | None = None
    """The soonest in any zone."""
    restarts_after_s_by_zone: dict[str, float | None] = field(default_factory=dict)
    """As ``restarts_after_s`` of :class:`CloudInventory`."""
    read_at: datetime | None = None
    """When an inventory was applied last; ``at`` may be a later failure."""

    def restarts_after_in(self, zone: str) -> float | None:
        """In a zone; of one that is not known the soonest of all."""
        return self.restarts_after_s_by_zone.get(zone, self.restarts_after_s)
