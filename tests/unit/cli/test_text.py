import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from controller.cli.text import clean, duration, said, state, when

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_india(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (165, "2 min 45 s"),
        (3599.6, "1 h"),
        (18_120, "5 h 2 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_keep_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=5), "17:29:55 (5 s ago)"),
        (timedelta(seconds=-90), "17:31:30 (in 90 s)"),
        (timedelta(hours=20), "Feb 28 21:30 (20 h ago)"),
        (timedelta(days=400), "2025-01-25 17:30 (400 d ago)"),
    ],
)
def test_times_are_local_with_their_age(ago: timedelta, text: str) -> None:
    assert when((NOW - ago).isoformat().replace("+00:00", "Z"), NOW) == text


def test_no_time_is_a_dash() -> None:
    assert when(None, NOW) == "-"


@pytest.mark.parametrize("text", ["\x1b[2J", "a\rb", "\x9b31m", "evil\u202egnp", "\x07"])
def test_nothing_from_elsewhere_steers_the_terminal(text: str) -> None:
    assert clean(text).isprintable()


def test_what_needs_a_person_is_seen_without_colour() -> None:
    assert [state(word).plain for word in ("held", "blocked", "ready")] == ["HELD", "BLOCKED", "ready"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"set": True}, "(set, hidden)"),
        ({"set": False}, "(not set)"),
        (None, "(inherited)"),
        ("", '""'),
        (True, "true"),
        (5, "5"),
    ],
)
def test_values_as_people_read_them(value: object, text: str) -> None:
    assert said(value) == text
