"""The virtual machines of an incident's host, and what became of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from controller.domain.evidence import Machine
from controller.domain.incident import Incident, State
from controller.domain.model import Event, RoundRecord
from controller.web.views.look import Look

STAYS = Look("quiet", "clock", "stays down until released")
LEFT = Look("quiet", "hand", "left as it was")
LOOKED_AT = Look("info", "eye", "on the host; not started elsewhere")
STARTING = Look("info", "forward", "being released")
RELEASED = Look("ok", "check", "released: may run elsewhere")
BY_HAND = Look("warn", "person", "released; start it by hand")
NOT_STARTED = Look("bad", "cross", "did not start elsewhere")
ELSEWHERE = Look("bad", "alert", "the cloud runs it elsewhere already")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLine:
    """One machine. ``note``: what is special about it."""

    name: str
    kind: str
    look: Look
    note: str = ""


def machine_lines(
    incident: Incident, events: Iterable[Event], sample: Iterable[RoundRecord]
) -> tuple[MachineLine, ...]:
    """By name, those that need somebody first."""
    not_started = {name for one in events for name in one.data.get("not_started", ())}
    newest: dict[str, Any] = next((one.evidence for one in reversed(list(sample)) if "disks" in one.evidence), {})
    disks = newest.get("disks", {})
    elsewhere, blind = set(disks.get("elsewhere", ())), set(disks.get("uncheckable", ()))
    made = [
        MachineLine(
            name=one.name,
            kind=one.kind,
            look=_look(one, incident, not_started, elsewhere),
            note="on storage that no neighbor can see" if one.name in blind else "",
        )
        for one in incident.machines
    ]
    return tuple(sorted(made, key=lambda line: (line.look.tone != "bad", line.look.tone != "warn", line.name)))


def _look(machine: Machine, incident: Incident, not_started: set[str], elsewhere: set[str]) -> Look:
    if incident.state is State.FENCED:
        started = RELEASED if machine.restart else BY_HAND
        return NOT_STARTED if machine.name in not_started else started
    if not incident.open:
        return LEFT
    if machine.id in incident.begun or incident.state is State.RELEASING:
        return STARTING
    if machine.name in elsewhere:
        return ELSEWHERE
    return STAYS if incident.quarantined else LOOKED_AT
