"""The own watch: who is suspected, who is not, and what it opens."""

from dataclasses import replace
from typing import Any

import pytest

from controller.domain.incident import Source, State
from controller.domain.reasons import Reason
from controller.engine.watcher import Watcher
from shared.enums import Reach
from tests.fixtures.house import House, a_house


async def watch(house: House, seconds: float) -> None:
    for _ in range(int(seconds / 2)):
        house.advance(2)
        await house.watcher.poll()


async def suspects(house: House) -> list[str]:
    async with house.store.transaction() as tx:
        return [i.host_id for i in await tx.open_incidents()]


async def a_watched_house(**settings: Any) -> House:
    house = await a_house(**{"watch_timeout": 20, **settings})
    await watch(house, 10)
    return house


async def test_hosts_that_answer_are_left_alone() -> None:
    house = await a_watched_house()
    await watch(house, 300)
    assert await suspects(house) == []
    assert (await house.health()).seen_at is not None


async def test_a_dead_host_is_suspected_after_the_time_out_and_not_before() -> None:
    house = await a_watched_house()
    house.probing.die("h1")
    died = await house.clock.now()
    await watch(house, 16)
    assert await suspects(house) == []
    await watch(house, 8)
    assert await suspects(house) == ["h1"]
    incident = await house.incident()
    assert (incident.source, incident.state) == (Source.WATCH, State.SUSPECT)
    assert abs((incident.disconnect_at - died).total_seconds()) <= 2


async def test_a_retired_host_is_not_watched_and_what_was_seen_of_it_is_forgotten() -> None:
    house = await a_watched_house()
    host = await house.host()
    async with house.store.transaction() as tx:
        await tx.save_host(replace(host, retired=True))
    house.probing.die("h1")
    await watch(house, 120)
    assert await suspects(house) == []
    assert set(house.watcher.tracks) == {"h2", "h3"}
    async with house.store.transaction() as tx:
        await tx.save_host(host)
    house.probing.live("h1")
    await watch(house, 60)
    assert await suspects(house) == []


async def test_a_heartbeat_silent_for_longer_is_quicker_than_the_agents_silence() -> None:
    """The heartbeat had stopped while the agent still answered: no waiting for the agent's own time-out."""
    house = await a_watched_house()
    house.probing.hosts["h1"].silent_since = house.clock.boottime()
    await watch(house, 30)
    assert await suspects(house) == []
    house.probing.hosts["h1"].reach = Reach.NO_ANSWER
    await watch(house, 4)
    assert await suspects(house) == ["h1"]


async def test_only_the_agent_is_silent_and_the_note_says_so() -> None:
    house = await a_watched_house()
    house.probing.lose_agent("h1")
    await watch(house, 26)
    assert await suspects(house) == ["h1"]
    assert "its heartbeat moves" in (await house.incident()).note


async def test_who_answers_a_neighbor_is_not_silent() -> None:
    """A partition between this controller and one host alone."""
    house = await a_watched_house()
    host = house.probing.hosts["h1"]
    host.reach, host.reach_of_neighbors = Reach.NO_ANSWER, Reach.AGENT_ANSWERED
    await watch(house, 120)
    assert await suspects(house) == []


async def test_a_controller_that_nobody_answers_is_isolated_and_opens_nothing() -> None:
    house = await a_watched_house()
    for host_id in house.probing.hosts:
        house.probing.die(host_id)
    await watch(house, 120)
    assert house.world.isolation.isolated
    assert await suspects(house) == []


async def test_the_first_answer_after_an_isolation_suspects_nobody() -> None:
    """They come back one after the other; silence towards a controller that was cut off is none."""
    house = await a_watched_house()
    for host in house.probing.hosts.values():
        host.reach = Reach.NO_ANSWER
    await watch(house, 120)
    house.probing.hosts["h2"].reach = Reach.AGENT_ANSWERED
    await watch(house, 10)
    assert not house.world.isolation.isolated
    assert await suspects(house) == []
    house.probing.hosts["h3"].reach = Reach.AGENT_ANSWERED
    await watch(house, 16)
    assert await suspects(house) == ["h1"]


async def test_a_new_process_sees_for_itself_first() -> None:
    house = await a_watched_house()
    house.probing.hosts["h1"].reach = Reach.NO_ANSWER
    house.watcher = Watcher(house.world)
    await watch(house, 18)
    assert await suspects(house) == []
    await watch(house, 10)
    assert await suspects(house) == ["h1"]


@pytest.mark.parametrize("mark", ["excluded", "maintenance"])
async def test_hosts_out_of_use_are_not_suspected(mark: str) -> None:
    house = await a_watched_house()
    marks: dict[str, Any] = {mark: True}
    await house.change_host(**marks)
    house.probing.die("h1")
    await watch(house, 120)
    assert await suspects(house) == []


async def test_a_host_not_seen_healthy_since_its_last_incident_gets_no_other() -> None:
    house = await a_watched_house()
    await house.change_health(armed=False)
    house.probing.die("h1")
    await watch(house, 120)
    assert await suspects(house) == []
    house.probing.live("h1")
    await watch(house, 4)
    house.probing.die("h1")
    await watch(house, 30)
    assert await suspects(house) == ["h1"]


async def test_an_answer_during_an_incident_is_noted_once_a_minute_and_resets_the_count() -> None:
    house = await a_watched_house()
    incident = await house.dead()
    await house.run(60)
    assert (await house.incident()).tally.dead > 0
    house.probing.hosts["h1"].reach = Reach.AGENT_ANSWERED
    await watch(house, 20)
    incident = await house.incident()
    assert incident.tally.dead == 0
    assert incident.life_at is not None
    assert incident.next_step_at == incident.life_at
    lived = [e for e in await house.events() if e.kind == "life"]
    assert [e.reasons for e in lived] == [(Reason.AGENT_ANSWERS,)]
