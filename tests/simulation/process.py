"""One controller process: its engine on its own ports, and the ways it can be stopped, killed or made to wait.

Every port call and every commit passes :meth:`Process.point` or :meth:`Process.spring`: the points at which a process
can die or be paused. What it holds in memory is lost with it; a command that is on its way to a BMC is not.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.db.store import StoreUnavailable
from controller.engine.supervisor import Supervisor
from controller.services.world import World

CURRENT: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("process", default=None)
"""Whose task this is; inherited by every task that one starts."""

STARTS_AGAIN_AFTER_S = 3.0


@dataclass(slots=True)
class Trap:
    """Kill the process at a point: the first one whose name starts with ``point`` once ``skip`` have passed.

    With ``deed``, let that happen instead: the world changes at the worst moment.
    """

    point: str
    skip: int = 0
    deed: Callable[[], None] | None = None


@dataclass(slots=True)
class Process:
    """One life of one controller: a new process is a new object."""

    name: str
    note: Callable[[str, str, str], None]
    world: World | None = None
    engine: Supervisor | None = None
    alive: bool = True
    traps: list[Trap] = field(default_factory=list)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    resumed: asyncio.Event = field(default_factory=asyncio.Event)
    on_death: Callable[["Process"], None] | None = None
    database_gone: bool = False
    database_late_s: float = 0.0
    """How late each transaction begins, and its answer comes."""
    devices_gone: bool = False
    expected: Callable[[], datetime | None] = lambda: None
    """The time as it would be told this process now, whatever the wall clock does."""
    last_commit_at: float = 0.0
    points: set[str] = field(default_factory=set)
    died_at: str = ""
    root: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.resumed.set()

    # -- life

    def launch(self, world: World, engine: Supervisor) -> None:
        """Start the engine; like a service manager, again and again until the database answers."""
        self.world = world
        self.engine = engine
        context = contextvars.copy_context()
        context.run(CURRENT.set, self)
        start = self._start(engine)
        self.root = asyncio.get_running_loop().create_task(start, name=f"start-{self.name}", context=context)

    async def _start(self, engine: Supervisor) -> None:
        while True:
            try:
                await engine.start()
            except StoreUnavailable:
                await asyncio.sleep(STARTS_AGAIN_AFTER_S)
            else:
                return

    def kill(self, why: str) -> None:
        """SIGKILL: nothing of it runs again, nothing is tidied up outside."""
        if not self.alive:
            return
        self.alive = False
        self.note(self.name, "killed", why)
        self.resumed.set()
        for task in self.tasks:
            task.cancel()
        if self.on_death is not None:
            self.on_death(self)

    async def stop(self) -> None:
        """SIGTERM: end the loops, let the steps under way finish."""
        if self.alive and self.engine is not None:
            self.note(self.name, "stopping", "")
            await self.engine.stop()
            self.kill("stopped in order")

    def pause(self) -> None:
        """SIGSTOP: from its next point on it does nothing."""
        if self.alive:
            self.note(self.name, "paused", "")
            self.resumed.clear()

    def resume(self) -> None:
        """SIGCONT."""
        if self.alive and not self.resumed.is_set():
            self.note(self.name, "resumed", "")
            self.resumed.set()

    # -- points

    def spring(self, point: str) -> None:
        """Die here if a trap says so. For points where nobody can wait (commits)."""
        self.points.add(point)
        if not self.alive:
            raise asyncio.CancelledError
        if not self.traps:
            return
        for trap in [trap for trap in self.traps if point.startswith(trap.point)]:
            if trap.skip > 0:
                trap.skip -= 1
                continue
            self.traps.remove(trap)
            if trap.deed is None:
                self.died_at = point
                self.kill(f"at {point}")
                raise asyncio.CancelledError
            trap.deed()

    async def point(self, point: str) -> None:
        """Wait here while paused, die here if a trap says so."""
        if self.alive and not self.traps and self.resumed.is_set():
            self.points.add(point)  # as spring() does: most points are passed like this
            return
        self.spring(point)
        while not self.resumed.is_set():
            await self.resumed.wait()
        if not self.alive:
            raise asyncio.CancelledError


def task_factory(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
    """Every task of a process is known to it, so that it can be killed as a whole."""
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
    context: contextvars.Context | None = options.get("context")
    owner = CURRENT.get() if context is None else context.get(CURRENT)
    if owner is not None:
        owner.tasks.append(task)
        if len(owner.tasks) > 256:
            owner.tasks = [known for known in owner.tasks if not known.done()]
        if not owner.alive:
            task.cancel()
    return task
