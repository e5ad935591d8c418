from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.domain.evidence import FileState, Memory, Report, Verdict
from controller.domain.judge import judge
from controller.domain.tally import GAP_IN_INTERVALS, Tally, count, dead_enough
from shared.enums import Reach
from tests.fixtures.builders import T0, at
from tests.fixtures.evidence import (
    COUNTER,
    OWN_COUNTER,
    beat,
    facts,
    file_state,
    own_beat,
    policy,
    pool_view,
    reading,
    report,
    unread,
)

INTERVAL = timedelta(seconds=15)
SECOND_NS = 10**9


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


# -- what was measured on real storage --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Look:
    """What both witnesses see at one moment. None for mtime: the look hung."""

    second: float
    mtime_s: float | None
    beats: int = 0


def replay(*looks: Look) -> tuple[list[Verdict], Tally]:
    """The verdicts of the looks after the first, which is the baseline, and the tally they lead to."""
    memory: dict[str, Memory] = {}
    tally, verdicts = Tally(), []
    for number, look in enumerate(looks):
        judgement = judge(
            facts(*(witness(w, look, number) for w in ("w1", "w2")), at=at(look.second)),
            memory=memory,
            policy=policy(),
            disconnect_at=T0,
        )
        memory = judgement.memory
        if number:
            verdicts.append(judgement.verdict)
            tally = count(tally, judgement.verdict, at=at(look.second), interval=INTERVAL)
    return verdicts, tally


def witness(witness_id: str, look: Look, number: int) -> Report:
    state: FileState | None = None
    if look.mtime_s is not None:
        written = int(look.mtime_s * SECOND_NS)
        state = replace(file_state(), mtime_ns=written, ctime_ns=written)
    seen = unread() if state is None else replace(reading(), state=state)
    subject = beat(counter=COUNTER + look.beats, moved_age=2.0 if look.beats else look.second + 2.0)
    view = pool_view(own=own_beat(counter=OWN_COUNTER + number), subject=subject)
    return report(witness_id, readings=(seen,), pools=(view,), reach=Reach.NO_ANSWER)


def every(step: float, until: float) -> list[float]:
    return [step * i for i in range(int(until / step) + 1)]


def test_an_idle_guest_that_wrote_nothing_for_1862_s_is_alive_while_the_heartbeat_moves() -> None:
    """storage.md: a live, idle Debian guest left its image untouched for 606, 1073 and 1862 s."""
    verdicts, tally = replay(*(Look(second=s, mtime_s=-1.0, beats=int(s / 5)) for s in every(15, 1862)))
    assert set(verdicts) == {ALIVE}
    assert tally == Tally()


def test_the_same_silence_without_a_heartbeat_is_dead_after_a_minute() -> None:
    verdicts, tally = replay(*(Look(second=s, mtime_s=-1.0) for s in every(15, 75)))
    assert set(verdicts) == {DEAD}
    assert dead_enough(tally, policy())


def test_a_buffered_writer_whose_mtime_moves_every_31_s_never_gets_dead_enough() -> None:
    """The guest wrote all the time; the server's mtime moved only when the host's kernel flushed."""
    looks = [Look(second=s, mtime_s=31 * (s // 31)) for s in every(15, 600)]
    tally = Tally()
    for until in range(2, len(looks) + 1):
        _, tally = replay(*looks[:until])
        assert tally.dead <= 2
        assert not dead_enough(tally, policy())


def test_a_flush_34_s_after_the_last_write_starts_the_silence_again() -> None:
    """The host is dead already; its kernel's last flush counts as life all the same, and costs only time."""
    looks = [Look(second=s, mtime_s=34.0 if s >= 34 else 0.0) for s in every(15, 135)]
    verdicts, tally = replay(*looks)
    assert verdicts[:3] == [DEAD, DEAD, ALIVE]
    assert tally.first_at == at(60)
    assert dead_enough(tally, policy())


def test_an_nfs3_delegation_whose_mtime_is_now_and_then_jumps_back_is_life_for_91_s_and_silence_after() -> None:
    looks = [Look(second=s, mtime_s=s if s <= 91 else -5.0) for s in every(15, 210)]
    verdicts, tally = replay(*looks)
    assert verdicts[:7] == [ALIVE] * 7  # six looks at *now*, then the jump back to the truth
    assert set(verdicts[7:]) == {DEAD}
    assert tally.first_at == at(120)


def test_an_nfs4_delegation_that_hangs_for_57_s_is_unknown_and_neither_counts_nor_resets() -> None:
    hung = [Look(second=s, mtime_s=None if 30 <= s < 60 else -5.0) for s in every(15, 120)]
    verdicts, tally = replay(*hung)
    assert verdicts == [DEAD, INCONCLUSIVE, INCONCLUSIVE, DEAD, DEAD, DEAD, DEAD, DEAD]
    assert tally.first_at == at(15)
    longer = [Look(second=s, mtime_s=None if 30 <= s < 87 else -5.0) for s in every(15, 120)]
    _, tally = replay(*longer)
    assert tally.first_at == at(90)  # a hole of more than three intervals


def test_a_server_that_answers_from_its_cache_shows_the_own_heartbeat_still_too_and_proves_nothing() -> None:
    """A hard mount: `stat` gave the old mtime without an error for up to 60 s after the server was gone."""
    memory: dict[str, Memory] = {}
    for number, second in enumerate(every(15, 60)):
        frozen = Look(second=second, mtime_s=-1.0)
        judgement = judge(
            facts(*(witness(w, frozen, 0) for w in ("w1", "w2")), at=at(second)),
            memory=memory,
            policy=policy(),
            disconnect_at=T0,
        )
        memory = judgement.memory
        assert judgement.verdict is INCONCLUSIVE, number
