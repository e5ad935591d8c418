"""The in-memory store's inventory, settings, health, pauses and controllers."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from controller.domain.catalogue import DEVICE_ADDRESSES
from controller.domain.cloud import CloudReport
from controller.domain.enrolment import Authority, JoinToken
from controller.domain.model import (
    Cluster,
    ControllerRow,
    Health,
    Host,
    Level,
    Pause,
    Pool,
    PoolKind,
    SettingRow,
    Vm,
)
from controller.domain.restored import DatabaseIdentity
from tests.simulation.memory_tables import TxBase


class InventoryTx(TxBase):
    async def clusters(self) -> list[Cluster]:
        return sorted(self._t.clusters.values(), key=lambda c: c.name)

    async def save_cluster(self, cluster: Cluster) -> None:
        t = self._t
        others = [c for c in t.clusters.values() if c.id != cluster.id]
        self._unique("name", cluster.name, (c.name for c in others))
        self._unique("external_id", cluster.external_id, (c.external_id for c in others))
        self._put(t.clusters, cluster.id, cluster)

    async def delete_cluster(self, cluster_id: str) -> bool:
        t = self._t
        if cluster_id not in t.clusters:
            return False
        if any(h.cluster_id == cluster_id for h in t.hosts.values()):
            self._refuse("hosts", "the cluster still has hosts")
        for pool in [p for p in t.pools.values() if p.cluster_id == cluster_id]:
            await self.delete_pool(pool.id)
        self._forget_owner(Level.CLUSTER, cluster_id)
        self._drop(t.clusters, cluster_id)
        return True

    async def hosts(self, *, cluster_id: str | None = None, ids: Collection[str] | None = None) -> list[Host]:
        found = [
            h for h in self._t.hosts.values() if cluster_id in (None, h.cluster_id) and (ids is None or h.id in ids)
        ]
        return sorted(found, key=lambda h: (h.name, h.id))

    async def hosts_beside(self, host_id: str) -> list[Host]:
        host = self._t.hosts.get(host_id)
        return [] if host is None else await self.hosts(cluster_id=host.cluster_id)

    async def hosts_with_device(self, address: str) -> frozenset[str]:
        rows = self._t.settings.values()
        return frozenset(
            r.owner_id for r in rows if r.level is Level.HOST and r.field in DEVICE_ADDRESSES and r.value == address
        )

    async def host(self, host_id: str) -> Host | None:
        return self._t.hosts.get(host_id)

    async def save_host(self, host: Host) -> None:
        t = self._t
        if host.cluster_id not in t.clusters:
            self._refuse("cluster_id", f"no cluster {host.cluster_id}")
        others = [h for h in t.hosts.values() if h.id != host.id]
        beside = (h.name for h in others if h.cluster_id == host.cluster_id)
        self._unique("name", host.name, beside)
        self._unique("external_id", host.external_id, (h.external_id for h in others))
        self._put(t.hosts, host.id, host)

    async def delete_host(self, host_id: str) -> bool:
        t = self._t
        if host_id not in t.hosts:
            return False
        if host_id in t.open_of_host:
            self._refuse("incidents", "an incident of the host is open")
        for vm in [v for v in t.vms.values() if v.host_id == host_id]:
            await self.delete_vm(vm.id)
        self._forget_owner(Level.HOST, host_id)
        self._drop(t.health, host_id)
        self._drop(t.join_tokens, host_id)
        self._drop(t.hosts, host_id)
        return True

    def _forget_owner(self, level: Level, owner_id: str) -> None:
        t = self._t
        for key in [k for k in t.settings if k[:2] == (level, owner_id)]:
            self._drop(t.settings, key)
        for pause in [p for p in t.pauses.values() if (p.level, p.owner_id) == (level, owner_id)]:
            self._drop(t.pauses, pause.id)

    async def pools(self, *, cluster_id: str | None = None) -> list[Pool]:
        found = [p for p in self._t.pools.values() if cluster_id is None or p.cluster_id in (None, cluster_id)]
        return sorted(found, key=lambda p: (p.name, p.id))

    async def save_pool(self, pool: Pool) -> None:
        t = self._t
        if pool.cluster_id is not None and pool.cluster_id not in t.clusters:
            self._refuse("cluster_id", f"no cluster {pool.cluster_id}")
        beside = [p for p in t.pools.values() if p.id != pool.id and p.cluster_id == pool.cluster_id]
        self._unique("name", pool.name, (p.name for p in beside))
        if pool.kind is PoolKind.FILE:
            self._unique("root", pool.root, (p.root for p in beside if p.kind is PoolKind.FILE))
        self._put(t.pools, pool.id, pool)

    async def delete_pool(self, pool_id: str) -> bool:
        t = self._t
        if pool_id not in t.pools:
            return False
        if any(d.pool_id == pool_id for v in t.vms.values() for d in v.disks):
            self._refuse("disks", "disks lie on the pool")
        self._drop(t.pools, pool_id)
        return True

    async def vms_of(self, host_id: str) -> list[Vm]:
        found = [v for v in self._t.vms.values() if v.host_id == host_id]
        return sorted(found, key=lambda v: (v.name, v.id))

    async def vms_in(self, cluster_id: str) -> list[Vm]:
        t = self._t
        found = [v for v in t.vms.values() if t.hosts[v.host_id].cluster_id == cluster_id]
        return sorted(found, key=lambda v: (v.name, v.id))

    async def vms_known_as(self, external_ids: Collection[str]) -> list[Vm]:
        found = [v for v in self._t.vms.values() if v.external_id is not None and v.external_id in external_ids]
        return sorted(found, key=lambda v: (v.name, v.id))

    async def save_vm(self, vm: Vm) -> None:
        t = self._t
        if vm.host_id not in t.hosts:
            self._refuse("host_id", f"no host {vm.host_id}")
        others = (v.external_id for v in t.vms.values() if v.id != vm.id)
        self._unique("external_id", vm.external_id, others)
        for disk in vm.disks:
            if disk.pool_id not in t.pools:
                self._refuse("pool_id", f"no pool {disk.pool_id}")
        await self.delete_vm(vm.id)
        for disk in vm.disks:
            self._take_disk(disk.id, vm.id)
        self._put(t.vms, vm.id, vm)

    def _take_disk(self, disk_id: str, vm_id: str) -> None:
        """A disk that was moved to another machine leaves the one it was on."""
        t = self._t
        before = t.vms.get(t.disk_owner.get(disk_id, ""))
        if before is not None:
            left = tuple(d for d in before.disks if d.id != disk_id)
            self._put(t.vms, before.id, replace(before, disks=left))
        self._put(t.disk_owner, disk_id, vm_id)

    async def delete_vm(self, vm_id: str) -> bool:
        t = self._t
        old = t.vms.get(vm_id)
        if old is None:
            return False
        for disk in old.disks:
            self._drop(t.disk_owner, disk.id)
        self._drop(t.vms, vm_id)
        return True

    async def cloud_report(self) -> CloudReport | None:
        return self._t.cloud_report.get(1)

    async def save_cloud_report(self, report: CloudReport) -> None:
        self._put(self._t.cloud_report, 1, report)

    async def setting_rows(self, *, owners: Collection[str] | None = None) -> list[SettingRow]:
        rows = [r for r in self._t.settings.values() if owners is None or r.owner_id in owners]
        return sorted(rows, key=lambda r: (r.level, r.owner_id, r.field))

    async def put_setting(self, row: SettingRow, *, secret: bool) -> None:
        del secret  # nothing here rests on a disk
        self._need_owner(row.level, row.owner_id)
        self._put(self._t.settings, (row.level, row.owner_id, row.field), row)

    async def delete_setting(self, level: Level, owner_id: str, field: str) -> bool:
        t = self._t
        written = (level, owner_id, field) in t.settings
        self._drop(t.settings, (level, owner_id, field))
        return written

    def _need_owner(self, level: Level, owner_id: str) -> None:
        t = self._t
        known = {Level.GLOBAL: ("",), Level.CLUSTER: t.clusters, Level.HOST: t.hosts}[level]
        if owner_id not in known:
            self._refuse("owner_id", f"no {level} {owner_id}")

    async def health(self, host_id: str) -> Health:
        return self._t.health.get(host_id) or Health(host_id=host_id)

    async def health_for_update(self, host_id: str) -> Health:
        return await self.health(host_id)

    async def healths(self, *, cluster_id: str | None = None) -> dict[str, Health]:
        t = self._t
        return {h: health for h, health in t.health.items() if cluster_id in (None, t.hosts[h].cluster_id)}

    async def save_health(self, health: Health) -> None:
        t = self._t
        if health.host_id not in t.hosts:
            self._refuse("host_id", f"no host {health.host_id}")
        self._put(t.health, health.host_id, health)

    async def pauses(self) -> list[Pause]:
        found = [p for p in self._t.pauses.values() if p.lifted_at is None]
        return sorted(found, key=lambda p: (p.created_at, p.id))

    async def save_pause(self, pause: Pause) -> None:
        self._need_owner(pause.level, pause.owner_id)
        self._put(self._t.pauses, pause.id, pause)

    async def controllers(self) -> list[ControllerRow]:
        return sorted(self._t.controllers.values(), key=lambda c: (c.alive_at, c.id), reverse=True)

    async def save_controller(self, row: ControllerRow) -> None:
        self._put(self._t.controllers, row.id, row)

    async def database_identity(self) -> DatabaseIdentity:
        database_id, place = self._t.identity.get(1, ("", ""))
        return DatabaseIdentity(id=database_id, place=place, place_now=self._t.place)

    async def settle_database(self, database_id: str) -> None:
        self._put(self._t.identity, 1, (database_id, self._t.place))

    async def authority(self) -> Authority | None:
        return self._t.authority.get(1)

    async def settle_authority(self, authority: Authority) -> None:
        if self._t.authority:
            self._refuse("one", "there is an authority")
        self._put(self._t.authority, 1, authority)

    async def join_token(self, host_id: str) -> JoinToken | None:
        return self._t.join_tokens.get(host_id)

    async def save_join_token(self, token: JoinToken) -> None:
        if token.host_id not in self._t.hosts:
            self._refuse("host_id", f"no host {token.host_id}")
        self._put(self._t.join_tokens, token.host_id, token)

    async def delete_join_token(self, host_id: str) -> bool:
        known = host_id in self._t.join_tokens
        self._drop(self._t.join_tokens, host_id)
        return known

    def _unique(self, name: str, value: str | None, taken: Iterable[str | None]) -> None:
        if value is not None and value in taken:
            self._refuse(name, f"{name} {value!r} is taken")
