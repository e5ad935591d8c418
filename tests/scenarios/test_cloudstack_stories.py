"""Whole incidents on a CloudStack: its inventory, its timing and its own VM-HA against hostfence's engine."""

from dataclasses import replace
from typing import Any

import pytest
import structlog

from controller.cloud.cloudstack.rights import NEEDED
from controller.domain.incident import Source, State
from controller.domain.model import EffectKind, Severity
from controller.domain.reasons import Reason
from tests.fakes.cloudstack.model import Kind, Resource, Status
from tests.fixtures.cloud_house import CloudHouse, a_cloud_house, ready

RESTARTS_AFTER_S = 90
"""CloudStack's own restart, with its default settings: that long after a death at the soonest."""

PROFILES = pytest.mark.parametrize("profile", ["current", "old"])


async def a_site(profile: str = "current", **settings: Any) -> CloudHouse:
    cloud = await a_cloud_house(profile, **settings)
    for number in range(3):
        cloud.vm(f"web{number}")
    cloud.vm("busy", idle=False)
    cloud.vm("neighbor", on="kvm2", idle=False)
    return cloud


@PROFILES
async def test_a_dead_host_is_fenced_before_its_machines_run_elsewhere(profile: str) -> None:
    cloud = await ready(await a_site(profile))
    died = cloud.site.schedule.now()
    cloud.die("kvm1")
    fenced = await cloud.until("kvm1", State.FENCED)
    assert fenced.source is Source.WATCH
    assert cloud.offs() == ["kvm1"]
    assert {cloud.where(f"web{n}") for n in range(3)} | {cloud.where("busy")} <= {"kvm2", "kvm3"}
    assert cloud.where("neighbor") == "kvm2"
    assert not cloud.two_writers
    proven = cloud.seconds(fenced.proof.proven_at)
    assert cloud.first("updateHost") - died < RESTARTS_AFTER_S / 2
    assert cloud.first("stopVirtualMachine" if profile == "old" else "declareHostAsDegraded") > proven
    assert (await cloud.house.told()).count("held") == 0


@PROFILES
async def test_it_is_in_use_again_after_its_return(profile: str) -> None:
    cloud = await ready(await a_site(profile))
    cloud.die("kvm1")
    await cloud.until("kvm1", State.FENCED)
    cloud.back("kvm1")
    await cloud.run(600)
    there = cloud.site.host("kvm1")
    assert (there.state, there.resource_state) == (Status.UP, Resource.ENABLED)
    assert (await cloud.health()).armed
    assert not cloud.two_writers
    cloud.die("kvm1")
    cloud.vm("late", on="kvm1")
    assert (await cloud.until("kvm1", State.FENCED)).rounds


async def test_an_agent_that_is_killed_while_the_machines_write_is_left_alone() -> None:
    """Both agents: CloudStack's and ours. The kernel answers, the disks move."""
    cloud = await ready(await a_site())
    cloud.house.probing.lose_agent(cloud.ids["kvm1"])
    cloud.site.silence_agent("kvm1")
    held = await cloud.until("kvm1", State.HELD)
    await cloud.run(600)
    assert cloud.offs() == []
    assert {Reason.DISKS_MOVE, Reason.HEARTBEAT_MOVES} & set(held.reasons)
    assert not cloud.two_writers


async def test_cloudstacks_own_agent_alone_opens_nothing() -> None:
    cloud = await ready(await a_site())
    cloud.site.stop_agent("kvm1")
    await cloud.run(300)
    assert await cloud.house.incidents(cloud.ids["kvm1"]) == []
    cloud.site.agent_back("kvm1")
    cloud.die("kvm1")
    await cloud.until("kvm1", State.FENCED)


async def test_cloudstack_was_quicker_than_hostfences_first_poll() -> None:
    """The controller was away when the host died: Up to Down, and HA machines start elsewhere in the same breath."""
    cloud = await a_site()
    cloud.vm("plain", ha=False)
    await ready(cloud)
    cloud.die("kvm1")
    cloud.house.advance(420)
    cloud.site.tick()
    assert cloud.site.host("kvm1").state is Status.DOWN
    assert cloud.where("web0") in {"kvm2", "kvm3"}
    fenced = await cloud.until("kvm1", State.FENCED)
    assert cloud.offs() == ["kvm1"]
    assert Reason.RELEASED_BY_CLOUD in (await cloud.house.events(cloud.ids["kvm1"]))[-1].reasons
    told = {n.kind: n for n in await cloud.house.notices()}
    assert told["placed_elsewhere"].severity is Severity.CRITICAL
    assert "plain" in told["fenced_in_part"].what
    assert {m.name for m in fenced.machines} >= {"web0", "plain"}


async def test_cloudstack_restarts_what_still_runs_there_and_hostfence_ends_the_second_writer() -> None:
    """An isolated host: CloudStack calls it Down and starts its machines twice. hostfence ends that and says so."""
    cloud = await ready(await a_site())
    cloud.house.probing.die(cloud.ids["kvm1"])
    cloud.idle.add("busy")
    cloud.site.silence_agent("kvm1", heartbeat_stale=True)
    cloud.house.advance(420)
    cloud.site.tick()
    assert cloud.site.two_writers()
    await cloud.until("kvm1", State.FENCED)
    assert cloud.offs() == ["kvm1"]
    assert cloud.site.two_writers() == []


async def test_a_half_done_migration_is_no_life_and_not_lost() -> None:
    cloud = await ready(await a_site())
    cloud.site.begin_migration("web0", "kvm2", 3600)
    cloud.die("kvm1")
    fenced = await cloud.until("kvm1", State.FENCED)
    assert "web0" in {m.name for m in fenced.machines}
    assert not cloud.two_writers


async def test_one_that_returns_during_the_checks_is_left_alone_and_in_use_again() -> None:
    cloud = await ready(await a_site())
    cloud.die("kvm1")
    await cloud.until("kvm1", State.CHECKING)
    await cloud.run(30)
    assert cloud.site.host("kvm1").resource_state is Resource.DISABLED
    cloud.back("kvm1")
    await cloud.until("kvm1", State.RECOVERED)
    await cloud.run(30)
    assert cloud.offs() == []
    assert cloud.site.host("kvm1").resource_state is Resource.ENABLED


async def test_one_that_returns_while_its_power_is_read_is_a_contradiction_and_nothing_is_released() -> None:
    cloud = await ready(await a_site())
    cloud.die("kvm1")
    await cloud.until("kvm1", State.VERIFYING)
    cloud.back("kvm1")
    held = await cloud.until("kvm1", State.HELD)
    assert Reason.CONTRADICTION in held.reasons
    assert cloud.double.count("declareHostAsDegraded") == cloud.double.count("stopVirtualMachine") == 0


async def test_a_restart_of_the_management_server_opens_nothing_and_hides_nobody() -> None:
    cloud = await ready(await a_site())
    cloud.site.restart_management_server()
    await cloud.run(60)
    assert await cloud.house.incidents(cloud.ids["kvm1"]) == []
    cloud.die("kvm1")
    fenced = await cloud.until("kvm1", State.FENCED)
    assert not cloud.two_writers
    assert fenced.released_at is not None


@PROFILES
async def test_a_restart_of_the_management_server_in_the_middle_of_a_release_loses_no_machine(profile: str) -> None:
    """Jobs are cancelled, no host is Up for a while, so nothing starts anywhere: it is asked for again later."""
    cloud = await ready(await a_site(profile))
    cloud.die("kvm1")
    await cloud.until("kvm1", State.RELEASING)
    while not any(cloud.double.count(c) for c in ("declareHostAsDegraded", "stopVirtualMachine")):
        await cloud.run(1)
    cloud.site.restart_management_server(down_s=20)
    fenced = await cloud.until("kvm1", State.FENCED)
    assert "fenced" in await cloud.house.told()
    assert {cloud.where(f"web{n}") for n in range(3)} | {cloud.where("busy")} <= {"kvm2", "kvm3"}
    assert (cloud.offs(), fenced.reasons) == (["kvm1"], (Reason.PROVEN_OFF,))
    assert not cloud.two_writers


async def test_where_cloudstacks_own_restart_is_off_hostfence_starts_the_machines() -> None:
    """``vm.ha.enabled=false``: the readiness knows of no race, and nothing waits for CloudStack to do it."""
    cloud = await a_site()
    cloud.site.settings["vm.ha.enabled"] = "false"
    await ready(cloud)
    cloud.die("kvm1")
    await cloud.until("kvm1", State.RELEASING)
    began = cloud.site.schedule.now()
    await cloud.until("kvm1", State.FENCED)
    assert cloud.site.schedule.now() - began < 90
    assert cloud.double.count("declareHostAsDegraded") == 0
    assert {cloud.where(f"web{n}") for n in range(3)} <= {"kvm2", "kvm3"}


async def test_a_host_with_cloudstacks_own_host_ha_is_refused() -> None:
    cloud = await a_site()
    cloud.site.host("kvm1").host_ha = True
    await ready(cloud)
    cloud.die("kvm1")
    held = await cloud.until("kvm1", State.HELD)
    assert Reason.HOST_HA_ON in held.reasons
    assert cloud.offs() == []
    assert cloud.site.host("kvm1").resource_state is Resource.ENABLED


async def test_a_machine_on_local_disks_holds_unless_the_risk_is_accepted() -> None:
    cloud = await a_site()
    cloud.site.add_pool("local1", cloud.site.host("kvm1"), type="Filesystem", path="/var/lib/libvirt/images")
    cloud.vm("local", pool="local1")
    await ready(cloud)
    cloud.die("kvm1")
    held = await cloud.until("kvm1", State.HELD)
    assert Reason.UNCHECKABLE_DISKS in held.reasons
    await cloud.house.settings(accept_uncheckable_disks=True)
    await cloud.until("kvm1", State.FENCED)


@PROFILES
async def test_machines_of_projects_routers_and_system_vms_are_looked_at_and_released(profile: str) -> None:
    """Old versions show no volumes of routers and system VMs: there the risk has to be accepted."""
    cloud = await a_site(profile, accept_uncheckable_disks=profile == "old")
    cloud.vm("project", project="p1", idle=False)
    cloud.vm("router", kind=Kind.ROUTER, ha=False)
    cloud.vm("proxy", kind=Kind.CONSOLE_PROXY, ha=False)
    await ready(cloud)
    cloud.die("kvm1")
    fenced = await cloud.until("kvm1", State.FENCED)
    here = {"web0", "web1", "web2", "busy", "project"}
    assert {m.name for m in fenced.machines} - here == {cloud.site.vm(n).instance_name for n in ("router", "proxy")}
    assert {cloud.where(name) for name in ("project", "router", "proxy")} <= {"kvm2", "kvm3"}
    assert not cloud.two_writers


async def test_disks_on_a_zone_wide_pool_are_checked_as_well() -> None:
    cloud = await a_cloud_house()
    cloud.site.add_pool("zonewide", cloud.site.zone("zone1"))
    cloud.vm("web", pool="zonewide", idle=False)
    await ready(cloud)
    cloud.die("kvm1")
    await cloud.until("kvm1", State.FENCED)
    assert cloud.where("web") in {"kvm2", "kvm3"}


async def test_one_that_cloudstack_leaves_running_is_released_too() -> None:
    cloud = await a_site()
    cloud.site.vm("web1").left_running = True
    await ready(cloud)
    cloud.die("kvm1")
    await cloud.until("kvm1", State.FENCED)
    assert cloud.where("web1") in {"kvm2", "kvm3"}


@pytest.mark.parametrize("how", ["failed_job", "broken_job", "lost_job"])
async def test_a_job_that_fails_half_way_is_asked_for_again(how: str) -> None:
    """It did nothing; or it leaves the machine Stopping; or CloudStack has forgotten it."""
    cloud = await ready(await a_site("old"))
    getattr(cloud.double.trouble, how)("stopVirtualMachine")
    if how != "broken_job":
        getattr(cloud.double.trouble, how)("startVirtualMachine")
    cloud.die("kvm1")
    await cloud.until("kvm1", State.FENCED)
    assert {cloud.where(f"web{n}") for n in range(3)} <= {"kvm2", "kvm3"}


@pytest.mark.parametrize("state", [State.CHECKING, State.VERIFYING, State.RELEASING])
async def test_an_api_that_is_down_for_ten_minutes_delays_and_decides_nothing(state: State) -> None:
    cloud = await ready(await a_site())
    cloud.die("kvm1")
    await cloud.until("kvm1", state)
    before = len(cloud.offs())
    cloud.site.api_down(600)
    until = cloud.house.clock.boottime() + 590
    while cloud.house.clock.boottime() < until:
        await cloud.run(1)
        assert (await cloud.incident()).open
    assert len(cloud.offs()) == before
    await cloud.until("kvm1", State.FENCED)
    # Before the first dead round nothing keeps CloudStack from restarting them by itself.
    assert ("placed_elsewhere" in await cloud.house.told()) is (state is State.CHECKING)
    assert {cloud.where(f"web{n}") for n in range(3)} <= {"kvm2", "kvm3"}
    assert not cloud.two_writers


async def test_quarantine_is_undone_where_nothing_came_of_it() -> None:
    cloud = await ready(await a_site())
    cloud.die("kvm1")
    await cloud.until("kvm1", State.CHECKING)
    await cloud.run(30)
    incident = await cloud.incident()
    await cloud.house.operator.cancel(incident.id, reason="I look after it", actor="ada")
    await cloud.run(30)
    assert cloud.site.host("kvm1").resource_state is Resource.ENABLED
    assert [e.said for e in await cloud.effects(EffectKind.UNQUARANTINE)] == ["enabled"]


async def test_a_quarantine_whose_answer_was_lost_is_undone_all_the_same() -> None:
    cloud = await ready(await a_site())
    cloud.double.trouble.cut("updateHost", does=True)
    cloud.die("kvm1")
    await cloud.until("kvm1", State.CHECKING)
    while cloud.double.count("updateHost") == 0:
        await cloud.run(1)
    assert cloud.site.host("kvm1").resource_state is Resource.DISABLED
    cloud.back("kvm1")
    await cloud.until("kvm1", State.RECOVERED)
    await cloud.run(60)
    assert cloud.site.host("kvm1").resource_state is Resource.ENABLED


async def test_missing_rights_are_named_at_the_start_and_once() -> None:
    cloud = await a_site()
    key = cloud.double.api.keys[cloud.double.key]
    cloud.double.api.keys[cloud.double.key] = replace(
        key, rights=frozenset({need.command for need in NEEDED} - {"updateHost"})
    )
    with structlog.testing.capture_logs() as logs:
        await ready(cloud)
        await cloud.run(120)
    said = [line["said"] for line in logs if "updateHost" in str(line.get("said"))]
    assert len(said) == 2  # for the quarantine, and for the return
    assert all("may not call updateHost" in sentence for sentence in said)
