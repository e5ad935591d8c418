from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.domain.evidence import Verdict
from controller.domain.tally import GAP_IN_INTERVALS, Tally, count, dead_enough
from tests.fixtures.builders import T0, at
from tests.fixtures.evidence import policy

INTERVAL = timedelta(seconds=15)


def counted(*rounds: tuple[Verdict, float], tally: Tally | None = None) -> Tally:
    """Rounds as (verdict, seconds after T0)."""
    result = tally or Tally()
    for verdict, seconds in rounds:
        result = count(result, verdict, at=at(seconds), interval=INTERVAL)
    return result


DEAD, ALIVE, INCONCLUSIVE = Verdict.DEAD, Verdict.ALIVE, Verdict.INCONCLUSIVE


def test_nothing_counted_is_no_silence() -> None:
    assert Tally().silence == timedelta(0)
    assert not dead_enough(Tally(), policy())


def test_dead_rounds_are_counted_from_the_first_to_the_last() -> None:
    tally = counted((DEAD, 0), (DEAD, 15), (DEAD, 30))
    assert tally == Tally(dead=3, first_at=at(0), last_at=at(30))
    assert tally.silence == timedelta(seconds=30)


def test_an_alive_round_empties_the_tally() -> None:
    assert counted((DEAD, 0), (DEAD, 15), (ALIVE, 30)) == Tally()


def test_an_inconclusive_round_neither_counts_nor_resets() -> None:
    assert counted((DEAD, 0), (INCONCLUSIVE, 15), (DEAD, 30)).dead == 2


def test_three_intervals_between_dead_rounds_are_no_gap_and_more_is() -> None:
    assert counted((DEAD, 0), (DEAD, 45)).dead == 2
    assert counted((DEAD, 0), (DEAD, 45.001)) == Tally(dead=1, first_at=at(45.001), last_at=at(45.001))


def test_inconclusive_rounds_do_not_bridge_a_gap() -> None:
    assert counted((DEAD, 0), (INCONCLUSIVE, 15), (INCONCLUSIVE, 30), (INCONCLUSIVE, 45), (DEAD, 60)).dead == 1


def test_time_that_ran_backwards_or_stood_still_starts_again() -> None:
    assert counted((DEAD, 0), (DEAD, 15), (DEAD, 14)).dead == 1
    assert counted((DEAD, 0), (DEAD, 15), (DEAD, 15)).dead == 1


def test_dead_enough_needs_the_rounds_and_the_silence() -> None:
    under = policy(additional_checks=3, min_silence=timedelta(seconds=60))
    four_in_45 = counted((DEAD, 0), (DEAD, 15), (DEAD, 30), (DEAD, 45))
    assert not dead_enough(four_in_45, under)
    assert dead_enough(counted((DEAD, 60), tally=four_in_45), under)
    three_in_90 = counted((DEAD, 0), (DEAD, 45), (DEAD, 90))
    assert not dead_enough(three_in_90, under)


def test_without_additional_checks_one_round_is_still_not_the_silence() -> None:
    assert not dead_enough(counted((DEAD, 0)), policy(additional_checks=0))


# -- properties -------------------------------------------------------------------------------------------------------

rounds = st.lists(st.tuples(st.sampled_from(Verdict), st.integers(-30, 120)), max_size=12)


@st.composite
def tallies(draw: st.DrawFn) -> tuple[Tally, datetime]:
    """Any tally that rounds at any, even backward, distances can make, and the time of the last."""
    now, tally = T0, Tally()
    for verdict, step in draw(rounds):
        now += timedelta(seconds=step)
        tally = count(tally, verdict, at=now, interval=INTERVAL)
    return tally, now


@given(tallies(), st.integers(-100, 100))
def test_an_inconclusive_round_changes_no_tally_at_any_time(made: tuple[Tally, datetime], seconds: int) -> None:
    tally, now = made
    assert count(tally, INCONCLUSIVE, at=now + timedelta(seconds=seconds), interval=INTERVAL) == tally


@given(tallies(), st.integers(-100, 100))
def test_an_alive_round_empties_any_tally(made: tuple[Tally, datetime], seconds: int) -> None:
    tally, now = made
    assert count(tally, ALIVE, at=now + timedelta(seconds=seconds), interval=INTERVAL) == Tally()


@given(tallies(), st.integers(-200, 200))
def test_a_dead_round_counts_on_only_within_the_gap_and_forwards(made: tuple[Tally, datetime], seconds: int) -> None:
    tally, now = made
    then = now + timedelta(seconds=seconds)
    after = count(tally, DEAD, at=then, interval=INTERVAL)
    near = tally.last_at is not None and timedelta(0) < then - tally.last_at <= GAP_IN_INTERVALS * INTERVAL
    assert after.dead == (tally.dead + 1 if near else 1)
    assert after.silence >= timedelta(0)


@given(tallies())
def test_silence_never_has_a_hole_of_more_than_the_gap(made: tuple[Tally, datetime]) -> None:
    tally, _ = made
    assert tally.silence <= GAP_IN_INTERVALS * INTERVAL * max(0, tally.dead - 1)


@given(rounds, st.integers(-(10**7), 10**7))
def test_shifting_all_times_changes_no_decision(seen: list[tuple[Verdict, int]], seconds: int) -> None:
    here, there, now = Tally(), Tally(), T0
    by = timedelta(seconds=seconds)
    for verdict, step in seen:
        now += timedelta(seconds=step)
        here = count(here, verdict, at=now, interval=INTERVAL)
        there = count(there, verdict, at=now + by, interval=INTERVAL)
        assert (here.dead, here.silence) == (there.dead, there.silence)
        assert dead_enough(here, policy()) == dead_enough(there, policy())
