"""What hostfence does next in an incident, in a few words, and when."""

from dataclasses import dataclass
from datetime import datetime

from controller.domain.incident import Incident, State
from controller.domain.reasons import NEEDS_A_PERSON

_WORDS: dict[State, str] = {
    State.SUSPECT: "first check round",
    State.CHECKING: "next check round",
    State.FENCING: "last look, then power off",
    State.VERIFYING: "power state is read",
    State.RELEASING: "release goes on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """``at`` None: nothing happens by itself at a known moment. ``needs_person``: it never acts by itself."""

    text: str
    at: datetime | None
    needs_person: bool = False


def next_step(incident: Incident) -> NextStep:
    """For a closed one: nothing."""
    if not incident.open:
        return NextStep(text="closed", at=None)
    if incident.state is not State.HELD:
        return NextStep(text=_WORDS[incident.state], at=incident.next_step_at)
    if NEEDS_A_PERSON & (incident.sticky | set(incident.reasons)):
        return NextStep(text="waits for a person", at=None, needs_person=True)
    if incident.command.may_have_been_sent:
        return NextStep(text="power state is read again", at=incident.next_step_at)
    return NextStep(text="looks again", at=incident.next_step_at)
