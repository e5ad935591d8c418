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


def _iso_only(raw: Any) -> Any:
    if not isinstance(raw, str) or not _DATE.match(raw):
        raise ValueError("write a time like 2026-03-01T12:00:00Z")
    return raw


def _as_whole(raw: Any) -> Any:
    """In JSON 60.0 is a whole number, and the description says so."""
    return int(raw) if isinstance(raw, float) and raw.is_integer() else raw


def _in_utc(at: datetime) -> datetime:
    if at.year not in _YEARS:
        raise ValueError("write a time like 2026-03-01T12:00:00Z")
    return at.astimezone(UTC)


# Patterns rather than validators: they stand in the description, where clients can read them.
_FREE = r"[^\x00-\x08\x0b-\x1f\x7f]*"
Text = Annotated[str, StringConstraints(max_length=1000, pattern=f"^{_FREE}$")]
"""Free text: no control characters but tab and line feed."""
Reason = Annotated[str, StringConstraints(max_length=1000, pattern=rf"^{_FREE}[^\x00-\x20\x7f]{_FREE}$")]
"""Free text that says something."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line."""
AS_WHOLE = BeforeValidator(_as_whole)
"""Write it last, behind a ``StrictInt`` and its limits: in front of these it would hide them from the description."""
Time = Annotated[AwareDatetime, BeforeValidator(_iso_only), AfterValidator(_in_utc)]
"""ISO 8601 with a zone; anything else is refused rather than guessed."""
