"""Virtual time: a clock that moves only when a test says so, or when somebody sleeps."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2025, 1, 7, 3, 12, tzinfo=UTC)


class FakeClock:
    """Implements :class:`controller.db.store.Clock`."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._boottime = 1000.0

    async def now(self) -> datetime:
        return self._now

    def boottime(self) -> float:
        return self._boottime

    async def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    def advance(self, by: timedelta) -> None:
        self._now += by
        self._boottime += by.total_seconds()
