"""Dataclass to row and back, by field name: the statements of every plain entity, put together once."""

from dataclasses import fields
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import RowMapping, Select, Table, Update, bindparam, select, update
from sqlalchemy.dialects.postgresql import Insert, insert

from controller.db.models import Base

E = TypeVar("E")


class Mapping(Generic[E]):
    """``entity``'s fields are the columns of the same names in ``model``, but for ``without``.

    ``inserting``, ``upserting`` and ``updating`` take the values as parameters: to put such a statement together takes
    longer than to run it.
    """

    def __init__(
        self,
        entity: type[E],
        model: type[Base],
        *,
        key: str = "id",
        without: tuple[str, ...] = (),
    ) -> None:
        self._entity = entity
        self._key = key
        self._names = [f.name for f in fields(cast("Any", entity)) if f.name not in without]
        self.table = cast("Table", model.__table__)
        self.c = self.table.c
        self._written = [name for name in (*self._names, *without) if name in self.c and name != key]
        self.inserting = insert(self.table)

    @cached_property
    def upserting(self) -> Insert:
        """Insert, or write over the row with the same key."""
        written = {name: self.inserting.excluded[name] for name in self._written}
        return self.inserting.on_conflict_do_update(index_elements=[self.c[self._key]], set_=written)

    @cached_property
    def updating(self) -> Update:
        """Write over a row that must exist."""
        return update(self.table).where(self.c[self._key] == bindparam("known_key"))

    def select(self) -> Select[Any]:
        """All columns of the entity."""
        return select(*(self.c[name] for name in self._names))

    def entity(self, row: RowMapping, **more: Any) -> E:
        """The entity of one row of :meth:`select`; ``more`` gives the fields the table does not hold as they are."""
        return self._entity(**{name: row[name] for name in self._names}, **more)

    def values(self, entity: E, **more: Any) -> dict[str, Any]:
        """Column values of an entity: for ``inserting`` and ``upserting``."""
        return {name: getattr(entity, name) for name in self._names} | more

    def changes(self, entity: E) -> dict[str, Any]:
        """The same for ``updating``."""
        values = self.values(entity)
        return values | {"known_key": values[self._key]}
