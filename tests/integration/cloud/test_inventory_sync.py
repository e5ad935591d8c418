"""The cloud's inventory brought into ours: in memory and on real databases."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.db.store import Store
from controller.domain.cloud import UNKNOWN_POOL, CloudBmc, CloudCluster, CloudInventory
from controller.domain.incident import State
from controller.domain.model import AuditRow, Cluster, Disk, Health, Host, Level, Pool, PoolKind, SettingRow, Vm, VmKind
from controller.services.cloud_reports import note_problem, read_report
from controller.services.inventory_sync import AT_ONCE, SyncResult, apply
from tests.fakes.clock import FakeClock
from tests.fixtures import builders as a
from tests.fixtures.builders import at
from tests.fixtures.cloud_sites import (
    BOTH,
    a_site,
    cloud_host,
    cloud_pool,
    cloud_vm,
    with_host,
    with_vm,
    without_host,
    without_vm,
)
from tests.fixtures.stores import heard, store

__all__ = ["heard", "store"]

CLOCK = FakeClock()


@pytest.fixture(params=["memory", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("database_url")) if request.param == "postgres" else ""


async def sync(store: Store, inventory: CloudInventory, **options: Any) -> SyncResult:
    CLOCK.advance(timedelta(seconds=1))
    return await apply(store, CLOCK, inventory, **options)


async def host(store: Store, name: str) -> Host:
    """By the name it has now."""
    async with store.transaction() as tx:
        return next(h for h in await tx.hosts() if h.name == name)


async def names(store: Store, host_name: str) -> list[str]:
    """Of the machines on a host."""
    return [vm.name for vm in await vms(store, host_name)]


async def vms(store: Store, host_name: str) -> list[Vm]:
    async with store.transaction() as tx:
        found = next(h for h in await tx.hosts() if h.name == host_name)
        return await tx.vms_of(found.id)


async def pools(store: Store, cluster: str) -> dict[str, Pool]:
    async with store.transaction() as tx:
        found = next(c for c in await tx.clusters() if c.name == cluster)
        return {p.name: p for p in await tx.pools(cluster_id=found.id)}


async def settings(store: Store, host_name: str) -> dict[str, Any]:
    owner = (await host(store, host_name)).id
    async with store.transaction() as tx:
        return {row.field: row.value for row in await tx.setting_rows(owners=(owner,)) if row.owner_id == owner}


async def audit(store: Store, action: str = "") -> list[AuditRow]:
    """Newest first."""
    async with store.transaction() as tx:
        return [row for row in await tx.audit() if action in ("", row.action)]


async def save(store: Store, *things: Cluster | Host | Pool | Vm | SettingRow | Health) -> None:
    async with store.transaction() as tx:
        for one in things:
            match one:
                case Cluster():
                    await tx.save_cluster(one)
                case Host():
                    await tx.save_host(one)
                case Pool():
                    await tx.save_pool(one)
                case Vm():
                    await tx.save_vm(one)
                case SettingRow():
                    await tx.put_setting(one, secret=False)
                case Health():
                    await tx.save_health(one)


async def open_incident(store: Store, host_name: str) -> None:
    found = await host(store, host_name)
    async with store.transaction() as tx:
        assert await tx.open_incident(a.incident(f"of {host_name}", host_id=found.id, cluster_id=found.cluster_id))


async def close_incident(store: Store, host_name: str) -> None:
    async with store.transaction() as tx:
        one = await tx.incident_for_update(f"of {host_name}", token=None)
        assert one is not None
        closed = replace(one, state=State.RECOVERED, closed_at=at(9), next_step_at=None)
        await tx.save_incident(closed, end_lease=True)


# -- everything ----------------------------------------------------------------------------------------------------


async def test_an_empty_hostfence_gets_the_whole_site(store: Store) -> None:
    result = await sync(store, a_site())

    assert await names(store, "a") == ["web"]
    assert await names(store, "b") == ["db"]
    assert await names(store, "c") == ["ci"]
    [web] = await vms(store, "a")
    assert (web.kind, web.ha_enabled, web.external_id) == (VmKind.USER, True, "cs-web")
    assert [d.path for d in web.disks] == ["/mnt/cs-nfs1/web-0", "/mnt/cs-wide/web-1"]
    here = await pools(store, "kvm")
    assert [d.pool_id for d in web.disks] == [here["nfs1"].id, here["wide"].id]
    made = await host(store, "a")
    assert (made.external_id, made.address, len(made.agent_token) > 30) == ("cs-a", "a.example", True)
    assert result.report.problem == ""
    everything = {"zones": 1, "pods": 1, "clusters": 2, "hosts": 3, "pools": 3, "vms": 3, "disks": 4}
    assert result.report.counts == everything


async def test_a_zone_wide_pool_is_a_pool_of_each_cluster(store: Store) -> None:
    await sync(store, a_site())
    assert set(await pools(store, "kvm")) == {"nfs1", "wide"}
    assert set(await pools(store, "lab")) == {"nfs2", "wide"}


async def test_an_unchanged_site_writes_nothing_at_all(store: Store) -> None:
    await sync(store, a_site())
    before = await audit(store)
    watched = WatchedStore(store)

    result = await apply(watched, CLOCK, a_site())

    assert result.written == 0
    assert watched.calls & WRITES == set()
    assert await audit(store) == before


async def test_two_controllers_at_once_make_one_site(store: Store) -> None:
    results = await asyncio.gather(*(sync(store, a_site()) for _ in range(3)))
    assert [result.report.problem for result in results] == ["", "", ""]
    async with store.transaction() as tx:
        assert len(await tx.clusters()) == 2
        assert len(await tx.hosts()) == 3
        assert len(await tx.pools()) == 4
    assert len(await audit(store, "host.create")) == 3


async def test_many_machines_come_in_several_short_transactions(store: Store) -> None:
    many = tuple(cloud_vm(f"vm{number:04}", "a", "nfs1") for number in range(2 * AT_ONCE + 1))
    watched = WatchedStore(store)
    await apply(watched, CLOCK, a_site(vms=many))
    assert len(await names(store, "a")) == len(many)
    assert max(watched.saved) == AT_ONCE


# -- clusters ------------------------------------------------------------------------------------------------------


async def test_a_cluster_made_by_hand_is_taken_over_and_keeps_its_settings(store: Store) -> None:
    await save(store, a.cluster("mine", name="kvm"))
    await save(store, a.setting(level=Level.CLUSTER, owner_id="mine"))
    await sync(store, a_site())
    async with store.transaction() as tx:
        assert {c.external_id: c.id for c in await tx.clusters()}["cs-c1"] == "mine"
        assert len(await tx.setting_rows()) == 1


async def test_clusters_of_one_name_get_their_zone(store: Store) -> None:
    await save(store, a.cluster("mine", name="kvm"))
    twins = (
        CloudCluster(id="cs-c1", name="kvm", zone="zurich"),
        CloudCluster(id="cs-c2", name="kvm", zone="berne"),
        CloudCluster(id="cs-c3", name="kvm", zone="berne"),
    )
    for _ in range(2):
        await sync(store, a_site(clusters=twins))
        async with store.transaction() as tx:
            found = {c.external_id: c.name for c in await tx.clusters()}
        assert found == {None: "kvm", "cs-c1": "kvm (zurich)", "cs-c2": "kvm (berne)", "cs-c3": "kvm (berne, )"}


async def test_where_a_cluster_stands_is_followed(store: Store) -> None:
    await sync(store, a_site())
    moved = (
        CloudCluster(id="cs-c1", name="kvm", zone="zurich", pod="p1"),
        CloudCluster(id="cs-c2", name="lab", zone="zurich", pod="p2"),
    )
    assert (await sync(store, a_site(clusters=moved))).written == 1
    async with store.transaction() as tx:
        assert [(c.name, c.zone, c.pod) for c in await tx.clusters()] == [
            ("kvm", "zurich", "p1"),
            ("lab", "zurich", "p2"),
        ]


async def test_a_renamed_cluster_stays_the_same(store: Store) -> None:
    await sync(store, a_site())
    async with store.transaction() as tx:
        before = {c.external_id: c.id for c in await tx.clusters()}
    swapped = (CloudCluster(id="cs-c1", name="lab"), CloudCluster(id="cs-c2", name="kvm"))
    await sync(store, a_site(clusters=swapped))
    await sync(store, a_site(clusters=swapped))
    async with store.transaction() as tx:
        assert {c.external_id: c.id for c in await tx.clusters()} == before
        assert {c.external_id: c.name for c in await tx.clusters()} == {"cs-c1": "lab", "cs-c2": "kvm"}


# -- hosts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("like", [{"name": "a"}, {"name": "old name", "address": "a.example"}])
async def test_a_host_made_by_hand_is_taken_over_by_name_or_address(store: Store, like: dict[str, str]) -> None:
    await save(store, a.cluster("mine", name="kvm"), a.host("h-a", cluster_id="mine", agent_token="kept", **like))
    await sync(store, a_site())
    found = await host(store, "a")
    assert (found.id, found.external_id, found.agent_token, found.address) == ("h-a", "cs-a", "kept", "a.example")


async def test_a_host_of_another_cluster_is_not_taken_over(store: Store) -> None:
    await save(store, a.cluster("other"), a.host("h-a", cluster_id="other", name="a"))
    await sync(store, a_site())
    async with store.transaction() as tx:
        assert sorted(h.external_id or "" for h in await tx.hosts() if h.name == "a") == ["", "cs-a"]


async def test_a_renamed_host_keeps_its_id_and_settings(store: Store) -> None:
    await sync(store, a_site())
    before = await host(store, "a")
    await save(store, a.setting("ipmi.host", "10.1.1.1", level=Level.HOST, owner_id=before.id))
    await sync(store, with_host(a_site(), "a", name="a-new"))
    assert (await host(store, "a-new")).id == before.id
    assert await settings(store, "a-new") == {"ipmi.host": "10.1.1.1"}
    assert (await audit(store, "host.update"))[0].data == {"id": before.id, "name": "a-new"}


async def test_hosts_may_swap_their_names(store: Store) -> None:
    await sync(store, a_site())
    swapped = with_host(with_host(a_site(), "a", name="b"), "b", name="a")
    await sync(store, swapped)
    await sync(store, swapped)
    assert [(await host(store, name)).external_id for name in ("a", "b")] == ["cs-b", "cs-a"]


async def test_maintenance_and_the_clouds_own_ha_are_followed(store: Store) -> None:
    await sync(store, a_site())
    await sync(store, with_host(a_site(), "a", maintenance=True, own_ha=True))
    marked = await host(store, "a")
    assert (marked.maintenance, marked.cloud_ha) == (True, True)
    await sync(store, a_site())
    marked = await host(store, "a")
    assert (marked.maintenance, marked.cloud_ha) == (False, False)


async def test_an_address_is_followed_but_not_during_an_incident(store: Store) -> None:
    await sync(store, a_site())
    await open_incident(store, "a")
    result = await sync(store, with_host(a_site(), "a", address="10.9.9.9"))
    assert (await host(store, "a")).address == "a.example"
    assert "a has another address, 10.9.9.9: followed when its incident is closed." in result.report.unmapped
    await close_incident(store, "a")
    await sync(store, with_host(a_site(), "a", address="10.9.9.9"))
    assert (await host(store, "a")).address == "10.9.9.9"


async def test_two_hosts_never_get_one_address(store: Store) -> None:
    await sync(store, a_site())
    result = await sync(store, with_host(a_site(), "a", address="b.example"))
    assert (await host(store, "a")).address == "a.example"
    assert "The new address b.example of a is not taken over: b has it." in result.report.unmapped


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"address": ""}, "Host new is not added: the cloud shows no address that can be used."),
        ({"address": "a.example"}, "Host new is not added: a has its address a.example."),
        ({"cluster_id": "nowhere"}, "Host new is not added: its cluster is not known."),
    ],
)
async def test_a_host_that_cannot_be_added_is_named(store: Store, changes: dict[str, str], sentence: str) -> None:
    site = a_site()
    result = await sync(store, replace(site, hosts=(*site.hosts, cloud_host("new", **changes))))
    assert sentence in result.report.unmapped
    async with store.transaction() as tx:
        assert len(await tx.hosts()) == 3


async def test_a_host_that_the_cloud_forgets_is_retired_and_comes_back_with_its_settings(store: Store) -> None:
    await sync(store, a_site())
    before = await host(store, "a")
    await save(store, a.setting("ipmi.host", "10.1.1.1", level=Level.HOST, owner_id=before.id))
    await sync(store, without_host(a_site(), "a"))
    assert await host(store, "a") == replace(before, retired=True)
    assert (await audit(store))[0].action == "host.retire"
    assert (await sync(store, without_host(a_site(), "a"))).written == 0
    await sync(store, a_site())
    assert await host(store, "a") == before
    assert (await audit(store))[0].action == "host.return"
    assert await settings(store, "a") == {"ipmi.host": "10.1.1.1"}


async def test_a_host_with_an_open_incident_is_not_retired(store: Store) -> None:
    await sync(store, a_site())
    await open_incident(store, "a")
    result = await sync(store, without_host(a_site(), "a"))
    assert not (await host(store, "a")).retired
    assert "The cloud does not list a any more; it stays until its incident is closed." in result.report.unmapped
    await close_incident(store, "a")
    await sync(store, without_host(a_site(), "a"))
    assert (await host(store, "a")).retired


@pytest.mark.parametrize("lost", [("a", "b"), ("a", "b", "c")])
async def test_a_cloud_that_lost_most_of_its_hosts_is_not_believed(store: Store, lost: Collection[str]) -> None:
    await sync(store, a_site())
    result = await sync(store, without_host(a_site(), *lost))
    async with store.transaction() as tx:
        assert not any(h.retired for h in await tx.hosts())
    assert f"The cloud lists only {3 - len(lost)} of 3 hosts" in result.report.problem
    assert await names(store, "a") == ["web"]


async def test_of_two_hosts_one_may_go_but_not_both(store: Store) -> None:
    two = without_host(a_site(), "b")
    await sync(store, two)
    await sync(store, without_host(two, "a", "c"))
    assert not (await host(store, "a")).retired
    await sync(store, without_host(two, "a"))
    assert (await host(store, "a")).retired


async def test_the_address_of_a_retired_host_may_be_anothers_and_then_it_stays_retired(store: Store) -> None:
    await sync(store, a_site())
    heir = cloud_host("heir", "cs-c2", address="a.example")
    without = without_host(a_site(), "a")
    await sync(store, without)
    await sync(store, replace(without, hosts=(*without.hosts, heir)))
    assert (await host(store, "heir")).address == "a.example"
    result = await sync(store, a_site(hosts=(*a_site().hosts, heir)))
    assert (await host(store, "a")).retired
    assert "a stays retired: heir has its address a.example." in result.report.unmapped


async def test_a_host_made_by_hand_that_no_cloud_knows_is_left_alone(store: Store) -> None:
    await save(store, a.cluster("mine", name="kvm"), a.host("h-z", cluster_id="mine", name="z"))
    await save(store, a.vm("v-z", host_id="h-z", name="by hand"))
    await sync(store, a_site())
    assert await host(store, "z") == a.host("h-z", cluster_id="mine", name="z")
    assert await names(store, "z") == ["by hand"]


async def test_a_host_removed_and_added_again_keeps_its_settings_but_its_bmc_must_be_seen_on_anew(store: Store) -> None:
    await sync(store, a_site())
    before = await host(store, "a")
    await save(store, Health(host_id=before.id, bmc_identity="ipmi://x:623/", bmc_on_seen_at=at(1), boot_id="boot"))
    await sync(store, with_host(a_site(), "a", id="cs-a-again"))
    found = await host(store, "a")
    assert (found.id, found.external_id, found.retired) == (before.id, "cs-a-again", False)
    async with store.transaction() as tx:
        health = await tx.health(before.id)
        assert len(await tx.hosts()) == 3
    assert (health.bmc_on_seen_at, health.boot_id) == (None, "boot")


# -- pools ---------------------------------------------------------------------------------------------------------


async def test_a_pool_made_by_hand_is_taken_over_by_its_path(store: Store) -> None:
    await save(store, a.cluster("mine", name="kvm"), a.pool("mine", cluster_id="mine", root="/mnt/cs-nfs1"))
    await sync(store, a_site())
    found = (await pools(store, "kvm"))["nfs1"]
    assert (found.id, found.external_id) == ("mine", "cs-nfs1")


async def test_a_pool_that_the_cloud_forgets_goes_when_nothing_lies_on_it(store: Store) -> None:
    await sync(store, a_site())
    await sync(store, a_site(pools=(cloud_pool("nfs2", ("cs-c2",)), cloud_pool("wide", BOTH))))
    gone = await pools(store, "kvm")
    assert "nfs1" not in gone
    [web] = await vms(store, "a")
    unknown = next(p for p in gone.values() if p.external_id == UNKNOWN_POOL)
    assert (web.disks[0].pool_id, unknown.kind) == (unknown.id, PoolKind.BLOCK)


async def test_a_pool_stays_while_a_host_that_is_not_well_has_disks_on_it(store: Store) -> None:
    await sync(store, a_site(vms=a_site().vms[:1]))
    fewer = a_site(pools=(cloud_pool("wide", BOTH),), vms=())
    result = await sync(store, with_host(fewer, "a", up=False))
    assert result.report.problem == ""
    assert "nfs1" in await pools(store, "kvm")
    await sync(store, fewer)
    assert "nfs1" not in await pools(store, "kvm")


async def test_no_pool_at_all_is_not_believed(store: Store) -> None:
    await sync(store, a_site())
    await sync(store, a_site(pools=(), vms=()))
    assert set(await pools(store, "kvm")) == {"nfs1", "wide"}


async def test_two_pools_of_one_path_count_as_one(store: Store) -> None:
    site = a_site()
    twin = cloud_pool("twin", root="/mnt/cs-nfs1")
    vm = replace(
        cloud_vm("web", "a", "nfs1"), disks=(replace(cloud_vm("web", "a", "nfs1").disks[0], pool_id="cs-twin"),)
    )
    result = await sync(store, replace(site, pools=(*site.pools, twin), vms=(vm,)))
    [web] = await vms(store, "a")
    assert web.disks[0].pool_id == (await pools(store, "kvm"))["nfs1"].id
    assert any("have one path" in sentence for sentence in result.report.unmapped)
    assert (await sync(store, replace(site, pools=(*site.pools, twin), vms=(vm,)))).written == 0


async def test_local_pools_of_one_name_are_told_apart(store: Store) -> None:
    local = [cloud_pool(f"l{n}", kind=PoolKind.LOCAL, root="/var/lib", name="local", host_id="cs-a") for n in (1, 2)]
    site = a_site()
    await sync(store, replace(site, pools=(*site.pools, *local)))
    assert {"local", "local (cs-l2)"} <= set(await pools(store, "kvm"))


# -- machines ------------------------------------------------------------------------------------------------------


async def test_a_machine_that_moved_between_well_hosts_moves(store: Store) -> None:
    await sync(store, a_site())
    before = (await vms(store, "a"))[0]
    await sync(store, with_vm(a_site(), "web", host="b"))
    assert await names(store, "a") == []
    assert {vm.name: vm.id for vm in await vms(store, "b")}["web"] == before.id


async def test_a_machine_that_moved_to_another_cluster_lies_on_that_clusters_pools(store: Store) -> None:
    await sync(store, a_site())
    await sync(store, with_vm(a_site(), "web", host="c"))
    assert await names(store, "a") == []
    web = next(vm for vm in await vms(store, "c") if vm.name == "web")
    there = await pools(store, "lab")
    unknown = next(p.id for p in there.values() if p.external_id == UNKNOWN_POOL)
    assert [d.pool_id for d in web.disks] == [unknown, there["wide"].id]


@pytest.mark.parametrize("to", ["b", "c", ""])
async def test_a_machine_does_not_leave_a_host_that_is_not_up(store: Store, to: str) -> None:
    await sync(store, a_site())
    lost = with_host(with_vm(a_site(), "web", host=to), "a", up=False, state="Down")
    assert (await sync(store, lost)).written == 0
    assert await names(store, "a") == ["web"]
    back = with_vm(a_site(), "web", host=to)
    await sync(store, back)
    assert await names(store, "a") == []
    if to:
        assert "web" in await names(store, to)


@pytest.mark.parametrize("to", ["b", "c", ""])
async def test_a_machine_does_not_leave_a_host_with_an_open_incident(store: Store, to: str) -> None:
    await sync(store, a_site())
    await open_incident(store, "a")
    assert (await sync(store, with_vm(a_site(), "web", host=to))).written == 0
    assert await names(store, "a") == ["web"]
    await close_incident(store, "a")
    await sync(store, with_vm(a_site(), "web", host=to))
    assert await names(store, "a") == []


async def test_a_machine_that_the_cloud_has_no_more_leaves_a_well_host_only(store: Store) -> None:
    await sync(store, a_site())
    gone = without_vm(a_site(), "web")
    await sync(store, with_host(gone, "a", up=False))
    assert await names(store, "a") == ["web"]
    await sync(store, gone)
    assert await names(store, "a") == []


async def test_of_a_host_that_is_not_well_no_disk_is_forgotten(store: Store) -> None:
    await sync(store, a_site())
    fewer = with_vm(a_site(), "web", disks=cloud_vm("web", "a", "nfs1").disks)
    await sync(store, with_host(fewer, "a", up=False))
    assert len((await vms(store, "a"))[0].disks) == 2
    await sync(store, fewer)
    assert len((await vms(store, "a"))[0].disks) == 1


async def test_a_machine_of_a_retired_host_moves_where_the_cloud_placed_it(store: Store) -> None:
    await sync(store, a_site())
    await sync(store, without_host(a_site(), "a"))
    assert await names(store, "a") == ["web"]
    await sync(store, without_host(with_vm(a_site(), "web", host="b"), "a"))
    assert (await names(store, "a"), await names(store, "b")) == ([], ["db", "web"])


async def test_a_machine_of_a_fenced_host_moves_once_its_incident_is_closed(store: Store) -> None:
    """Its new host may be the next to die, and the old one is proven off."""
    await sync(store, a_site())
    await open_incident(store, "a")
    moved = with_host(with_vm(a_site(), "web", host="b"), "a", up=False)
    await save(store, Health(host_id=(await host(store, "a")).id, fenced_by="i-0"))
    await sync(store, moved)
    assert await names(store, "a") == ["web"]
    await close_incident(store, "a")
    await sync(store, moved)
    assert (await names(store, "a"), await names(store, "b")) == ([], ["db", "web"])


async def test_a_machine_that_runs_the_cloud_does_not_tell_where_stays_where_it_was(store: Store) -> None:
    await sync(store, a_site())
    await sync(store, with_vm(a_site(), "web", host_id="", state="Running", placement_known=False))
    assert await names(store, "a") == ["web"]


async def test_a_machine_on_a_host_that_is_not_ours_leaves_ours(store: Store) -> None:
    await sync(store, a_site())
    await sync(store, with_vm(a_site(), "web", host="stranger"))
    assert await names(store, "a") == []


async def test_disks_that_could_not_be_read_are_there_and_uncheckable(store: Store) -> None:
    site = a_site()
    lost = replace(site.vms[0].disks[0], pool_id=UNKNOWN_POOL, path="")
    await sync(store, with_vm(site, "web", disks=(lost,)))
    [web] = await vms(store, "a")
    here = {p.id: p for p in (await pools(store, "kvm")).values()}
    assert [here[d.pool_id].kind for d in web.disks] == [PoolKind.BLOCK]
    assert (await sync(store, with_vm(site, "web", disks=(lost,)))).written == 0


async def test_a_machine_put_in_by_hand_is_taken_over_by_name_others_stay(store: Store) -> None:
    await sync(store, without_vm(a_site(), "web"))
    owner = await host(store, "a")
    pool = (await pools(store, "kvm"))["nfs1"]
    disk = Disk(id="d-own", vm_id="v-web", pool_id=pool.id, path="/mnt/cs-nfs1/own")
    await save(
        store,
        a.vm("v-web", host_id=owner.id, name="web", disks=(disk,)),
        a.vm("v-own", host_id=owner.id, name="by hand"),
    )
    await sync(store, a_site())
    assert {vm.name: vm.id for vm in await vms(store, "a")} == {"web": "v-web", "by hand": "v-own"}


async def test_a_disk_attached_to_another_machine_moves_and_stays_there(store: Store) -> None:
    await sync(store, a_site())
    moved = a_site().vms[0].disks[1]
    site = with_vm(
        with_vm(a_site(), "web", disks=a_site().vms[0].disks[:1]), "db", disks=(*a_site().vms[1].disks, moved)
    )
    await sync(store, site)
    assert [d.id for d in (await vms(store, "b"))[0].disks] == ["cs-db-0", "cs-web-1"]
    assert [d.id for d in (await vms(store, "a"))[0].disks] == ["cs-web-0"]
    assert (await sync(store, site)).written == 0


# -- power devices -------------------------------------------------------------------------------------------------

BMC = CloudBmc(driver="ipmi", address="10.200.0.1", port="6230", username="fence")
NO_PASSWORD = "The password for the BMC of a is not set."


def with_bmc(bmc: CloudBmc = BMC, host_name: str = "a") -> CloudInventory:
    return with_host(a_site(), host_name, bmc=bmc)


async def test_a_power_device_is_imported_but_for_its_password(store: Store) -> None:
    result = await sync(store, with_bmc())
    assert await settings(store, "a") == {"ipmi.host": "10.200.0.1", "ipmi.port": 6230, "ipmi.username": "fence"}
    assert NO_PASSWORD in result.report.unmapped
    [row] = await audit(store, "settings.write")
    assert row.data["changed"] == {"ipmi.host": "10.200.0.1", "ipmi.port": 6230, "ipmi.username": "fence"}
    again = await sync(store, with_bmc())
    assert (again.written, NO_PASSWORD in again.report.unmapped) == (0, True)


async def test_the_password_of_the_cluster_will_do(store: Store) -> None:
    await sync(store, a_site())
    cluster = (await host(store, "a")).cluster_id
    await save(store, a.setting("ipmi.password", "secret", level=Level.CLUSTER, owner_id=cluster))
    result = await sync(store, with_bmc())
    assert NO_PASSWORD not in result.report.unmapped


async def test_redfish_is_named_where_it_is_not_what_holds_anyway(store: Store) -> None:
    await sync(store, with_bmc(CloudBmc(driver="redfish", address="10.200.0.1", port="443", username="fence")))
    assert await settings(store, "a") == {
        "ipmi.host": "10.200.0.1",
        "ipmi.driver": "redfish",
        "ipmi.username": "fence",
    }


@pytest.mark.parametrize("address", ["10.1.1.1", ""])
async def test_what_a_person_wrote_for_the_host_stays(store: Store, address: str) -> None:
    await sync(store, a_site())
    owner = (await host(store, "a")).id
    await save(store, a.setting("ipmi.host", address, level=Level.HOST, owner_id=owner))
    await sync(store, with_bmc())
    assert await settings(store, "a") == {"ipmi.host": address}


async def test_what_a_person_wrote_for_the_cluster_stays(store: Store) -> None:
    await sync(store, a_site())
    cluster = (await host(store, "a")).cluster_id
    await save(store, a.setting("ipmi.username", "ours", level=Level.CLUSTER, owner_id=cluster))
    await sync(store, with_bmc())
    assert await settings(store, "a") == {"ipmi.host": "10.200.0.1", "ipmi.port": 6230}


async def test_with_a_driver_of_ones_own_only_the_address_is_taken(store: Store) -> None:
    await save(store, a.setting("ipmi.driver", "redfish"))
    await sync(store, with_bmc())
    assert await settings(store, "a") == {"ipmi.host": "10.200.0.1"}


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.0.9", "not an address"])
async def test_a_device_that_cannot_be_is_not_imported_and_it_is_said(store: Store, address: str) -> None:
    result = await sync(store, with_bmc(replace(BMC, address=address)))
    assert await settings(store, "a") == {}
    assert any("power device of a is not imported" in sentence for sentence in result.report.unmapped)


async def test_in_a_lab_a_device_may_be_on_this_machine(store: Store) -> None:
    await sync(store, with_bmc(replace(BMC, address="127.0.0.1")), allow_local=True)
    assert (await settings(store, "a"))["ipmi.host"] == "127.0.0.1"


async def test_credentials_that_ipmi_cannot_take_are_not_imported(store: Store) -> None:
    result = await sync(store, with_bmc(replace(BMC, username="x" * 17)))
    assert await settings(store, "a") == {}
    assert any("at most 16 bytes" in sentence for sentence in result.report.unmapped)


async def test_one_device_is_never_imported_for_two_hosts(store: Store) -> None:
    site = with_bmc()
    result = await sync(store, with_host(with_host(site, "b", bmc=BMC), "c", bmc=BMC))
    owners = [name for name in ("a", "b", "c") if "ipmi.host" in await settings(store, name)]
    assert owners == ["a"]
    assert "The power device at 10.200.0.1 is not imported: it is another host's too." in result.report.unmapped


# -- the report ----------------------------------------------------------------------------------------------------


async def test_the_report_is_for_all_controllers_and_a_failure_keeps_what_was_known(store: Store) -> None:
    assert await read_report(store) is None
    inventory = a_site(unmapped=("Disks of x cannot be checked.",), warnings=("The key may not call y.",))
    after = {"z": 150.0, "y": 90.0, "x": None}
    result = await sync(store, replace(inventory, restarts_after_s=after))
    assert await read_report(store) == result.report
    assert [result.report.restarts_after_in(zone) for zone in ("z", "x", "")] == [150.0, None, 90.0]
    CLOCK.advance(timedelta(seconds=30))
    failed = await note_problem(store, CLOCK, "listHosts: no answer")
    assert await read_report(store) == failed
    assert failed == replace(result.report, at=await CLOCK.now(), problem="listHosts: no answer")
    assert (await sync(store, inventory)).report.problem == ""


# -- helpers -------------------------------------------------------------------------------------------------------

WRITES = {"guard", "save_cluster", "save_host", "save_pool", "save_vm", "delete_vm", "delete_pool", "put_setting"} | {
    "add_audit",
    "save_health",
    "save_cloud_report",
}


class WatchedStore:
    """Remembers which calls were made, and how many machines each transaction saved."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: set[str] = set()
        self.saved: list[int] = []

    def transaction(self) -> Any:
        return _Watched(self, self._store.transaction())


class _Watched:
    def __init__(self, watch: WatchedStore, inner: Any) -> None:
        self._watch = watch
        self._inner = inner
        self._count = 0

    async def __aenter__(self) -> Any:
        self._tx = await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        self._watch.saved.append(self._count)
        return await self._inner.__aexit__(*error)

    def __getattr__(self, name: str) -> Any:
        self._watch.calls.add(name)
        self._count += name == "save_vm"
        return getattr(self._tx, name)
