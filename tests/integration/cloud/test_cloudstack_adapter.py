"""The CloudStack adapter against the double: what it says, where machines are, what it does to a host, alerts."""

from dataclasses import replace

import pytest

from controller.domain.evidence import CloudSays
from controller.notifications.base import ChannelError
from controller.notifications.channels.cloudstack import CloudStackAlerts
from controller.notifications.render import render
from tests.fakes.cloudstack.model import Kind, Resource
from tests.fixtures.a_cloud import a_cloud, their
from tests.fixtures.notices import a_notice

MESSAGE = render(a_notice(), link_base="https://hostfence.example.org")

# -- what it says


async def test_an_opinion_is_of_the_newest_poll_and_asked_anew_when_that_is_old() -> None:
    cloud = a_cloud()
    await cloud.adapter.poll()
    asked = cloud.double.count("listHosts")
    assert await cloud.adapter.says(cloud.host()) is CloudSays.UP
    assert cloud.double.count("listHosts") == asked
    cloud.site.kill_host("kvm1")
    cloud.pass_time(300)
    assert await cloud.adapter.says(cloud.host()) is CloudSays.NOT_UP
    cloud.double.trouble.error(503, "down", times=None)
    assert await cloud.adapter.says(cloud.host()) is CloudSays.UNREACHABLE


async def test_a_host_that_is_none_of_the_clouds_has_no_opinion() -> None:
    cloud = a_cloud()
    assert await cloud.adapter.says(replace(cloud.host(), external_id=None)) is CloudSays.NONE


async def test_one_that_the_cloud_does_not_know_any_more_is_not_up() -> None:
    cloud = a_cloud()
    gone = cloud.host()
    cloud.site.remove_host("kvm1")
    await cloud.adapter.poll()
    assert await cloud.adapter.says(gone) is CloudSays.NOT_UP
    cloud.time.advance(60)
    assert await cloud.adapter.says(gone) is CloudSays.NOT_UP


async def test_after_a_restart_of_the_management_server_it_says_nothing_of_hosts_for_a_while() -> None:
    cloud = a_cloud()
    assert (await cloud.adapter.poll()).known
    cloud.time.advance(10)
    cloud.site.restart_management_server()
    cloud.time.advance(10)
    seen = await cloud.adapter.poll()
    assert (seen.known, seen.hosts) == (False, ())
    assert "restarted" in seen.trouble
    assert await cloud.adapter.says(cloud.host()) is CloudSays.UNREACHABLE
    cloud.pass_time(240)
    assert (await cloud.adapter.poll()).known
    assert await cloud.adapter.says(cloud.host()) is CloudSays.UP


async def test_old_versions_that_do_not_tell_of_a_restart_show_it_by_everybody_leaving_at_once() -> None:
    cloud = a_cloud("old")
    assert (await cloud.adapter.poll()).known
    cloud.site.restart_management_server()
    cloud.time.advance(5)
    seen = await cloud.adapter.poll()
    assert not seen.known
    assert "at once" in seen.trouble


async def test_one_of_three_that_is_lost_is_lost() -> None:
    cloud = a_cloud()
    await cloud.adapter.poll()
    cloud.site.kill_host("kvm1")
    cloud.pass_time(300)
    seen = await cloud.adapter.poll()
    assert seen.known
    assert {h.name: h.up for h in seen.hosts} == {"kvm1": False, "kvm2": True, "kvm3": True}


async def test_when_it_was_lost_is_read_from_cloudstacks_own_alerts() -> None:
    cloud = a_cloud(hosts=("kvm1", "kvm10", "kvm2"))
    await cloud.adapter.poll()
    cloud.site.kill_host("kvm1")
    cloud.pass_time(300)
    (sent,) = [alert.sent for alert in cloud.site.alerts if "name: kvm1 " in alert.description]
    seen = {h.name: h for h in (await cloud.adapter.poll()).hosts}
    assert seen["kvm1"].down_since == sent
    assert seen["kvm10"].down_since is None


async def test_a_cloud_that_does_not_answer_is_no_poll() -> None:
    cloud = a_cloud()
    cloud.double.trouble.html(times=None)
    seen = await cloud.adapter.poll()
    assert not seen.known
    assert seen.trouble


@pytest.mark.parametrize("command", ["listAlerts", "listManagementServers", "listApis"])
async def test_what_it_tells_besides_costs_no_poll_when_it_cannot_be_read(command: str) -> None:
    cloud = a_cloud()
    cloud.double.trouble.error(530, "a table is broken", command, times=None)
    assert (await cloud.adapter.poll()).known
    cloud.site.kill_host("kvm1")
    cloud.pass_time(300)
    seen = await cloud.adapter.poll()
    assert seen.known
    assert {h.name: h.up for h in seen.hosts} == {"kvm1": False, "kvm2": True, "kvm3": True}
    assert await cloud.adapter.says(cloud.host()) is CloudSays.NOT_UP


# -- what runs where


async def test_machines_of_every_kind_are_on_the_host_with_their_disks() -> None:
    cloud = a_cloud()
    for kind in (Kind.USER, Kind.ROUTER, Kind.STORAGE_VM):
        cloud.add(f"a-{kind}", kind=kind)
    cloud.add("in-a-project", project="p1")
    cloud.add("started-since", known=False)
    cloud.add("not-here", on="kvm2")
    disks = await cloud.adapter.disks(cloud.host())
    names = {"a-" + Kind.USER, "a-" + Kind.ROUTER, "a-" + Kind.STORAGE_VM, "in-a-project", "started-since"}
    assert disks.known
    assert set(disks.vms) == names
    assert {t.vm_name for t in disks.targets} == names
    assert disks.elsewhere == disks.uncheckable == ()
    root = cloud.pools()[0].root
    assert all(t.path.startswith(f"{root}/") and t.pool_root == root for t in disks.targets)
    assert disks.cloud_heartbeats == (f"{root}/KVMHA/hb-{cloud.host().address}",)


async def test_a_machine_that_the_cloud_runs_elsewhere_now_leaves_the_evidence_and_is_named() -> None:
    cloud = a_cloud()
    cloud.add("stays")
    cloud.add("moved")
    cloud.site.place("moved", "kvm2")
    disks = await cloud.adapter.disks(cloud.host())
    assert disks.elsewhere == ("moved",)
    assert [t.vm_name for t in disks.targets] == ["stays"]
    assert set(disks.vms) == {"stays", "moved"}


async def test_vm_ha_that_was_quicker_than_any_poll_is_seen_by_what_our_inventory_kept() -> None:
    """CloudStack: Up to Down, and its HA machines started elsewhere in the same breath."""
    cloud = a_cloud()
    cloud.add("web", ha=True)
    cloud.add("db", ha=False)
    cloud.site.kill_host("kvm1")
    cloud.pass_time(400)
    disks = await cloud.adapter.disks(cloud.host())
    assert disks.elsewhere == ("web",)
    assert set(disks.vms) == {"web", "db"}
    assert [t.vm_name for t in disks.targets] == ["db"]


async def test_a_machine_that_is_no_more_is_no_evidence() -> None:
    cloud = a_cloud()
    there = cloud.add("gone")
    cloud.add("stays")
    del cloud.site.vms[there.id]
    disks = await cloud.adapter.disks(cloud.host())
    assert disks.vms == ("stays",)
    assert disks.elsewhere == ()


async def test_half_a_migration_leaves_the_evidence_of_the_old_host() -> None:
    """Both may write to the disk: what moves there is nobody's sign of life."""
    cloud = a_cloud()
    cloud.add("moving")
    cloud.site.begin_migration("moving", "kvm2", 600)
    assert (await cloud.adapter.disks(cloud.host())).elsewhere == ("moving",)


@pytest.mark.parametrize("command", ["listVirtualMachines", "listRouters", "listSystemVms"])
async def test_what_cannot_be_read_is_unknown_and_never_nothing(command: str) -> None:
    cloud = a_cloud()
    cloud.add("web")
    cloud.double.trouble.error(500, "no", command, times=None)
    assert not (await cloud.adapter.disks(cloud.host())).known


async def test_our_own_inventory_must_be_readable_too() -> None:
    cloud = a_cloud()
    cloud.unreadable = True
    assert not (await cloud.adapter.disks(cloud.host())).known


# -- quarantine


async def test_quarantine_keeps_cloudstack_from_starting_the_machines_by_itself() -> None:
    cloud = a_cloud()
    cloud.add("web")
    await cloud.dead()
    assert their(cloud).resource_state is Resource.DISABLED
    assert cloud.where("web") == "kvm1"


async def test_what_was_found_enabled_is_enabled_again_and_nothing_else_is() -> None:
    cloud = a_cloud()
    done = await cloud.quarantine()
    assert (done.done, done.earlier) == (True, "Enabled")
    assert (await cloud.adapter.unquarantine(cloud.host(), done.earlier)).done
    assert their(cloud).resource_state is Resource.ENABLED

    cloud.site.enable("kvm2", "Disabled")
    done = await cloud.quarantine("kvm2")
    assert (done.done, done.earlier) == (True, "")
    assert (await cloud.adapter.unquarantine(cloud.host("kvm2"), done.earlier)).done
    assert their(cloud, "kvm2").resource_state is Resource.DISABLED


async def test_an_answer_that_was_lost_leaves_what_is_to_be_restored() -> None:
    cloud = a_cloud()
    first = await cloud.adapter.quarantine(cloud.host(), "")
    assert (first.done, first.pending, first.earlier) == (False, True, "Enabled")
    assert their(cloud).resource_state is Resource.ENABLED, "it is stored first what there was"
    cloud.double.trouble.cut("updateHost", does=True)
    assert not (await cloud.adapter.quarantine(cloud.host(), first.earlier)).done
    assert their(cloud).resource_state is Resource.DISABLED
    again = await cloud.adapter.quarantine(cloud.host(), first.earlier)
    assert (again.done, again.earlier) == (True, "Enabled")


async def test_a_host_in_maintenance_is_left_as_it_is() -> None:
    cloud = a_cloud()
    cloud.site.enable("kvm1", "Maintenance")
    done = await cloud.quarantine()
    assert (done.done, done.earlier) == (True, "")
    assert their(cloud).resource_state is Resource.MAINTENANCE


@pytest.mark.parametrize("profile", ["current", "old"])
async def test_a_host_that_returns_is_in_use_again(profile: str) -> None:
    cloud = a_cloud(profile)
    cloud.add("web")
    await cloud.dead()
    assert (await cloud.release())[-1].done
    cloud.site.agent_back("kvm1")
    cloud.pass_time(60)
    assert (await cloud.adapter.unquarantine(cloud.host(), "Enabled")).done
    assert their(cloud).resource_state is Resource.ENABLED
    assert (await cloud.adapter.unquarantine(cloud.host(), "Enabled")).done


async def test_a_host_that_was_disabled_before_its_fence_is_disabled_after_its_return() -> None:
    cloud = a_cloud()
    cloud.add("web")
    cloud.site.enable("kvm1", "Disabled")
    await cloud.dead()
    assert (await cloud.release())[-1].done
    assert their(cloud).resource_state is Resource.DEGRADED
    cloud.site.agent_back("kvm1")
    assert (await cloud.adapter.unquarantine(cloud.host(), "")).done
    assert their(cloud).resource_state is Resource.DISABLED


# -- alerts


async def test_a_notice_stands_in_cloudstacks_own_list_of_alerts() -> None:
    cloud = a_cloud()
    await CloudStackAlerts(cloud.adapter.alert).send(MESSAGE)
    text = cloud.site.alerts[-1].description
    assert MESSAGE.subject in text
    assert MESSAGE.link in text
    assert len(text) <= 999


@pytest.mark.parametrize("trouble", ["refused", "failed", "stuck"])
async def test_an_alert_that_cloudstack_does_not_take_is_tried_again_later(trouble: str) -> None:
    cloud = a_cloud()
    match trouble:
        case "refused":
            cloud.double.trouble.error(503, "down", "generateAlert")
        case "failed":
            cloud.double.trouble.failed_job("generateAlert", "no room")
        case _:
            cloud.double.trouble.stuck_job("generateAlert")
    with pytest.raises(ChannelError) as caught:
        await CloudStackAlerts(cloud.adapter.alert).send(MESSAGE)
    assert (caught.value.permanent, caught.value.channel_down) == (False, True)
    assert caught.value.said


def test_where_there_is_no_cloudstack_the_channel_says_so() -> None:
    with pytest.raises(ChannelError, match="has no CloudStack"):
        CloudStackAlerts(None)
