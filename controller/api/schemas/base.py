"""What all wire models share: texts without control characters, times with a zone, no unknown fields."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, StringConstraints

_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
_YEARS = range(2000, 3000)


class Body(BaseModel):
    """What callers send. A field that is not known is a mistake, and saying so is kind."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """What callers get, read from our own values. Durations are numbers of seconds."""

    model_config = ConfigDict(from_attributes=True, ser_json_timedelta="float")


def _plain(text: str) -> str:
    if any(ord(letter) < 32 and letter not in "\n\t" for letter in text):
        raise ValueError("leave out control characters")
    return text


def _iso_only(raw: Any) -> Any:
    if not isinstance(raw, str) or not _DATE.match(raw):
        raise ValueError("write a time like 2026-03-01T12:00:00Z")
    return raw


def _in_utc(at: datetime) -> datetime:
    if at.year not in _YEARS:
        raise ValueError("write a time like 2026-03-01T12:00:00Z")
    return at.astimezone(UTC)


Text = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_plain)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000), AfterValidator(_plain)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_plain)]
Time = Annotated[AwareDatetime, BeforeValidator(_iso_only), AfterValidator(_in_utc)]
"""ISO 8601 with a zone; anything else is refused rather than guessed."""
