"""A worker that asks the store only when something is due: on most of its beats, four a second, nothing is.

Two thirds of all transactions of a schedule were claims of nothing. Every eighth beat it asks in earnest all the same.
"""

from collections.abc import Callable

from typing_extensions import override

from controller.engine.worker import Worker
from controller.services.world import World

IN_EARNEST_ONE_IN = 8


class IdlingWorker(Worker):
    """The shipped worker, spared the beats on which it would find nothing."""

    def __init__(self, world: World, *, idle: Callable[[], bool]) -> None:
        """``idle``: true when a claim would now be answered, and with nothing."""
        super().__init__(world)
        self._idle = idle
        self._beats = 0

    @override
    async def keep_up(self) -> None:
        self._beats += 1
        if self._beats % IN_EARNEST_ONE_IN and self._idle():
            return
        await super().keep_up()
