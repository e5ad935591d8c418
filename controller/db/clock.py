"""hostfence time from PostgreSQL: the only place where SQL reads a clock.

:mod:`controller.domain.steady` says how steps of that clock are told from time passing; this reads and writes for it.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from controller.db.errors import store_errors
from controller.db.models import TimeBase
from controller.db.store import Clock, StoreUnavailable
from controller.db.types import Instant
from controller.domain.steady import Base, allowance, corrected, lifted, may_hide_a_step, step_between

SLOWEST_ANSWER_S = 1.0
"""A slower one leaves too much room for a step to hide in: read again."""

ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The database's clock and the base, and when they were read by our monotonic clock."""

    wall: datetime
    base: Base
    mono: float
    round_trip_s: float


class SqlClock:
    """See :class:`controller.db.store.Clock`. One per process: it compares each read with the one before.

    Args:
        engine: of :func:`controller.db.engine.make_engine`.
        settle_s: how long a starting process waits before it trusts a time that leapt since the high-water mark.
        boottime: seconds of a clock that goes on while the machine sleeps; tests bring their own.
        wall: the SQL that reads the wall clock; tests bring one that steps.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        settle_s: float = 3.0,
        boottime: Callable[[], float] | None = None,
        wall: Callable[[], Any] = func.clock_timestamp,
    ) -> None:
        self._engine = engine
        self._looking = engine.execution_options(isolation_level="AUTOCOMMIT")  # one round trip a look
        self._settle_s = settle_s
        self._boottime = boottime or _boottime
        self._wall = wall
        self._last: _Read | None = None
        self._latest: datetime | None = None
        self._reading: asyncio.Event | None = None
        self._begun = 0
        self._ended = 0

    async def now(self) -> datetime:
        """Aware UTC, never earlier than this process was told before. Raises :class:`StoreUnavailable`.

        All who wait while one read is under way share the next one: it begins after each of them asked.
        """
        asked = self._begun
        while self._reading is not None:
            await self._reading.wait()  # ends for all at once: a lock is handed on in one turn of the loop each
            if self._ended > asked and self._latest is not None:
                return self._latest
        self._reading = done = asyncio.Event()
        self._begun += 1
        try:
            return await self._told()
        finally:
            self._reading = None
            done.set()

    def boottime(self) -> float:
        """Seconds of ``CLOCK_BOOTTIME``."""
        return self._boottime()

    @property
    def base(self) -> Base | None:
        """The corrections as this process read them last; None before its first read."""
        return self._last.base if self._last is not None else None

    async def sleep(self, seconds: float) -> None:
        """Wait without holding anything."""
        await asyncio.sleep(seconds)

    async def _told(self) -> datetime:
        """The time by a read of our own; one at a time."""
        with store_errors():
            read = await self._look()
            steady = await (self._start(read) if self._last is None else self._go_on(self._last, read))
        self._last = steady  # only now: a correction that failed is found again by the next read
        told = steady.base.time(steady.wall)
        self._latest = told if self._latest is None else max(self._latest, told)
        self._ended = self._begun
        return self._latest

    async def _start(self, read: _Read) -> _Read:
        """The first read of this process: nothing to compare with but the mark that others left."""
        if may_hide_a_step(read.base, wall=read.wall):
            await asyncio.sleep(self._settle_s)  # a running controller corrects a step within its next reads
            read = await self._look()
        if lifted(read.base, wall=read.wall) is read.base:
            return read
        return await self._change(lambda now: lifted(now.base, wall=now.wall))

    async def _go_on(self, last: _Read, read: _Read) -> _Read:
        if read.base.epoch != last.base.epoch:
            return read  # another controller changed the base: its comparison stands
        round_trips_s = last.round_trip_s + read.round_trip_s
        step = step_between(
            last_wall=last.wall,
            last_mono=last.mono,
            wall=read.wall,
            mono=read.mono,
            tolerance=allowance(round_trip_s=round_trips_s, elapsed_s=abs(read.mono - last.mono)),
        )
        if not step:
            return read

        def without_the_step(now: _Read) -> Base:
            still = now.base.epoch == last.base.epoch
            return corrected(now.base, step=step, wall=now.wall) if still else now.base

        return await self._change(without_the_step)

    async def _change(self, change: Callable[[_Read], Base]) -> _Read:
        """Change the base under its row's lock: of all controllers that saw one step, one corrects it."""
        async with self._engine.begin() as connection:
            await connection.execute(select(TimeBase.id).where(TimeBase.id == 1).with_for_update())
            read = await self._read(connection)
            base = change(read)
            if base is not read.base:
                values = {"correction": base.correction, "epoch": base.epoch}
                await connection.execute(update(TimeBase).where(TimeBase.id == 1).values(values))
        return replace(read, base=base)

    async def _look(self) -> _Read:
        async with self._looking.connect() as connection:
            return await self._read(connection)

    async def _read(self, connection: AsyncConnection) -> _Read:
        for _ in range(ATTEMPTS):
            wall = self._wall().cast(Instant).label("wall")
            columns = (TimeBase.correction, TimeBase.epoch, TimeBase.high_water)
            statement = select(wall, _takes_no_writes(), *columns).where(TimeBase.id == 1)
            before = self._boottime()
            row = (await connection.execute(statement)).one()
            round_trip_s = self._boottime() - before
            if row.takes_no_writes:
                await connection.invalidate()  # after a failover the next connection may lead to the server that does
                raise StoreUnavailable("the database takes no writes")
            if round_trip_s <= SLOWEST_ANSWER_S:
                base = Base(correction=row.correction, epoch=row.epoch, high_water=row.high_water)
                return _Read(wall=row.wall, base=base, mono=before + round_trip_s / 2, round_trip_s=round_trip_s)
        raise StoreUnavailable("the database answers too slowly to tell the time")


def _takes_no_writes() -> ColumnElement[bool]:
    """True on a standby, and on a server that was set to read only: nothing can be intended there."""
    return (func.current_setting("transaction_read_only") == "on").label("takes_no_writes")


def wall() -> ColumnElement[datetime]:
    """The server's own clock as it stands, for people who compare clocks: nothing is decided by it."""
    return func.clock_timestamp().cast(Instant)


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _keeps_the_port(clock: SqlClock) -> Clock:
    return clock
