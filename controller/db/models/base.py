"""What all tables share: names of constraints that tell the field (see :mod:`controller.db.errors`)."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

NAMES = {
    "pk": "pk__%(table_name)s__%(column_0_name)s",
    "uq": "uq__%(table_name)s__%(column_0_name)s",
    "fk": "fk__%(table_name)s__%(column_0_name)s",
    "ck": "ck__%(table_name)s__%(constraint_name)s",
    "ix": "ix__%(table_name)s__%(column_0_name)s",
}


class Base(DeclarativeBase):
    """Root of the declarative tables."""

    metadata = MetaData(naming_convention=NAMES)
