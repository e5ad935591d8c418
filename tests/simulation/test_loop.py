"""The loop on virtual time keeps what schedules build on: no time passes outside, and order is what was asked for."""

import asyncio

import pytest

from tests.simulation import loop


def test_time_passes_only_where_nothing_else_is_to_be_done() -> None:
    async def story() -> list[float]:
        clock = asyncio.get_running_loop().time
        seen = [clock()]
        await asyncio.sleep(3600.0)
        seen.append(clock())
        await asyncio.sleep(0)
        seen.append(clock())
        return seen

    assert loop.run(story()) == [0.0, 3600.0, 3600.0]


def test_what_is_due_at_one_moment_happens_in_the_order_asked_for() -> None:
    async def story() -> list[int]:
        happened: list[int] = []
        running = asyncio.get_running_loop()
        for n in range(20):
            running.call_at(5.0, happened.append, n)
        running.call_at(4.0, happened.append, -1)
        await asyncio.sleep(6.0)
        return happened

    assert loop.run(story()) == [-1, *range(20)]


def test_a_cancelled_timer_neither_happens_nor_takes_time() -> None:
    async def story() -> tuple[list[str], float]:
        happened: list[str] = []
        running = asyncio.get_running_loop()
        running.call_later(1.0, happened.append, "cancelled").cancel()
        running.call_later(2.0, happened.append, "kept")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3.0):
                await asyncio.Event().wait()
        return happened, running.time()

    assert loop.run(story()) == (["kept"], 3.0)


def test_a_time_out_that_did_not_happen_moves_no_clock() -> None:
    async def story() -> float:
        async with asyncio.timeout(50.0):
            await asyncio.sleep(1.0)
        return asyncio.get_running_loop().time()

    assert loop.run(story()) == 1.0


def test_everybody_waiting_for_somebody_is_told_at_once() -> None:
    async def story() -> None:
        await asyncio.Event().wait()

    with pytest.raises(loop.Deadlock):
        loop.run(story())
