"""The inventory read over HTTP from a CloudStack double of either age, and what is on one host."""

from collections.abc import AsyncIterator, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pytest

from controller.cloud.base import CloudUnreadableError
from controller.cloud.cloudstack.client import CloudStackClient
from controller.cloud.cloudstack.errors import CloudStackError
from controller.cloud.cloudstack.inventory import InventoryReader, Rows, Value, machine, machines_on, volumes_of
from controller.cloud.standalone import disk_list
from controller.domain.cloud import UNKNOWN_POOL
from controller.domain.model import PoolKind, VmKind
from controller.services.inventory_sync import apply
from tests.fakes.clock import FakeClock
from tests.fakes.cloudstack import CloudStackDouble
from tests.fakes.cloudstack.model import Kind, Status
from tests.simulation.memory_store import MemoryStore

NOBODY = "0dcf0f1c-0000-4000-8000-000000000000"


@pytest.fixture(params=["current", "old"])
def double(request: pytest.FixtureRequest) -> Iterator[CloudStackDouble]:
    """Two clusters of one zone; on kvm1 a machine of each sort, each on the cluster's NFS pool."""
    with CloudStackDouble(profile=request.param) as running:
        site = running.site
        one = site.build(["kvm1", "kvm2"])
        nfs = site.pool("primary1")
        two = site.add_cluster("cluster2", one.pod)
        site.add_host("kvm3", two)
        wide = site.add_pool("wide", one.pod.zone, type="RBD", path="cloudstack")
        local = site.add_pool("kvm1-local", site.host("kvm1"), type="Filesystem", path="/var/lib/libvirt/images")
        on = site.host("kvm1")
        site.add_vm("web", on, [nfs, wide])
        site.add_vm("project", on, [nfs], project="p1", ha=False)
        site.add_vm("scratch", on, [local])
        site.add_vm("router", on, [nfs], kind=Kind.ROUTER)
        site.add_vm("router of p1", on, [nfs], kind=Kind.ROUTER, project="p1")
        site.add_vm("console", on, [nfs], kind=Kind.CONSOLE_PROXY)
        site.add_vm("elsewhere", site.host("kvm2"), [nfs])
        site.add_vm("halted", None, [nfs])
        yield running


@pytest.fixture
async def client(double: CloudStackDouble) -> AsyncIterator[CloudStackClient]:
    made = CloudStackClient(double.url, key=double.key, secret=double.secret)
    yield made
    await made.aclose()


async def test_everything_is_read(double: CloudStackDouble, client: CloudStackClient) -> None:
    found = await InventoryReader(client).read()

    assert [(c.name, c.zone) for c in found.clusters] == [("cluster1", "zone1"), ("cluster2", "zone1")]
    assert [(h.name, h.up) for h in found.hosts] == [("kvm1", True), ("kvm2", True), ("kvm3", True)]
    one, two = (c.id for c in found.clusters)
    assert {p.name: (p.kind, p.cluster_ids) for p in found.pools} == {
        "primary1": (PoolKind.FILE, (one,)),
        "wide": (PoolKind.RBD, tuple(sorted((one, two)))),
        "kvm1-local": (PoolKind.LOCAL, (one,)),
    }
    kvm1 = double.site.host("kvm1").id
    kinds = sorted(vm.kind for vm in found.vms if vm.host_id == kvm1)
    assert kinds == [VmKind.ROUTER, VmKind.ROUTER, VmKind.SYSTEM, VmKind.USER, VmKind.USER, VmKind.USER]
    vms = {vm.name: vm for vm in found.vms}
    assert (vms["halted"].host_id, vms["project"].ha_enabled, vms["web"].ha_enabled) == ("", False, True)
    nfs = double.site.pool("primary1").id
    [root, data] = sorted(vms["web"].disks, key=lambda d: d.pool_id != nfs)
    assert root.path == f"/mnt/{nfs}/{double.site.vm('web').volumes[0].path}"
    assert (data.pool_id, "/" in data.path) == (double.site.pool("wide").id, False)
    assert any("local storage (kvm1-local)" in sentence for sentence in found.unmapped)


async def test_what_cloudstack_says_the_same_of_is_not_mapped_again(
    double: CloudStackDouble, client: CloudStackClient
) -> None:
    reader = InventoryReader(client)
    first = await reader.read()
    assert await reader.read() is first
    double.site.vm("web").volumes[0].size += 1
    assert await reader.read() is first, "its size is nobody's business"
    double.site.place("web", "kvm2")
    moved = await reader.read()
    hosts = {host.name: host.id for host in moved.hosts}
    assert {vm.name: vm.host_id for vm in moved.vms}["web"] == hosts["kvm2"]
    assert [vm for vm in moved.vms if vm.name != "web"] == [vm for vm in first.vms if vm.name != "web"]
    double.site.place("web", "kvm1")
    assert await reader.read() == first


async def test_a_page_that_could_not_be_read_is_not_taken_for_the_last_one(
    double: CloudStackDouble, client: CloudStackClient
) -> None:
    reader = InventoryReader(client)
    await reader.read()
    double.trouble.html(404, "listVirtualMachines", times=None)
    with pytest.raises(CloudUnreadableError, match="listVirtualMachines"):
        await reader.read()


async def test_of_machines_and_hosts_no_more_is_asked_for_than_is_read(
    double: CloudStackDouble, client: CloudStackClient
) -> None:
    """Offerings, templates, network cards and statistics are most of an answer, and cost CloudStack other tables."""
    await InventoryReader(client).read()
    await machines_on(client, double.site.host("kvm1").id)
    asked = [one.params for one in double.requests if one.command in ("listVirtualMachines", "listHosts")]
    assert {params.get("details") for params in asked} == {"min"}


async def test_disks_of_routers_are_read_or_said_to_be_unreadable(
    double: CloudStackDouble, client: CloudStackClient
) -> None:
    found = await InventoryReader(client).read()

    unknown = {vm.kind for vm in found.vms for d in vm.disks if d.pool_id == UNKNOWN_POOL}
    said = any("version 4.18" in sentence for sentence in found.unmapped)
    if double.site.profile.system_volumes:
        assert (unknown, said) == (set(), False)
    else:
        assert (unknown, said) == ({VmKind.ROUTER, VmKind.SYSTEM}, True)


async def test_the_machines_of_one_host_of_all_kinds(double: CloudStackDouble, client: CloudStackClient) -> None:
    found = await machines_on(client, double.site.host("kvm1").id)

    assert len(found) == 6
    assert {vm.name for vm in found if vm.kind is VmKind.USER} == {"web", "project", "scratch"}
    assert await machines_on(client, double.site.host("kvm3").id) == ()


async def test_one_machine_is_found_or_said_not_to_be(double: CloudStackDouble, client: CloudStackClient) -> None:
    for name, kind in {"web": VmKind.USER, "project": VmKind.USER, "router of p1": VmKind.ROUTER}.items():
        known = await machine(client, kind, double.site.vm(name).id)
        assert known is not None
        assert (known.id, known.host_id) == (double.site.vm(name).id, double.site.host("kvm1").id)
    for kind in VmKind:
        assert await machine(client, kind, NOBODY) is None


async def test_the_disks_of_some_machines(double: CloudStackDouble, client: CloudStackClient) -> None:
    ids = {name: double.site.vm(name).id for name in ("web", "project", "router", "console")}
    found = await volumes_of(client, [*ids.values(), NOBODY])

    where = {name: [found.pools[d.pool_id].name for d in found.disks[ids[name]]] for name in ("web", "project")}
    assert {name: sorted(pools) for name, pools in where.items()} == {
        "web": ["primary1", "wide"],
        "project": ["primary1"],
    }
    readable = double.site.profile.system_volumes
    for name in ("router", "console"):
        [only] = found.disks[ids[name]]
        assert (only.pool_id == double.site.pool("primary1").id) is readable
    assert [d.pool_id for d in found.disks[NOBODY]] == [UNKNOWN_POOL]


@pytest.mark.parametrize(
    "command",
    [
        "listClusters",
        "listHosts",
        "listStoragePools",
        "listVolumes",
        "listVirtualMachines",
        "listRouters",
        "listSystemVms",
    ],
)
async def test_one_list_that_cannot_be_read_makes_the_whole_unreadable(
    double: CloudStackDouble, client: CloudStackClient, command: str
) -> None:
    double.trouble.unauthorized(command, times=None)

    with pytest.raises(CloudUnreadableError, match=command) as caught:
        await InventoryReader(client).read()

    assert isinstance(caught.value.__cause__, CloudStackError)


@dataclass
class AtTheWorstMoment:
    """CloudStack gives up kvm1 and starts its machine elsewhere just before the machines are read."""

    client: CloudStackClient
    double: CloudStackDouble

    async def list(
        self, command: str, fields: AbstractSet[str] | None = None, /, *, deadline_s: float = 30.0, **params: Value
    ) -> Rows:
        if command in ("listVirtualMachines", "listVolumes"):
            kvm1 = self.double.site.host("kvm1")
            kvm1.state = Status.DOWN
            self.double.site.place("web", "kvm2")
        return await self.client.list(command, fields, deadline_s=deadline_s, **params)


async def test_a_host_is_not_up_in_an_inventory_that_has_its_machines_elsewhere_already(
    double: CloudStackDouble, client: CloudStackClient
) -> None:
    found = await InventoryReader(AtTheWorstMoment(client, double)).read()

    assert {vm.name: vm.host_id for vm in found.vms}["web"] == double.site.host("kvm2").id
    assert {host.name: host.up for host in found.hosts}["kvm1"] is False


async def test_what_a_host_has_is_never_empty_because_of_an_error(
    double: CloudStackDouble, client: CloudStackClient
) -> None:
    double.trouble.unauthorized("listRouters", times=None)
    with pytest.raises(CloudUnreadableError, match="listRouters"):
        await machines_on(client, double.site.host("kvm1").id)
    with pytest.raises(CloudUnreadableError, match="listRouters"):
        await machine(client, VmKind.ROUTER, NOBODY)


async def test_a_site_from_cloudstack_to_the_evidence_and_back_to_nothing_to_do(
    double: CloudStackDouble, client: CloudStackClient
) -> None:
    store, clock = MemoryStore(), FakeClock()
    await apply(store, clock, await InventoryReader(client).read(), allow_local=True)
    assert (await apply(store, clock, await InventoryReader(client).read(), allow_local=True)).written == 0
    async with store.transaction() as tx:
        host = next(h for h in await tx.hosts() if h.name == "kvm1")
        evidence = disk_list(await tx.vms_of(host.id), await tx.pools(cluster_id=host.cluster_id))
    assert evidence.known
    assert len(evidence.machines) == 6
    unreadable = 0 if double.site.profile.system_volumes else 3
    assert len(evidence.targets) == 6 - unreadable
    assert len(evidence.uncheckable) == 1 + unreadable


async def test_a_host_that_died_keeps_its_machines_when_cloudstack_restarts_them(
    double: CloudStackDouble, client: CloudStackClient
) -> None:
    store, clock = MemoryStore(), FakeClock()
    await apply(store, clock, await InventoryReader(client).read())
    web = double.site.vm("web")
    double.site.host("kvm1").state = Status.DOWN
    double.site.place("web", "kvm2")

    await apply(store, clock, await InventoryReader(client).read())

    async with store.transaction() as tx:
        host = next(h for h in await tx.hosts() if h.name == "kvm1")
        assert web.id in {vm.external_id for vm in await tx.vms_of(host.id)}
