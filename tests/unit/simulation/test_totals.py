"""The table at the end of a run: whatever there is stands in it, and what nobody reached is named."""

from controller.domain.incident import State
from controller.domain.reasons import WAITS, Reason
from tests.simulation.aimed import POINTS
from tests.simulation.facts import Coverage
from tests.simulation.totals import ALL_EDGES, MISHAPS, NO_HOLD, NO_REFUSAL, REFUSALS, Totals


def test_of_nothing_everything_is_missing_that_is_not_excused() -> None:
    missing = Totals().missing()
    wanted = len(State) + len(ALL_EDGES) + len(REFUSALS) + 2 * len(Reason) + len(MISHAPS) + len(POINTS)
    excused = len(NO_HOLD) + 2 * len(NO_REFUSAL)
    assert len(missing) == len(set(missing)) == wanted - excused


def test_what_the_safeguards_can_say_is_asked_for() -> None:
    assert set(REFUSALS) >= WAITS
    assert {Reason.CAP_REACHED, Reason.BMC_UNPROVEN, Reason.HOST_HA_ON, Reason.LIFE_SINCE} <= set(REFUSALS)
    assert not {Reason.HOST_DEAD, Reason.WITNESS_SILENT, Reason.PROVEN_OFF} & set(REFUSALS)


def test_a_reason_said_somewhere_is_neither_a_hold_nor_a_refusal() -> None:
    totals = Totals()
    totals.add(Coverage(reasons={Reason.PAUSED}))
    missing = totals.missing()
    assert "reasons said anywhere: paused" not in missing
    assert {"hold reasons: paused", "refusals: paused"} <= set(missing)


def test_a_point_that_is_passed_must_have_been_died_at() -> None:
    totals = Totals()
    totals.add(Coverage(points={"before something new"}))
    assert "points at which a controller died: before something new" in totals.missing()
    totals.add(Coverage(deaths={"before something new"}))
    assert "points at which a controller died: before something new" not in totals.missing()
    assert "before something new 1" in totals.table()
