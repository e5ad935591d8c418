"""Runs statements on one connection in one transaction, with the store's errors; base of the repositories."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from sqlalchemy import CursorResult, Executable, RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.db.errors import store_errors
from controller.db.secrecy import Vault
from controller.db.store import Conflict, StoreError
from controller.domain.figures import Written


class Session:
    """A transaction begins with the first statement; :mod:`controller.db.unit_of_work` ends it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._broken_by: StoreError | None = None
        self._over = False
        self.written: list[Written] = []
        """What the listener is told of after the commit."""

    async def run(self, statement: Executable, values: Mapping[str, Any] | None = None) -> CursorResult[Any]:
        """Execute one statement. After an error PostgreSQL takes no more in this transaction, and neither do we.

        ``values`` of its bound parameters: what every step runs is put together once, as that costs more than running.
        """
        self.check_usable()
        try:
            with store_errors():
                return await self._connection.execute(statement, values)
        except StoreError as error:
            self._broken_by = error
            raise

    async def all(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """All rows."""
        return (await self.run(statement, values)).mappings().all()

    async def first(self, statement: Executable, values: Mapping[str, Any] | None = None) -> RowMapping | None:
        """The first row, or None."""
        return (await self.run(statement, values)).mappings().first()

    async def touched(self, statement: Executable, values: Mapping[str, Any] | None = None) -> bool:
        """True when the statement changed a row."""
        return (await self.run(statement, values)).rowcount > 0

    async def must_touch(self, statement: Executable, what: str, values: Mapping[str, Any] | None = None) -> None:
        """Raise :class:`StoreError` when no row was changed: saving what was never added is a bug."""
        if not await self.touched(statement, values):
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
