"""CloudStack's entries, as its answers have them, become hostfence's values; what is odd becomes a sentence."""

from typing import Any

import pytest

from controller.cloud.cloudstack.fields import Row
from controller.cloud.cloudstack.mapping import clusters_from, hosts_from, machines_from, unplaced
from controller.cloud.cloudstack.storage import disks_from, pools_from
from controller.domain.cloud import UNKNOWN_POOL, CloudBmc, CloudDisk, CloudHost, CloudPool, CloudVm
from controller.domain.model import PoolKind, VmKind
from controller.domain.remarks import NAMED, Remarks

CLUSTER_ID = "3d3ab2bf-6c8d-4f5a-9dd0-3f7a9d1a6c11"
ZONE_ID = "9a1d6f1e-1f0e-4f7a-8f1e-1b8f6a3d2c55"
HOST_ID = "0f4b7e0c-54a9-4d5e-b3a0-7a0c8f7d9e21"
POOL_ID = "d2c5a1e8-7f8b-3b5e-a1f0-1c2d3e4f5a6b"
VM_ID = "b6d0a8f2-2e0c-4c8e-9f55-0a1b2c3d4e5f"

CLUSTER = {
    "id": CLUSTER_ID,
    "name": "kvm-a",
    "podid": "77",
    "podname": "pod1",
    "zoneid": ZONE_ID,
    "zonename": "zurich",
    "hypervisortype": "KVM",
    "clustertype": "CloudManaged",
    "allocationstate": "Enabled",
    "managedstate": "Managed",
}
HOST = {
    "id": HOST_ID,
    "name": "kvm1",
    "state": "Up",
    "type": "Routing",
    "ipaddress": "10.0.0.11",
    "zoneid": ZONE_ID,
    "podid": "77",
    "clusterid": CLUSTER_ID,
    "hypervisor": "KVM",
    "lastpinged": "1970-01-17T16:58:48+0000",
    "resourcestate": "Enabled",
    "hostha": {"haenable": False, "haprovider": "kvmhaprovider", "hastate": "Disabled"},
    "outofbandmanagement": {
        "powerstate": "On",
        "enabled": True,
        "driver": "ipmitool",
        "address": "10.200.0.11",
        "port": "623",
        "username": "admin",
        "password": "s*****",
    },
}
POOL = {
    "id": POOL_ID,
    "name": "primary1",
    "zoneid": ZONE_ID,
    "clusterid": CLUSTER_ID,
    "ipaddress": "10.0.0.5",
    "path": "/export/primary",
    "type": "NetworkFilesystem",
    "scope": "CLUSTER",
    "state": "Up",
    "hypervisor": "KVM",
}
VOLUME = {
    "id": "vol-1",
    "name": "ROOT-7",
    "type": "ROOT",
    "virtualmachineid": VM_ID,
    "vmname": "web",
    "storageid": POOL_ID,
    "storage": "primary1",
    "storagetype": "shared",
    "path": "5a7e1c9d-0b7c-4f2e-9a3b-8c4d5e6f7a8b",
    "state": "Ready",
}
VM = {
    "id": VM_ID,
    "name": "web",
    "displayname": "Web",
    "instancename": "i-2-7-VM",
    "state": "Running",
    "hostid": HOST_ID,
    "hypervisor": "KVM",
    "haenable": True,
}


def but(row: dict[str, Any], **changes: Any) -> Row:
    """The same entry with fields changed; None: absent."""
    return {name: value for name, value in {**row, **changes}.items() if value is not None}


def host(**changes: Any) -> tuple[CloudHost, tuple[str, ...]]:
    remarks = Remarks()
    [found] = hosts_from([but(HOST, **changes)], remarks)
    return found, remarks.sentences()


def pool(**changes: Any) -> tuple[CloudPool, tuple[str, ...]]:
    aside, remarks = Remarks(), Remarks()
    found = pools_from([but(POOL, **changes)], clusters_from([CLUSTER], aside), hosts_from([HOST], aside), remarks)
    return found[POOL_ID], remarks.sentences()


def disk(pool_changes: dict[str, Any] | None = None, **changes: Any) -> tuple[CloudDisk, tuple[str, ...]]:
    where, _ = pool(**pool_changes or {})
    remarks = Remarks()
    [found] = disks_from([but(VOLUME, **changes)], {where.id: where}, remarks)[VM_ID]
    return found, remarks.sentences()


def machine(kind: VmKind = VmKind.USER, *disks: CloudDisk, **changes: Any) -> tuple[CloudVm, tuple[str, ...]]:
    remarks = Remarks()
    [found] = machines_from(kind, [but(VM, **changes)], {VM_ID: disks}, remarks)
    return found, remarks.sentences()


# -- clusters and hosts --------------------------------------------------------------------------------------------


def test_a_cluster_has_its_zone_and_pod_for_people() -> None:
    found = clusters_from([CLUSTER], Remarks())[CLUSTER_ID]
    assert (found.name, found.zone, found.pod, found.zone_id) == ("kvm-a", "zurich", "pod1", ZONE_ID)


def test_clusters_and_hosts_of_other_hypervisors_are_left_out_and_it_is_said() -> None:
    remarks = Remarks()
    assert clusters_from([but(CLUSTER, hypervisortype="VMware", name="esx")], remarks) == {}
    assert hosts_from([but(HOST, hypervisor="XenServer", name="xen1")], remarks) == ()
    assert remarks.sentences() == (
        "Left out because hostfence looks after KVM hosts only: cluster esx (VMware).",
        "Left out because hostfence looks after KVM hosts only: host xen1 (XenServer).",
    )


def test_a_host_as_cloudstack_shows_it() -> None:
    found, said = host()
    assert found == CloudHost(
        id=HOST_ID,
        cluster_id=CLUSTER_ID,
        name="kvm1",
        address="10.0.0.11",
        up=True,
        state="Up",
        resource_state="Enabled",
        bmc=CloudBmc(driver="ipmi", address="10.200.0.11", port="623", username="admin"),
    )
    assert said == ()


@pytest.mark.parametrize(
    "state", ["Creating", "Connecting", "Down", "Disconnected", "Alert", "Error", "Rebalancing", "Unknown", None]
)
def test_only_up_is_up(state: str | None) -> None:
    assert not host(state=state)[0].up


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("Enabled", False),
        ("Disabled", False),
        ("Degraded", False),
        ("Maintenance", True),
        ("PrepareForMaintenance", True),
        ("ErrorInPrepareForMaintenance", True),
        ("ErrorInMaintenance", True),
    ],
)
def test_maintenance_has_four_states(state: str, *, expected: bool) -> None:
    assert host(resourcestate=state)[0].maintenance is expected


def test_very_old_versions_call_the_resource_state_otherwise() -> None:
    found, _ = host(resourcestate=None, allocationstate="Disabled")
    assert found.resource_state == "Disabled"


@pytest.mark.parametrize(("value", "expected"), [(True, True), ("true", True), (False, False), ("false", False)])
def test_cloudstacks_own_host_ha_is_seen(value: object, *, expected: bool) -> None:
    assert host(hostha={"haenable": value})[0].own_ha is expected


def test_no_word_about_host_ha_is_none() -> None:
    assert not host(hostha=None)[0].own_ha


def test_a_host_of_which_something_is_missing_is_there_all_the_same() -> None:
    found, said = host(ipaddress=None, clusterid=None, state=None, name=None)
    assert (found.id, found.address, found.cluster_id, found.name) == (HOST_ID, "", "", "")
    assert said == tuple(
        f"CloudStack shows no {what} of host {HOST_ID}." for what in ("address", "cluster", "state", "name")
    )


@pytest.mark.parametrize("changes", [{"type": "SecondaryStorageVM"}, {"state": "Removed"}])
def test_what_is_no_host_is_none(changes: dict[str, str]) -> None:
    remarks = Remarks()
    assert hosts_from([but(HOST, **changes)], remarks) == ()
    assert remarks.sentences() == ()


def test_a_cluster_that_was_not_listed_is_named() -> None:
    remarks = Remarks()
    unplaced(hosts_from([HOST], remarks), (), remarks)
    assert remarks.sentences() == ("The cluster of host kvm1 was not listed.",)


@pytest.mark.parametrize(
    ("oob", "expected"),
    [
        ({"driver": "redfish", "address": "10.0.0.1", "port": "623"}, CloudBmc(driver="redfish", address="10.0.0.1")),
        (
            {"driver": "redfish", "address": "10.0.0.1:8443"},
            CloudBmc(driver="redfish", address="10.0.0.1", port="8443"),
        ),
        (
            {"driver": "redfish", "address": "https://bmc1.example:8443/redfish"},
            CloudBmc(driver="redfish", address="bmc1.example", port="8443"),
        ),
        (
            {"driver": "IPMITOOL", "address": "10.0.0.1:6230", "port": "623"},
            CloudBmc(driver="ipmi", address="10.0.0.1", port="6230"),
        ),
        (
            {"driver": "ipmitool", "address": "fd00::1", "port": 623},
            CloudBmc(driver="ipmi", address="fd00::1", port="623"),
        ),
        ({"driver": "ipmitool", "address": "[fd00::1]:6230"}, CloudBmc(driver="ipmi", address="fd00::1", port="6230")),
        ({"driver": "ipmitool", "enabled": True}, None),
        ({}, None),
    ],
)
def test_out_of_band_management_is_read(oob: dict[str, object], expected: CloudBmc | None) -> None:
    found, said = host(outofbandmanagement=oob)
    assert (found.bmc, said) == (expected, ())


@pytest.mark.parametrize(
    ("oob", "part"),
    [
        ({"driver": "nestedcloudstack", "address": "https://x/client/api"}, "no driver like 'nestedcloudstack'"),
        ({"address": "10.0.0.1"}, "no driver like 'none'"),
        ({"driver": "ipmitool", "address": "10.0.0.1:99999"}, "is no address"),
        ({"driver": "ipmitool", "address": "10.0.0.1", "port": "none"}, "The port 'none'"),
    ],
)
def test_what_cannot_be_imported_of_a_power_device_is_said(oob: dict[str, object], part: str) -> None:
    _, [said] = host(outofbandmanagement=oob)
    assert part in said
    assert "kvm1" in said


# -- storage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "root", "path"),
    [
        ({}, PoolKind.FILE, f"/mnt/{POOL_ID}", f"/mnt/{POOL_ID}/{VOLUME['path']}"),
        (
            {"type": "SharedMountPoint", "path": "/gfs2/vms/"},
            PoolKind.FILE,
            "/gfs2/vms",
            f"/gfs2/vms/{VOLUME['path']}",
        ),
        ({"type": "RBD", "path": "cloudstack"}, PoolKind.RBD, "rbd:cloudstack", VOLUME["path"]),
        ({"type": "RBD", "path": "/ceph/space"}, PoolKind.RBD, "rbd:ceph/space", VOLUME["path"]),
        (
            {"type": "Filesystem", "path": "/var/lib/libvirt/images", "scope": "HOST", "ipaddress": "10.0.0.11"},
            PoolKind.LOCAL,
            "/var/lib/libvirt/images",
            VOLUME["path"],
        ),
        ({"type": "CLVM", "path": "/vg1"}, PoolKind.BLOCK, "/vg1", VOLUME["path"]),
        ({"type": "Linstor", "path": "DfltRscGrp"}, PoolKind.BLOCK, "DfltRscGrp", VOLUME["path"]),
    ],
)
def test_where_a_volume_lies_on_a_host(changes: dict[str, str], kind: PoolKind, root: str, path: str) -> None:
    where, _ = pool(**changes)
    assert (where.kind, where.root, where.cluster_ids) == (kind, root, (CLUSTER_ID,))
    found, said = disk(changes)
    assert (found.pool_id, found.path, said) == (POOL_ID, path, ())


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"scope": "HOST", "type": "Filesystem"}, "local storage (primary1)"),
        ({"type": "CLVM"}, "CLVM has block devices"),
        ({"type": "Quantum"}, "does not know the type Quantum"),
        ({"type": None}, "does not know no type"),
        ({"type": "SharedMountPoint", "path": "relative"}, "path 'relative' for this SharedMountPoint"),
        ({"type": "SharedMountPoint", "path": "/a/../b"}, "path '/a/../b'"),
        ({"type": "RBD", "path": None}, "no path for this RBD"),
    ],
)
def test_what_cannot_be_checked_of_a_pool_is_said(changes: dict[str, Any], part: str) -> None:
    where, [said] = pool(**changes)
    assert where.kind in (PoolKind.LOCAL, PoolKind.BLOCK)
    assert part in said


def test_a_zone_wide_pool_is_seen_by_the_clusters_of_its_zone() -> None:
    remarks = Remarks()
    rows = [CLUSTER, but(CLUSTER, id="c2"), but(CLUSTER, id="c3", zoneid="elsewhere")]
    found = pools_from([but(POOL, scope="ZONE", clusterid=None)], clusters_from(rows, remarks), (), remarks)
    assert found[POOL_ID].cluster_ids == tuple(sorted((CLUSTER_ID, "c2")))


def test_a_local_pool_is_its_hosts() -> None:
    where, _ = pool(type="Filesystem", scope="HOST", ipaddress="10.0.0.11", clusterid=None)
    assert (where.host_id, where.cluster_ids) == (HOST_ID, (CLUSTER_ID,))


def test_a_pool_of_another_hypervisors_cluster_is_left_out() -> None:
    assert pools_from([but(POOL, clusterid="esx")], clusters_from([CLUSTER], Remarks()), (), Remarks()) == {}


def test_a_detached_volume_is_no_disk() -> None:
    assert disks_from([but(VOLUME, virtualmachineid=None)], {}, Remarks()) == {}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"path": None}, "does not show where they lie"),
        ({"path": None, "storageid": None, "storage": None}, "root admins only"),
        ({"storageid": "pool-x", "storage": "other"}, "storage pool other is none that a KVM cluster sees"),
        ({"path": "../../etc/shadow"}, "is none inside primary1"),
        ({"path": "/etc/shadow"}, "is none inside primary1"),
    ],
)
def test_a_volume_that_cannot_be_placed_is_a_disk_nobody_can_check(changes: dict[str, Any], part: str) -> None:
    found, [said] = disk(**changes)
    assert (found.id, found.pool_id) == ("vol-1", UNKNOWN_POOL)
    assert part in said
    assert "web" in said


@pytest.mark.parametrize("path", ["pool/image", "image@snap", ""])
def test_an_image_in_another_place_than_its_pool_cannot_be_checked(path: str) -> None:
    found, said = disk({"type": "RBD", "path": "cloudstack"}, path=path or None)
    assert (found.pool_id, len(said)) == (UNKNOWN_POOL, 1)


def test_a_full_path_inside_the_pool_is_the_same_file() -> None:
    found, said = disk(path=f"/mnt/{POOL_ID}/x")
    assert (found.path, said) == (f"/mnt/{POOL_ID}/x", ())


# -- machines ------------------------------------------------------------------------------------------------------

DISK = CloudDisk(id="vol-1", pool_id=POOL_ID, path=f"/mnt/{POOL_ID}/x")


def test_a_machine_as_cloudstack_shows_it() -> None:
    found, said = machine(VmKind.USER, DISK)
    assert found == CloudVm(
        id=VM_ID, name="web", kind=VmKind.USER, state="Running", host_id=HOST_ID, ha_enabled=True, disks=(DISK,)
    )
    assert said == ()


def test_a_users_machine_without_ha_is_not_restarted_a_router_always() -> None:
    assert not machine(VmKind.USER, DISK, haenable=False)[0].ha_enabled
    assert not machine(VmKind.USER, DISK, haenable=None)[0].ha_enabled
    assert machine(VmKind.ROUTER, DISK, haenable=None)[0].ha_enabled
    assert machine(VmKind.SYSTEM, DISK, haenable=None)[0].ha_enabled


@pytest.mark.parametrize("kind", VmKind)
def test_a_machine_without_volumes_has_a_disk_that_nobody_can_check(kind: VmKind) -> None:
    found, [said] = machine(kind)
    assert [d.pool_id for d in found.disks] == [UNKNOWN_POOL]
    assert said.startswith("Disks of web cannot be checked: CloudStack lists no volume of it")
    assert ("4.18" in said) is (kind is not VmKind.USER)


@pytest.mark.parametrize("state", ["Stopped", "Destroyed", "Expunging"])
def test_a_machine_that_does_not_run_is_on_no_host_whatever_its_entry_says(state: str) -> None:
    found, said = machine(VmKind.USER, state=state)
    assert (found.host_id, found.placement_known, said) == ("", True, ())


@pytest.mark.parametrize("state", ["Running", "Migrating", "Stopping", "Unknown"])
def test_a_machine_that_runs_nobody_is_told_where_is_not_taken_for_stopped(state: str) -> None:
    found, [said] = machine(VmKind.USER, DISK, state=state, hostid=None)
    assert (found.host_id, found.placement_known) == ("", False)
    assert said == "CloudStack does not show where web runs; is the key one of a root admin?"


def test_a_machine_that_has_no_host_yet_is_nowhere() -> None:
    found, said = machine(VmKind.USER, DISK, state="Starting", hostid=None)
    assert (found.host_id, found.placement_known, said) == ("", True, ())


def test_a_machine_of_another_hypervisor_is_left_out() -> None:
    assert machines_from(VmKind.USER, [but(VM, hypervisor="VMware")], {}, Remarks()) == ()


# -- whatever comes ------------------------------------------------------------------------------------------------

ODD: list[Row] = [
    {},
    {"id": None, "name": ["x"]},
    {"id": 7, "state": {"a": 1}, "hostid": 3, "virtualmachineid": 7, "path": 5, "storageid": 9, "clusterid": True},
    {"id": "x", "outofbandmanagement": "yes", "hostha": [], "type": "RBD", "path": "\x00\n", "scope": 3},
    {"name": "\ud800", "hypervisor": "KVM", "hypervisortype": "KVM"},
]


@pytest.mark.parametrize("row", ODD)
def test_nonsense_is_never_an_exception(row: Row) -> None:
    remarks = Remarks()
    clusters = clusters_from([row], remarks)
    hosts = hosts_from([row], remarks)
    pools = pools_from([row], clusters_from([CLUSTER], remarks) | clusters, hosts, remarks)
    disks = disks_from([row], pools, remarks)
    for kind in VmKind:
        machines_from(kind, [row], disks, remarks)
    assert all(isinstance(sentence, str) for sentence in remarks.sentences())


def test_what_is_said_of_many_is_said_once() -> None:
    remarks = Remarks()
    machines_from(VmKind.USER, [but(VM, id=f"v{n}", name=f"vm{n}") for n in range(NAMED + 3)], {}, remarks)
    [said] = remarks.sentences()
    assert "vm0, vm1, " in said
    assert "and 3 more cannot be checked" in said
