"""Beats on which a loop of the engine would find nothing are left out: on most of four a second nothing is due.

Without this two thirds of all transactions of a schedule were claims of nothing. One beat in eight is made in earnest
all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil

from typing_extensions import override

from controller.engine.worker import Worker
from controller.services.world import World

IN_EARNEST_ONE_IN = 8
BEAT_S = 0.25
"""The worker's, as the supervisor has it."""


@dataclass(slots=True)
class Spared:
    """A loop's beat. ``idle``: true when the store would answer now, and with nothing."""

    beat: Callable[[], Awaitable[object]]
    idle: Callable[[], bool]
    beats: int = 0

    async def __call__(self) -> None:
        self.beats += 1
        if self.beats % IN_EARNEST_ONE_IN == 0 or not self.idle():
            await self.beat()


@dataclass(slots=True)
class Bell:
    """Wakes those who doze, when something may be due earlier than it was."""

    dozing: list[asyncio.Future[None]] = field(default_factory=list)

    def ring(self) -> None:
        for one in self.dozing:
            if not one.done():
                one.set_result(None)
        self.dozing.clear()

    async def doze(self, seconds: float) -> None:
        """At most so long."""
        woken = asyncio.get_running_loop().create_future()
        self.dozing.append(woken)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await woken


class DozingWorker(Worker):
    """The shipped worker, which dozes through the beats on which it would find nothing, and wakes on a beat."""

    def __init__(self, world: World, *, idle_for: Callable[[], float], bell: Bell) -> None:
        """``idle_for``: seconds in which a claim would be answered, and with nothing, unless the bell rings."""
        super().__init__(world)
        self._idle_for = idle_for
        self._bell = bell

    @override
    async def keep_up(self) -> None:
        beats = min(ceil(self._idle_for() / BEAT_S), IN_EARNEST_ONE_IN - 1)
        if beats > 0 and not self._closed:
            clock = asyncio.get_running_loop().time
            began = clock()
            await self._bell.doze(beats * BEAT_S)
            await asyncio.sleep((began - clock()) % BEAT_S)
        await super().keep_up()

    @override
    def close(self) -> None:
        super().close()
        self._bell.ring()
