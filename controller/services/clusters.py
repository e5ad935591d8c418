"""Clusters: made, renamed, removed."""

from dataclasses import replace
from typing import TypedDict

from controller.db.store import Clock, Store
from controller.domain.model import Cluster
from controller.services.changes import changing, checked_name, new_id, record
from controller.services.errors import Refused
from controller.services.lookup import cluster_by_ref


class ClusterChanges(TypedDict, total=False):
    """What may be changed; what is left out stays."""

    name: str
    external_id: str | None


async def list_clusters(store: Store) -> list[Cluster]:
    """All, by name."""
    async with store.transaction() as tx:
        return await tx.clusters()


async def create_cluster(store: Store, clock: Clock, *, name: str, external_id: str | None, actor: str) -> Cluster:
    """A new cluster. Refused when the name or the cloud's id is taken."""
    now = await clock.now()
    cluster = Cluster(id=new_id(), name=checked_name(name), external_id=external_id)
    async with changing(store) as tx:
        await tx.save_cluster(cluster)
        await record(tx, at=now, actor=actor, action="cluster.create", target=cluster.name, id=cluster.id)
    return cluster


async def update_cluster(store: Store, clock: Clock, ref: str, changes: ClusterChanges, *, actor: str) -> Cluster:
    """Change what ``changes`` names."""
    now = await clock.now()
    if "name" in changes:
        changes = {**changes, "name": checked_name(changes["name"])}
    async with changing(store) as tx:
        cluster = replace(await cluster_by_ref(tx, ref), **changes)
        await tx.save_cluster(cluster)
        await record(tx, at=now, actor=actor, action="cluster.update", target=cluster.name, **changes)
    return cluster


async def delete_cluster(store: Store, clock: Clock, ref: str, *, actor: str) -> None:
    """Remove a cluster with its settings and pools. Refused while it has hosts."""
    now = await clock.now()
    async with changing(store) as tx:
        cluster = await cluster_by_ref(tx, ref)
        if hosts := await tx.hosts(cluster_id=cluster.id):
            raise Refused(f"{cluster.name} still has {len(hosts)} hosts; delete them first", code="cluster_has_hosts")
        await tx.delete_cluster(cluster.id)
        await record(tx, at=now, actor=actor, action="cluster.delete", target=cluster.name, id=cluster.id)
