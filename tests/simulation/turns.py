"""Turns at power devices in the simulated database, kept to what ``controller/db/turns.py`` does in SQL."""

from dataclasses import dataclass

from typing_extensions import override

from controller.db.turns import WANTED_FOR
from controller.power.gate import Turns
from tests.simulation.memory_store import MemoryStore
from tests.simulation.process import Process
from tests.simulation.universe import Universe

LONG_AGO = float("-inf")


@dataclass(slots=True)
class Row:
    """Of one device. Times are seconds of the schedule: steps of clocks are the clock's own business."""

    holder: str
    until: float
    commanded_at: float = LONG_AGO
    wanted_by: str = ""
    wanted_until: float = LONG_AGO


class SimTurns(Turns):
    """One process's. ``rows`` are shared by all, like a table."""

    def __init__(self, process: Process, universe: Universe, store: MemoryStore, rows: dict[str, Row]) -> None:
        self._process = process
        self._universe = universe
        self._store = store
        self._rows = rows

    @override
    async def take(self, device: str, *, for_s: float, apart_s: float | None) -> bool:
        await self._process.point("turn")
        if not self._database_answers():
            return False
        now, me = self._universe.now(), self._process.name
        row = self._rows.get(device)
        if row is None:
            self._rows[device] = Row(me, now + for_s)
            return True
        unwanted = row.wanted_until <= now or row.wanted_by == me
        due = unwanted if apart_s is None else row.commanded_at <= now - apart_s
        if (row.until <= now or row.holder == me) and due:
            row.holder, row.until = me, now + for_s
            if row.wanted_by == me:
                row.wanted_until = LONG_AGO
            return True
        if apart_s is not None and unwanted:
            row.wanted_by, row.wanted_until = me, now + WANTED_FOR.total_seconds()
        return False

    @override
    async def give_back(self, device: str, *, commanded: bool) -> None:
        """The dead give nothing back: it ends by itself."""
        row = self._rows.get(device)
        if row is None or row.holder != self._process.name or not self._process.alive or not self._database_answers():
            return
        row.until = LONG_AGO
        if commanded:
            row.commanded_at = self._universe.now()

    def _database_answers(self) -> bool:
        return not (self._process.database_gone or self._store.unavailable)
