"""Manners towards BMCs, within one controller process: one operation at a time per device, commands spaced apart.

Between processes the claim on the incident and the database do the same; this is the last metre. BMCs are small
computers: two sessions at once or commands in quick succession make real ones answer "node busy", or nothing at all.
"""

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from controller.domain.power import PowerAction

_READS = (PowerAction.STATUS, PowerAction.TEST)


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
        spacing_s: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``spacing_s`` lies between the end of one command and the start of the next; reads keep no distance."""
        self._spacing_s = spacing_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._lanes: dict[str, _Lane] = {}
        self._arrivals = 0

    @asynccontextmanager
    async def turn(self, identity: str, action: PowerAction) -> AsyncIterator[None]:
        """Hold the device ``identity`` for one operation. Waiting has no limit here: give one with ``asyncio.timeout``.

        A command waits out its spacing while it holds the turn, so that reads that arrive later cannot push it back.
        """
        lane = self._lanes.setdefault(identity, _Lane())
        await self._enter(lane, _rank(action))
        try:
            if action in _READS:
                yield
            else:
                await self._keep_distance(lane)
                try:
                    yield
                finally:
                    lane.last_command_at = self._monotonic()
        finally:
            _pass_on(lane)

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
