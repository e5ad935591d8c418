"""What the cloud's pools and machines mean for hostfence's own, one cluster at a time.

Says what is to be written; writes nothing. A machine leaves a host's list only while that host is well: a cloud forgets
where machines ran once it starts them elsewhere, and the evidence needs it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.domain.cloud import UNKNOWN_POOL, CloudInventory, CloudPool, CloudVm
from controller.domain.model import Cluster, Disk, Host, Pool, PoolKind, Vm
from controller.domain.remarks import Remarks
from controller.services.changes import new_id
from controller.services.sync_hosts import plain_name

_UNKNOWN_NAME = "storage that the cloud does not tell"


class Site:
    """An inventory by id: who is where. ``ours``: the cloud's ids of the hosts that hostfence knows."""

    def __init__(self, inventory: CloudInventory, ours: Collection[str]) -> None:
        self.up = {host.id for host in inventory.hosts if host.up}
        self._ours = set(ours)
        self.vms = {vm.id: vm for vm in inventory.vms}
        self.vms_on: defaultdict[str, list[CloudVm]] = defaultdict(list)
        for vm in inventory.vms:
            if vm.host_id:
                self.vms_on[vm.host_id].append(vm)
        self.pools_of: defaultdict[str, list[CloudPool]] = defaultdict(list)
        for pool in inventory.pools:
            for cluster_id in pool.cluster_ids:
                self.pools_of[cluster_id].append(pool)

    def placed(self, external_id: str) -> bool:
        """True where the cloud knows such a machine and has it on a host that we know too, or does not tell where."""
        vm = self.vms.get(external_id)
        return vm is not None and (vm.host_id in self._ours or not vm.placement_known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One cluster's rows, as one transaction saw them.

    ``hosts``: its own, and those that machines of it are listed on now. ``elsewhere``: machines that the cloud has in
    this cluster, listed in others. ``open``: ids of hosts with an open incident. ``fenced``: of those that are proven
    off, or were vouched for, and have not returned.
    """

    cluster: Cluster
    hosts: Mapping[str, Host]
    pools: Sequence[Pool]
    vms: Sequence[Vm]
    elsewhere: Sequence[Vm]
    open: frozenset[str]
    fenced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePlan:
    """What to write, in this order: pools, machines, machines that are gone, pools that are gone."""

    pools: tuple[Pool, ...]
    vms: tuple[Vm, ...]
    gone: tuple[str, ...]
    gone_pools: tuple[str, ...]


def wanted_in(known_hosts: Iterable[Host], site: Site) -> list[CloudVm]:
    """The machines that the cloud has on these hosts."""
    return [vm for host in known_hosts for vm in site.vms_on.get(host.external_id or "", ())]


def plan_machines(known: Known, site: Site, remarks: Remarks) -> MachinePlan:
    """The difference between a cluster's rows and the cloud."""
    places = _Places(known, site.pools_of.get(known.cluster.external_id or "", []), remarks)
    rows = {vm.external_id: vm for vm in (*known.elsewhere, *known.vms) if vm.external_id is not None}
    final = {vm.id: vm for vm in known.vms}
    changed: list[Vm] = []
    for host in known.hosts.values():
        if host.cluster_id != known.cluster.id or host.external_id is None:
            continue
        by_hand = {vm.name: vm for vm in known.vms if vm.host_id == host.id and vm.external_id is None}
        for there in site.vms_on.get(host.external_id, ()):
            row = rows.get(there.id) or by_hand.pop(there.name, None)
            if row is not None and row.host_id != host.id and not _lets_go(row.host_id, known, site, placed=True):
                continue
            vm = _machine(there, host, row, places)
            if row is not None and not _lets_go(host.id, known, site, placed=False):
                vm = _with_all_disks(vm, row)
            if vm != row:
                changed.append(vm)
                final[vm.id] = vm
    gone = [vm for vm in known.vms if vm.id in final and final[vm.id] is vm and _is_gone(vm, known, site)]
    for vm in gone:
        del final[vm.id]
    used = {disk.pool_id for vm in final.values() for disk in vm.disks}
    return MachinePlan(
        pools=tuple(places.changed.values()),
        vms=tuple(changed),
        gone=tuple(vm.id for vm in gone),
        gone_pools=tuple(p.id for p in places.vanished if p.id not in used),
    )


def _lets_go(host_id: str, known: Known, site: Site, *, placed: bool) -> bool:
    """A host that is well shows by itself what runs on it; one that is off, or gone, what the cloud placed anew."""
    host = known.hosts.get(host_id)
    if host is None or host.id in known.open:
        return False
    return host.external_id in site.up or (placed and (host.retired or host.id in known.fenced))


def _is_gone(vm: Vm, known: Known, site: Site) -> bool:
    """It is the cloud's, runs nowhere any more, and its host may let it go. What was put in by hand stays."""
    if vm.external_id is None or site.placed(vm.external_id):
        return False
    return _lets_go(vm.host_id, known, site, placed=False)


def _machine(there: CloudVm, host: Host, row: Vm | None, places: "_Places") -> Vm:
    vm_id = row.id if row is not None else new_id()
    return Vm(
        id=vm_id,
        host_id=host.id,
        name=there.name,
        kind=there.kind,
        ha_enabled=there.ha_enabled,
        external_id=there.id,
        disks=tuple(
            Disk(id=disk.id, vm_id=vm_id, pool_id=places.of(disk.pool_id).id, path=disk.path) for disk in there.disks
        ),
    )


def _with_all_disks(vm: Vm, row: Vm) -> Vm:
    """Of a host that is not well no disk is forgotten either."""
    ids = {disk.id for disk in vm.disks}
    return replace(vm, disks=(*vm.disks, *(disk for disk in row.disks if disk.id not in ids)))


class _Places:
    """The cluster's pools by the cloud's id: one row of their own in each cluster that sees them."""

    def __init__(self, known: Known, there: Iterable[CloudPool], remarks: Remarks) -> None:
        self._cluster = known.cluster
        self._remarks = remarks
        self._state = {pool.id: pool for pool in known.pools if pool.cluster_id == known.cluster.id}
        self._by_id = {pool.external_id: pool for pool in self._state.values() if pool.external_id is not None}
        self.changed: dict[str, Pool] = {}
        listed = sorted(there, key=lambda pool: pool.id)
        for one in listed:
            self._by_id[one.id] = self._row(one)
        kept = {UNKNOWN_POOL, *(one.id for one in listed)}
        self.vanished = [p for p in self._state.values() if p.external_id is not None and p.external_id not in kept]
        """Those that the cloud does not list any more; none where it lists no pool at all, which is hardly true."""
        if not listed:
            self.vanished = []
        self._by_id = {cloud_id: pool for cloud_id, pool in self._by_id.items() if pool not in self.vanished}

    def of(self, pool_id: str) -> Pool:
        """The row of a pool; what the cloud does not tell lies on one that nobody can check."""
        found = self._by_id.get(pool_id) or self._by_id.get(UNKNOWN_POOL)
        if found is None:
            unknown = CloudPool(id=UNKNOWN_POOL, name=_UNKNOWN_NAME, kind=PoolKind.BLOCK, root="", cluster_ids=())
            found = self._by_id[UNKNOWN_POOL] = self._row(unknown)
        return found

    def _row(self, there: CloudPool) -> Pool:
        known = self._by_id.get(there.id) or self._by_hand(there)
        twin = self._same_root(there, known)
        if twin is not None:
            self._remarks.say(f"Pools {there.name} and {twin.name} have one path, {there.root}, and count as one here.")
            return twin
        pool = replace(
            known or Pool(id=new_id(), name="", kind=there.kind, root="", cluster_id=self._cluster.id),
            name=self._name(there, known),
            kind=there.kind,
            root=there.root,
            external_id=there.id,
        )
        if pool != known:
            self._state[pool.id] = self.changed[pool.id] = pool
        return pool

    def _by_hand(self, there: CloudPool) -> Pool | None:
        same = (there.kind, there.root)
        free = (p for p in self._state.values() if p.external_id is None and p.root)
        return next((pool for pool in free if (pool.kind, pool.root) == same), None)

    def _same_root(self, there: CloudPool, known: Pool | None) -> Pool | None:
        if there.kind is not PoolKind.FILE:
            return None
        others = (p for p in self._state.values() if known is None or p.id != known.id)
        return next((p for p in others if (p.kind, p.root) == (there.kind, there.root)), None)

    def _name(self, there: CloudPool, known: Pool | None) -> str:
        taken = {p.name for p in self._state.values() if known is None or p.id != known.id}
        plain = plain_name(there.name)
        return plain if plain and plain not in taken else plain_name(f"{there.name} ({there.id[:8]})")
