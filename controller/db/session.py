"""Runs statements on one connection in one transaction, with the store's errors; base of the repositories."""

from collections.abc import Sequence
from typing import Any, NoReturn

from sqlalchemy import CursorResult, Executable, RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.db.errors import store_errors
from controller.db.secrecy import Vault
from controller.db.store import Conflict, StoreError


class Session:
    """A transaction begins with the first statement; :mod:`controller.db.unit_of_work` ends it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._broken_by: StoreError | None = None
        self._over = False

    async def run(self, statement: Executable) -> CursorResult[Any]:
        """Execute one statement. After an error PostgreSQL takes no more in this transaction, and neither do we."""
        self.check_usable()
        try:
            with store_errors():
                return await self._connection.execute(statement)
        except StoreError as error:
            self._broken_by = error
            raise

    async def all(self, statement: Executable) -> Sequence[RowMapping]:
        """All rows."""
        return (await self.run(statement)).mappings().all()

    async def first(self, statement: Executable) -> RowMapping | None:
        """The first row, or None."""
        return (await self.run(statement)).mappings().first()

    async def touched(self, statement: Executable) -> bool:
        """True when the statement changed a row."""
        return (await self.run(statement)).rowcount > 0

    async def must_touch(self, statement: Executable, what: str) -> None:
        """Raise :class:`StoreError` when no row was changed: saving what was never added is a bug."""
        if not await self.touched(statement):
            raise StoreError(f"no {what}")

    def refuse(self, field: str, message: str) -> NoReturn:
        """A :class:`Conflict` of our own finding; ends the transaction like one of the database's."""
        self._broken_by = Conflict(field, message)
        raise self._broken_by

    def check_usable(self) -> None:
        """Raise when an earlier error was swallowed: such a transaction must not look committed."""
        if self._over:
            raise StoreError("the transaction is over")
        if self._broken_by is not None:
            raise StoreError("the transaction was ended by an earlier error") from self._broken_by

    def end(self) -> None:
        """Refuse everything from now on."""
        self._over = True


class Repository:
    """One subject's part of a transaction."""

    def __init__(self, session: Session, vault: Vault) -> None:
        self._session = session
        self._vault = vault
