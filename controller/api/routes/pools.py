"""Storage pools."""

from fastapi import APIRouter

from controller.api.auth import Admin, Viewer
from controller.api.deps import Ports
from controller.api.schemas.inventory import PoolIn, PoolOut, PoolPatch
from controller.services import pools

router = APIRouter(prefix="/pools", tags=["pools"])


@router.get("")
async def list_pools(ports: Ports, caller: Viewer, cluster: str | None = None) -> list[PoolOut]:
    """All, or those the hosts of one cluster see."""
    del caller
    return [PoolOut.model_validate(one) for one in await pools.list_pools(ports.store, cluster=cluster)]


@router.post("", status_code=201)
async def create_pool(ports: Ports, caller: Admin, body: PoolIn) -> PoolOut:
    """Add a pool."""
    return PoolOut.model_validate(await pools.create_pool(ports.store, ports.clock, body.new(), actor=caller.name))


@router.get("/{pool}")
async def get_pool(ports: Ports, caller: Viewer, pool: str) -> PoolOut:
    """One pool, by id or name."""
    del caller
    return PoolOut.model_validate(await pools.find_pool(ports.store, pool))


@router.patch("/{pool}")
async def update_pool(ports: Ports, caller: Admin, pool: str, body: PoolPatch) -> PoolOut:
    """Change what the body names. The root stays while disks lie on the pool."""
    changed = await pools.update_pool(ports.store, ports.clock, pool, body.changes(), actor=caller.name)
    return PoolOut.model_validate(changed)


@router.delete("/{pool}", status_code=204)
async def delete_pool(ports: Ports, caller: Admin, pool: str) -> None:
    """Forget a pool on which no disks lie."""
    await pools.delete_pool(ports.store, ports.clock, pool, actor=caller.name)
