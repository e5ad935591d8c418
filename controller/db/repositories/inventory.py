"""Clusters, hosts, pools, and what is remembered of each host.

Sorted in Python: PostgreSQL's order of texts depends on the database's locale.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import RowMapping, Select, bindparam, delete, or_, select
from sqlalchemy.orm import aliased

from controller.db.mapping import Mapping
from controller.db.models import Clusters, Disks, Healths, Hosts, Incidents, Pools, Settings
from controller.db.models.settings import IS_DEVICE
from controller.db.session import Repository
from controller.domain.model import Cluster, Health, Host, Level, Pool

CLUSTERS = Mapping(Cluster, Clusters)
HOSTS = Mapping(Host, Hosts, without=("agent_token",))
POOLS = Mapping(Pool, Pools)
HEALTHS = Mapping(Health, Healths, key="host_id")

_its_row = aliased(Hosts)
_its_cluster = select(_its_row.cluster_id).where(_its_row.id == bindparam("host")).scalar_subquery()
_HOSTS = HOSTS.select().add_columns(Hosts.agent_token)
_HOST = _HOSTS.where(Hosts.id == bindparam("host"))
_BESIDE = _HOSTS.where(Hosts.cluster_id == _its_cluster)
_WITH_DEVICE = select(Settings.owner_id).where(
    IS_DEVICE, Settings.level == Level.HOST, Settings.value == bindparam("address")
)
_LOCK_HOST = select(Hosts.id).where(Hosts.id == bindparam("host")).with_for_update(key_share=True)
_HEALTHS = HEALTHS.select()
_HEALTH = _HEALTHS.where(Healths.host_id == bindparam("host"))
_HEALTHS_OF = _HEALTHS.join(Hosts, Hosts.id == Healths.host_id).where(Hosts.cluster_id == bindparam("cluster"))


class InventoryRepository(Repository):
    """Part of :class:`controller.db.store.Tx`."""

    async def clusters(self) -> list[Cluster]:
        """See the port."""
        rows = await self._session.all(CLUSTERS.select())
        return sorted((CLUSTERS.entity(row) for row in rows), key=lambda c: c.name)

    async def save_cluster(self, cluster: Cluster) -> None:
        """See the port."""
        await self._session.run(CLUSTERS.upserting, CLUSTERS.values(cluster))

    async def delete_cluster(self, cluster_id: str) -> bool:
        """See the port. The row is locked first, so that no host is added meanwhile."""
        if not await self._lock(Clusters, cluster_id):
            return False
        if await self._any(select(Hosts.id).where(Hosts.cluster_id == cluster_id)):
            self._session.refuse("hosts", "the cluster still has hosts")
        mine = select(Pools.id).where(Pools.cluster_id == cluster_id)
        if await self._any(select(Disks.id).where(Disks.pool_id.in_(mine))):
            self._session.refuse("disks", "disks lie on a pool of the cluster")
        return await self._session.touched(delete(Clusters).where(Clusters.id == cluster_id))

    async def hosts(self, *, cluster_id: str | None = None, ids: Collection[str] | None = None) -> list[Host]:
        """See the port."""
        statement = _HOSTS
        if cluster_id is not None:
            statement = statement.where(Hosts.cluster_id == cluster_id)
        if ids is not None:
            statement = statement.where(Hosts.id.in_(ids))
        return await self._hosts(statement)

    async def hosts_beside(self, host_id: str) -> list[Host]:
        """See the port."""
        return await self._hosts(_BESIDE, {"host": host_id})

    async def _hosts(self, statement: Select[Any], values: dict[str, Any] | None = None) -> list[Host]:
        rows = await self._session.all(statement, values)
        return sorted((self._host(row) for row in rows), key=lambda h: (h.name, h.id))

    async def hosts_with_device(self, address: str) -> frozenset[str]:
        """See the port."""
        return frozenset((await self._session.run(_WITH_DEVICE, {"address": address})).scalars())

    async def host(self, host_id: str) -> Host | None:
        """See the port."""
        row = await self._session.first(_HOST, {"host": host_id})
        return None if row is None else self._host(row)

    def _host(self, row: RowMapping) -> Host:
        return HOSTS.entity(row, agent_token=self._vault.open(row["agent_token"]))

    async def save_host(self, host: Host) -> None:
        """See the port."""
        await self._session.run(HOSTS.upserting, HOSTS.values(host, agent_token=self._vault.seal(host.agent_token)))

    async def delete_host(self, host_id: str) -> bool:
        """See the port. The row is locked first, so that no incident is opened meanwhile."""
        if not await self._lock(Hosts, host_id):
            return False
        if await self._any(select(Incidents.id).where(Incidents.host_id == host_id, Incidents.open)):
            self._session.refuse("incidents", "an incident of the host is open")
        return await self._session.touched(delete(Hosts).where(Hosts.id == host_id))

    async def pools(self, *, cluster_id: str | None = None) -> list[Pool]:
        """See the port."""
        statement = POOLS.select()
        if cluster_id is not None:
            statement = statement.where(or_(Pools.cluster_id == cluster_id, Pools.cluster_id.is_(None)))
        rows = await self._session.all(statement)
        return sorted((POOLS.entity(row) for row in rows), key=lambda p: (p.name, p.id))

    async def save_pool(self, pool: Pool) -> None:
        """See the port."""
        await self._session.run(POOLS.upserting, POOLS.values(pool))

    async def delete_pool(self, pool_id: str) -> bool:
        """See the port."""
        if not await self._lock(Pools, pool_id):
            return False
        if await self._any(select(Disks.id).where(Disks.pool_id == pool_id)):
            self._session.refuse("disks", "disks lie on the pool")
        return await self._session.touched(delete(Pools).where(Pools.id == pool_id))

    async def health(self, host_id: str) -> Health:
        """See the port."""
        row = await self._session.first(_HEALTH, {"host": host_id})
        return Health(host_id=host_id) if row is None else HEALTHS.entity(row)

    async def health_for_update(self, host_id: str) -> Health:
        """See the port. The host's row is what is locked: a health row may not be there yet."""
        await self._session.all(_LOCK_HOST, {"host": host_id})
        return await self.health(host_id)

    async def healths(self, *, cluster_id: str | None = None) -> dict[str, Health]:
        """See the port."""
        rows = await (
            self._session.all(_HEALTHS)
            if cluster_id is None
            else self._session.all(_HEALTHS_OF, {"cluster": cluster_id})
        )
        return {row["host_id"]: HEALTHS.entity(row) for row in rows}

    async def save_health(self, health: Health) -> None:
        """See the port."""
        await self._session.run(HEALTHS.upserting, HEALTHS.values(health))

    async def _lock(self, table: type[Clusters | Hosts | Pools], row_id: str) -> bool:
        return await self._any(select(table.id).where(table.id == row_id).with_for_update())

    async def _any(self, statement: Select[str]) -> bool:
        return await self._session.first(statement.limit(1)) is not None
