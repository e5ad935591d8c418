"""A database that lost what was committed is told by where its rows lie, and by what a controller remembers."""

from datetime import timedelta

from controller.domain.restored import DatabaseIdentity, Remembered, has_lost
from tests.fakes.clock import START
from tests.fixtures import builders as a

HERE = DatabaseIdentity(id="db1", place="there", place_now="there")
MINE = Remembered(database_id="db1", controller_id="ctl1", alive_at=START)
ROW = a.controller_row("ctl1", alive_at=START)


def test_all_is_there() -> None:
    assert not has_lost(HERE, [ROW], MINE, starting=False)
    later = a.controller_row("ctl1", alive_at=START + timedelta(seconds=10))
    assert not has_lost(HERE, [later], MINE, starting=True), "the commit was stored, its answer was not"


def test_nobody_remembers_anything() -> None:
    assert not has_lost(HERE, [], None, starting=True)


def test_a_database_that_no_controller_ever_started_on_is_in_no_wrong_place() -> None:
    assert not has_lost(DatabaseIdentity(id="", place="", place_now="there"), [], None, starting=True)


def test_rows_that_were_written_elsewhere_were_restored_here() -> None:
    assert has_lost(DatabaseIdentity(id="db1", place="there", place_now="here"), [ROW], MINE, starting=True)
    assert has_lost(DatabaseIdentity(id="db1", place="there", place_now="here"), [], None, starting=True)


def test_an_older_sign_of_life_than_the_one_remembered() -> None:
    older = a.controller_row("ctl1", alive_at=START - timedelta(seconds=1))
    assert has_lost(HERE, [older], MINE, starting=False)
    assert has_lost(HERE, [older], MINE, starting=True)


def test_the_sign_of_life_is_gone_although_others_live() -> None:
    other = a.controller_row("ctl2", alive_at=START + timedelta(hours=1))
    assert has_lost(HERE, [other], MINE, starting=False)


def test_a_start_on_another_database_is_no_restore_and_an_exchange_under_a_living_process_is() -> None:
    another = DatabaseIdentity(id="db2", place="there", place_now="there")
    assert not has_lost(another, [], MINE, starting=True)
    assert has_lost(another, [ROW], MINE, starting=False)
