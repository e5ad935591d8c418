import pytest

from controller.db.store import Store
from controller.domain.model import Host, PoolKind, Vm
from controller.services import clusters, hosts, pools, vms
from controller.services.errors import Ambiguous, BadInput, NotFound, Refused
from controller.services.hosts import NewHost
from controller.services.lookup import find_host
from controller.services.pools import NewPool
from controller.services.vms import NewDisk, NewVm
from tests.fakes.clock import FakeClock
from tests.fixtures import builders
from tests.simulation.memory_store import MemoryStore

CLOCK = FakeClock()


@pytest.fixture
async def store() -> Store:
    """A cluster "kvm" with hosts a and b and the pools primary and (inside it) fast."""
    store = MemoryStore()
    await clusters.create_cluster(store, CLOCK, name="kvm", external_id="cs-kvm", actor="ada")
    for name in ("a", "b"):
        await add_host(store, name)
    for pool in (
        NewPool(name="primary", kind=PoolKind.FILE, root="/mnt//primary/", cluster="kvm"),
        NewPool(name="fast", kind=PoolKind.FILE, root="/mnt/primary/fast"),
        NewPool(name="scratch", kind=PoolKind.LOCAL, cluster="kvm"),
    ):
        await pools.create_pool(store, CLOCK, pool, actor="ada")
    return store


async def add_host(store: Store, name: str, *, cluster: str = "kvm", address: str | None = None) -> Host:
    new = NewHost(cluster=cluster, name=name, address=address or f"{name}.example", external_id=f"cs-{name}")
    return await hosts.create_host(store, CLOCK, new, actor="ada")


async def put(store: Store, host: str, *new: NewVm) -> list[Vm]:
    return await vms.replace_vms(store, CLOCK, host, new, actor="ada")


def vm(name: str, *paths: str, external_id: str | None = None) -> NewVm:
    return NewVm(name=name, external_id=external_id, disks=tuple(NewDisk(path=path) for path in paths))


async def audit_of(store: Store) -> list[str]:
    async with store.transaction() as tx:
        return [row.action for row in await tx.audit()]


async def test_a_host_is_found_by_any_of_its_three_names(store: Store) -> None:
    host = await find_host(store, "a")
    assert await find_host(store, host.id) == host
    assert await find_host(store, "cs-a") == host
    with pytest.raises(NotFound, match="there is no host 'z'"):
        await find_host(store, "z")


async def test_a_name_that_fits_two_hosts_is_never_guessed(store: Store) -> None:
    await clusters.create_cluster(store, CLOCK, name="other", external_id=None, actor="ada")
    new = NewHost(cluster="other", name="a", address="a.other.example")
    await hosts.create_host(store, CLOCK, new, actor="ada")
    with pytest.raises(Ambiguous, match="'a' fits 2 hosts"):
        await find_host(store, "a")


@pytest.mark.parametrize("name", ["", " ", "a/b", "x" * 256, "tab\there"])
async def test_a_host_needs_a_usable_name(store: Store, name: str) -> None:
    with pytest.raises(BadInput) as caught:
        await hosts.create_host(store, CLOCK, NewHost(cluster="kvm", name=name, address="c.example"), actor="ada")
    assert caught.value.field == "name"


@pytest.mark.parametrize("address", ["", "not an address", "10.1"])
async def test_a_host_needs_a_usable_address(store: Store, address: str) -> None:
    with pytest.raises(BadInput) as caught:
        await hosts.create_host(store, CLOCK, NewHost(cluster="kvm", name="c", address=address), actor="ada")
    assert caught.value.field == "address"


async def test_duplicates_are_refused_naming_the_field(store: Store) -> None:
    with pytest.raises(Refused) as caught:
        await add_host(store, "a", address="c.example")
    assert caught.value.field == "name"
    with pytest.raises(Refused) as caught:
        await clusters.create_cluster(store, CLOCK, name="kvm", external_id=None, actor="ada")
    assert caught.value.field == "name"
    with pytest.raises(Refused, match=r"a has its agent at a\.example port 8441 already"):
        await add_host(store, "c", address="A.Example.")


async def test_each_host_gets_its_own_agent_token_and_it_can_be_changed(store: Store) -> None:
    a, b = await find_host(store, "a"), await find_host(store, "b")
    assert len(a.agent_token) >= 40
    assert a.agent_token != b.agent_token
    rotated = await hosts.rotate_agent_token(store, CLOCK, "a", actor="ada")
    assert rotated.agent_token != a.agent_token
    assert (await find_host(store, "a")).agent_token == rotated.agent_token
    async with store.transaction() as tx:
        assert all(rotated.agent_token not in str(row) for row in await tx.audit())


async def test_what_is_not_named_stays(store: Store) -> None:
    before = await find_host(store, "a")
    after = await hosts.update_host(store, CLOCK, "a", {"maintenance": True}, actor="ada")
    assert (after.maintenance, after.name, after.agent_token) == (True, "a", before.agent_token)
    renamed = await hosts.update_host(store, CLOCK, "a", {"name": " a2 ", "address": "A2.example"}, actor="ada")
    assert (renamed.name, renamed.address) == ("a2", "a2.example")


async def test_a_host_with_an_open_incident_is_not_forgotten(store: Store) -> None:
    host = await find_host(store, "a")
    async with store.transaction() as tx:
        await tx.open_incident(builders.incident(host_id=host.id, cluster_id=host.cluster_id))
    with pytest.raises(Refused, match="open incident"):
        await hosts.delete_host(store, CLOCK, "a", actor="ada")
    await hosts.delete_host(store, CLOCK, "b", actor="ada")
    assert [one.name for one in await hosts.list_hosts(store)] == ["a"]


async def test_a_cluster_goes_only_after_its_hosts(store: Store) -> None:
    with pytest.raises(Refused, match="still has 2 hosts"):
        await clusters.delete_cluster(store, CLOCK, "kvm", actor="ada")
    for name in ("a", "b"):
        await hosts.delete_host(store, CLOCK, name, actor="ada")
    await clusters.delete_cluster(store, CLOCK, "kvm", actor="ada")
    assert await clusters.list_clusters(store) == []
    assert [pool.name for pool in await pools.list_pools(store)] == ["fast"]
    assert "cluster.delete" in await audit_of(store)


async def test_disks_find_the_pool_they_lie_under(store: Store) -> None:
    [made] = await put(store, "a", vm("web", "/mnt/primary/web.qcow2", "/mnt/primary/fast/./web2.qcow2"))
    by_id = {pool.id: pool.name for pool in await pools.list_pools(store, cluster="kvm")}
    assert [(by_id[disk.pool_id], disk.path) for disk in made.disks] == [
        ("primary", "/mnt/primary/web.qcow2"),
        ("fast", "/mnt/primary/fast/web2.qcow2"),
    ]


@pytest.mark.parametrize(
    "path", ["/srv/web", "/mnt/primary", "/mnt/primary/../etc/passwd", "/mnt/primaryx/web", "web.qcow2", ""]
)
async def test_disks_outside_every_pool_are_refused_naming_the_roots(store: Store, path: str) -> None:
    with pytest.raises(BadInput, match=r"\(/mnt/primary, /mnt/primary/fast\)") as caught:
        await put(store, "a", vm("web", path))
    assert caught.value.code == "disk_outside_pools"


async def test_a_named_pool_must_fit_and_a_local_one_takes_any_name(store: Store) -> None:
    local = NewVm(name="db", disks=(NewDisk(path="vg0/db", pool="scratch"),))
    [made] = await put(store, "a", local)
    assert made.disks[0].path == "vg0/db"
    with pytest.raises(BadInput, match="no pool 'nowhere'"):
        await put(store, "a", NewVm(name="db", disks=(NewDisk(path="x", pool="nowhere"),)))
    with pytest.raises(BadInput, match="does not lie under /mnt/primary/fast"):
        await put(store, "a", NewVm(name="db", disks=(NewDisk(path="/mnt/primary/x", pool="fast"),)))


async def test_the_list_is_replaced_and_ids_stay(store: Store) -> None:
    web, db = await put(store, "a", vm("db", "/mnt/primary/db"), vm("web", "/mnt/primary/web"))
    again = await put(store, "a", vm("db", "/mnt/primary/db", "/mnt/primary/db2"))
    assert [one.id for one in again] == [web.id]
    assert again[0].disks[0].id == web.disks[0].id
    assert [one.name for one in await vms.list_vms(store, "a")] == ["db"]
    assert db.id not in {one.id for one in await vms.list_vms(store, "a")}


async def test_a_vm_known_by_the_cloud_moves_with_its_disks(store: Store) -> None:
    [before] = await put(store, "a", vm("web", "/mnt/primary/web", external_id="cs-web"))
    [after] = await put(store, "b", vm("web-renamed", "/mnt/primary/web", external_id="cs-web"))
    assert after.id == before.id
    assert await vms.list_vms(store, "a") == []


async def test_names_may_be_swapped_between_vms_the_cloud_knows(store: Store) -> None:
    first = await put(store, "a", vm("x", external_id="1"), vm("y", external_id="2"))
    second = await put(store, "a", vm("y", external_id="1"), vm("x", external_id="2"))
    assert {one.external_id: one.id for one in first} == {one.external_id: one.id for one in second}


async def test_one_vm_can_be_added_replaced_and_taken_out(store: Store) -> None:
    first = await vms.put_vm(store, CLOCK, "a", vm("web", "/mnt/primary/web"), actor="ada")
    second = await vms.put_vm(store, CLOCK, "a", vm("web", "/mnt/primary/web2"), actor="ada")
    assert second.id == first.id
    other = await vms.put_vm(store, CLOCK, "b", vm("cloud", external_id="cs-1"), actor="ada")
    moved = await vms.put_vm(store, CLOCK, "a", vm("web", external_id="cs-1"), actor="ada")
    assert moved.id == other.id
    assert await vms.list_vms(store, "a") == [moved]
    await vms.delete_vm(store, CLOCK, "a", "web", actor="ada")
    assert await vms.list_vms(store, "a") == []
    with pytest.raises(NotFound, match="a has no VM 'web'"):
        await vms.delete_vm(store, CLOCK, "a", "web", actor="ada")


async def test_a_list_that_contradicts_itself_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="two VMs have the name 'web'"):
        await put(store, "a", vm("web"), vm("web "))
    with pytest.raises(BadInput, match="two VMs have the external_id '1'"):
        await put(store, "a", vm("web", external_id="1"), vm("db", external_id="1"))
    with pytest.raises(BadInput, match="listed twice, for web and db"):
        await put(store, "a", vm("web", "/mnt/primary/d"), vm("db", "/mnt/primary/d"))
    assert await vms.list_vms(store, "a") == []


async def test_a_pool_stays_while_disks_lie_on_it(store: Store) -> None:
    await put(store, "a", vm("web", "/mnt/primary/web"))
    for attempt in (
        pools.delete_pool(store, CLOCK, "primary", actor="ada"),
        pools.update_pool(store, CLOCK, "primary", {"root": "/mnt/elsewhere"}, actor="ada"),
    ):
        with pytest.raises(Refused, match="disks of web on a lie on primary"):
            await attempt
    renamed = await pools.update_pool(store, CLOCK, "primary", {"name": "main"}, actor="ada")
    assert (await pools.find_pool(store, "main")).root == renamed.root == "/mnt/primary"
    await put(store, "a")
    moved = await pools.update_pool(store, CLOCK, "main", {"root": "/mnt/elsewhere"}, actor="ada")
    assert moved.root == "/mnt/elsewhere"
    await pools.delete_pool(store, CLOCK, "main", actor="ada")


@pytest.mark.parametrize("root", ["", "/", "mnt/x", "/mnt/../etc", "/mnt/\nx"])
async def test_a_file_pool_needs_an_absolute_root(store: Store, root: str) -> None:
    with pytest.raises(BadInput, match="absolute path"):
        await pools.create_pool(store, CLOCK, NewPool(name="p", kind=PoolKind.FILE, root=root), actor="ada")


@pytest.mark.parametrize(
    "root", ["", "vms", "/mnt/x", "rbd:", "rbd:/", "rbd:vms/", "rbd:vms/a/b", "rbd:vms@x", "rbd:v\nm"]
)
async def test_a_pool_of_images_is_named_as_ceph_names_it(store: Store, root: str) -> None:
    with pytest.raises(BadInput, match="rbd:cloudstack") as caught:
        await pools.create_pool(store, CLOCK, NewPool(name="p", kind=PoolKind.RBD, root=root), actor="ada")
    assert (caught.value.code, caught.value.field) == ("bad_root", "root")


async def test_a_disk_on_a_pool_of_images_is_an_images_name(store: Store) -> None:
    for name, root in (("ceph", "rbd:vms"), ("ceph-kvm", "rbd:vms/kvm")):
        await pools.create_pool(store, CLOCK, NewPool(name=name, kind=PoolKind.RBD, root=root), actor="ada")
    (kept,) = await put(store, "a", NewVm(name="web", disks=(NewDisk(path="disk-1", pool="ceph-kvm"),)))
    assert [disk.path for disk in kept.disks] == ["disk-1"]
    for path in ("vms/disk-1", "disk-1@snapshot", "disk\n1"):
        with pytest.raises(BadInput, match="the image's name alone"):
            await put(store, "a", NewVm(name="web", disks=(NewDisk(path=path, pool="ceph"),)))
