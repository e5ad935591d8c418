"""Column types: what goes in comes out equal, and what PostgreSQL cannot hold is mended or refused here."""

# `typing.override` came with Python 3.12; SQLAlchemy's own attributes are wider than any type decorator needs.
# mypy: disable-error-code="explicit-override, mutable-override"

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter
from sqlalchemy import DateTime, Dialect, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeDecorator

E = TypeVar("E", bound=StrEnum)
V = TypeVar("V")


class Instant(TypeDecorator[datetime]):
    """``timestamptz`` that takes aware times only and gives UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: nobody knows which moment they mean."""
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always UTC, whatever the session's zone."""
        del dialect
        return None if value is None else value.astimezone(UTC)


class Sealed(LargeBinary):
    """What :class:`controller.db.secrecy.Vault` sealed. Marked, so that a new key finds every such column."""


class Line(TypeDecorator[str]):
    """Text from anywhere (a BMC's answer, a path): what PostgreSQL cannot hold becomes U+FFFD, nothing is refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Mend it."""
        del dialect
        return None if value is None else clean(value)


class Word(TypeDecorator[E], Generic[E]):
    """One value of a ``StrEnum``, kept as its text: a new value needs no migration."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
        """The plain text."""
        del dialect
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        """The value again."""
        del dialect
        return None if value is None else self.words(value)


class Words(TypeDecorator[tuple[E, ...]], Generic[E]):
    """A tuple of ``StrEnum`` values as ``text[]``, in order."""

    impl = ARRAY(Text)
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: tuple[E, ...] | None, dialect: Dialect) -> list[str] | None:
        """Plain texts."""
        del dialect
        return None if value is None else [str(word) for word in value]

    def process_result_value(self, value: list[str] | None, dialect: Dialect) -> tuple[E, ...] | None:
        """The values again."""
        del dialect
        return None if value is None else tuple(self.words(word) for word in value)


class Json(TypeDecorator[Any]):
    """Any JSON value as ``jsonb``; Python's None is JSON's null (SQL's NULL is written with ``sqlalchemy.null()``)."""

    impl = JSONB
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """Value to text, past the generic JSON type."""
        del dialect
        return json_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], Any]:
        """Text to value."""
        del dialect, coltype
        return lambda text: None if text is None else json.loads(text)


class Body(TypeDecorator[V], Generic[V]):
    """A whole dataclass as ``jsonb``, written and checked by Pydantic: fields with defaults may be added freely."""

    impl = JSONB
    cache_ok = True

    def __init__(self, entity: type[V]) -> None:
        super().__init__()
        self.entity = entity
        self.adapter: TypeAdapter[V] = TypeAdapter(entity)

    def bind_processor(self, dialect: Dialect) -> Callable[[V | None], str]:
        """Dataclass to text."""
        del dialect
        dump = self.adapter.dump_python
        return lambda value: json_text(dump(cast("V", value), mode="json"))

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], V | None]:
        """Text to dataclass."""
        del dialect, coltype
        return lambda text: None if text is None else self.adapter.validate_json(text)


def clean(text: str) -> str:
    """``text`` without NUL and lone surrogates, which PostgreSQL's UTF-8 cannot hold."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def json_text(value: Any) -> str:
    """JSON that ``jsonb`` takes: like :func:`clean`, paid for only where it is needed."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if text.isascii() and "\\u0000" not in text:
        return text
    return json.dumps(_clean_all(value), ensure_ascii=False, allow_nan=False)


def _clean_all(value: Any) -> Any:
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(str(key)): _clean_all(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_clean_all(inner) for inner in value]
        case _:
            return value
