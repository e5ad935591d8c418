"""One line a transition."""

import structlog
from structlog.testing import capture_logs

from controller.domain.incident import State
from controller.domain.reasons import Reason
from controller.services.chronicle import log_transitions
from tests.fixtures import builders as a
from tests.fixtures.house import a_house


def test_a_transition_is_one_line_with_its_reasons() -> None:
    incident = a.incident(state=State.HELD)
    moved = a.event(
        kind="state",
        from_state="checking",
        to_state="held",
        reasons=(Reason.STORM, Reason.PAUSED),
        text="why",
        actor="ada",
    )
    with capture_logs() as lines:
        log_transitions([incident, a.round_record(), a.event("e2", kind="power_read"), moved])
    assert lines == [
        {
            "event": "incident moved",
            "log_level": "info",
            "incident_id": incident.id,
            "host_id": incident.host_id,
            "from_state": "checking",
            "to_state": "held",
            "reasons": ["storm", "paused"],
            "actor": "ada",
            "text": "why",
        }
    ]


async def test_a_whole_story_is_told_line_by_line_with_the_hosts_name() -> None:
    house = await a_house()
    house.store.listener = log_transitions
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        await house.dead()
        await house.until(State.FENCED)
    told = [one for one in lines if one["event"] in ("incident opened", "incident moved")]
    assert [(one["from_state"], one["to_state"]) for one in told] == [
        ("", "suspect"),
        ("suspect", "checking"),
        ("checking", "fencing"),
        ("fencing", "verifying"),
        ("verifying", "releasing"),
        ("releasing", "fenced"),
    ]
    assert {one["host"] for one in told} == {"host h1"}
    assert {one["incident_id"] for one in told} == {(await house.incident()).id}
