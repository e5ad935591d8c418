"""Pools: where disks live. A pool that holds disks can't be moved from under them."""

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TypedDict

from controller.db.store import Clock, Store, Tx
from controller.domain.model import Pool, PoolKind
from controller.services.changes import changing, checked_name, new_id, record
from controller.services.errors import BadInput, Refused
from controller.services.lookup import cluster_by_ref, pool_by_ref

_RBD_ROOT = re.compile(r"rbd:[^/@]+(/[^/@]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPool:
    """A pool to add. ``cluster`` None: every cluster has it. ``root`` is its path on every host, or ``rbd:POOL``."""

    name: str
    kind: PoolKind
    root: str = ""
    cluster: str | None = None


class PoolChanges(TypedDict, total=False):
    """What may be changed; what is left out stays."""

    name: str
    root: str


async def list_pools(store: Store, *, cluster: str | None = None) -> list[Pool]:
    """All, or those that hosts of one cluster see."""
    async with store.transaction() as tx:
        cluster_id = (await cluster_by_ref(tx, cluster)).id if cluster is not None else None
        return await tx.pools(cluster_id=cluster_id)


async def find_pool(store: Store, ref: str) -> Pool:
    """One pool."""
    async with store.transaction() as tx:
        return await pool_by_ref(tx, ref)


async def create_pool(store: Store, clock: Clock, new: NewPool, *, actor: str) -> Pool:
    """Add a pool."""
    now = await clock.now()
    async with changing(store) as tx:
        cluster_id = (await cluster_by_ref(tx, new.cluster)).id if new.cluster is not None else None
        pool = Pool(
            id=new_id(),
            name=checked_name(new.name),
            kind=new.kind,
            root=_checked_root(new.root, new.kind),
            cluster_id=cluster_id,
        )
        await tx.save_pool(pool)
        await record(tx, at=now, actor=actor, action="pool.create", target=pool.name, id=pool.id, root=pool.root)
    return pool


async def update_pool(store: Store, clock: Clock, ref: str, changes: PoolChanges, *, actor: str) -> Pool:
    """Change what ``changes`` names. The root stays while disks lie on the pool."""
    now = await clock.now()
    async with changing(store) as tx:
        old = await pool_by_ref(tx, ref)
        if "name" in changes:
            changes = {**changes, "name": checked_name(changes["name"])}
        if "root" in changes:
            changes = {**changes, "root": _checked_root(changes["root"], old.kind)}
        pool = replace(old, **changes)
        if pool.root != old.root:
            await _check_empty(tx, old)
        await tx.save_pool(pool)
        await record(tx, at=now, actor=actor, action="pool.update", target=pool.name, id=pool.id, **changes)
    return pool


async def delete_pool(store: Store, clock: Clock, ref: str, *, actor: str) -> None:
    """Forget a pool. Refused while disks lie on it."""
    now = await clock.now()
    async with changing(store) as tx:
        pool = await pool_by_ref(tx, ref)
        await _check_empty(tx, pool)
        await tx.delete_pool(pool.id)
        await record(tx, at=now, actor=actor, action="pool.delete", target=pool.name, id=pool.id)


def _checked_root(root: str, kind: PoolKind) -> str:
    if kind is PoolKind.RBD and (not _RBD_ROOT.fullmatch(root) or not root.isprintable()):
        raise BadInput(
            f"root {root!r}: write rbd: and Ceph's name of the pool, like rbd:cloudstack, with a namespace after a"
            " slash where there is one",
            code="bad_root",
            field="root",
        )
    if kind is not PoolKind.FILE:
        return root
    path = PurePosixPath(root)
    plain = "/" + "/".join(path.parts[1:])
    if not path.is_absolute() or len(path.parts) < 2 or ".." in path.parts or not root.isprintable():
        raise BadInput(
            f"root {root!r}: write the pool's absolute path on the hosts, like /mnt/primary",
            code="bad_root",
            field="root",
        )
    return plain


async def _check_empty(tx: Tx, pool: Pool) -> None:
    for host in await tx.hosts(cluster_id=pool.cluster_id):
        for vm in await tx.vms_of(host.id):
            if any(disk.pool_id == pool.id for disk in vm.disks):
                raise Refused(
                    f"disks of {vm.name} on {host.name} lie on {pool.name}; take them out of the inventory first",
                    code="pool_in_use",
                )
