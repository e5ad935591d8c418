"""Clusters."""

from fastapi import APIRouter

from controller.api.auth import Admin, Viewer
from controller.api.deps import Ports
from controller.api.schemas.inventory import ClusterIn, ClusterOut, ClusterPatch
from controller.services import clusters
from controller.services.lookup import find_cluster

router = APIRouter(prefix="/clusters", tags=["clusters"])


@router.get("")
async def list_clusters(ports: Ports, caller: Viewer) -> list[ClusterOut]:
    """All, by name."""
    del caller
    return [ClusterOut.model_validate(one) for one in await clusters.list_clusters(ports.store)]


@router.post("", status_code=201)
async def create_cluster(ports: Ports, caller: Admin, body: ClusterIn) -> ClusterOut:
    """Add a cluster."""
    made = await clusters.create_cluster(
        ports.store, ports.clock, name=body.name, external_id=body.external_id, actor=caller.name
    )
    return ClusterOut.model_validate(made)


@router.get("/{cluster}")
async def get_cluster(ports: Ports, caller: Viewer, cluster: str) -> ClusterOut:
    """One cluster, by id, external id or name."""
    del caller
    return ClusterOut.model_validate(await find_cluster(ports.store, cluster))


@router.patch("/{cluster}")
async def update_cluster(ports: Ports, caller: Admin, cluster: str, body: ClusterPatch) -> ClusterOut:
    """Change what the body names."""
    changed = await clusters.update_cluster(ports.store, ports.clock, cluster, body.changes(), actor=caller.name)
    return ClusterOut.model_validate(changed)


@router.delete("/{cluster}", status_code=204)
async def delete_cluster(ports: Ports, caller: Admin, cluster: str) -> None:
    """Remove a cluster that has no hosts, with its settings and pools."""
    await clusters.delete_cluster(ports.store, ports.clock, cluster, actor=caller.name)
