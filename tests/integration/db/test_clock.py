"""hostfence time over steps of PostgreSQL's clock, by several controllers and over restarts (rule 12)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import literal
from sqlalchemy.ext.asyncio import AsyncEngine

from controller.db.clock import SqlClock
from controller.db.engine import make_engine
from controller.db.store import StoreUnavailable
from controller.db.types import Instant
from controller.db.unit_of_work import PostgresStore
from tests.fixtures import builders as a
from tests.fixtures.builders import T0, at
from tests.fixtures.stores import raising

HOUR = timedelta(hours=1)


class World:
    """A database clock that can be stepped, and time that passes for all."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.passed = 0.0
        self.stepped = timedelta(0)

    def wall(self) -> Any:
        return literal(T0 + timedelta(seconds=self.passed) + self.stepped, Instant)

    def controller(self) -> SqlClock:
        return SqlClock(self.engine, settle_s=0.01, boottime=lambda: 1000 + self.passed, wall=self.wall)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    engine = make_engine(database_url)
    yield World(engine)
    await engine.dispose()


async def note_time(world: World, when: datetime) -> None:
    store = PostgresStore(world.engine, keys=["x" * 43 + "="])
    async with store.transaction() as tx:
        await tx.save_controller(a.controller_row(alive_at=when))


async def test_time_passes_as_the_databases_clock_does(world: World) -> None:
    clock = world.controller()
    assert await clock.now() == T0
    world.passed = 90
    assert await clock.now() == at(90)


@pytest.mark.parametrize("step", [HOUR, -HOUR, timedelta(seconds=5), timedelta(days=-400)])
async def test_a_step_moves_no_controllers_time(world: World, step: timedelta) -> None:
    one, two = world.controller(), world.controller()
    for clock in (one, two):
        await clock.now()
    world.stepped, world.passed = step, 10
    assert await one.now() == at(10)
    assert await two.now() == at(10)
    world.passed = 20
    assert await asyncio.gather(*(clock.now() for clock in (one, two))) == [at(20), at(20)]


async def test_a_step_that_many_see_at_once_is_corrected_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = [world.controller() for _ in range(4)]
    all_have_seen_it = asyncio.Barrier(len(clocks))
    for clock in clocks:
        await clock.now()
        monkeypatch.setattr(clock, "_change", after(all_have_seen_it, clock._change))
    world.stepped = HOUR
    assert await asyncio.gather(*(clock.now() for clock in clocks)) == [T0] * len(clocks)
    world.passed = 1
    assert await world.controller().now() == at(1)


def after(barrier: asyncio.Barrier, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def wait_and_work(*given: Any) -> Any:
        await barrier.wait()
        return await work(*given)

    return wait_and_work


async def test_steps_there_and_back_leave_nothing_behind(world: World) -> None:
    clock = world.controller()
    for number, step in enumerate([0, 3600, -7200, 50, 0]):
        world.stepped, world.passed = timedelta(seconds=step), number
        assert await clock.now() == at(number)


async def test_slow_drift_is_followed(world: World) -> None:
    clock = world.controller()
    for number in range(20):
        world.passed, world.stepped = number, timedelta(seconds=number / 2)
        assert await clock.now() == at(number * 1.5)


async def test_many_who_ask_at_once_share_a_read_that_began_after_they_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = world.controller()
    look, looks = clock._look, []

    async def counted() -> Any:
        looks.append(world.passed)
        await asyncio.sleep(0)  # whoever asks from here on must not be told the time of this read
        read = await look()
        world.passed += 1
        return read

    monkeypatch.setattr(clock, "_look", counted)
    first = asyncio.create_task(clock.now())
    while not looks:
        await asyncio.sleep(0)
    others = await asyncio.gather(*(clock.now() for _ in range(20)))

    assert await first == T0
    assert set(others) == {at(1)}
    assert looks == [0, 1]


async def test_who_waits_for_a_read_that_fails_reads_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = world.controller()
    look, failures = clock._look, [StoreUnavailable("once"), StoreUnavailable("twice")]

    async def flaky() -> Any:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return await look()

    monkeypatch.setattr(clock, "_look", flaky)
    told = await asyncio.gather(*(clock.now() for _ in range(4)), return_exceptions=True)

    assert [type(one) for one in told[:2]] == [StoreUnavailable, StoreUnavailable]
    assert told[2:] == [T0, T0]


async def test_a_correction_outlives_the_controller(world: World) -> None:
    old = world.controller()
    await old.now()
    world.stepped = HOUR
    await old.now()
    world.passed = 5
    assert await world.controller().now() == at(5)


async def test_time_never_runs_back_over_a_restart(world: World) -> None:
    await note_time(world, at(100))
    world.stepped, world.passed = -HOUR, 110  # stepped while no controller ran
    clock = world.controller()
    assert await clock.now() == at(100)
    world.passed = 115
    assert await clock.now() == at(105)


async def test_the_mark_never_goes_back(world: World) -> None:
    await note_time(world, at(100))
    await note_time(world, at(50))
    assert await world.controller().now() == at(100)


async def test_a_controller_that_starts_right_after_a_step_waits_for_those_who_saw_it(world: World) -> None:
    running = world.controller()
    await running.now()
    await note_time(world, T0)
    world.stepped = HOUR
    starting = world.controller()
    starting._settle_s = 0.2
    fresh = asyncio.create_task(starting.now())
    await asyncio.sleep(0.05)
    assert await running.now() == T0
    assert await fresh == T0


async def test_a_paused_controller_takes_no_time_from_the_others(world: World) -> None:
    paused = 0.0
    sleeper = SqlClock(world.engine, boottime=lambda: 1000 + world.passed - paused, wall=world.wall)
    other = world.controller()
    for clock in (sleeper, other):
        await clock.now()
    world.passed, paused = 300, 300  # its machine stood still for 300 s
    await note_time(world, await other.now())
    assert await sleeper.now() == at(300)
    assert await other.now() == at(300)


async def test_time_stands_still_rather_than_run_back(world: World) -> None:
    clock = world.controller()
    world.passed = 10
    assert await clock.now() == at(10)
    world.stepped = timedelta(seconds=-1.5)  # within the tolerance: followed, but not backwards
    assert await clock.now() == at(10)
    world.passed = 12
    assert await clock.now() == at(10.5)


async def test_a_slow_answer_is_asked_for_again(world: World) -> None:
    # Each look reads our clock before and after; the first answer takes 5 s, and the clock steps in it.
    clock = world.controller()
    await clock.now()
    passes = iter([0.0, 5.0, 0.0, 0.1])
    clock._boottime = lambda: _passing(world, next(passes, 0.0))
    world.stepped = timedelta(seconds=6)
    assert await clock.now() - T0 < timedelta(seconds=5.2)


def _passing(world: World, seconds: float) -> float:
    world.passed += seconds
    return 1000 + world.passed


async def test_a_database_that_is_always_slow_tells_no_time(world: World) -> None:
    clock = world.controller()
    clock._boottime = lambda: _passing(world, 1.5)
    with raising(StoreUnavailable):
        await clock.now()


async def test_no_time_without_a_database() -> None:
    with raising(StoreUnavailable):
        await SqlClock(make_engine("postgresql://u:p@127.0.0.1:1/db")).now()


async def test_the_real_clock_is_the_databases(world: World, past_the_store: asyncpg.Connection) -> None:
    clock = SqlClock(world.engine)
    before = await past_the_store.fetchval("SELECT clock_timestamp()")
    now = await clock.now()
    after = await past_the_store.fetchval("SELECT clock_timestamp()")
    assert before <= now <= after
    assert now.tzinfo is UTC
    assert clock.boottime() > 0
    await clock.sleep(0)
