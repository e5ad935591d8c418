"""The store the simulation runs on: dicts, an undo log, and switches that break it on purpose.

Kept to the same promises as PostgreSQL by ``tests/contracts/test_store.py``; no real time passes in it.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from typing_extensions import override

from controller.db.store import Listener, Store, StoreError, StoreUnavailable, Tx, nobody_listens
from tests.simulation.memory_counting import CountingTx
from tests.simulation.memory_incidents import IncidentTx
from tests.simulation.memory_inventory import InventoryTx
from tests.simulation.memory_outbox import OutboxTx
from tests.simulation.memory_pages import PagesTx
from tests.simulation.memory_tables import Tables


class MemoryTx(IncidentTx, InventoryTx, OutboxTx, PagesTx, CountingTx, Tx):
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
        listener: Listener = nobody_listens,
    ) -> None:
        self.tables = Tables()
        self.before_commit = before_commit
        self.after_commit = after_commit
        self.listener = listener
        self.unavailable = False
        self.commits = 0
        self.turn = asyncio.Lock()
        self.owner: asyncio.Task[object] | None = None

    @override
    def transaction(self) -> AbstractAsyncContextManager[MemoryTx]:
        return _Transaction(self)

    def begin(self) -> MemoryTx:
        return MemoryTx(self.tables)

    def end(self, tx: MemoryTx, *, commit: bool) -> None:
        tx.finish(commit=commit)

    def give_up_turn(self) -> None:
        self.owner = None
        self.turn.release()

    def check_available(self) -> None:
        if self.unavailable:
            raise StoreUnavailable("the store was switched off by the test")


class _Transaction(AbstractAsyncContextManager[MemoryTx]):
    """A class, because a generator would cost a schedule a twentieth of its time."""

    __slots__ = ("_store", "_tx")

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._tx: MemoryTx | None = None

    @override
    async def __aenter__(self) -> MemoryTx:
        store, task = self._store, asyncio.current_task()
        if task is not None and task is store.owner:
            raise StoreError("a transaction inside a transaction would wait for itself for ever")
        store.check_available()
        await store.turn.acquire()
        try:
            store.check_available()
            store.owner = task
            self._tx = store.begin()
        except BaseException:
            store.give_up_turn()
            raise
        return self._tx

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        store = self._store
        try:
            self._finish(failed=error is not None)
        finally:
            store.give_up_turn()
        if error is not None:
            return
        if store.after_commit is not None:
            store.after_commit()
        if self._tx is not None and self._tx.written:
            store.listener(self._tx.written)

    def _finish(self, *, failed: bool) -> None:
        store, tx = self._store, self._tx
        assert tx is not None
        if failed:
            store.end(tx, commit=False)
            return
        try:
            tx.check_unbroken()
            store.check_available()
            if store.before_commit is not None:
                store.before_commit()
        except BaseException:
            store.end(tx, commit=False)
            raise
        store.end(tx, commit=True)
        store.commits += 1
