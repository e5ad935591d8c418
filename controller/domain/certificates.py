"""When people are told that an agent's certificate ends. Pure.

An agent renews by itself when a third of its certificate's year is left: whoever is told has time and reason to look.
"""

from datetime import datetime, timedelta
from enum import StrEnum


class Ending(StrEnum):
    """How near the end is; each is told once for each certificate."""

    MONTH = "month"
    WEEK = "week"
    ENDED = "ended"


_WITHIN = {
    Ending.ENDED: timedelta(0),
    Ending.WEEK: timedelta(days=7),
    Ending.MONTH: timedelta(days=30),
}
"""The nearest one first."""


def ending(until: datetime | None, now: datetime) -> Ending | None:
    """How near the end of a certificate is; None while it is far, or where there is none."""
    if until is None:
        return None
    return next((stage for stage, within in _WITHIN.items() if until - now <= within), None)
