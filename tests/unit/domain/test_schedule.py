from datetime import timedelta

import pytest

from controller.domain.incident import State
from controller.domain.schedule import HELD_SLOWLY_AFTER, held_interval, next_step
from tests.fixtures.builders import T0, at, incident
from tests.fixtures.evidence import policy

UNDER = policy(check_interval=timedelta(seconds=15), read_spacing=timedelta(seconds=2))


@pytest.mark.parametrize("state", list(State))
def test_every_open_state_has_a_next_step_and_no_closed_one_has(state: State) -> None:
    assert (next_step(incident(state=state), UNDER, now=T0) is not None) == state.open


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (State.SUSPECT, 15),
        (State.CHECKING, 15),
        (State.FENCING, 7),
        (State.VERIFYING, 0),
        (State.RELEASING, 2),
        (State.HELD, 15),
    ],
)
def test_each_state_has_its_own_pace(state: State, seconds: int) -> None:
    assert next_step(incident(state=state), UNDER, now=T0) == at(seconds)


def test_a_hold_is_looked_at_less_often_after_an_hour() -> None:
    held = incident(state=State.HELD, held_since=T0)
    hour = T0 + HELD_SLOWLY_AFTER
    assert held_interval(held, UNDER, now=hour) == timedelta(seconds=15)
    assert held_interval(held, UNDER, now=hour + timedelta(seconds=1)) == timedelta(seconds=60)


def test_a_hold_is_never_looked_at_more_often_than_the_check_interval() -> None:
    slow = policy(check_interval=timedelta(seconds=300))
    held = incident(state=State.HELD, held_since=T0)
    assert held_interval(held, slow, now=at(7200)) == timedelta(seconds=300)
