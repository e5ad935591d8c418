"""Finds what a caller means: by id, by the cloud's id, or by name. What fits several is an error, never a guess."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from controller.db.store import Store, Tx
from controller.domain.model import Cluster, Host, Level, Pool
from controller.services.errors import Ambiguous, BadInput, NotFound

T = TypeVar("T", Cluster, Host, Pool)


async def host_by_ref(tx: Tx, ref: str) -> Host:
    """The one host that ``ref`` names."""
    return _only(await tx.hosts(), ref, what="host", keys=lambda host: (host.id, host.external_id, host.name))


async def cluster_by_ref(tx: Tx, ref: str) -> Cluster:
    """The one cluster that ``ref`` names."""
    return _only(
        await tx.clusters(), ref, what="cluster", keys=lambda cluster: (cluster.id, cluster.external_id, cluster.name)
    )


async def pool_by_ref(tx: Tx, ref: str) -> Pool:
    """The one pool that ``ref`` names."""
    return _only(await tx.pools(), ref, what="pool", keys=lambda pool: (pool.id, pool.name))


async def find_host(store: Store, ref: str) -> Host:
    """:func:`host_by_ref` in a transaction of its own."""
    async with store.transaction() as tx:
        return await host_by_ref(tx, ref)


async def find_cluster(store: Store, ref: str) -> Cluster:
    """:func:`cluster_by_ref` in a transaction of its own."""
    async with store.transaction() as tx:
        return await cluster_by_ref(tx, ref)


async def owner_id_of(tx: Tx, level: Level, ref: str) -> str:
    """The id of what a setting or a pause at ``level`` belongs to; empty for global."""
    match level:
        case Level.GLOBAL:
            if ref:
                raise BadInput("leave owner out at global level", code="bad_owner", field="owner")
            return ""
        case Level.CLUSTER:
            return (await cluster_by_ref(tx, ref)).id
        case Level.HOST:
            return (await host_by_ref(tx, ref)).id


def _only(everything: Iterable[T], ref: str, *, what: str, keys: Callable[[T], tuple[str | None, ...]]) -> T:
    found = [one for one in everything if ref in keys(one)]
    match found:
        case [one]:
            return one
        case []:
            raise NotFound(
                f"there is no {what} {ref!r}; give its id or name as GET /api/v1/{what}s lists them",
                code=f"unknown_{what}",
                field=what,
            )
        case several:
            ids = ", ".join(one.id for one in several)
            raise Ambiguous(
                f"{ref!r} fits {len(several)} {what}s; give one of the ids {ids}", code="ambiguous", field=what
            )
