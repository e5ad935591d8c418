"""What every store promises of inventory, settings, health, pauses and controllers."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from controller.db.store import Conflict, Store, Tx
from controller.domain.cloud import CloudReport
from controller.domain.incident import State
from controller.domain.model import Level, PoolKind, VmKind
from controller.domain.power import PowerCode
from tests.fixtures import builders as a
from tests.fixtures.builders import T0, at
from tests.fixtures.stores import furnish, raising

Change = Callable[[Tx], Awaitable[Any]]


async def test_everything_of_the_inventory_comes_back(store: Store) -> None:
    host = a.host(
        agent_port=9,
        external_id="uuid-h",
        excluded=True,
        maintenance=True,
        runs_controller=True,
        agent_token="gehéim",
        cloud_ha=True,
        retired=True,
    )
    vm = a.vm(
        kind=VmKind.ROUTER,
        ha_enabled=False,
        external_id="uuid-v",
        disks=(a.disk("d2"), a.disk("d1", path="/mnt/p1/ü"), a.disk("d3", pool_id="p2")),
    )
    async with store.transaction() as tx:
        await tx.save_cluster(a.cluster(external_id="uuid-c"))
        await tx.save_host(host)
        await tx.save_pool(a.pool())
        await tx.save_pool(a.pool("p2", kind=PoolKind.BLOCK, root="", cluster_id=None))
        await tx.save_vm(vm)
        await tx.save_vm(a.vm("v0", name="a vm"))
    async with store.transaction() as tx:
        assert await tx.clusters() == [a.cluster(external_id="uuid-c")]
        assert await tx.host("h1") == host
        assert await tx.host("nobody") is None
        assert await tx.vms_of("h1") == [a.vm("v0", name="a vm"), vm]
        assert await tx.vms_of("h2") == []


async def test_lists_are_by_name_whatever_the_locale(store: Store) -> None:
    async with store.transaction() as tx:
        for name in ("b", "A", "a-1", "a1"):
            await tx.save_cluster(a.cluster(f"id-{name}", name=name))
            await tx.save_host(a.host(f"h-{name}", cluster_id=f"id-{name}", name=name))
        assert [c.name for c in await tx.clusters()] == ["A", "a-1", "a1", "b"]
        assert [h.name for h in await tx.hosts()] == ["A", "a-1", "a1", "b"]
        assert [h.name for h in await tx.hosts(cluster_id="id-b")] == ["b"]


async def test_saving_again_writes_over(store: Store) -> None:
    await furnish(store)
    async with store.transaction() as tx:
        await tx.save_cluster(a.cluster(name="other"))
        await tx.save_host(a.host(name="other", agent_token="new"))
        await tx.save_pool(a.pool(name="other", external_id="uuid-p"))
    async with store.transaction() as tx:
        assert await tx.clusters() == [a.cluster(name="other")]
        assert await tx.host("h1") == a.host(name="other", agent_token="new")
        assert await tx.pools() == [a.pool(name="other", external_id="uuid-p")]


async def test_pools_of_a_cluster_include_those_of_all(store: Store) -> None:
    await furnish(store)
    async with store.transaction() as tx:
        await tx.save_cluster(a.cluster("c2"))
        await tx.save_pool(a.pool("p2", cluster_id="c2"))
        await tx.save_pool(a.pool("p3", cluster_id=None))
        assert [p.id for p in await tx.pools(cluster_id="c1")] == ["p1", "p3"]
        assert [p.id for p in await tx.pools()] == ["p1", "p2", "p3"]


ALLOWED: dict[str, Change] = {
    "one name in two clusters": lambda tx: tx.save_host(a.host("h9", cluster_id="c2", name="host h1")),
    "one root in two clusters": lambda tx: tx.save_pool(a.pool("p9", cluster_id="c2", root="/mnt/p1")),
    "one root of two local pools": lambda tx: tx.save_pool(a.pool("p9", kind=PoolKind.LOCAL, root="/local")),
    "no external id twice": lambda tx: tx.save_cluster(a.cluster("c9")),
}


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED)
async def test_what_is_no_conflict(store: Store, change: Change) -> None:
    await furnish(store)
    async with store.transaction() as tx:
        await tx.save_cluster(a.cluster("c2"))
        await tx.save_pool(a.pool("p8", kind=PoolKind.LOCAL, root="/local"))
        await change(tx)


HOST_SETTING_OF_NOBODY = a.setting(level=Level.HOST, owner_id="nobody")
CLUSTER_SETTING_OF_NOBODY = a.setting(level=Level.CLUSTER, owner_id="nobody")

CONFLICTS: dict[str, tuple[str, Change]] = {
    "cluster name": ("name", lambda tx: tx.save_cluster(a.cluster("c9", name="cluster c1"))),
    "cluster external id": ("external_id", lambda tx: tx.save_cluster(a.cluster("c9", external_id="uuid-c"))),
    "host name": ("name", lambda tx: tx.save_host(a.host("h9", name="host h1"))),
    "host external id": ("external_id", lambda tx: tx.save_host(a.host("h9", external_id="uuid-h"))),
    "host's cluster": ("cluster_id", lambda tx: tx.save_host(a.host("h9", cluster_id="nowhere"))),
    "pool name": ("name", lambda tx: tx.save_pool(a.pool("p9", name="pool p1"))),
    "pool root": ("root", lambda tx: tx.save_pool(a.pool("p9", root="/mnt/p1"))),
    "root of a pool of all": ("root", lambda tx: tx.save_pool(a.pool("p9", root="/mnt/p0", cluster_id=None))),
    "pool's cluster": ("cluster_id", lambda tx: tx.save_pool(a.pool("p9", cluster_id="nowhere"))),
    "vm external id": ("external_id", lambda tx: tx.save_vm(a.vm("v9", external_id="uuid-v"))),
    "vm's host": ("host_id", lambda tx: tx.save_vm(a.vm("v9", host_id="nobody"))),
    "disk's pool": ("pool_id", lambda tx: tx.save_vm(a.vm("v9", disks=(a.disk("d9", pool_id="p9"),)))),
    "health of nobody": ("host_id", lambda tx: tx.save_health(a.health("nobody"))),
    "setting of nobody": ("owner_id", lambda tx: tx.put_setting(HOST_SETTING_OF_NOBODY, secret=False)),
    "setting of no cluster": ("owner_id", lambda tx: tx.put_setting(CLUSTER_SETTING_OF_NOBODY, secret=True)),
    "global setting of somebody": ("owner_id", lambda tx: tx.put_setting(a.setting(owner_id="h1"), secret=False)),
    "pause of nobody": ("owner_id", lambda tx: tx.save_pause(a.pause(level=Level.HOST, owner_id="nobody"))),
    "cluster with hosts": ("hosts", lambda tx: tx.delete_cluster("c1")),
    "host with an open incident": ("incidents", lambda tx: tx.delete_host("h1")),
    "pool with disks": ("disks", lambda tx: tx.delete_pool("p1")),
}


@pytest.mark.parametrize(("field", "change"), CONFLICTS.values(), ids=CONFLICTS)
async def test_a_conflict_names_its_field_and_changes_nothing(store: Store, field: str, change: Change) -> None:
    await furnish(store)
    async with store.transaction() as tx:
        await tx.save_cluster(a.cluster(external_id="uuid-c"))
        await tx.save_host(a.host(external_id="uuid-h"))
        await tx.save_pool(a.pool("p0", cluster_id=None))
        await tx.save_vm(a.vm(external_id="uuid-v", disks=(a.disk(),)))
        await tx.open_incident(a.incident())
    with raising(Conflict) as caught:
        async with store.transaction() as tx:
            await tx.save_cluster(a.cluster("c5"))
            await change(tx)
    assert caught.error.field == field
    async with store.transaction() as tx:
        assert [c.id for c in await tx.clusters()] == ["c1"]
        assert [h.id for h in await tx.hosts()] == ["h1", "h2"]


async def test_saving_a_machine_again_replaces_its_disks(store: Store) -> None:
    await furnish(store)
    async with store.transaction() as tx:
        await tx.save_vm(a.vm(disks=(a.disk("d1"), a.disk("d2"))))
        moved = a.vm(host_id="h2", disks=(a.disk("d2", path="/mnt/p1/else"), a.disk("d3")))
        await tx.save_vm(moved)
        assert await tx.vms_of("h1") == []
        assert await tx.vms_of("h2") == [moved]


async def test_machines_of_a_cluster_and_by_the_clouds_ids(store: Store) -> None:
    await furnish(store)
    one = a.vm("v1", external_id="uuid-1", disks=(a.disk("d1"),))
    two = a.vm("v2", host_id="h2", disks=(a.disk("d3", vm_id="v2"), a.disk("d2", vm_id="v2")))
    far = a.vm("v3", host_id="far", external_id="uuid-3")
    async with store.transaction() as tx:
        await tx.save_cluster(a.cluster("c2"))
        await tx.save_host(a.host("far", cluster_id="c2"))
        for vm in (far, two, one):
            await tx.save_vm(vm)
    async with store.transaction() as tx:
        assert await tx.vms_in("c1") == [one, two]
        assert await tx.vms_in("c2") == [far]
        assert await tx.vms_in("nowhere") == []
        assert await tx.vms_known_as(["uuid-3", "uuid-1", "uuid-9", "v2"]) == [one, far]
        assert await tx.vms_known_as([]) == []


async def test_the_report_on_the_cloud_is_one(store: Store) -> None:
    report = CloudReport(
        at=at(1), problem="no", warnings=("w",), unmapped=("ü", "b"), counts={"hosts": 2}, read_at=at(0)
    )
    async with store.transaction() as tx:
        assert await tx.cloud_report() is None
        await tx.save_cloud_report(CloudReport(at=T0))
        await tx.save_cloud_report(report)
    async with store.transaction() as tx:
        assert await tx.cloud_report() == report


async def test_a_disk_attached_elsewhere_leaves_its_machine(store: Store) -> None:
    await furnish(store)
    async with store.transaction() as tx:
        await tx.save_vm(a.vm("v1", disks=(a.disk("d1"), a.disk("d2"))))
        await tx.save_vm(a.vm("v2", disks=(a.disk("d2", vm_id="v2"),)))
        one, two = await tx.vms_of("h1")
    assert one.disks == (a.disk("d1"),)
    assert two.disks == (a.disk("d2", vm_id="v2"),)


async def test_deleting_what_is_unknown_says_so(store: Store) -> None:
    await furnish(store)
    async with store.transaction() as tx:
        await tx.save_vm(a.vm(disks=(a.disk(),)))
        assert await tx.delete_vm("v1")
        assert not await tx.delete_vm("v1")
        assert await tx.delete_pool("p1")
        assert not await tx.delete_pool("p1")
        assert not await tx.delete_host("nobody")
        assert not await tx.delete_cluster("nowhere")
        assert not await tx.delete_setting(Level.GLOBAL, "", "check_interval")


async def test_history_outlives_a_host_and_its_cluster_and_nothing_else_does(store: Store) -> None:
    await furnish(store, hosts=1)
    closed = a.incident(state=State.RECOVERED, closed_at=at(9), next_step_at=None)
    async with store.transaction() as tx:
        await tx.open_incident(a.incident())
        await tx.add_event(a.event())
        await tx.add_attempt(a.attempt())
        await tx.add_effect(a.effect())
        await tx.save_incident(closed, end_lease=True)
        await tx.save_health(a.health())
        await tx.save_vm(a.vm(disks=(a.disk(),)))
        await tx.put_setting(a.setting(level=Level.HOST, owner_id="h1"), secret=True)
        await tx.put_setting(a.setting(level=Level.CLUSTER, owner_id="c1"), secret=False)
        await tx.put_setting(a.setting(), secret=False)
        await tx.save_pause(a.pause("of host", level=Level.HOST, owner_id="h1"))
        await tx.save_pause(a.pause("of cluster", level=Level.CLUSTER, owner_id="c1"))
    async with store.transaction() as tx:
        assert await tx.delete_host("h1")
        assert await tx.delete_cluster("c1")
    async with store.transaction() as tx:
        assert await tx.incidents(host_id="h1") == [closed]
        assert await tx.events("i1") == [a.event()]
        assert await tx.attempts_since(at(-1)) == [a.attempt()]
        assert await tx.effects_of(host_id="h1") == [a.effect()]
        assert await tx.healths() == {}
        assert await tx.vms_of("h1") == []
        assert await tx.pools() == []
        assert await tx.setting_rows() == [a.setting()]
        assert await tx.pauses() == []


@pytest.mark.parametrize("value", [None, "", "text", 0, 1.5, True, [1, "zwei"], {"a": {"b": None}}])
@pytest.mark.parametrize("secret", [True, False])
async def test_any_json_is_a_setting_secret_or_not(store: Store, value: Any, *, secret: bool) -> None:
    await furnish(store)
    row = a.setting("ipmi.password", value, level=Level.HOST, owner_id="h1")
    async with store.transaction() as tx:
        await tx.put_setting(replace(row, value="before"), secret=not secret)
        await tx.put_setting(row, secret=secret)
    async with store.transaction() as tx:
        [found] = await tx.setting_rows()
        assert (found, type(found.value)) == (row, type(value))
        assert await tx.delete_setting(Level.HOST, "h1", "ipmi.password")
        assert await tx.setting_rows() == []


async def test_health_is_fresh_until_it_is_saved(store: Store) -> None:
    await furnish(store)
    known = a.health(
        armed=False,
        boot_id="b",
        seen_at=at(1),
        healthy_since=at(2),
        bmc_identity="ipmi://x:623/",
        bmc_on_seen_at=at(3),
        bmc_checked_at=at(4),
        bmc_code=PowerCode.BUSY,
        bmc_said="busy",
        fenced_by="i1",
        fenced_boot_id="b0",
        quarantined_by="i1",
    )
    async with store.transaction() as tx:
        assert await tx.health("h1") == a.health("h1")
        await tx.save_health(a.health("h1", boot_id="old"))
        await tx.save_health(known)
        assert await tx.health("h1") == known
        assert await tx.healths() == {"h1": known}


async def test_lifted_pauses_are_gone_expired_ones_are_not(store: Store) -> None:
    expired = a.pause("p2", created_at=at(-99), until=at(-9))
    async with store.transaction() as tx:
        for pause in (a.pause("p1"), expired, a.pause("p3", created_at=at(3))):
            await tx.save_pause(pause)
        await tx.save_pause(a.pause("p3", created_at=at(3), lifted_at=at(4), lifted_by="bob"))
        assert await tx.pauses() == [expired, a.pause("p1")]


async def test_the_controller_seen_last_comes_first(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.save_controller(a.controller_row("ctl1"))
        await tx.save_controller(a.controller_row("ctl2", alive_at=at(5)))
        await tx.save_controller(a.controller_row("ctl1", alive_at=at(9)))
        found = await tx.controllers()
    assert [(c.id, c.started_at, c.alive_at) for c in found] == [("ctl1", T0, at(9)), ("ctl2", T0, at(5))]


async def test_a_database_is_given_its_identity_once_and_knows_its_place(store: Store) -> None:
    async with store.transaction() as tx:
        fresh = await tx.database_identity()
        assert (fresh.id, fresh.place, fresh.moved) == ("", "", False)
        assert fresh.place_now
        await tx.settle_database("db1")
    async with store.transaction() as tx:
        settled = await tx.database_identity()
        assert (settled.id, settled.place, settled.place_now) == ("db1", fresh.place_now, fresh.place_now)
        assert not settled.moved
        await tx.settle_database("db2")
        assert (await tx.database_identity()).id == "db2"
