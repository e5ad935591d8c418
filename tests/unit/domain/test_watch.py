from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.evidence import Beat
from controller.domain.reasons import Reason
from controller.domain.watch import PoolSeen, Seen, Suspicion, Track, follow, newest_beat_age, suspect, vanished
from shared.enums import Reach
from tests.fixtures.evidence import policy

UNDER = policy()  # watch_timeout: 20 s
NO_ANSWER = Seen(host_id="h1", reach=Reach.NO_ANSWER)
ANSWER = Seen(host_id="h1", reach=Reach.AGENT_ANSWERED, boot_id="b1")


def witness(host_id: str = "w1", *, reach: Reach = Reach.AGENT_ANSWERED, **moved_ages: float | None) -> Seen:
    """A neighbor that saw these hosts' heartbeats move so many seconds ago."""
    others = {h: Beat(known=True, moved_age=age) for h, age in moved_ages.items()}
    return Seen(host_id=host_id, reach=reach, pools=(PoolSeen(root="/mnt/p1", readable=True, others=others),))


def suspected(track: Track, *, at: float, seen: Seen = NO_ANSWER) -> Suspicion | None:
    return suspect("h1", track, seen, UNDER, at=at)


# -- following --------------------------------------------------------------------------------------------------------


def test_an_answer_is_remembered_with_its_boot_id() -> None:
    track = follow(Track(tracked_since=5.0), ANSWER, None, at=10.0)
    assert track == Track(answered_at=10.0, boot_id="b1", tracked_since=5.0)


def test_no_answer_forgets_nothing() -> None:
    track = Track(answered_at=10.0, beat_at=9.0, boot_id="b1")
    assert follow(track, NO_ANSWER, None, at=20.0) == track


def test_the_newest_movement_of_the_heartbeat_is_kept() -> None:
    first = follow(Track(), NO_ANSWER, 3.0, at=10.0)
    assert first.beat_at == 7.0
    assert follow(first, NO_ANSWER, 1.0, at=12.0).beat_at == 11.0
    assert follow(first, NO_ANSWER, 9.0, at=12.0).beat_at == 7.0  # told by a witness that looks less often


def test_the_last_life_is_the_newest_of_both() -> None:
    assert Track().last_life() is None
    assert Track(answered_at=3.0).last_life() == 3.0
    assert Track(answered_at=3.0, beat_at=4.0).last_life() == 4.0


def test_the_newest_age_is_told_by_neighbors_that_answered() -> None:
    seen = [
        witness("w1", h1=9.0),
        witness("w2", h1=4.0),
        witness("w3", h1=None),
        witness("w4", h2=1.0),
        witness("w5", reach=Reach.NO_ANSWER, h1=1.0),
        witness("h1", h1=0.0),
    ]
    assert newest_beat_age("h1", seen) == 4.0
    assert newest_beat_age("h9", seen) is None


# -- suspicion --------------------------------------------------------------------------------------------------------


def test_an_agent_that_answers_is_never_suspected_whatever_its_heartbeat_does() -> None:
    assert suspected(Track(beat_at=0.0), at=1000.0, seen=ANSWER) is None


def test_an_agent_that_has_not_answered_for_the_time_out_is_suspected() -> None:
    track = Track(answered_at=100.0)
    assert suspected(track, at=119.9) is None
    assert suspected(track, at=120.0) == Suspicion(host_id="h1", silent_for=20.0, reasons=())


def test_a_heartbeat_that_stopped_for_the_time_out_is_enough_once_the_agent_does_not_answer() -> None:
    found = suspected(Track(answered_at=119.0, beat_at=100.0), at=120.0)
    assert found == Suspicion(host_id="h1", silent_for=1.0, reasons=())


def test_an_agent_gone_while_the_heartbeat_moves_is_told_as_such() -> None:
    found = suspected(Track(answered_at=100.0, beat_at=118.0), at=120.0)
    assert found is not None
    assert found.reasons == (Reason.AGENT_ONLY,)
    assert found.silent_for == 2.0


def test_a_heartbeat_still_for_more_than_three_beats_is_not_said_to_move() -> None:
    found = suspected(Track(answered_at=100.0, beat_at=104.9), at=120.0)
    assert found is not None
    assert found.reasons == ()


@pytest.mark.parametrize("at", [19.0, 20.0])
def test_a_host_never_seen_alive_is_suspected_only_after_the_time_out(at: float) -> None:
    found = suspected(Track(tracked_since=0.0), at=at)
    assert (found is not None) == (at >= 20.0)
    if found is not None:
        assert found.silent_for == 20.0


@given(st.floats(-1e6, 1e6), st.floats(0, 200), st.one_of(st.none(), st.floats(0, 200)))
def test_where_the_monotonic_clock_begins_does_not_matter(start: float, answered: float, beat: float | None) -> None:
    def found(origin: float) -> bool:
        track = Track(answered_at=origin + round(answered), beat_at=None if beat is None else origin + round(beat))
        return suspected(track, at=origin + 200.0) is not None

    assert found(float(round(start))) == found(0.0)


# -- others that vanish with a command --------------------------------------------------------------------------------


def gone(
    *seen: Seen, command_age: float = 10.0, answering: frozenset[str] = frozenset(), **kwargs: Any
) -> tuple[str, ...]:
    return vanished(seen, but="h1", command_age=command_age, within=15.0, interval=3.0, answering=answering, **kwargs)


def test_a_host_that_beat_before_the_command_and_not_since_has_vanished() -> None:
    assert gone(witness(h2=12.0)) == ("h2",)


def test_a_last_beat_that_was_sampled_only_after_the_command_is_no_life_since() -> None:
    assert gone(witness(h2=8.0)) == ("h2",)


def test_a_heartbeat_between_two_beats_has_not_stopped() -> None:
    assert gone(witness(h2=6.0)) == ()


def test_the_host_that_was_to_be_cut_is_left_out() -> None:
    assert gone(witness(h1=12.0)) == ()


def test_a_heartbeat_since_the_command_is_life_whoever_saw_it() -> None:
    assert gone(witness("w1", h2=12.0), witness("w2", h2=5.0)) == ()
    assert gone(witness("w1", h2=3.0), witness("w2", h2=12.0)) == ()


def test_a_host_whose_agent_answers_has_not_vanished() -> None:
    assert gone(witness(h2=12.0), answering=frozenset({"h2"})) == ()


def test_a_host_long_silent_before_the_command_has_nothing_to_do_with_it() -> None:
    assert gone(witness(h2=25.0)) == ("h2",)
    assert gone(witness(h2=25.1)) == ()


def test_a_host_whose_heartbeat_was_never_seen_moving_is_unknown_and_not_vanished() -> None:
    assert gone(witness(h2=None)) == ()


def test_all_that_vanished_are_named_in_order() -> None:
    assert gone(witness(h3=12.0, h2=15.0, h4=2.0)) == ("h2", "h3")
