"""What CloudStack's calls do to a host that is not Up, and what they refuse. Virtual time."""

import pytest

from tests.fakes.cloudstack.model import Kind
from tests.integration.cloud.virtual import Cloud


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.mark.parametrize("state", ["Alert", "Disconnected", "Down"])
def test_maintenance_fails_without_an_agent(cloud: Cloud, state: str) -> None:
    cloud.lost(state)

    job = cloud.job("prepareHostForMaintenance", **cloud.ids("kvm1"))

    assert job["jobstatus"] == 2
    assert job["jobresult"]["errortext"].startswith("Unable to prepare for maintenance host ")
    assert cloud.resource() == "Enabled"


@pytest.mark.parametrize(("state", "becomes"), [("Down", "Maintenance"), ("Alert", "Enabled")])
def test_only_down_goes_to_maintenance_and_only_with_the_setting(cloud: Cloud, state: str, becomes: str) -> None:
    cloud.lost(state)
    cloud.site.zone("zone1").settings["set.host.down.to.maintenance"] = "true"

    cloud.job("prepareHostForMaintenance", **cloud.ids("kvm1"))

    assert cloud.resource() == becomes


def test_a_living_host_is_emptied_for_maintenance_and_comes_back(cloud: Cloud) -> None:
    cloud.job("prepareHostForMaintenance", **cloud.ids("kvm1"))

    assert cloud.resource() == "Maintenance"
    assert cloud.site.writers("plain") in {("kvm2",), ("kvm3",)}
    assert cloud.job("cancelHostMaintenance", **cloud.ids("kvm1"))["jobstatus"] == 1
    assert cloud.resource() == "Enabled"


def test_maintenance_of_a_silent_host_is_cancelled_over_ssh_only(cloud: Cloud) -> None:
    cloud.site.enable("kvm1", "Maintenance")
    cloud.lost("Disconnected")

    assert cloud.job("cancelHostMaintenance", **cloud.ids("kvm1"))["jobstatus"] == 2
    cloud.site.settings["kvm.ssh.to.agent"] = "true"
    assert cloud.job("cancelHostMaintenance", **cloud.ids("kvm1"))["jobstatus"] == 1


@pytest.mark.parametrize(
    ("state", "allowed"), [("Up", False), ("Down", False), ("Alert", True), ("Disconnected", True)]
)
def test_degraded_is_for_alert_and_disconnected(cloud: Cloud, state: str, *, allowed: bool) -> None:
    if state != "Up":
        cloud.lost(state)

    job = cloud.job("declareHostAsDegraded", **cloud.ids("kvm1"))

    assert job["jobstatus"] == (1 if allowed else 2)
    assert cloud.resource() == ("Degraded" if allowed else "Enabled")


@pytest.mark.parametrize("resource", ["Enabled", "Disabled", "Maintenance", "PrepareForMaintenance", "Degraded"])
def test_degraded_from_each_resource_state(cloud: Cloud, resource: str) -> None:
    cloud.lost("Disconnected")
    cloud.site.enable("kvm1", resource)

    job = cloud.job("declareHostAsDegraded", **cloud.ids("kvm1"))

    assert job["jobstatus"] == (1 if resource in {"Enabled", "Disabled", "Maintenance"} else 2)


def test_degraded_stops_every_machine_unasked_and_starts_those_with_ha(cloud: Cloud) -> None:
    local = cloud.site.add_pool("local1", cloud.site.host("kvm1"), type="Filesystem")
    cloud.site.add_vm("local", cloud.site.host("kvm1"), [local])
    router = cloud.site.add_vm("router", cloud.site.host("kvm1"), [cloud.pool], kind=Kind.ROUTER)
    cloud.site.add_vm("left", cloud.site.host("kvm1"), [cloud.pool]).left_running = True
    cloud.lost("Disconnected")

    cloud.job("declareHostAsDegraded", **cloud.ids("kvm1"))

    rows = {one["name"]: one for one in cloud.ask("listVirtualMachines", listall="true")["virtualmachine"]}
    assert {name: row["state"] for name, row in rows.items()} == {
        "ha": "Running",
        "plain": "Stopped",
        "local": "Stopped",
        "left": "Running",
    }
    assert rows["left"]["hostname"] == "kvm1"
    assert rows["ha"]["hostname"] != "kvm1"
    assert router.state == "Running"
    # No fencing check: the agent only had been stopped, so the guests run twice.
    assert {vm.name for vm in cloud.site.two_writers()} == {"ha", "router"}
    # CloudStack refuses out-of-band commands for a degraded host; what is configured stays.
    assert cloud.ask("listHosts", name="kvm1")["host"][0]["outofbandmanagement"]["enabled"] is True
    assert cloud.job("cancelHostAsDegraded", **cloud.ids("kvm1"))["jobresult"]["host"]["resourcestate"] == "Enabled"
    assert cloud.job("cancelHostAsDegraded", **cloud.ids("kvm1"))["jobstatus"] == 2


def test_without_vm_ha_in_the_zone_nothing_is_restarted(cloud: Cloud) -> None:
    cloud.site.zone("zone1").settings["vm.ha.enabled"] = "false"
    cloud.lost("Down")

    assert cloud.vm_row("ha")["hostname"] == "kvm1"
    zone = {"zoneid": cloud.site.zone("zone1").id}
    shown = cloud.ask("listConfigurations", name="vm.ha.enabled", **zone)["configuration"][0]
    assert shown["value"] == "false"
    assert cloud.ask("listConfigurations", name="vm.ha.enabled")["configuration"][0]["value"] == "true"


@pytest.mark.parametrize("obeys", [True, False])
def test_whether_that_setting_stops_a_degraded_hosts_restarts_too(cloud: Cloud, *, obeys: bool) -> None:
    cloud.site.degrade_obeys_vm_ha = obeys
    cloud.site.zone("zone1").settings["vm.ha.enabled"] = "false"
    cloud.lost("Disconnected")

    cloud.job("declareHostAsDegraded", **cloud.ids("kvm1"))

    assert (cloud.vm_row("ha")["hostname"] == "kvm1") is obeys
    assert cloud.vm_row("plain")["state"] == ("Running" if obeys else "Stopped")


@pytest.mark.parametrize("resource", ["Degraded", "Maintenance", "PrepareForMaintenance"])
def test_enabling_is_refused_where_another_call_is_meant(cloud: Cloud, resource: str) -> None:
    cloud.site.enable("kvm1", resource)

    answer = cloud.ask("updateHost", allocationstate="Enable", **cloud.ids("kvm1"))

    assert answer["errorcode"] == 530
    assert "No next resource state" in answer["errortext"]


def test_stop_and_start_machine_by_machine(cloud: Cloud) -> None:
    cloud.site.enable("kvm1", "Disabled")
    cloud.lost("Disconnected")

    assert cloud.job("stopVirtualMachine", **cloud.ids("ha"))["jobresult"]["errortext"] == "Failed to stop vm"
    stopped = cloud.job("stopVirtualMachine", forced="true", **cloud.ids("ha"))["jobresult"]["virtualmachine"]
    assert stopped["state"] == "Stopped"
    assert "hostid" not in stopped
    started = cloud.job("startVirtualMachine", **cloud.ids("ha"))["jobresult"]["virtualmachine"]
    assert started["state"] == "Running"
    assert started["hostname"] != "kvm1"
    assert cloud.job("startVirtualMachine", **cloud.ids("ha"))["jobstatus"] == 2
    assert cloud.job("stopVirtualMachine", forced="true", **cloud.ids("ha"))["jobstatus"] == 1


def test_nothing_starts_on_a_host_that_is_disabled(cloud: Cloud) -> None:
    cloud.site.halt("ha")
    for name in ("kvm1", "kvm2", "kvm3"):
        cloud.ask("updateHost", allocationstate="Disable", **cloud.ids(name))

    assert cloud.job("startVirtualMachine", **cloud.ids("ha"))["jobresult"]["errorcode"] == 533
    cloud.ask("updateHost", allocationstate="Enable", **cloud.ids("kvm3"))
    assert cloud.job("startVirtualMachine", **cloud.ids("ha"))["jobresult"]["virtualmachine"]["hostname"] == "kvm3"


def test_a_machine_on_local_storage_starts_nowhere_else(cloud: Cloud) -> None:
    local = cloud.site.add_pool("local1", cloud.site.host("kvm1"), type="Filesystem")
    cloud.site.add_vm("local", cloud.site.host("kvm1"), [local])
    cloud.lost("Disconnected")
    cloud.job("stopVirtualMachine", forced="true", **cloud.ids("local"))

    assert cloud.job("startVirtualMachine", **cloud.ids("local"))["jobresult"]["errorcode"] == 533


def test_routers_and_system_machines_have_calls_of_their_own(cloud: Cloud) -> None:
    for name, kind in (("router", Kind.ROUTER), ("proxy", Kind.CONSOLE_PROXY)):
        cloud.site.add_vm(name, cloud.site.host("kvm1"), [cloud.pool], kind=kind)
    cloud.lost("Disconnected")

    for name, what, key in (("router", "Router", "router"), ("proxy", "SystemVm", "systemvm")):
        assert cloud.job(f"stop{what}", forced="true", **cloud.ids(name))["jobresult"][key]["state"] == "Stopped"
        assert cloud.job(f"start{what}", **cloud.ids(name))["jobresult"][key]["hostname"] != "kvm1"
    assert cloud.ask("stopVirtualMachine", **cloud.ids("router"))["errorcode"] == 431


def test_a_migration_half_done(cloud: Cloud) -> None:
    cloud.site.begin_migration("ha", "kvm2")

    assert cloud.vm_row("ha")["state"] == "Migrating"
    assert cloud.vm_row("ha")["hostname"] == "kvm2"
    assert cloud.site.writers("ha") == ("kvm1",)


def test_alerts_of_ones_own(cloud: Cloud) -> None:
    given = {"type": "7", "description": "hostfence: kvm1 was fenced"}

    wrong = cloud.job("generateAlert", name="HOSTFENCE", **given)
    right = cloud.job("generateAlert", name="ALERT.COMPUTE.HOST", **given)

    assert "default alert having type 7" in wrong["jobresult"]["errortext"]
    assert right["jobresult"] == {"success": True}
    assert cloud.ask("listAlerts", keyword="fenced")["alert"][0]["description"] == given["description"]
    assert cloud.ask("generateAlert", name="N", type="7", description="x" * 1000)["errorcode"] == 431


def test_the_old_profile_has_the_per_machine_way_only() -> None:
    cloud = Cloud("old")
    cloud.lost("Disconnected")

    assert cloud.ask("declareHostAsDegraded", **cloud.ids("kvm1"))["errorcode"] == 401
    assert cloud.job("stopVirtualMachine", forced="true", **cloud.ids("ha"))["jobstatus"] == 1
    assert [cloud.job("startVirtualMachine", **cloud.ids("ha"))["jobstatus"] for _ in range(2)] == [1, 1]
    assert cloud.ask("listConfigurations", name="vm.ha.enabled") == {}
    cloud.site.allocationstate_only = True
    row = cloud.ask("listHosts", name="kvm1")["host"][0]
    assert ("resourcestate" in row, row["allocationstate"]) == (False, "Enabled")
