"""The store the simulation runs on: dicts, an undo log, and switches that break it on purpose.

Kept to the same promises as PostgreSQL by ``tests/contracts/test_store.py``; no real time passes in it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from typing_extensions import override

from controller.db.store import Store, StoreError, StoreUnavailable, Tx
from tests.simulation.memory_incidents import IncidentTx
from tests.simulation.memory_inventory import InventoryTx
from tests.simulation.memory_outbox import OutboxTx
from tests.simulation.memory_tables import Tables


class MemoryTx(IncidentTx, InventoryTx, OutboxTx, Tx):
    """One open transaction on a :class:`MemoryStore`."""


class MemoryStore(Store):
    """All-or-nothing transactions over dicts, one at a time.

    ``before_commit`` / ``after_commit`` are called at that moment of every transaction and may
    raise: before, nothing is stored; after, everything is, but the caller sees the exception (a
    connection lost on the way back, a crash). ``unavailable = True`` makes every transaction fail
    with :class:`StoreUnavailable`, those in the middle at their commit. ``tables`` may be read by
    the simulation at any time between transactions.
    """

    def __init__(
        self,
        *,
        before_commit: Callable[[], object] | None = None,
        after_commit: Callable[[], object] | None = None,
    ) -> None:
        self.tables = Tables()
        self.before_commit = before_commit
        self.after_commit = after_commit
        self.unavailable = False
        self.commits = 0
        self._turn = asyncio.Lock()
        self._owner: asyncio.Task[object] | None = None

    @override
    def transaction(self) -> AbstractAsyncContextManager[MemoryTx]:
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[MemoryTx]:
        task = asyncio.current_task()
        if task is not None and task is self._owner:
            raise StoreError("a transaction inside a transaction would wait for itself for ever")
        self._check_available()
        async with self._turn:
            self._check_available()
            self._owner = task
            tx = self._begin()
            try:
                yield tx
                tx.check_unbroken()
                self._check_available()
                if self.before_commit is not None:
                    self.before_commit()
            except BaseException:
                self._end(tx, commit=False)
                raise
            else:
                self._end(tx, commit=True)
                self.commits += 1
            finally:
                self._owner = None
        if self.after_commit is not None:
            self.after_commit()

    def _begin(self) -> MemoryTx:
        return MemoryTx(self.tables)

    def _end(self, tx: MemoryTx, *, commit: bool) -> None:
        tx.finish(commit=commit)

    def _check_available(self) -> None:
        if self.unavailable:
            raise StoreUnavailable("the store was switched off by the test")
