"""An asyncio event loop on virtual time: it never waits, it jumps. No threads, no sockets, the same every time.

A schedule takes thousands of turns of it, so it keeps its timers itself: pairs that compare without a call, and
handles without what only debugging and real files need.
"""

import asyncio
import contextvars
import heapq
import itertools
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

from typing_extensions import override

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Deadlock(Exception):  # noqa: N818 - reads as what it is
    """Nothing is ready and nothing is scheduled: everybody waits for somebody, for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Sleeping, time-outs and everything made of them work as usual; only no time passes outside.

    Where a real loop would wait for its files until the next timer, this one moves its clock there. What is due at one
    moment happens in the order in which it was asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._next: list[tuple[float, int, _Timer]] = []
        self._count = itertools.count()
        self._ready: Any
        """The base class's: what C calls back through :meth:`call_soon`."""
        self._stopping: bool

    @override
    def time(self) -> float:
        return self._now

    @override
    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    @override
    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    @override
    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        heapq.heappush(self._next, (when, next(self._count), timer))
        return timer

    def _run_once(self) -> None:
        """One turn, as the base class calls it: all that is ready now, then the clock goes to what is next."""
        ready = self._ready
        while ready:
            handle = ready.popleft()
            if handle._cancelled:
                continue
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio's own handles do
                self.call_exception_handler({"message": "a callback failed", "exception": error, "handle": handle})
            if self._stopping:
                return
        upcoming = self._next
        while upcoming and upcoming[0][2]._cancelled:
            heapq.heappop(upcoming)
        if not upcoming:
            raise Deadlock("nothing is scheduled")
        self._now = now = max(self._now, upcoming[0][0])
        while upcoming and upcoming[0][0] <= now:
            ready.append(heapq.heappop(upcoming)[2])

    get_debug = staticmethod(bool)
    """False, and without a call of Python code: asyncio asks for every task and every timer."""

    def _asyncgen_firstiter_hook(self, agen: AsyncGenerator[Any, Any]) -> None:
        """Every one is ended by its own task here: none has to be remembered."""

    def _process_events(self, event_list: list[Any]) -> None:
        """There are never any."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


class _Handle(asyncio.Handle):
    """A callback; nothing is kept for debugging."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """A callback at a time. A cancelled one stays where it is until its time comes."""

    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self._scheduled = False

    @override
    def cancel(self) -> None:
        self._cancelled = True
        self._callback = _nothing
        self._args = ()


def _nothing() -> None:
    """What a cancelled timer calls."""


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
