"""Runs the loops of one controller process side by side, each on its own beat; one that fails is logged and goes on.

The engine does not stop because the database does not answer: every loop tries again on its next beat.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from controller.db.store import StoreUnavailable
from controller.engine import certificates, cloud_watch, effects, presence, readiness
from controller.engine.cloud_watch import CloudWatch
from controller.engine.watcher import POLL_S, Watcher
from controller.engine.worker import WORKER, Worker
from controller.services.world import World

log = structlog.get_logger(__name__)


LAST_BEAT_S = 20.0
"""How long a loop may take to end what it is doing when the process is asked to stop."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One thing done again and again, ``every`` so many seconds. ``stop``: ends what its beats left under way.

    ``may_take_s``: a process whose loop has not got through for longer is not fit for work; None where that keeps
    nobody waiting.
    """

    name: str
    every: float
    beat: Callable[[], Awaitable[object]]
    stop: Callable[[], Awaitable[object]] | None = None
    may_take_s: float | None = None


class Supervisor:
    """One process's engine."""

    def __init__(self, world: World, *, extra: tuple[Loop, ...] = ()) -> None:
        """``extra``: loops of other rooms (the notifier), given by bootstrap."""
        self._world = world
        self.worker = Worker(world)
        self.watcher = Watcher(world)
        self.cloud_watch = CloudWatch(world)
        self._loops = (
            Loop(WORKER, 0.25, self._work, may_take_s=60.0),
            # It asks neighbors about every host that fell silent, one after the other: a storm takes its time.
            Loop("watcher", POLL_S, self.watcher.poll, may_take_s=120.0),
            Loop("effects", 1.0, lambda: effects.do_due(world), may_take_s=300.0),
            Loop("readiness", 5.0, self._check_devices),
            Loop("presence", 10.0, lambda: presence.alive(world), may_take_s=60.0),
            Loop("tidy", 30.0, lambda: presence.tidy(world)),
            Loop("certificates", certificates.LOOK_EVERY_S, lambda: certificates.warn(world)),
            Loop("cloud", cloud_watch.POLL_S, self.cloud_watch.poll),
            Loop("inventory", cloud_watch.SYNC_S, self.cloud_watch.sync),
            *extra,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._resting: set[asyncio.Task[None] | None] = set()
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Announce this controller, then start every loop."""
        await presence.begin(self._world)
        pulse, at = self._world.pulse, self._world.clock.boottime()
        for loop in self._loops:
            pulse.begin(loop.name, may_take_s=loop.may_take_s, at=at)
        self._tasks = [asyncio.create_task(self._run(loop), name=f"loop-{loop.name}") for loop in self._loops]
        pulse.started = True

    async def stop(self) -> None:
        """Begin nothing new; let every loop end its beat, and the steps under way finish.

        A beat cut off would leave behind what others can take up only later: claims, commands of unknown fate.
        """
        self._stopping.set()
        self.worker.close()
        for task in self._resting:
            if task is not None:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_BEAT_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*[loop.stop() for loop in self._loops if loop.stop is not None])
        await self.worker.drain()

    async def _work(self) -> None:
        """A newcomer counts as isolated until its first poll: a round applied before voids the others' evidence."""
        if self.watcher.polled:
            await self.worker.keep_up()

    async def _check_devices(self) -> None:
        """What a device says counts beside an answer of its host: a newcomer must know first whom it hears."""
        if self.watcher.polled:
            await readiness.check_devices(self._world)

    async def _run(self, loop: Loop) -> None:
        me = asyncio.current_task()
        while not self._stopping.is_set():
            well = False
            try:
                await loop.beat()
                well = True
            except StoreUnavailable as error:
                log.warning("database does not answer", loop=loop.name, error=str(error))
            except Exception:
                log.exception("loop failed", loop=loop.name)
            self._world.pulse.ended(loop.name, well=well, at=self._world.clock.boottime())
            if self._stopping.is_set():
                return
            self._resting.add(me)
            await self._world.clock.sleep(loop.every)
            self._resting.discard(me)
