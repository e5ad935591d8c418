"""The loop that moves incidents: failing steps, lost leases, nobody holds up anybody."""

from typing import Any

import pytest
from structlog.typing import EventDict

from controller.domain.incident import TRANSITIONS, State
from controller.domain.reasons import Reason
from controller.engine.step import LEASE, LeaseLost
from controller.engine.worker import STEPS
from tests.fixtures.house import a_house


def test_every_open_state_has_its_step() -> None:
    """Rule 11."""
    assert set(STEPS) == {state for state in State if state.open} == {s for s, to in TRANSITIONS.items() if to}


async def test_a_failing_step_is_noted_told_after_three_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    house = await a_house()
    await house.dead()
    await house.dead("h2")
    broken = STEPS[State.CHECKING]

    async def fails_for_h1(step: Any) -> None:
        if step.incident.host_id == "h1":
            raise RuntimeError("a bug")
        await broken(step)

    monkeypatch.setitem(STEPS, State.CHECKING, fails_for_h1)
    await house.run(21)
    assert await house.told() == []
    await house.run(20)
    assert (await house.incident("h1")).state is State.CHECKING
    assert (await house.incident("h1")).failures >= 3
    assert [e.text for e in await house.events("h1") if e.kind == "step_failed"] == ["RuntimeError: a bug"]
    assert len(await house.notices()) == 1
    assert (await house.notices())[0].why == (Reason.STEP_FAILED,)
    assert (await house.incident("h2")).rounds > 1
    assert [line for line in logged if line["event"] == "step failed"]
    monkeypatch.setitem(STEPS, State.CHECKING, broken)
    await house.run(20)
    assert (await house.incident("h1")).failures == 0
    assert (await house.incident("h1")).rounds > 1


async def test_a_lost_lease_drops_the_work(logged: list[EventDict]) -> None:
    """Rule 9: whoever was stopped past its lease wakes up, and what it found is written by nobody."""
    house = await a_house()
    await house.dead()
    incident = await house.until(State.CHECKING)
    rounds = incident.rounds

    async def somebody_else_takes_it() -> None:
        async with house.store.transaction() as tx:
            now = await house.clock.now() + 2 * LEASE
            assert await tx.claim_due(now=now, lease_until=now + LEASE, token="another", limit=10)

    house.probing.meanwhile = somebody_else_takes_it
    await house.run(15)
    assert (await house.incident()).rounds == rounds
    assert "lease lost, work dropped" in [line["event"] for line in logged]


async def test_a_closed_incident_takes_no_more_changes() -> None:
    house = await a_house()
    await house.dead()
    incident = await house.until(State.CHECKING)

    async def closes() -> None:
        await house.operator.cancel(incident.id, reason="", actor="ada")

    house.probing.meanwhile = closes
    with pytest.raises(LeaseLost):
        await house.step(await house.incident())
    assert (await house.incident()).state is State.CANCELLED


async def test_a_database_that_goes_away_stops_nothing_for_good() -> None:
    house = await a_house()
    await house.dead()
    await house.until(State.CHECKING)

    async def goes_away() -> None:
        house.store.unavailable = True

    house.probing.meanwhile = goes_away
    house.advance(15)
    await house.worker.run_due()
    await house.worker.drain()
    house.store.unavailable = False
    await house.until(State.FENCED)
    assert len(house.power.commands()) == 1


async def test_two_workers_share_the_work_and_never_an_incident() -> None:
    """Rule 4 for the workers of one process or of many: each due incident is claimed once."""
    house = await a_house(hosts=6)
    for host_id in ("h1", "h2", "h3"):
        await house.suspect(host_id)
    first = await house.worker.run_due()
    second = await type(house.worker)(house.world).run_due()
    assert (first, second) == (3, 0)
    await house.worker.drain()
