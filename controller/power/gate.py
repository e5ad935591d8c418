"""Manners towards BMCs: one operation at a time per device over all controllers, commands spaced apart.

BMCs are small computers: two sessions at once or commands in quick succession make real ones answer "node busy", or
nothing at all. That would be an *unknown* in the middle of a proof. Rule 4 does not rest on this: between controllers
the intents carry it (:mod:`controller.domain.in_flight`); this is the last metre, and holds for reads too.
"""

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from controller.domain.power import PowerAction

_READS = (PowerAction.STATUS, PowerAction.TEST)


_ASK_AGAIN_S = 0.1
_GRACE_S = 2.0
"""What an operation may take beyond its deadline: a driver's second, and one for us."""


class Turns(Protocol):
    """Whose turn it is at a device, over all controllers. Within one process the gate sees to that."""

    async def take(self, device: str, *, for_s: float, apart_s: float | None) -> bool:
        """Hold ``device`` for ``for_s`` seconds at most; False while another controller does, or it cannot be known.

        ``apart_s``: for a command, so long after the end of the last one. While it is refused, reads of others are too.
        None: for a read.
        """
        ...

    async def give_back(self, device: str, *, commanded: bool) -> None:
        """Let others have it, a command ``apart_s`` later where it was ``commanded``. Never raises."""
        ...


class OnlyUs:
    """The turns of a controller that has its database for itself."""

    async def take(self, device: str, *, for_s: float, apart_s: float | None) -> bool:
        """Nobody else is there."""
        del device, for_s, apart_s
        return True

    async def give_back(self, device: str, *, commanded: bool) -> None:
        """Nobody waits for it."""


@dataclass(slots=True)
class _Lane:
    """The queue in front of one device. ``waiting`` is a heap of (rank, arrival, ticket)."""

    taken: bool = False
    last_command_at: float | None = None
    waiting: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)


class Gate:
    """Hands out turns per BMC identity: destructive commands first, then other commands, then status reads."""

    def __init__(
        self,
        *,
        turns: Turns | None = None,
        spacing_s: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``spacing_s`` lies between the end of one command and the start of the next; reads keep no distance."""
        self._turns = turns or OnlyUs()
        self._spacing_s = spacing_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._lanes: dict[str, _Lane] = {}
        self._arrivals = 0

    @asynccontextmanager
    async def turn(self, device: str, action: PowerAction, *, deadline_s: float) -> AsyncIterator[None]:
        """Hold ``device`` for one operation that lasts as long as that. Waiting has no limit: ``asyncio.timeout`` has.

        A command waits out its spacing while it holds the turn, so that reads that arrive later cannot push it back.
        """
        lane = self._lanes.setdefault(device, _Lane())
        await self._enter(lane, _rank(action))
        try:
            if action in _READS:
                async with self._over_all(device, deadline_s, apart_s=None):
                    yield
            else:
                await self._keep_distance(lane)
                async with self._over_all(device, deadline_s, apart_s=self._spacing_s):
                    try:
                        yield
                    finally:
                        lane.last_command_at = self._monotonic()
        finally:
            _pass_on(lane)

    @asynccontextmanager
    async def _over_all(self, device: str, deadline_s: float, *, apart_s: float | None) -> AsyncIterator[None]:
        """Whether a turn was given that nobody waited for any more is not known: it is given back all the same."""
        taken = False
        try:
            while not (taken := await self._turns.take(device, for_s=deadline_s + _GRACE_S, apart_s=apart_s)):
                await self._sleep(_ASK_AGAIN_S)
            yield
        finally:
            await self._turns.give_back(device, commanded=taken and apart_s is not None)

    async def _enter(self, lane: _Lane, rank: int) -> None:
        if not lane.taken:
            lane.taken = True
            return
        self._arrivals += 1
        ticket = asyncio.get_running_loop().create_future()
        heapq.heappush(lane.waiting, (rank, self._arrivals, ticket))
        try:
            await ticket
        except asyncio.CancelledError:
            if ticket.done() and not ticket.cancelled():
                _pass_on(lane)  # the turn was given in the same moment: it must not be lost
            raise

    async def _keep_distance(self, lane: _Lane) -> None:
        if lane.last_command_at is None:
            return
        missing = lane.last_command_at + self._spacing_s - self._monotonic()
        if missing > 0:
            await self._sleep(missing)


def _rank(action: PowerAction) -> int:
    if action.destructive:
        return 0
    return 2 if action in _READS else 1


def _pass_on(lane: _Lane) -> None:
    while lane.waiting:
        _, _, ticket = heapq.heappop(lane.waiting)
        if not ticket.done():
            ticket.set_result(None)
            return
    lane.taken = False
