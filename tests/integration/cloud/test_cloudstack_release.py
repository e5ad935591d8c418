"""How the CloudStack adapter lets a dead host's machines go: by either way, step by step, through every trouble."""

from dataclasses import replace

import pytest

from controller.cloud.base import EffectResult
from tests.fakes.cloudstack.model import Kind, VmState
from tests.fixtures.a_cloud import a_cloud


@pytest.mark.parametrize("profile", ["current", "old"])
async def test_every_machine_with_ha_runs_elsewhere_and_the_others_are_named(profile: str) -> None:
    cloud = a_cloud(profile)
    for number in range(12):
        cloud.add(f"web{number}")
    cloud.add("router", kind=Kind.ROUTER, ha=False)
    cloud.add("proxy", kind=Kind.CONSOLE_PROXY, ha=False)
    cloud.add("in-a-project", project="p1")
    cloud.add("plain", ha=False)
    await cloud.dead()
    results = await cloud.release()
    assert results[-1].done
    assert results[-1].not_started == ("plain (not HA-enabled)",)
    assert {cloud.where(f"web{n}") for n in range(12)} <= {"kvm2", "kvm3"}
    assert {cloud.where(n) for n in ("router", "proxy", "in-a-project")} <= {"kvm2", "kvm3"}
    assert cloud.where("plain") == "Stopped"
    assert cloud.site.two_writers() == []
    way = "stopVirtualMachine" if profile == "old" else "declareHostAsDegraded"
    assert cloud.double.count(way) > 0


async def test_nothing_is_done_before_it_was_said_what_will_run_elsewhere() -> None:
    """A crash right after must not take a machine's first write on its new host for life of the old one."""
    cloud = a_cloud()
    there = cloud.add("web")
    await cloud.dead()
    before = len(cloud.double.requests)
    first = await cloud.adapter.release(cloud.host(), cloud.machines(), {})
    assert (first.done, first.pending, first.begun) == (False, True, (there.id,))
    assert all(r.command.startswith(("list", "query")) for r in cloud.double.requests[before:])


@pytest.mark.parametrize("profile", ["current", "old"])
async def test_a_controller_that_dies_at_any_step_is_followed_by_one_that_goes_on(profile: str) -> None:
    """Every call gets what the first call left, as if nothing since had been stored."""
    cloud = a_cloud(profile)
    for number in range(4):
        cloud.add(f"web{number}")
    await cloud.dead()
    first = await cloud.adapter.release(cloud.host(), cloud.machines(), {})
    for _ in range(100):
        result = await cloud.adapter.release(cloud.host(), cloud.machines(), dict(first.progress))
        if not result.pending:
            break
        cloud.pass_time(2, every=1.0)
    assert {cloud.where(f"web{n}") for n in range(4)} <= {"kvm2", "kvm3"}
    assert cloud.site.two_writers() == []


@pytest.mark.parametrize("profile", ["current", "old"])
async def test_one_that_was_stopped_in_the_middle_of_a_step_sends_nothing_when_it_wakes(profile: str) -> None:
    """Meanwhile another controller may have looked, and the host may be back with its machines."""
    cloud = a_cloud(profile)
    cloud.add("web")
    await cloud.dead()
    first = await cloud.adapter.release(cloud.host(), cloud.machines(), {})
    cloud.double.on_request = lambda asked: cloud.time.advance(60 if asked.command == "listRouters" else 0)
    result = await cloud.adapter.release(cloud.host(), cloud.machines(), first.progress)
    assert (result.done, result.pending) == (False, True)
    assert cloud.double.count("declareHostAsDegraded") == cloud.double.count("stopVirtualMachine") == 0
    cloud.double.on_request = lambda _: None
    assert (await cloud.release())[-1].done


async def test_degraded_that_is_refused_is_done_machine_by_machine() -> None:
    cloud = a_cloud()
    cloud.add("web")
    await cloud.dead()
    cloud.double.trouble.failed_job("declareHostAsDegraded", "no")
    results = await cloud.release()
    assert results[-1].done
    assert cloud.where("web") in {"kvm2", "kvm3"}
    assert cloud.double.count("stopVirtualMachine") == 1


@pytest.mark.parametrize("where", ["everywhere", "in the zone"])
async def test_where_cloudstack_restarts_nothing_by_itself_hostfence_does_and_waits_for_nothing(where: str) -> None:
    """With ``vm.ha.enabled=false`` a degraded host's machines are neither stopped nor started."""
    cloud = a_cloud()
    cloud.add("web")
    settings = cloud.site.settings if where == "everywhere" else cloud.site.zone("zone1").settings
    settings["vm.ha.enabled"] = "false"
    await cloud.dead()
    began = cloud.time()
    results = await cloud.release()
    assert results[-1].done
    assert results[-1].not_started == ()
    assert cloud.where("web") in {"kvm2", "kvm3"}
    assert cloud.double.count("declareHostAsDegraded") == 0
    assert cloud.time() - began < 30
    cloud.site.agent_back("kvm1")
    cloud.pass_time(10)
    assert (await cloud.adapter.unquarantine(cloud.host(), "Enabled")).said == "enabled"


@pytest.mark.parametrize("why", ["no right", "no answer"])
async def test_a_key_that_may_not_read_settings_finds_out_in_the_end(why: str) -> None:
    """The host is declared degraded, CloudStack starts nothing, and hostfence does so after a while."""
    cloud = a_cloud()
    cloud.add("web")
    cloud.site.settings["vm.ha.enabled"] = "false"
    if why == "no right":
        cloud.double.trouble.error(401, "The given command 'listConfigurations' either does not exist.", times=None)
        cloud.double.trouble.plans[-1].command = "listConfigurations"
    else:
        cloud.double.trouble.error(530, "a table is broken", "listConfigurations", times=None)
    await cloud.dead()
    results = await cloud.release()
    assert results[-1].done
    assert cloud.double.count("declareHostAsDegraded") == 1
    assert cloud.where("web") in {"kvm2", "kvm3"}


async def test_a_stop_that_breaks_off_half_way_is_taken_up_again() -> None:
    """The machine stays Stopping on the dead host, for ever if nobody asks again."""
    cloud = a_cloud("old")
    cloud.add("web")
    await cloud.dead()
    cloud.double.trouble.broken_job("stopVirtualMachine")
    results = await cloud.release()
    assert results[-1].done
    assert results[-1].not_started == ()
    assert cloud.where("web") in {"kvm2", "kvm3"}


async def test_a_machine_that_hangs_in_its_start_is_named() -> None:
    """It is on no list of stopped ones, and it does not run: somebody has to look."""
    cloud = a_cloud("old")
    there = cloud.add("web")
    cloud.add("db")
    await cloud.dead()
    cloud.double.trouble.broken_job("startVirtualMachine")
    last = (await cloud.release())[-1]
    assert last.done, "it is not on the dead host any more"
    hanging = [vm for vm in (there, cloud.site.vm("db")) if vm.state is VmState.STARTING]
    assert last.not_started == tuple(f"{vm.name} (still Starting)" for vm in hanging)
    assert len(hanging) == 1


async def test_a_machine_that_its_owner_destroyed_meanwhile_is_nobodys_business() -> None:
    cloud = a_cloud("old")
    there = cloud.add("web")
    await cloud.dead()
    there.host, there.state = None, VmState("Stopped")
    del cloud.site.vms[there.id]
    last = (await cloud.release())[-1]
    assert (last.done, last.not_started) == (True, ())


@pytest.mark.parametrize("profile", ["current", "old"])
async def test_a_management_server_that_restarts_in_the_middle_cancels_jobs_and_loses_nothing(profile: str) -> None:
    cloud = a_cloud(profile)
    for number in range(4):
        cloud.add(f"web{number}")
    await cloud.dead()
    result = EffectResult(done=False, pending=True)
    for call in range(400):
        if call == 2:
            cloud.site.restart_management_server(down_s=20)
        result = await cloud.adapter.release(cloud.host(), cloud.machines(), result.progress)
        if not result.pending:
            break
        cloud.pass_time(2, every=1.0)
    assert (result.done, result.not_started) == (True, ())
    assert {cloud.where(f"web{n}") for n in range(4)} <= {"kvm2", "kvm3"}
    assert cloud.site.two_writers() == []


@pytest.mark.parametrize("command", ["stopVirtualMachine", "startVirtualMachine"])
@pytest.mark.parametrize("trouble", ["failed", "lost"])
async def test_a_job_that_fails_or_is_forgotten_half_way_is_asked_for_again(command: str, trouble: str) -> None:
    cloud = a_cloud("old")
    cloud.add("web")
    cloud.add("db")
    await cloud.dead()
    {"failed": cloud.double.trouble.failed_job, "lost": cloud.double.trouble.lost_job}[trouble](command)
    assert (await cloud.release())[-1].done
    assert {cloud.where("web"), cloud.where("db")} <= {"kvm2", "kvm3"}


async def test_a_machine_that_will_not_start_is_named_with_cloudstacks_own_words() -> None:
    cloud = a_cloud("old")
    cloud.add("web")
    cloud.add("sick").will_not_start = "Insufficient capacity"
    await cloud.dead()
    last = (await cloud.release())[-1]
    assert last.done
    assert len(last.not_started) == 1
    assert last.not_started[0].startswith("sick (")
    assert "Insufficient capacity" in last.not_started[0]
    assert cloud.where("web") in {"kvm2", "kvm3"}


async def test_one_that_cloudstack_leaves_running_there_is_stopped() -> None:
    cloud = a_cloud()
    cloud.add("web")
    cloud.add("left").left_running = True
    await cloud.dead()
    assert (await cloud.release())[-1].done
    assert {cloud.where("web"), cloud.where("left")} <= {"kvm2", "kvm3"}


async def test_one_that_cannot_be_stopped_is_no_release() -> None:
    cloud = a_cloud("old")
    cloud.add("web")
    cloud.add("stuck")
    await cloud.dead()
    for _ in range(50):
        cloud.double.trouble.failed_job("stopVirtualMachine", "Failed to stop vm")
    last = (await cloud.release())[-1]
    assert not last.done
    assert "still Running there" in last.said
    assert "Failed to stop vm" in last.said


@pytest.mark.parametrize("profile", ["current", "old"])
async def test_an_api_that_is_down_for_ten_minutes_in_the_middle_delays_and_loses_nothing(profile: str) -> None:
    cloud = a_cloud(profile)
    for number in range(3):
        cloud.add(f"web{number}")
    await cloud.dead()
    result = EffectResult(done=False, pending=True)
    for call in range(400):
        if call == 2:
            cloud.site.api_down(600)
        result = await cloud.adapter.release(cloud.host(), cloud.machines(), result.progress)
        if not result.pending:
            break
        cloud.pass_time(2, every=1.0)
    assert result.done
    assert {cloud.where(f"web{n}") for n in range(3)} <= {"kvm2", "kvm3"}


async def test_what_cloudstack_started_by_itself_first_is_left_running() -> None:
    cloud = a_cloud("old")
    cloud.add("web")
    cloud.add("plain", ha=False)
    cloud.site.kill_host("kvm1")
    cloud.pass_time(400)
    assert cloud.where("web") in {"kvm2", "kvm3"}
    results = await cloud.release()
    assert results[-1].done
    assert results[-1].not_started == ("plain (not HA-enabled)",)
    assert cloud.double.count("stopVirtualMachine") == 0


async def test_machines_that_only_cloudstack_knows_of_are_released_with_the_others() -> None:
    cloud = a_cloud("old")
    cloud.add("web")
    new = cloud.add("started-since", known=False)
    await cloud.dead()
    results = await cloud.release()
    assert new.id in results[0].begun
    assert results[-1].done
    assert cloud.where("started-since") in {"kvm2", "kvm3"}


async def test_a_host_without_cloudstacks_id_is_refused_in_words() -> None:
    cloud = a_cloud()
    result = await cloud.adapter.release(replace(cloud.host(), external_id=None), (), {})
    assert not result.done
    assert "external_id" in result.said
