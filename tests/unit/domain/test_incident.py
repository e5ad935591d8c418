import pytest

from controller.domain.incident import (
    TRANSITIONS,
    Command,
    CommandStatus,
    Incident,
    State,
    TransitionError,
    check_transition,
)
from controller.engine.worker import STEPS
from tests.fixtures.builders import incident

OPEN = [s for s in State if s.open]
CLOSED = [State.FENCED, State.RECOVERED, State.NOTIFIED, State.CANCELLED]


def reachable(start: State) -> set[State]:
    found, todo = {start}, [start]
    while todo:
        new = TRANSITIONS[todo.pop()] - found
        found |= new
        todo += new
    return found


def test_every_state_has_its_row_and_four_are_ends() -> None:
    assert set(TRANSITIONS) == set(State)
    assert [s for s in State if not s.open] == CLOSED


@pytest.mark.parametrize("state", OPEN)
def test_every_open_state_has_a_way_out_and_reaches_an_end(state: State) -> None:
    assert TRANSITIONS[state] - {state}
    assert reachable(state) & set(CLOSED)


@pytest.mark.parametrize("state", OPEN)
def test_every_open_state_can_be_held(state: State) -> None:
    """But the first, which lasts one look."""
    assert state in (State.SUSPECT, State.HELD) or State.HELD in TRANSITIONS[state]


def test_every_state_can_be_reached_from_the_first() -> None:
    assert reachable(State.SUSPECT) == set(State)


def test_every_open_state_and_no_other_has_a_step() -> None:
    assert set(STEPS) == set(OPEN)


@pytest.mark.parametrize("state", [s for s in State if State.FENCING in TRANSITIONS[s]])
def test_a_command_follows_only_from_rounds_or_from_reading_that_the_host_is_on(state: State) -> None:
    assert state in {State.CHECKING, State.VERIFYING}


@pytest.mark.parametrize("state", [s for s in State if State.RELEASING in TRANSITIONS[s]])
def test_a_release_follows_only_from_a_proof_or_a_person(state: State) -> None:
    assert state in {State.VERIFYING, State.HELD}


@pytest.mark.parametrize("state", [State.VERIFYING, State.RELEASING])
def test_after_the_command_nobody_cancels_and_nothing_recovers_silently(state: State) -> None:
    assert not TRANSITIONS[state] & {State.CANCELLED, State.RECOVERED, State.CHECKING}


@pytest.mark.parametrize("old", list(State))
@pytest.mark.parametrize("new", list(State))
def test_only_edges_of_the_table_may_be_taken_and_staying_only_while_open(old: State, new: State) -> None:
    if new in TRANSITIONS[old] or (new is old and old.open):
        check_transition(old, new)
    else:
        with pytest.raises(TransitionError, match=f"no edge from {old} to {new}"):
            check_transition(old, new)


def test_an_incident_is_open_while_its_state_is() -> None:
    assert incident(state=State.HELD).open
    assert not incident(state=State.CANCELLED).open


@pytest.mark.parametrize(
    ("command", "maybe"),
    [
        (Command(), False),
        (Command(status=CommandStatus.INTENDED, count=1), True),
        (Command(status=CommandStatus.ANSWERED, count=1), True),
        (Command(status=CommandStatus.NOT_SENT, count=0), False),
        (Command(status=CommandStatus.NOT_SENT, count=1), True),
    ],
    ids=["none", "fate-unknown", "answered", "not-sent", "a-second-not-sent"],
)
def test_a_command_may_have_been_sent_unless_every_intent_is_known_not_to_have_been(
    command: Command,
    maybe: bool,  # noqa: FBT001
) -> None:
    assert command.may_have_been_sent == maybe


def test_incidents_share_no_mutable_parts() -> None:
    one, other = incident("a"), incident("b")
    assert isinstance(one, Incident)
    assert one.memory is not other.memory
