"""Brings what the cloud manages into hostfence's inventory: writes only what changed, again and again.

Each part is compared first, without a lock; what differs is compared once more inside the transaction that writes it.
So any number of controllers may do this at once, and an inventory that changed nothing costs reads alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from controller.db.store import Clock, Store, Tx
from controller.domain.catalogue import CATALOGUE
from controller.domain.cloud import CloudHost, CloudInventory, CloudReport
from controller.domain.model import Cluster, DeviceHealth, Host, Level, SettingRow
from controller.domain.remarks import Remarks
from controller.domain.setting_values import shown
from controller.services.changes import changing, record
from controller.services.cloud_reports import keep
from controller.services.errors import Refused
from controller.services.sync_bmc import plan_bmc
from controller.services.sync_hosts import HostChange, HostPlan, plan_clusters, plan_hosts
from controller.services.sync_machines import Known, MachinePlan, Site, plan_machines, wanted_in

AT_ONCE = 100
"""Machines written in one transaction: an intent waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """``written``: rows of the inventory that changed."""

    written: int
    report: CloudReport


async def apply(
    store: Store, clock: Clock, inventory: CloudInventory, *, actor: str = "cloud", allow_local: bool = False
) -> SyncResult:
    """Make hostfence's inventory that of the cloud. ``allow_local``: a lab, whose power devices are on this machine.

    Raises:
        StoreUnavailable: some parts may be written, each of them whole; to be done again.
    """
    remarks, problems, written = Remarks(), [], 0
    now = await clock.now()
    for sentence in inventory.unmapped:
        remarks.say(sentence)
    try:
        written += await _clusters(store, inventory, remarks, actor=actor, now=now)
        count, problem = await _hosts(store, inventory, remarks, actor=actor, now=now)
        written += count
        problems += [problem] if problem else []
    except Refused as refusal:
        problems.append(f"Clusters and hosts were not all written: {refusal.detail}.")
    async with store.transaction() as tx:
        clusters = [one for one in await tx.clusters() if one.external_id is not None]
        ours = [host.external_id for host in await tx.hosts() if host.external_id is not None]
    site = Site(inventory, ours)
    there = {host.id: host for host in inventory.hosts}
    for cluster in clusters:
        part = _Part(cluster, site, there, actor=actor, now=now, allow_local=allow_local)
        try:
            written += await part.bring_in(store)
        except Refused as refusal:
            problems.append(f"Machines of cluster {cluster.name} were not all written: {refusal.detail}.")
        remarks.take(part.remarks)
    report = CloudReport(
        at=now,
        read_at=now,
        problem=" ".join(problems),
        warnings=inventory.warnings,
        unmapped=remarks.sentences(),
        counts=_counts(inventory),
        restarts_after_s=min((s for s in inventory.restarts_after_s.values() if s is not None), default=None),
        restarts_after_s_by_zone=dict(inventory.restarts_after_s),
    )
    async with store.transaction() as tx:
        report = await keep(tx, report)
    return SyncResult(written=written, report=report)


async def _clusters(store: Store, inventory: CloudInventory, remarks: Remarks, *, actor: str, now: datetime) -> int:
    async with store.transaction() as tx:
        changed = plan_clusters(inventory.clusters, await tx.clusters(), remarks)
    if not changed:
        return 0
    async with changing(store) as tx:
        known = {one.id for one in await tx.clusters()}
        changed = plan_clusters(inventory.clusters, await tx.clusters(), Remarks())
        for one in changed:
            await tx.save_cluster(one)
            action = "cluster.update" if one.id in known else "cluster.create"
            await record(
                tx,
                at=now,
                actor=actor,
                action=action,
                target=one.name,
                id=one.id,
                external_id=one.external_id,
                zone=one.zone,
                pod=one.pod,
            )
    return len(changed)


async def _hosts(
    store: Store, inventory: CloudInventory, remarks: Remarks, *, actor: str, now: datetime
) -> tuple[int, str]:
    """How many were written, and why missing ones are not believed to be gone. One transaction for each cluster."""
    async with store.transaction() as tx:
        first = await _host_plan(tx, inventory, remarks)
    written = 0
    for cluster_id in dict.fromkeys(change.after.cluster_id for change in first.changes):
        async with changing(store) as tx:
            for change in (await _host_plan(tx, inventory, Remarks())).changes:
                if change.after.cluster_id == cluster_id:
                    await _write_host(tx, change, actor=actor, now=now)
                    written += 1
    return written, first.problem


async def _host_plan(tx: Tx, inventory: CloudInventory, remarks: Remarks) -> HostPlan:
    return plan_hosts(inventory, await tx.clusters(), await tx.hosts(), await tx.open_hosts(), remarks)


async def _write_host(tx: Tx, change: HostChange, *, actor: str, now: datetime) -> None:
    host = change.after
    await tx.save_host(host)
    if change.another_machine:
        # Removed and added again: it may be other hardware, so its power device has to be seen *on* once more.
        health = await tx.health_for_update(host.id)
        await tx.save_health(replace(health, bmc_on_seen_at=None, bmc_checked_at=None, second=DeviceHealth()))
    await record(tx, at=now, actor=actor, action=change.action, target=host.name, id=host.id, **change.said)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is to be written of one cluster's pools, machines and power devices."""

    machines: MachinePlan
    settings: tuple[tuple[Host, list[SettingRow]], ...]

    @property
    def any(self) -> bool:
        plan = self.machines
        return bool(plan.pools or plan.vms or plan.gone or plan.gone_pools or self.settings)


class _Part:
    """One cluster."""

    def __init__(
        self,
        cluster: Cluster,
        site: Site,
        there: dict[str, CloudHost],
        *,
        actor: str,
        now: datetime,
        allow_local: bool,
    ) -> None:
        self._cluster = cluster
        self._site = site
        self._there = there
        self._actor = actor
        self._now = now
        self._allow_local = allow_local
        self.remarks = Remarks()

    async def bring_in(self, store: Store) -> int:
        """Write what differs, a bounded part in each transaction; how many rows."""
        async with store.transaction() as tx:
            work = await self._compare(tx)
        written, more = 0, work.any
        while more:
            async with changing(store) as tx:
                work = await self._compare(tx)
                count, more = await self._write(tx, work)
            written += count
        return written

    async def _compare(self, tx: Tx) -> _Work:
        self.remarks = Remarks()
        hosts = await tx.hosts(cluster_id=self._cluster.id)
        vms = await tx.vms_in(self._cluster.id)
        listed = {vm.external_id for vm in vms}
        missing = [vm.id for vm in wanted_in(hosts, self._site) if vm.id not in listed]
        elsewhere = await tx.vms_known_as(missing) if missing else []
        left = await tx.hosts(ids={vm.host_id for vm in elsewhere}) if elsewhere else []
        known = Known(
            cluster=self._cluster,
            hosts={host.id: host for host in (*hosts, *left)},
            pools=await tx.pools(cluster_id=self._cluster.id),
            vms=vms,
            elsewhere=elsewhere,
            open=await tx.open_hosts(),
            fenced=frozenset(h for h, health in (await tx.healths()).items() if health.fenced_by),
        )
        machines = plan_machines(known, self._site, self.remarks)
        return _Work(machines=machines, settings=tuple(await self._devices(tx, hosts)))

    async def _devices(self, tx: Tx, hosts: Sequence[Host]) -> list[tuple[Host, list[SettingRow]]]:
        with_bmc = [(h, one.bmc) for h in hosts if (one := self._there.get(h.external_id or "")) and one.bmc]
        if not with_bmc:
            return []
        rows = await tx.setting_rows(owners={"", self._cluster.id, *(host.id for host, _ in with_bmc)})
        found, owner_of = [], dict[str, str]()
        for host, bmc in with_bmc:
            mine = [row for row in rows if row.owner_id in ("", host.cluster_id, host.id)]
            new = plan_bmc(host, bmc, mine, allow_local=self._allow_local, remarks=self.remarks)
            address = next((row.value for row in new if row.field == "ipmi.host"), "")
            if not address:
                continue
            if address in owner_of or await tx.hosts_with_device(address) - {host.id}:
                self.remarks.say(f"The power device at {address} is not imported: it is another host's too.", host.name)
                continue
            owner_of[address] = host.id
            found.append((host, new))
        return found

    async def _write(self, tx: Tx, work: _Work) -> tuple[int, bool]:
        """Rows written, and whether there are more."""
        plan = work.machines
        for pool in plan.pools:
            await tx.save_pool(pool)
        for vm in plan.vms[:AT_ONCE]:
            await tx.save_vm(vm)
        more = len(plan.vms) > AT_ONCE
        gone = () if more else plan.gone
        for vm_id in gone:
            await tx.delete_vm(vm_id)
        gone_pools = () if more else plan.gone_pools
        for pool_id in gone_pools:
            await tx.delete_pool(pool_id)
        for host, rows in work.settings:
            await self._write_settings(tx, host, rows)
        count = len(plan.pools) + len(plan.vms[:AT_ONCE]) + len(gone) + len(gone_pools) + len(work.settings)
        return count, more

    async def _write_settings(self, tx: Tx, host: Host, rows: Sequence[SettingRow]) -> None:
        for row in rows:
            await tx.put_setting(row, secret=CATALOGUE[row.field].secret)
        await record(
            tx,
            at=self._now,
            actor=self._actor,
            action="settings.write",
            target=f"{Level.HOST}:{host.name}",
            owner_id=host.id,
            changed={row.field: shown(row.field, row.value) for row in rows},
        )


def _counts(inventory: CloudInventory) -> dict[str, int]:
    return {
        "zones": len({one.zone_id for one in inventory.clusters}),
        "pods": len({(one.zone_id, one.pod) for one in inventory.clusters}),
        "clusters": len(inventory.clusters),
        "hosts": len(inventory.hosts),
        "pools": len(inventory.pools),
        "vms": sum(bool(vm.host_id) for vm in inventory.vms),
        "disks": sum(len(vm.disks) for vm in inventory.vms if vm.host_id),
    }
