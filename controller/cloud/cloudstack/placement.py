"""Where a host's machines are now, against where the inventory keeps them: what is evidence of the host. Pure.

The inventory keeps a machine on its host while the host is not Up or has an incident open (the cloud forgets where it
ran once it takes it for stopped). So what the cloud says now of each of them decides: still there, nowhere, elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controller.cloud.standalone import disk_list, machine_id
from controller.domain.cloud import CloudDisk, CloudVm
from controller.domain.evidence import DiskList
from controller.domain.model import Disk, Pool, Vm

_ON_ITS_WAY = frozenset({"Starting", "Migrating"})
_GONE = frozenset({"Destroyed", "Expunging"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What the cloud says now. ``found``: by id, of the machines kept here that it does not place on the host.

    ``disks``: of machines that the inventory does not know yet.
    """

    on_host: tuple[CloudVm, ...]
    found: Mapping[str, CloudVm | None]
    disks: Mapping[str, tuple[CloudDisk, ...]]


def merged(kept: Iterable[Vm], pools: list[Pool], placement: Placement, *, host_id: str, address: str) -> DiskList:
    """The host's disk list: ``kept`` in our inventory, corrected by what the cloud says."""
    here = {vm.id: vm for vm in placement.on_host}
    known = {machine_id(vm): vm for vm in kept}
    elsewhere = {vm_id for vm_id in known if vm_id not in here and _is_elsewhere(placement.found.get(vm_id))}
    gone = {vm_id for vm_id in known if vm_id in placement.found and _is_gone(placement.found[vm_id])}
    new = [_as_ours(vm, placement.disks.get(vm.id, ()), pools, host_id) for vm in here.values() if vm.id not in known]
    everything = disk_list([*(vm for vm_id, vm in known.items() if vm_id not in gone), *new], pools)
    left = everything.without(elsewhere)
    names = {machine.name for machine in everything.machines if machine.id in elsewhere}
    return replace(
        left,
        elsewhere=tuple(sorted(names)),
        cloud_heartbeats=tuple(f"{root}/KVMHA/hb-{address}" for root in left.pool_roots),
    )


def _is_elsewhere(vm: CloudVm | None) -> bool:
    """It runs, or begins to, on another host, whether or not the cloud already says on which."""
    return vm is not None and (bool(vm.host_id) or vm.state in _ON_ITS_WAY)


def _is_gone(vm: CloudVm | None) -> bool:
    """The cloud has no such machine any more, nor its disks."""
    return vm is None or vm.state in _GONE


def _as_ours(vm: CloudVm, disks: tuple[CloudDisk, ...], pools: list[Pool], host_id: str) -> Vm:
    """Disks on a pool that is not known here stay, as disks that nobody can check."""
    ours = {pool.external_id: pool.id for pool in pools if pool.external_id}
    return Vm(
        id=vm.id,
        host_id=host_id,
        name=vm.name,
        kind=vm.kind,
        ha_enabled=vm.ha_enabled,
        external_id=vm.id,
        disks=tuple(Disk(id=d.id, vm_id=vm.id, pool_id=ours.get(d.pool_id, d.pool_id), path=d.path) for d in disks),
    )
