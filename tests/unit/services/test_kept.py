"""A reading that is made rarely, by one for all, and never waited for too long."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from controller.db.store import StoreUnavailable
from controller.services.kept import Kept


class Reading:
    """Counts up each time it is made; `fails` or `hangs` on demand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.made = 0
        self.fails: Exception | None = None
        self.hangs = asyncio.Event()
        self.hangs.set()

    async def make(self) -> int:
        await self.hangs.wait()
        if self.fails is not None:
            raise self.fails
        self.made += 1
        return self.made

    def kept(self, make: Callable[[], Awaitable[int]] | None = None, *, within_s: float = 5) -> Kept[int]:
        return Kept(make or self.make, every_s=10, within_s=within_s, good_for_s=30, boottime=lambda: self.now)


async def test_it_is_made_once_for_all_who_ask_within_its_time() -> None:
    reading = Reading()
    kept = reading.kept()
    assert await asyncio.gather(*(kept.get(patience_s=1) for _ in range(5))) == [1] * 5
    reading.now = 9.9
    assert await kept.get(patience_s=1) == 1
    reading.now = 10
    assert await kept.get(patience_s=1) == 2


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ZeroDivisionError()])
async def test_when_it_cannot_be_made_the_last_one_is_good_for_a_while_and_then_gone(error: Exception) -> None:
    reading = Reading()
    kept = reading.kept()
    assert await kept.get(patience_s=1) == 1
    reading.fails, reading.now = error, 29
    assert await kept.get(patience_s=1) == 1
    reading.now = 30
    assert await kept.get(patience_s=1) is None
    reading.fails = None
    assert await kept.get(patience_s=1) == 2


async def test_who_asks_waits_no_longer_than_it_has_patience() -> None:
    reading = Reading()
    reading.hangs.clear()
    kept = reading.kept()
    assert await kept.get(patience_s=0.01) is None
    reading.hangs.set()
    assert await kept.get(patience_s=1) == 1, "it was being made all the while"
    assert reading.made == 1


async def test_one_that_takes_too_long_is_given_up_and_made_anew() -> None:
    reading = Reading()
    reading.hangs.clear()
    kept = reading.kept(within_s=0.01)
    assert await kept.get(patience_s=1) is None
    reading.hangs.set()
    assert await kept.get(patience_s=1) == 1
