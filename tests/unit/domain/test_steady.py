"""Time that no step of the database's clock moves (rule 12)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.steady import (
    TOLERANCE,
    Base,
    allowance,
    corrected,
    lifted,
    may_hide_a_step,
    step_between,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def step(wall_s: float, mono_s: float) -> timedelta:
    return step_between(last_wall=NOON, last_mono=100.0, wall=after(wall_s), mono=100.0 + mono_s, tolerance=TOLERANCE)


def test_two_clocks_that_agree_show_no_step() -> None:
    assert step(5, 5) == timedelta(0)


@pytest.mark.parametrize("seconds", [2.0, -2.0, 0.5])
def test_a_difference_within_the_tolerance_is_followed(seconds: float) -> None:
    assert step(5 + seconds, 5) == timedelta(0)


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, 2.5])
def test_a_larger_difference_is_a_step_of_that_size(seconds: float) -> None:
    assert step(5 + seconds, 5) == timedelta(seconds=seconds)


def test_a_slow_answer_and_a_long_time_between_reads_allow_more() -> None:
    assert allowance(round_trip_s=0, elapsed_s=0) == TOLERANCE
    assert allowance(round_trip_s=1.5, elapsed_s=1000) == TOLERANCE + timedelta(seconds=2.5)


def test_taking_a_step_back_leaves_the_time_where_it_was() -> None:
    base = Base(correction=timedelta(seconds=7), epoch=3)
    stepped = after(3600)
    new = corrected(base, step=timedelta(hours=1), wall=stepped)
    assert new.time(stepped) == base.time(NOON)
    assert new.epoch == 4


def test_a_false_alarm_never_takes_time_below_what_others_noted() -> None:
    # This machine was paused for 300 s; another controller noted a time of 290 s meanwhile.
    base = Base(high_water=after(290))
    new = corrected(base, step=timedelta(seconds=300), wall=after(300))
    assert new.time(after(300)) == after(290)


def test_a_clock_that_went_back_while_nobody_ran_is_lifted_to_the_mark() -> None:
    base = Base(high_water=after(60))
    new = lifted(base, wall=after(-3600))
    assert new.time(after(-3600)) == after(60)
    assert new.epoch == base.epoch + 1


@pytest.mark.parametrize("mark", [None, NOON, after(-5)])
def test_a_time_at_or_past_the_mark_stays(mark: datetime | None) -> None:
    base = Base(high_water=mark)
    assert lifted(base, wall=NOON) is base


@pytest.mark.parametrize(
    ("mark", "suspicious"), [(None, False), (after(-10), False), (after(-30), False), (after(-31), True)]
)
def test_a_leap_since_the_mark_deserves_a_second_look(mark: datetime | None, *, suspicious: bool) -> None:
    assert may_hide_a_step(Base(high_water=mark), wall=NOON) is suspicious


@given(
    steps=st.lists(st.floats(min_value=-7200, max_value=7200), max_size=30),
    reads=st.floats(min_value=0.1, max_value=10),
)
def test_no_row_of_steps_moves_the_time_by_more_than_the_tolerance_each(steps: list[float], reads: float) -> None:
    base = Base()
    wall, mono = NOON, 0.0
    followed = 0
    for size in steps:
        last_wall, last_mono = wall, mono
        mono += reads
        wall += timedelta(seconds=reads + size)
        found = step_between(last_wall=last_wall, last_mono=last_mono, wall=wall, mono=mono, tolerance=TOLERANCE)
        if found:
            base = corrected(base, step=found, wall=wall)
        else:
            followed += 1
    truth = after(mono)
    assert abs(base.time(wall) - truth) <= followed * TOLERANCE + timedelta(milliseconds=1)
