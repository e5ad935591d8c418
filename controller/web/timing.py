"""Moments and spans as people read them. The browser puts moments into its own zone; these are what it starts from."""

from datetime import UTC, datetime, timedelta

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def moment(at: datetime) -> str:
    """``2026-03-01 12:00:05 UTC``."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def machine(at: datetime) -> str:
    """For attributes: ISO 8601 with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span(length: timedelta, brief: bool = False) -> str:  # noqa: FBT001, FBT002 - templates call it as a filter
    """The two largest units: ``2 d 3 h``, ``1 h 5 min``, ``12 min``, ``42 s``; or only the larger one."""
    seconds = max(0, int(length.total_seconds()))
    for number, (size, unit) in enumerate(_UNITS):
        if seconds >= size:
            rest = seconds % size
            smaller = _UNITS[number + 1 :]
            if smaller and not brief and rest >= smaller[0][0]:
                return f"{seconds // size} {unit} {rest // smaller[0][0]} {smaller[0][1]}"
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
