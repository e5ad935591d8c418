"""Values as people read them: times in their own zone with the age, durations, names that cannot harm a terminal."""

import re
from datetime import datetime, timedelta

from rich.text import Text

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
SHORT = 8
"""Letters of an id that are shown, and the fewest that a command takes for it."""
_IN_SECONDS = 120
_UNITS = (((86_400, "d"), (3600, "h")), ((3600, "h"), (60, "min")), ((60, "min"), (1, "s")))
_STYLES = {
    "held": "bold red",
    "blocked": "bold red",
    "fencing": "bold magenta",
    "verifying": "bold magenta",
    "releasing": "bold magenta",
    "checking": "yellow",
    "suspect": "yellow",
    "waits": "yellow",
    "warning": "yellow",
    "ready": "green",
    "ok": "green",
    "problem": "bold red",
    "fenced": "green",
    "recovered": "green",
    "enforce": "bold",
}


def clean(text: object) -> str:
    """Without what steers a terminal: names and devices' answers come from elsewhere."""
    return _UNSAFE.sub("·", str(text))


def plain(text: object, style: str = "") -> Text:
    """A cell of a table, in which nothing is markup."""
    return Text(clean(text), style=style)


def state(word: str) -> Text:
    """A state. Colour comes on top of the word; what needs a person stands in capitals."""
    loud = word in ("held", "blocked", "problem")
    return Text(clean(word).upper() if loud else clean(word), style=_STYLES.get(word, ""))


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``5 h 2 min``, ``4 d 1 h``: the two largest units."""
    whole = round(seconds)
    if whole < _IN_SECONDS:
        return f"{whole} s"
    (large, name), (small, less) = next(pair for pair in _UNITS if whole >= pair[0][0])
    rest = whole % large // small
    return f"{whole // large} {name}" + (f" {rest} {less}" if rest else "")


def age(at: datetime, now: datetime) -> str:
    """How long ago, or how far ahead."""
    gone = (now - at).total_seconds()
    return f"in {duration(-gone)}" if gone < -1 else f"{duration(max(0.0, gone))} ago"


def read_time(iso: str) -> datetime:
    """A time of the interface."""
    return datetime.fromisoformat(iso)


def when(iso: str | None, now: datetime) -> str:
    """The time of day here, the date where it is not today's, and the age. Empty times are a dash."""
    if iso is None:
        return "-"
    at = read_time(iso)
    return f"{clock(iso, now)} ({age(at, now)})"


def clock(iso: str, now: datetime) -> str:
    """The time of day here, with the date where it is not today's."""
    here, today = read_time(iso).astimezone(), now.astimezone()
    if here.date() == today.date():
        return f"{here:%H:%M:%S}"
    return f"{here:%b %d %H:%M}" if abs(now - read_time(iso)) < timedelta(days=300) else f"{here:%Y-%m-%d %H:%M}"


def short(identifier: str) -> str:
    """The beginning of an id: enough to tell it by, and commands take it."""
    return clean(identifier[:SHORT])


def yes_no(value: bool) -> str:  # noqa: FBT001 - it is what is shown
    """In words."""
    return "yes" if value else "no"


def said(value: object) -> str:
    """A setting's value."""
    match value:
        case None:
            return "(inherited)"
        case {"set": bool(there)}:
            return "(set, hidden)" if there else "(not set)"
        case "":
            return '""'
        case bool():
            return "true" if value else "false"
        case _:
            return clean(value)
