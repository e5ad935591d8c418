"""Everything that lies encrypted in the database, whatever table it is in: which key opens it, and sealing it anew.

Carries rule 7 over a change of the key: a column is found by its type, so that none can be forgotten.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Column, Table, select, tuple_, update

from controller.db.models import Base
from controller.db.secrecy import KeyMismatchError
from controller.db.session import Repository
from controller.db.types import Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Seals:
    """How many values there are: ``current`` are open to the first key, ``older`` to another, ``lost`` to none."""

    current: int = 0
    older: int = 0
    lost: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.current + self.older + self.lost


def sealed_columns() -> Iterator[tuple[Table, Column[bytes]]]:
    """Every column that holds sealed values."""
    for table in Base.metadata.sorted_tables:
        yield from ((table, column) for column in table.columns if isinstance(column.type, Sealed))


class SealedRepository(Repository):
    """Beside :class:`controller.db.store.Tx`: the store in memory has no keys."""

    async def seals(self) -> Seals:
        """Which keys open what there is."""
        current = older = lost = 0
        for table, column in sealed_columns():
            for row in await self._session.all(select(column).select_from(table).where(column.is_not(None))):
                if self._vault.is_current(row[column.name]):
                    current += 1
                elif self._opens(row[column.name]):
                    older += 1
                else:
                    lost += 1
        return Seals(current=current, older=older, lost=lost)

    async def reseal(self) -> int:
        """Seal anew, with the first key, whatever another one was used for; returns how many values that were.

        Raises:
            KeyMismatchError: something is open to none of the keys; leave the transaction, nothing is changed then.
        """
        done = 0
        for table, column in sealed_columns():
            key = tuple(table.primary_key.columns)
            statement = select(*key, column).where(column.is_not(None)).with_for_update()
            for row in await self._session.all(statement):
                if self._vault.is_current(row[column.name]):
                    continue
                anew = self._vault.seal(self._vault.open(row[column.name]))
                which = tuple_(*key) == tuple_(*(row[one.name] for one in key))
                await self._session.run(update(table).where(which).values({column: anew}))
                done += 1
        return done

    def _opens(self, sealed: bytes) -> bool:
        try:
            self._vault.open(sealed)
        except KeyMismatchError:
            return False
        return True
