"""Dataclass to row and back, by field name: one statement builder for every plain entity."""

from dataclasses import fields
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import RowMapping, Select, Table, Update, select, update
from sqlalchemy.dialects.postgresql import Insert, insert

from controller.db.models import Base

E = TypeVar("E")


class Mapping(Generic[E]):
    """``entity``'s fields are the columns of the same names in ``model``, but for ``without``."""

    def __init__(self, entity: type[E], model: type[Base], *, key: str = "id", without: tuple[str, ...] = ()) -> None:
        self._entity = entity
        self._key = key
        self._names = [f.name for f in fields(cast("Any", entity)) if f.name not in without]
        self.table = cast("Table", model.__table__)
        self.c = self.table.c

    def select(self) -> Select[Any]:
        """All columns of the entity."""
        return select(*(self.c[name] for name in self._names))

    def entity(self, row: RowMapping, **more: Any) -> E:
        """The entity of one row of :meth:`select`; ``more`` gives the fields the table does not hold as they are."""
        return self._entity(**{name: row[name] for name in self._names}, **more)

    def values(self, entity: E, **more: Any) -> dict[str, Any]:
        """Column values of an entity."""
        return {name: getattr(entity, name) for name in self._names} | more

    def insert(self, entity: E, **more: Any) -> Insert:
        """Insert; the caller may add a conflict clause."""
        return insert(self.table).values(self.values(entity, **more))

    def upsert(self, entity: E, **more: Any) -> Insert:
        """Insert, or write over the row with the same key."""
        values = self.values(entity, **more)
        statement = insert(self.table).values(values)
        changes = {name: statement.excluded[name] for name in values if name != self._key}
        return statement.on_conflict_do_update(index_elements=[self.c[self._key]], set_=changes)

    def update(self, entity: E) -> Update:
        """Write over a row that must exist."""
        values = self.values(entity)
        return update(self.table).where(self.c[self._key] == values.pop(self._key)).values(values)
