"""Turns what the driver raises into the store's errors, original as cause, at the one edge where statements run."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import exc

from controller.db.store import Conflict, StoreError, StoreUnavailable

DRIVER_ERRORS = (
    exc.DBAPIError,
    exc.TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)

_UNIQUE = "23505"
_FOREIGN_KEY = "23503"
_CHECK = "23514"


@contextmanager
def store_errors() -> Iterator[None]:
    """Around calls of the driver only, never around a caller's block: its own OSError is none of ours."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translated(error) from error


def translated(error: BaseException) -> StoreError:
    """The store's word for a driver's error."""
    cause = _server_error(error)
    state = getattr(cause, "sqlstate", None) or ""
    if state in (_UNIQUE, _FOREIGN_KEY, _CHECK):
        return _conflict(str(getattr(cause, "constraint_name", "")), unique=state == _UNIQUE)
    if state[:2] in ("22", "23", "54"):  # a value the table refuses: ours to mend, trying again is no use
        return StoreError(f"the database refused a value ({state})")
    return StoreUnavailable(f"the database did not do its work ({type(cause).__name__})")


def _conflict(constraint: str, *, unique: bool) -> Conflict:
    """Constraints are named ``kind__table__field``, so their name tells what an operator must change."""
    field = constraint.rpartition("__")[2] or "id"
    return Conflict(field, f"{field} is taken" if unique else f"{field} names a row that does not exist or is in use")


def _server_error(error: BaseException) -> BaseException:
    """The driver's own exception below SQLAlchemy's two wrappers."""
    original = getattr(error, "orig", None)
    if not isinstance(original, BaseException):
        return error
    return original.__cause__ or original
