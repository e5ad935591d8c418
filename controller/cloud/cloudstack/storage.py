"""CloudStack's storage pools and volumes as paths on a host: what a witness can look at, and what nobody can. Pure."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from controller.cloud.cloudstack.fields import Row, text
from controller.domain.cloud import UNKNOWN_POOL, CloudCluster, CloudDisk, CloudHost, CloudPool
from controller.domain.model import PoolKind
from controller.domain.remarks import Remarks

POOL_FIELDS = frozenset({"id", "name", "scope", "clusterid", "zoneid", "ipaddress", "type", "path"})
VOLUME_FIELDS = frozenset({"id", "virtualmachineid", "vmname", "vmdisplayname", "storageid", "storage", "path"})
"""What is read of each entry here: more of it need not be kept."""

_BLOCK_TYPES = {"CLVM", "CLVM_NG", "LVM", "Iscsi", "IscsiLUN", "Linstor", "StorPool", "PowerFlex", "FiberChannel"}
_RBD_MARKS = frozenset("/@")
_HOST_SCOPE = "HOST"


def pools_from(
    rows: Iterable[Row], clusters: Mapping[str, CloudCluster], hosts: Iterable[CloudHost], notes: Remarks
) -> dict[str, CloudPool]:
    """By id. ``clusters``: those of KVM hosts; a pool that none of them sees is left out."""
    at = {host.address: host for host in hosts if host.address}
    found: dict[str, CloudPool] = {}
    for row in rows:
        pool_id = text(row, "id")
        if not pool_id:
            notes.say("A storage pool came without an id and is left out: {names}.", text(row, "name") or "no name")
            continue
        scope = text(row, "scope").upper()
        seen_by = _seen_by(row, scope, clusters)
        host = at.get(text(row, "ipaddress")) if scope == _HOST_SCOPE else None
        if host is not None and not seen_by:
            seen_by = (host.cluster_id,)
        kind, root = _place(row, pool_id, scope, notes)
        if seen_by:
            found[pool_id] = CloudPool(
                id=pool_id,
                name=text(row, "name") or pool_id,
                kind=kind,
                root=root,
                cluster_ids=seen_by,
                host_id=host.id if host is not None else "",
            )
    return found


def _seen_by(row: Row, scope: str, clusters: Mapping[str, CloudCluster]) -> tuple[str, ...]:
    cluster_id = text(row, "clusterid")
    if cluster_id:
        return (cluster_id,) if cluster_id in clusters else ()
    if scope == _HOST_SCOPE:
        return ()
    zone_id = text(row, "zoneid")
    return tuple(sorted(id_ for id_, one in clusters.items() if one.zone_id == zone_id))


def _place(row: Row, pool_id: str, scope: str, notes: Remarks) -> tuple[PoolKind, str]:
    """What a pool is to a witness and its root there. What is not known for sure is nothing that can be checked."""
    type_, path, name = text(row, "type"), text(row, "path"), text(row, "name") or pool_id
    if scope == _HOST_SCOPE or type_ == "Filesystem":
        notes.say("Disks on local storage ({names}) cannot be checked: no other host can see them.", name)
        return PoolKind.LOCAL, path
    match type_:
        case "NetworkFilesystem" if _plain(pool_id):
            return PoolKind.FILE, f"/mnt/{pool_id}"
        case "SharedMountPoint" if path.startswith("/") and _plain(path.strip("/")):
            return PoolKind.FILE, str(PurePosixPath("/") / path.strip("/"))
        case "RBD" if path.strip("/") and "@" not in path and path.strip("/").count("/") <= 1:
            return PoolKind.RBD, f"rbd:{path.strip('/')}"
        case "SharedMountPoint" | "RBD" | "NetworkFilesystem":
            shown = f"path {path!r}" if path else "no path"
            notes.say(f"Disks on {{names}} cannot be checked: CloudStack shows {shown} for this {type_} pool.", name)
        case known if known in _BLOCK_TYPES:
            notes.say(f"Disks on {{names}} cannot be checked: {known} has block devices, which keep no times.", name)
        case _:
            shown = f"the type {type_}" if type_ else "no type"
            notes.say(f"Disks on {{names}} cannot be checked: hostfence does not know {shown} of storage pool.", name)
    return PoolKind.BLOCK, path


def disks_from(rows: Iterable[Row], pools: Mapping[str, CloudPool], notes: Remarks) -> dict[str, tuple[CloudDisk, ...]]:
    """The attached volumes as disks, by VM id. One that cannot be placed lies on :data:`UNKNOWN_POOL`, but is there."""
    found: dict[str, dict[str, CloudDisk]] = {}
    for row in rows:
        vm_id, volume_id = text(row, "virtualmachineid"), text(row, "id")
        if vm_id:
            disk = _disk(row, volume_id or f"{UNKNOWN_POOL}:{vm_id}", pools, notes)
            found.setdefault(vm_id, {})[disk.id] = disk
    return {vm_id: tuple(disks[id_] for id_ in sorted(disks)) for vm_id, disks in found.items()}


def unknown_disk(vm_id: str) -> CloudDisk:
    """Stands for the disks of a VM whose volumes could not be read."""
    return CloudDisk(id=f"{UNKNOWN_POOL}:{vm_id}", pool_id=UNKNOWN_POOL, path="")


def _disk(row: Row, volume_id: str, pools: Mapping[str, CloudPool], notes: Remarks) -> CloudDisk:
    vm = text(row, "vmname") or text(row, "vmdisplayname") or text(row, "virtualmachineid")
    pool_id, path = text(row, "storageid"), text(row, "path")
    if not pool_id or not path:
        notes.say(
            "Disks of {names} cannot be checked: CloudStack does not show where they lie"
            " (it shows that to root admins only, and not of volumes that are being made).",
            vm,
        )
        return CloudDisk(id=volume_id, pool_id=UNKNOWN_POOL, path="")
    pool = pools.get(pool_id)
    if pool is None:
        where = text(row, "storage") or pool_id
        notes.say(f"Disks of {{names}} cannot be checked: storage pool {where} is none that a KVM cluster sees.", vm)
        return CloudDisk(id=volume_id, pool_id=UNKNOWN_POOL, path=path)
    file = _in_pool(pool, path)
    if file is None:
        notes.say(f"Disks of {{names}} cannot be checked: the path {path!r} is none inside {pool.name}.", vm)
        return CloudDisk(id=volume_id, pool_id=UNKNOWN_POOL, path=path)
    return CloudDisk(id=volume_id, pool_id=pool.id, path=file)


def _in_pool(pool: CloudPool, path: str) -> str | None:
    match pool.kind:
        case PoolKind.FILE:
            inside = path.removeprefix(f"{pool.root}/")
            return f"{pool.root}/{inside}" if _plain(inside) else None
        case PoolKind.RBD:
            image = path.removeprefix(f"{pool.root.removeprefix('rbd:')}/")
            return None if not image or set(image) & _RBD_MARKS else image
        case PoolKind.LOCAL | PoolKind.BLOCK:
            return path


def _plain(inside: str) -> bool:
    """True for a relative path that stays where it begins."""
    parts = inside.split("/")
    return bool(inside) and not set(parts) & {"", ".", ".."}
