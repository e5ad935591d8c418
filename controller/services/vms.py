"""Which virtual machines run on a host and where their disks lie: what the witnesses are asked to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from controller.db.store import Clock, Store, Tx
from controller.domain.model import Disk, Host, Pool, PoolKind, Vm, VmKind
from controller.services.changes import changing, checked_name, new_id, record
from controller.services.errors import BadInput, NotFound
from controller.services.lookup import host_by_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDisk:
    """A disk: a path under a file pool of the host's cluster (``pool`` may be left out), or a name on another pool."""

    path: str
    pool: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVm:
    """A virtual machine as the caller describes it."""

    name: str
    kind: VmKind = VmKind.USER
    ha_enabled: bool = True
    external_id: str | None = None
    disks: tuple[NewDisk, ...] = ()


async def list_vms(store: Store, host_ref: str) -> list[Vm]:
    """The host's VMs with their disks, by name."""
    async with store.transaction() as tx:
        return await tx.vms_of((await host_by_ref(tx, host_ref)).id)


async def replace_vms(store: Store, clock: Clock, host_ref: str, new: Sequence[NewVm], *, actor: str) -> list[Vm]:
    """Make the host's list exactly ``new``. A VM known by its external id on another host of the cluster moves here."""
    now = await clock.now()
    async with changing(store) as tx:
        host = await host_by_ref(tx, host_ref)
        _check_named_once(new)
        known = await _Known.load(tx, host, new)
        vms = [known.vm_from(one) for one in new]
        _check_disks_once(vms)
        kept = {vm.id for vm in vms}
        for vm in known.on_host:
            if vm.id not in kept:
                await tx.delete_vm(vm.id)
        for vm in vms:
            await tx.save_vm(vm)
        await record(
            tx,
            at=now,
            actor=actor,
            action="vms.replace",
            target=host.name,
            host_id=host.id,
            vms=[vm.name for vm in vms],
        )
    return sorted(vms, key=lambda vm: vm.name)


async def put_vm(store: Store, clock: Clock, host_ref: str, new: NewVm, *, actor: str) -> Vm:
    """Add one VM to a host or replace the one of that name."""
    now = await clock.now()
    async with changing(store) as tx:
        host = await host_by_ref(tx, host_ref)
        known = await _Known.load(tx, host, [new])
        vm = known.vm_from(new)
        _check_disks_once([vm])
        for other in known.on_host:
            if other.name == vm.name and other.id != vm.id:
                await tx.delete_vm(other.id)
        await tx.save_vm(vm)
        await record(tx, at=now, actor=actor, action="vm.put", target=host.name, host_id=host.id, vm=vm.name)
    return vm


async def delete_vm(store: Store, clock: Clock, host_ref: str, name: str, *, actor: str) -> None:
    """Take one VM out of the host's list."""
    now = await clock.now()
    async with changing(store) as tx:
        host = await host_by_ref(tx, host_ref)
        for vm in await tx.vms_of(host.id):
            if name in (vm.name, vm.id, vm.external_id):
                await tx.delete_vm(vm.id)
                await record(tx, at=now, actor=actor, action="vm.delete", target=host.name, host_id=host.id, vm=vm.name)
                return
        raise NotFound(f"{host.name} has no VM {name!r}", code="unknown_vm", field="vm")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the inventory holds already, so that ids stay and disks find their pool."""

    host: Host
    on_host: list[Vm]
    elsewhere: list[Vm]
    pools: list[Pool]
    claimed: frozenset[str]
    """External ids that the caller names: VMs with them are found by them only."""

    @classmethod
    async def load(cls, tx: Tx, host: Host, new: Sequence[NewVm]) -> "_Known":
        elsewhere = []
        for other in await tx.hosts(cluster_id=host.cluster_id):
            if other.id != host.id:
                elsewhere += await tx.vms_of(other.id)
        return cls(
            host=host,
            on_host=await tx.vms_of(host.id),
            elsewhere=elsewhere,
            pools=await tx.pools(cluster_id=host.cluster_id),
            claimed=frozenset(one.external_id for one in new if one.external_id is not None),
        )

    def vm_from(self, new: NewVm) -> Vm:
        earlier = self._earlier(new)
        vm_id = earlier.id if earlier else new_id()
        return Vm(
            id=vm_id,
            host_id=self.host.id,
            name=checked_name(new.name),
            kind=new.kind,
            ha_enabled=new.ha_enabled,
            external_id=new.external_id,
            disks=tuple(self._disk(one, vm_id, new.name) for one in new.disks),
        )

    def _earlier(self, new: NewVm) -> Vm | None:
        for vm in (*self.on_host, *self.elsewhere):
            if new.external_id is not None and vm.external_id == new.external_id:
                return vm
        for vm in self.on_host:
            if vm.name == new.name.strip() and vm.external_id not in self.claimed:
                return vm
        return None

    def _disk(self, new: NewDisk, vm_id: str, vm_name: str) -> Disk:
        pool = self._pool(new, vm_name)
        path = _checked_path(pool, new.path, vm_name)
        known = (disk for vm in (*self.on_host, *self.elsewhere) for disk in vm.disks)
        same = next((disk.id for disk in known if (disk.pool_id, disk.path) == (pool.id, path)), None)
        return Disk(id=same or new_id(), vm_id=vm_id, pool_id=pool.id, path=path)

    def _pool(self, new: NewDisk, vm_name: str) -> Pool:
        if new.pool is not None:
            named = [pool for pool in self.pools if new.pool in (pool.id, pool.name)]
            if not named:
                raise BadInput(
                    f"disk {new.path!r} of {vm_name}: the host's cluster has no pool {new.pool!r}",
                    code="unknown_pool",
                    field="disks",
                )
            # A pool of the cluster itself is meant before one that every cluster has.
            return max(named, key=lambda pool: (pool.id == new.pool, pool.cluster_id is not None))
        files = [pool for pool in self.pools if pool.kind is PoolKind.FILE and _lies_under(pool.root, new.path)]
        if not files:
            roots = ", ".join(sorted(pool.root for pool in self.pools if pool.kind is PoolKind.FILE)) or "none yet"
            raise BadInput(
                f"disk {new.path!r} of {vm_name} lies under no file pool of the host's cluster ({roots});"
                " add the pool, or name the disk's pool",
                code="disk_outside_pools",
                field="disks",
            )
        return max(files, key=lambda pool: len(pool.root))


def _checked_path(pool: Pool, path: str, vm_name: str) -> str:
    if pool.kind is PoolKind.FILE:
        return _path_under(pool, path, vm_name)
    if pool.kind is PoolKind.RBD and (not path.isprintable() or set(path) & set("/@")):
        raise BadInput(
            f"disk {path!r} of {vm_name}: write the image's name alone; pool and namespace stand in {pool.name}",
            code="bad_disk",
            field="disks",
        )
    return path


def _lies_under(root: str, path: str) -> bool:
    place = PurePosixPath(path)
    return ".." not in place.parts and place != PurePosixPath(root) and place.is_relative_to(root)


def _path_under(pool: Pool, path: str, vm_name: str) -> str:
    if not _lies_under(pool.root, path) or "\x00" in path:
        raise BadInput(
            f"disk {path!r} of {vm_name} does not lie under {pool.root}, the root of pool {pool.name}",
            code="disk_outside_pools",
            field="disks",
        )
    return str(PurePosixPath(path))


def _check_named_once(new: Sequence[NewVm]) -> None:
    names = [one.name.strip() for one in new]
    ids = [one.external_id for one in new if one.external_id is not None]
    for every, what in ((names, "name"), (ids, "external_id")):
        for one in every:
            if every.count(one) > 1:
                raise BadInput(f"two VMs have the {what} {one!r}", code="duplicate_vm", field=what)


def _check_disks_once(vms: Sequence[Vm]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for vm in vms:
        for disk in vm.disks:
            place = (disk.pool_id, disk.path)
            if place in seen:
                raise BadInput(
                    f"disk {disk.path!r} is listed twice, for {seen[place]} and {vm.name}",
                    code="duplicate_disk",
                    field="disks",
                )
            seen[place] = vm.name
