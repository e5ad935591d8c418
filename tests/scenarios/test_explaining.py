"""Explanations of a whole house, compared with what then becomes of the host; live, and from the watch's answers."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.domain.cloud import CloudReport
from controller.domain.evidence import CloudSays, DiskList
from controller.domain.gates import Readiness
from controller.domain.incident import State
from controller.domain.model import Level, PoolKind
from controller.services.errors import NotFound
from controller.services.explaining import WITNESSES_LOOKED_AT, Explainer
from shared.enums import ReadingCode
from tests.fixtures import builders as a
from tests.fixtures.house import House, a_house


async def a_watched_house(*, hosts: int = 4) -> tuple[House, Explainer]:
    house = await a_house(hosts=hosts)
    await house.run(6, watch=True)
    return house, Explainer(house.world)


async def test_who_is_ready_is_fenced_and_who_is_not_is_held_for_what_was_said() -> None:
    house, explainer = await a_watched_house()
    assert (await explainer.host("h1")).readiness is Readiness.READY
    await house.change_health("h2", bmc_on_seen_at=None)
    said = await explainer.host("host h2")
    blocked = {gate.reason for gate in said.gates if gate.readiness is Readiness.BLOCKED}
    assert said.readiness is Readiness.BLOCKED
    await house.dead("h1")
    await house.until(State.FENCED)
    house.probing.live("h1", boot_id="boot-2")
    await house.run(320, watch=True, with_effects=True)
    await house.dead("h2")
    held = await house.until(State.HELD, host_id="h2")
    assert set(held.reasons) == blocked


async def test_one_host_is_looked_at_now_and_a_cluster_as_the_watch_saw_it() -> None:
    house, explainer = await a_watched_house()
    for host_id in ("h2", "h3"):
        house.probing.hosts[host_id].storage_code = ReadingCode.STALE_HANDLE
        house.probing.lose_agent(host_id)
    house.probing.watched.clear()
    assert (await explainer.host("h1")).could_tell == 1
    assert sorted(house.probing.watched) == ["h1", "h2", "h3", "h4"]
    house.probing.watched.clear()
    assert (await explainer.cluster("c1")).ready == 4, "what it was told last is good still"
    assert house.probing.watched == []
    house.advance(16)
    old = await explainer.cluster("c1")
    assert (old.ready, old.blocked) == (0, 4), "answers that are too old are none"


async def test_a_controller_that_has_just_started_waits() -> None:
    house = await a_house()
    found = await Explainer(house.world).cluster("c1")
    assert (found.waits, found.blocked) == (3, 0)


async def test_the_inventory_tells_a_clusters_disks_and_the_cloud_one_hosts() -> None:
    house, explainer = await a_watched_house()
    async with house.store.transaction() as tx:
        await tx.save_pool(a.pool("p2", kind=PoolKind.LOCAL, root="/local"))
        await tx.save_vm(a.vm("v9", host_id="h1", name="vm-9", disks=(a.disk("d9", vm_id="v9", pool_id="p2"),)))
    found = await explainer.cluster("c1")
    assert [line.id for line in found.hosts if "uncheckable_disks" in line.codes] == ["h1"]
    house.cloud.placed["h1"] = DiskList(known=False)
    assert any(gate.key == "disks_unknown" for gate in (await explainer.host("h1")).gates)


async def test_the_clouds_own_restart_stands_in_the_timeline() -> None:
    house, explainer = await a_watched_house()
    house.cloud.opinion = CloudSays.UP
    async with house.store.transaction() as tx:
        await tx.save_cloud_report(CloudReport(at=await house.clock.now(), restarts_after_s=50.0))
    found = await explainer.host("h1")
    assert found.timeline.cloud_restarts_after_s == pytest.approx(50.0)
    assert found.readiness is Readiness.READY
    assert "cloud_race" in {gate.key for gate in found.gates if gate.readiness is Readiness.WARNING}


async def test_each_cluster_has_the_race_of_its_own_zone() -> None:
    house, explainer = await a_watched_house()
    house.cloud.opinion = CloudSays.UP
    report = CloudReport(
        at=await house.clock.now(), restarts_after_s=50.0, restarts_after_s_by_zone={"north": 50.0, "south": None}
    )
    for zone, after in {"north": 50.0, "south": None, "": 50.0}.items():
        async with house.store.transaction() as tx:
            await tx.save_cluster(replace((await tx.clusters())[0], zone=zone))
            await tx.save_cloud_report(report)
        assert (await explainer.host("h1")).timeline.cloud_restarts_after_s == after


async def test_devices_that_two_hosts_share_are_seen_over_all_clusters() -> None:
    house, explainer = await a_watched_house()
    await house.settings(Level.HOST, "h2", ipmi__host="bmc-h1")
    shared = {line.id for line in (await explainer.cluster("c1")).hosts if "bmc_shared" in line.codes}
    assert shared == {"h1", "h2"}


async def test_all_clusters_by_name_without_hosts_that_the_cloud_lost() -> None:
    house, explainer = await a_watched_house()
    async with house.store.transaction() as tx:
        await tx.save_cluster(a.cluster("c0", name="an empty one"))
    await house.change_host("h4", retired=True)
    found = await explainer.everything()
    assert [(one.cluster.id, len(one.hosts)) for one in found] == [("c0", 0), ("c1", 3)]
    assert found[0].storm is None
    with pytest.raises(NotFound):
        await explainer.cluster("c7")
    with pytest.raises(NotFound):
        await explainer.host("h7")


async def test_earlier_fences_within_a_day_count() -> None:
    house, explainer = await a_watched_house()
    await house.settings(action="reboot")
    now = await house.clock.now()
    for number, ago in enumerate((2, 3, 30)):
        old = a.incident(f"old-{number}", state=State.FENCED, closed_at=now, next_step_at=None)
        async with house.store.transaction() as tx:
            await tx.open_incident(replace(old, state=State.SUSPECT, closed_at=None, next_step_at=now))
            await tx.save_incident(old, end_lease=True)
        await house.add_attempt(
            attempt_id=f"a{number}", incident_id=old.id, intended_at=now - timedelta(hours=ago), finished_at=now
        )
    assert (await explainer.host("h1")).plan.action == "off"


async def test_of_a_large_cluster_enough_neighbors_are_looked_at() -> None:
    house, explainer = await a_watched_house(hosts=WITNESSES_LOOKED_AT + 6)
    for number in range(2, 5):
        house.probing.lose_agent(f"h{number}")
    found = await explainer.host("h1")
    assert found.could_tell == WITNESSES_LOOKED_AT, "those that answer come first"
