"""The double's hosts and machines over time: what CloudStack does to them by itself, and when. Virtual time."""

import pytest

from tests.integration.cloud.virtual import Cloud


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def test_a_dead_host_stays_up_until_the_time_out_and_the_investigation_are_over(cloud: Cloud) -> None:
    cloud.time.advance(600)
    cloud.site.kill_host("kvm1")

    died = cloud.when(lambda: cloud.state() != "Up")

    assert cloud.state() == "Down"
    assert died == 180 + 10  # more than 150 s, looked at on the whole minute, then the investigation


@pytest.mark.parametrize(("after", "longest"), [(1, 190), (59, 190), (61, 190)])
def test_between_the_last_ping_and_down_lie_the_time_out_a_check_and_an_investigation(
    cloud: Cloud, after: int, longest: int
) -> None:
    cloud.time.advance(600 + after)
    cloud.site.kill_host("kvm1")

    assert 150 - 60 < cloud.when(lambda: cloud.state() == "Down") <= longest


def test_vm_ha_comes_in_the_same_breath_as_down(cloud: Cloud) -> None:
    cloud.site.kill_host("kvm1")
    cloud.when(lambda: cloud.state() == "Down")
    assert {cloud.ha.state, cloud.plain.state} == {"Stopping"}

    assert cloud.when(lambda: cloud.vm_row("ha")["state"] == "Starting") <= 1
    assert cloud.vm_row("ha")["hostid"] != cloud.site.host("kvm1").id
    assert cloud.when(lambda: cloud.vm_row("ha")["state"] == "Running") <= 10
    assert cloud.vm_row("plain")["state"] == "Stopped"
    assert "hostid" not in cloud.vm_row("plain")
    assert cloud.plain.last_host is cloud.site.host("kvm1")


def test_a_poll_each_second_and_one_look_an_hour_later_see_the_same(cloud: Cloud) -> None:
    other = Cloud()
    for one in (cloud, other):
        one.site.kill_host("kvm1")
    for _ in range(3600):
        cloud.time.advance(1)
        cloud.site.tick()
    other.time.advance(3600)

    seen = [one.ask("listAlerts", type="7")["alert"] for one in (cloud, other)]
    assert seen[0] == seen[1]
    assert seen[0][0]["sent"] == "2025-01-07T03:15:10+0000"
    assert seen[0][0]["description"].startswith("Host is down, name: kvm1 (id:")


@pytest.mark.parametrize("call", ["updateHost", "maintenance"])
def test_a_host_that_is_disabled_or_in_maintenance_is_not_investigated(cloud: Cloud, call: str) -> None:
    cloud.site.kill_host("kvm1")
    if call == "updateHost":
        cloud.ask("updateHost", allocationstate="Disable", **cloud.ids("kvm1"))
    else:
        cloud.site.enable("kvm1", "Maintenance")
    cloud.time.advance(3600)

    assert cloud.state() == "Disconnected"
    assert cloud.vm_row("ha")["hostid"] == cloud.site.host("kvm1").id
    assert cloud.ask("listAlerts", type="7") == {}


def test_disabling_it_while_it_is_investigated_is_too_late(cloud: Cloud) -> None:
    cloud.site.kill_host("kvm1")
    cloud.time.advance(185)
    cloud.ask("updateHost", allocationstate="Disable", **cloud.ids("kvm1"))
    cloud.time.advance(30)

    assert cloud.state() == "Down"
    assert cloud.site.writers("ha") != ()


@pytest.mark.parametrize("how", ["fresh", "undecided"])
def test_a_fresh_heartbeat_or_no_opinion_is_alert_and_no_vm_ha(cloud: Cloud, how: str) -> None:
    cloud.site.host("kvm1").undecided = how == "undecided"
    cloud.site.silence_agent("kvm1")
    cloud.time.advance(3600)

    assert cloud.state() == "Alert"
    assert cloud.site.writers("ha") == ("kvm1",)
    words = "Host disconnected, name: kvm1" if how == "fresh" else "Host in ALERT state, name: kvm1"
    assert cloud.ask("listAlerts", type="7")["alert"][0]["description"].startswith(words)


def test_a_stale_heartbeat_of_a_living_host_makes_two_writers(cloud: Cloud) -> None:
    cloud.site.silence_agent("kvm1", heartbeat_stale=True)
    cloud.time.advance(3600)

    assert cloud.state() == "Down"
    assert [vm.name for vm in cloud.site.two_writers()] == ["ha"]


def test_a_clean_stop_is_disconnected_at_once(cloud: Cloud) -> None:
    cloud.site.stop_agent("kvm1")

    assert cloud.state() == "Disconnected"
    cloud.time.advance(3600)
    assert cloud.state() == "Disconnected"
    assert cloud.site.writers("ha") == ("kvm1",)


def test_the_return_of_a_dead_host(cloud: Cloud) -> None:
    cloud.site.enable("kvm1", "Disabled")
    cloud.site.kill_host("kvm1")
    cloud.time.advance(600)
    cloud.site.agent_back("kvm1")

    assert cloud.state() == "Connecting"
    cloud.time.advance(10)
    assert cloud.state() == "Up"
    cloud.time.advance(30)
    assert cloud.site.writers("ha") in {("kvm2",), ("kvm3",)}  # it came back without its guests
    assert cloud.vm_row("plain")["state"] == "Stopped"


def test_an_agent_that_is_back_before_the_time_out_was_never_gone(cloud: Cloud) -> None:
    cloud.site.silence_agent("kvm1")
    cloud.time.advance(100)
    cloud.site.agent_back("kvm1")
    cloud.time.advance(3600)

    assert cloud.state() == "Up"
    assert cloud.ask("listAlerts") == {}


def test_an_agent_that_is_back_during_the_investigation_stays_up(cloud: Cloud) -> None:
    cloud.site.silence_agent("kvm1", heartbeat_stale=True)
    cloud.time.advance(185)
    cloud.site.agent_back("kvm1")
    cloud.time.advance(600)

    assert cloud.state() == "Up"
    assert cloud.site.writers("ha") == ("kvm1",)


def test_a_restart_of_the_management_server_disconnects_every_host_for_a_while(cloud: Cloud) -> None:
    cloud.time.advance(100)
    cloud.site.restart_management_server()

    hosts = cloud.ask("listHosts")["host"]
    assert {host["state"] for host in hosts} == {"Disconnected"}
    assert {host["disconnected"] for host in hosts} == {"2025-01-07T03:13:40+0000"}
    server = cloud.ask("listManagementServers")["managementserver"][0]
    assert server["lastserverstart"] == "2025-01-07T03:13:40+0000"
    assert cloud.when(lambda: {host["state"] for host in cloud.ask("listHosts")["host"]} == {"Up"}) < 60


def test_a_host_that_died_before_the_restart_stays_disconnected(cloud: Cloud) -> None:
    cloud.site.kill_host("kvm1")
    cloud.site.restart_management_server()
    cloud.time.advance(600)

    assert (cloud.state("kvm1"), cloud.state("kvm2")) == ("Disconnected", "Up")


def test_a_restart_cancels_jobs(cloud: Cloud) -> None:
    jobid = cloud.ask("stopVirtualMachine", **cloud.ids("ha"))["jobid"]
    assert cloud.ask("queryAsyncJobResult", jobid=jobid)["jobstatus"] == 0
    cloud.site.restart_management_server()

    job = cloud.ask("queryAsyncJobResult", jobid=jobid)
    assert (job["jobstatus"], job["jobresult"]["errorcode"]) == (2, 530)


def test_the_agents_of_system_machines_are_hosts_too_and_are_not_investigated(cloud: Cloud) -> None:
    cluster = cloud.site.host("kvm1").cluster
    cloud.site.add_host("v-9-VM", cluster, type_="ConsoleProxy")
    cloud.site.kill_host("v-9-VM")
    cloud.time.advance(600)

    assert cloud.ask("listHosts")["count"] == 4
    assert cloud.ask("listHosts", type="Routing")["count"] == 3
    assert cloud.state("v-9-VM") == "Disconnected"
