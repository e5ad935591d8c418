"""What every kind of mishap stands on: the simulation it is bound to, and later moments."""

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.memory_tables import Tables
from tests.simulation.plan import Mishap

if TYPE_CHECKING:
    from tests.simulation.sim import Simulation


class MishapBase:
    """Bound to one simulation. What a subclass calls without an underscore is a kind of mishap."""

    def __init__(self, simulation: "Simulation") -> None:
        self._sim = simulation
        self._u = simulation.universe
        self.tasks: list[asyncio.Task[None]] = []
        self._ids = itertools.count()
        self._backup: Tables | None = None

    def happen(self, mishap: Mishap) -> None:
        """Let it happen now."""
        self._u.note("world", mishap.kind, ", ".join(str(a) for a in mishap.args))
        self._sim.facts.coverage.marks.add(f"mishap {mishap.label}")
        getattr(self, mishap.kind)(*mishap.args)

    def _later(self, after: float, what: Callable[..., object], *args: object) -> None:
        self._u.loop.call_later(after, what, *args)
