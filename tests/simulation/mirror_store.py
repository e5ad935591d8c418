"""Real PostgreSQL under virtual time: every call goes to it and to the store in memory, and both must say the same.

No virtual time passes while the database works: its calls run on a real event loop, and the virtual one stands still
until each has ended. Transactions take turns, as in memory.
"""

import asyncio
import os
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import asyncpg
from cryptography.fernet import Fernet
from typing_extensions import override

from controller.db import migrate
from controller.db.embedded import DATABASE, EmbeddedPostgres
from controller.db.engine import make_engine
from controller.db.store import Conflict
from controller.db.unit_of_work import PostgresStore, PostgresTx
from controller.domain.figures import Written
from tests.fixtures.postgres import FAST
from tests.simulation.memory_store import MemoryStore, MemoryTx

T = TypeVar("T")

QUIET = ("claim_due", "effects_due", "channels_due")
"""Asked on every beat; where memory says that nothing is due, PostgreSQL is asked each time in ``ONE_IN`` only."""

ONE_IN = 20

REPEATED = (
    "hosts",
    "setting_rows",
    "healths",
    "open_hosts",
    "pauses",
    "controllers",
    "attempts_unfinished",
    "database_identity",
    "hosts_beside",
    "cloud_report",
)
"""Reads without a lock, made on every beat: where memory says what it said when PostgreSQL last agreed, PostgreSQL is
asked each time in ``AGAIN_ONE_IN`` only. What is written is always written there."""

AGAIN_ONE_IN = 5

COMPARED = frozenset(
    {
        *("claim_due", "incident_for_update", "extend_lease", "open_incident", "incident", "open_incident_of"),
        *("open_hosts", "briefs", "attempts_since", "attempts_unfinished", "attempts_of", "effects_due", "effects_of"),
        *("hosts_beside", "hosts_with_device", "setting_rows", "health", "healths", "pauses", "controllers"),
        *("add_notice", "host", "hosts"),
    }
)
"""Reads whose answers steer the engine."""


class StoresDiffer(Exception):  # noqa: N818 - reads as what it is
    """PostgreSQL and memory gave different answers: one of them breaks the port's promise."""


class RealLoop:
    """An event loop on real time that :meth:`run` drives by itself, also from within a running virtual one.

    A thread of its own for it took twice as long: every call went to it and back.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Blocks the caller, and its loop, until ``work`` is done."""
        standing_still = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            return self._loop.run_until_complete(work)
        finally:
            asyncio._set_running_loop(standing_still)

    def close(self) -> None:
        self._loop.close()


@contextmanager
def server() -> Iterator[str]:
    """A PostgreSQL with a migrated template database, for as long as the block lasts: its URL."""
    with asyncio.Runner() as real, tempfile.TemporaryDirectory(prefix="hostfence-sim-") as folder:
        Path(folder).chmod(0o711)
        postgres = EmbeddedPostgres(Path(folder) / "data", settings=FAST)
        url = real.run(postgres.start())
        try:
            real.run(migrate.upgrade(url))
            yield url
        finally:
            real.run(postgres.stop())


class RealDatabase:
    """A database of this process's own, emptied before every schedule."""

    def __init__(self, server_url: str) -> None:
        self.loop = RealLoop()
        self._url = f"{server_url.rpartition('/')[0]}/sim_{os.getpid()}"
        self._admin = f"{server_url.rpartition('/')[0]}/postgres"
        self.loop.run(_execute(self._admin, f'CREATE DATABASE "sim_{os.getpid()}" TEMPLATE "{DATABASE}"'))
        self._engine = make_engine(self._url, pool_size=2)
        self.store = PostgresStore(self._engine, keys=[Fernet.generate_key().decode()])

    def empty(self) -> None:
        self.loop.run(_empty(self._url))

    def close(self) -> None:
        """Take it away again."""
        self.loop.run(self._engine.dispose())
        self.loop.run(_execute(self._admin, f'DROP DATABASE "sim_{os.getpid()}"'))
        self.loop.close()


class MirrorStore(MemoryStore):
    """The store in memory, with PostgreSQL beside it."""

    def __init__(self, database: RealDatabase) -> None:
        super().__init__()
        self._database = database
        self._agreed: dict[tuple[str, str], list[Any]] = {}
        database.empty()

    @override
    def begin(self) -> MemoryTx:
        return cast("MemoryTx", _MirrorTx(MemoryTx(self.tables), self._database, self._agreed))

    @override
    def end(self, tx: MemoryTx, *, commit: bool) -> None:
        mirror = cast("_MirrorTx", tx)
        try:
            mirror.end_real(commit=commit)
        except BaseException:
            mirror.memory.finish(commit=False)
            raise
        mirror.memory.finish(commit=commit)


class _MirrorTx:
    """One transaction on both; PostgreSQL's begins with the first call that is for it."""

    quiet = 0

    def __init__(self, memory: MemoryTx, database: RealDatabase, agreed: dict[tuple[str, str], list[Any]]) -> None:
        self.memory = memory
        self._agreed = agreed
        self._database = database
        self._opened: AbstractAsyncContextManager[PostgresTx] | None = None
        self._real: PostgresTx | None = None

    @property
    def written(self) -> list[Written]:
        return self.memory.written

    def __getattr__(self, name: str) -> Any:
        if name == "check_unbroken":
            return self.memory.check_unbroken

        async def call(*args: Any, **options: Any) -> Any:
            said, error = None, None
            try:
                said = await getattr(self.memory, name)(*args, **options)
            except Conflict as conflict:
                error = conflict
            if name in QUIET and not said and self._opened is None:
                _MirrorTx.quiet += 1
                if _MirrorTx.quiet % ONE_IN:
                    return said
            if name in REPEATED and self._said_before(name, said, args, options):
                return said
            self._compare(name, said, error, args, options)
            if error is not None:
                raise error
            return said

        return call

    def _said_before(self, name: str, said: object, args: tuple[Any, ...], options: dict[str, Any]) -> bool:
        question = (name, f"{args}{options}")
        known = self._agreed.get(question)
        if known is None or known[0] != said or known[1] >= AGAIN_ONE_IN:
            self._agreed[question] = [said, 1]
            return False
        known[1] += 1
        return True

    def _compare(
        self, name: str, said: object, error: Conflict | None, args: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        try:
            answer = self._database.loop.run(getattr(self._tx(), name)(*args, **options))
        except Conflict as conflict:
            if error is None or conflict.field != error.field:
                msg = f"{name}: PostgreSQL refuses {conflict.field}, memory {error and error.field}"
                raise StoresDiffer(msg) from conflict
            return
        if error is not None or (name in COMPARED and answer != said):
            msg = f"{name}{args}{options}\nPostgreSQL: {answer}\nmemory:     {error or said}"
            raise StoresDiffer(msg)

    def _tx(self) -> PostgresTx:
        if self._real is None:
            self._opened = self._database.store.transaction()
            self._real = self._database.loop.run(_enter(self._opened))
        return self._real

    def end_real(self, *, commit: bool) -> None:
        opened, self._opened = self._opened, None
        if opened is None:
            return
        if commit:
            self._database.loop.run(_leave(opened))
            return
        with suppress(_RolledBack):
            self._database.loop.run(_leave(opened, _RolledBack()))


class _RolledBack(Exception):  # noqa: N818
    """Ends a transaction without its changes."""


async def _enter(opened: AbstractAsyncContextManager[PostgresTx]) -> PostgresTx:
    return await opened.__aenter__()


async def _leave(opened: AbstractAsyncContextManager[PostgresTx], error: Exception | None = None) -> None:
    await opened.__aexit__(type(error) if error else None, error, None)


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _empty(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT IN ('alembic_version', 'time_base')"
        )
        # For a few rows this takes a tenth of the time of TRUNCATE, which makes new files; in any order, past triggers.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("; ".join(f'DELETE FROM "{row[0]}"' for row in rows))  # noqa: S608 - from the catalog
    finally:
        await connection.close()
