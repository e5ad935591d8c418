"""The store on PostgreSQL: one short transaction over all repositories, committed or rolled back at its edge."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from sqlalchemy.ext.asyncio import AsyncEngine

from controller.db.errors import DRIVER_ERRORS, store_errors
from controller.db.repositories.access import AccessRepository
from controller.db.repositories.acting import ActingRepository
from controller.db.repositories.cloud import CloudRepository
from controller.db.repositories.counting import CountingRepository
from controller.db.repositories.enrolment import EnrolmentRepository
from controller.db.repositories.incidents import IncidentRepository
from controller.db.repositories.inventory import InventoryRepository
from controller.db.repositories.machines import MachineRepository
from controller.db.repositories.marks import MarksRepository
from controller.db.repositories.outbox import OutboxRepository
from controller.db.repositories.sealed import SealedRepository
from controller.db.repositories.settings import SettingRepository
from controller.db.repositories.sign_in import SignInRepository
from controller.db.secrecy import Vault
from controller.db.session import Session
from controller.db.store import Listener, Store, nobody_listens


class PostgresTx(
    IncidentRepository,
    ActingRepository,
    InventoryRepository,
    MachineRepository,
    SettingRepository,
    OutboxRepository,
    AccessRepository,
    EnrolmentRepository,
    CloudRepository,
    SignInRepository,
    MarksRepository,
    SealedRepository,
    CountingRepository,
):
    """One open transaction; see :class:`controller.db.store.Tx`. Changing keys is PostgreSQL's alone."""


class PostgresStore:
    """See :class:`controller.db.store.Store`.

    Args:
        engine: of :func:`controller.db.engine.make_engine`; its maker disposes of it.
        keys: Fernet keys for secrets at rest; the first one writes, all of them read.
        listener: told of what was committed.
    """

    def __init__(self, engine: AsyncEngine, *, keys: Sequence[str], listener: Listener = nobody_listens) -> None:
        self._engine = engine
        self._vault = Vault(keys)
        self._listener = listener

    def transaction(self) -> AbstractAsyncContextManager[PostgresTx]:
        """One short transaction; never held open over the network."""
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[PostgresTx]:
        with store_errors():
            connection = await self._engine.connect()
        session = Session(connection)
        try:
            try:
                yield PostgresTx(session, self._vault)
                session.check_usable()
            except BaseException:
                # The block's own error is what the caller must see; a dead connection has rolled back already.
                with suppress(*DRIVER_ERRORS):
                    await asyncio.shield(connection.rollback())
                raise
            with store_errors():
                await connection.commit()
        finally:
            session.end()
            with suppress(*DRIVER_ERRORS):
                await asyncio.shield(connection.close())
        if session.written:
            self._listener(session.written)


def _keeps_the_port(store: PostgresStore) -> Store:
    return store
