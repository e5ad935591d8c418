"""An asyncio event loop on virtual time: it never waits, it jumps. No threads, no sockets, the same every time."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from typing_extensions import override

T = TypeVar("T")


class Deadlock(Exception):  # noqa: N818 - reads as what it is
    """Nothing is ready and nothing is scheduled: everybody waits for somebody, for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Sleeping, time-outs and everything made of them work as usual; only no time passes outside.

    It has no selector but itself: where a real loop would wait for its files until the next timer, this one moves its
    clock there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self
        self.iterations = 0

    @override
    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Stands in for waiting, as the base class calls it."""
        self.iterations += 1
        if timeout is None:
            raise Deadlock("nothing is scheduled")
        if timeout > 0:
            self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are never any."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` to its end on a loop of its own, then end what is left running."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        left = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
