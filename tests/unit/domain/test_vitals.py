"""Is the process fit for work?"""

import pytest

from controller.domain.vitals import AILMENTS, Ailment, DatabaseState, LoopState, findings


def loop(name: str = "worker", *, beats: int = 3, since: float = 1, may_take: float | None = 60) -> LoopState:
    return LoopState(name=name, beats=beats, since_well_s=since, may_take_s=may_take)


def codes(
    *loops: LoopState,
    database: DatabaseState = DatabaseState.FITS,
    clock_said: str = "",
    started: bool = True,
) -> list[Ailment]:
    return [one.code for one in findings(database, loops, clock_said=clock_said, started=started)]


def test_every_ailment_has_words() -> None:
    assert set(AILMENTS) == set(Ailment)
    assert all(about.means and about.do for about in AILMENTS.values())


def test_a_process_that_works_has_none() -> None:
    assert codes(loop(), loop("notifier"), loop("tidy", may_take=None)) == []


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (DatabaseState.AWAY, Ailment.DATABASE_UNAVAILABLE),
        (DatabaseState.READ_ONLY, Ailment.DATABASE_READ_ONLY),
        (DatabaseState.OTHER_SCHEMA, Ailment.DATABASE_SCHEMA),
    ],
)
def test_the_database(state: DatabaseState, code: Ailment) -> None:
    assert codes(loop(), database=state) == [code]


def test_the_clock_is_named_only_where_the_database_is_well() -> None:
    assert codes(clock_said="too slow") == [Ailment.CLOCK_UNKNOWN]
    assert codes(clock_said="too slow", database=DatabaseState.AWAY) == [Ailment.DATABASE_UNAVAILABLE]


def test_before_the_first_beats_it_is_starting() -> None:
    assert codes(started=False) == [Ailment.STARTING]
    assert codes(loop(), loop("watcher", beats=0)) == [Ailment.STARTING]
    assert codes(loop(), loop("tidy", beats=0, may_take=None)) == [], "nobody waits for that one"


def test_a_loop_at_its_limit_is_well_and_beyond_it_stuck() -> None:
    assert codes(loop(since=60)) == []
    assert codes(loop(since=60.1)) == [Ailment.ENGINE_STUCK]
    assert codes(loop(since=1e9, may_take=None)) == []


def test_a_loop_that_never_got_through_is_stuck_and_no_longer_starting() -> None:
    assert codes(loop(beats=0, since=61)) == [Ailment.ENGINE_STUCK]


def test_the_notifier_is_told_apart_as_fencing_does_not_wait_for_it() -> None:
    assert codes(loop(), loop("notifier", since=61)) == [Ailment.NOTIFIER_STUCK]


def test_nothing_hides_anything_and_the_loops_are_named() -> None:
    found = findings(
        DatabaseState.AWAY,
        [loop(since=75), loop("watcher", since=80), loop("notifier", since=300)],
        clock_said="",
        started=True,
    )
    assert [one.code for one in found] == [
        Ailment.DATABASE_UNAVAILABLE,
        Ailment.ENGINE_STUCK,
        Ailment.NOTIFIER_STUCK,
    ]
    assert found[1].detail == "worker has not got through for 75 s; watcher has not got through for 80 s"
