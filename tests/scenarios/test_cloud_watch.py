"""The cloud's poll: a host that it loses, its marks, and its own trouble."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.cloud import CloudHost, CloudHosts
from controller.domain.incident import Source, State
from controller.engine.cloud_watch import CloudWatch
from tests.fixtures.house import House, a_house

THERE = CloudHost(id="cs-1", cluster_id="cs-c1", name="h1", address="192.0.2.1", up=True, state="Up")


async def watched(**changes: Any) -> tuple[House, CloudWatch]:
    house = await a_house()
    await house.change_host(external_id="cs-1", **changes)
    watch = CloudWatch(house.world)
    await says(house, watch)
    return house, watch


async def says(house: House, watch: CloudWatch, *, known: bool = True, trouble: str = "", **changes: Any) -> None:
    hosts = (replace(THERE, **changes),) if known else ()
    house.cloud.hosts = CloudHosts(known=known, hosts=hosts, trouble=trouble)
    await watch.poll()


async def opened(house: House) -> bool:
    async with house.store.transaction() as tx:
        return "h1" in await tx.open_hosts()


async def test_a_host_that_the_cloud_loses_and_that_is_silent_to_us_is_suspected_at_once() -> None:
    house, watch = await watched()
    house.probing.die("h1")
    house.advance(5)
    await says(house, watch, up=False, state="Alert", down_since=await house.clock.now() - timedelta(seconds=3))
    incident = await house.incident()
    assert (incident.state, incident.source) == (State.SUSPECT, Source.CLOUD)
    assert incident.disconnect_at == await house.clock.now() - timedelta(seconds=3)
    assert "Alert" in incident.note


async def test_one_whose_agent_answers_us_is_left_to_our_own_watch() -> None:
    """Only the cloud's own agent is down: an incident now would leave the host unguarded until the cloud says Up."""
    house, watch = await watched()
    await says(house, watch, up=False, state="Disconnected")
    assert not await opened(house)
    assert (await house.health()).armed


@pytest.mark.parametrize("mark", ["excluded", "retired"])
async def test_one_that_is_none_of_ours_is_left_alone(mark: str) -> None:
    house, watch = await watched(**{mark: True})
    house.probing.die("h1")
    await says(house, watch, up=False)
    assert not await opened(house)


async def test_what_was_down_already_at_the_first_sight_is_no_news() -> None:
    house = await a_house()
    await house.change_host(external_id="cs-1")
    house.probing.die("h1")
    await says(house, CloudWatch(house.world), up=False)
    assert not await opened(house)


async def test_a_cloud_in_trouble_says_nothing_about_hosts() -> None:
    """And what it says first afterwards is compared with what it said last before."""
    house, watch = await watched()
    house.probing.die("h1")
    await says(house, watch, known=False)
    assert not await opened(house)
    await says(house, watch, up=False)
    assert await opened(house)


async def test_its_marks_are_kept_and_written_once() -> None:
    house, watch = await watched()
    for _ in range(3):
        await says(house, watch, maintenance=True, own_ha=True)
    assert (await house.host()).maintenance
    assert (await house.host()).cloud_ha
    async with house.store.transaction() as tx:
        assert [row.actor for row in await tx.audit() if row.action == "host.update"] == ["cloud"]
    await says(house, watch)
    assert not (await house.host()).maintenance


async def test_a_host_in_its_maintenance_may_go_down() -> None:
    house, watch = await watched()
    house.probing.die("h1")
    await says(house, watch, up=False, maintenance=True)
    assert not await opened(house)


async def test_a_cloud_that_tells_nothing_for_ten_minutes_is_told_of_once_and_its_end_too() -> None:
    house, watch = await watched()
    for _ in range(90):
        house.advance(10)
        await says(house, watch, known=False, trouble="listHosts: no answer")
    await says(house, watch)
    told = {n.kind: n for n in await house.notices()}
    assert await house.told() == ["cloud_trouble", "cloud_is_back"]
    assert "10 minutes" in told["cloud_trouble"].what
    assert "no answer" in told["cloud_trouble"].what
    assert "15 minutes" in told["cloud_is_back"].what


async def test_a_short_trouble_of_the_cloud_is_nobodys_business() -> None:
    house, watch = await watched()
    for _ in range(20):
        house.advance(10)
        await says(house, watch, known=False, trouble="it was restarted")
    await says(house, watch)
    assert await house.told() == []


async def test_a_clock_of_the_cloud_that_is_slow_makes_no_disconnect_older_than_its_last_up() -> None:
    house, watch = await watched()
    await house.change_health(seen_at=None)
    last_up = await house.clock.now()
    house.probing.die("h1")
    house.advance(10)
    await says(house, watch, up=False, down_since=last_up - timedelta(hours=1))
    assert (await house.incident()).disconnect_at == last_up
