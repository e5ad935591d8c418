"""The picture's lanes of what was done: states, power commands and their proof, what the cloud was asked, people."""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

from controller.domain.incident import Incident, State
from controller.domain.model import Attempt, Effect, EffectKind, EffectStatus, Event
from controller.domain.power import Accepted
from controller.web.views.look import STATES
from controller.web.views.picture_marks import Mark

_EFFECTS = {
    EffectKind.QUARANTINE: "quarantine",
    EffectKind.UNQUARANTINE: "quarantine",
    EffectKind.RELEASE: "release",
    EffectKind.BLINK: "blink",
    EffectKind.BLINK_OFF: "blink",
    EffectKind.POWER_ON: "power-on",
}
_WORDS = {
    EffectKind.QUARANTINE: "quarantine",
    EffectKind.UNQUARANTINE: "quarantine undone",
    EffectKind.RELEASE: "release",
    EffectKind.BLINK: "LED lit",
    EffectKind.BLINK_OFF: "LED put out",
    EffectKind.POWER_ON: "power on",
}
_STANDS = {
    EffectStatus.INTENDED: "under way",
    EffectStatus.DONE: "done",
    EffectStatus.FAILED: "FAILED",
}
_ACCEPTED = {
    Accepted.YES: "taken",
    Accepted.NO: "refused by the device",
    Accepted.UNKNOWN: "nobody knows whether it was taken",
    Accepted.NOT_SENT: "never sent",
}


def state_marks(incident: Incident, events: Iterable[Event], *, until: datetime) -> list[Mark]:
    """One band a state; the last lasts until now, or is the end."""
    changes = [
        (one.at, State(one.to_state))
        for one in events
        if one.kind in ("opened", "state") and one.to_state in set(State) and one.to_state != one.from_state
    ]
    changes = changes or [(incident.opened_at, incident.state)]
    marks = [
        Mark(at=at, until=later, look=f"state {STATES[state].tone} {state}", says=state.value)
        for (at, state), (later, _) in pairwise([*changes, (until, changes[-1][1])])
    ]
    silent = Mark(
        at=incident.disconnect_at, until=changes[0][0], look="state quiet unnoticed", says="silent, not noticed yet"
    )
    return [silent, *marks] if incident.disconnect_at < changes[0][0] else marks


def command_marks(incident: Incident, events: Iterable[Event], attempts: Iterable[Attempt]) -> list[Mark]:
    """Intents, what became of them, and the proof."""
    marks = []
    for one in attempts:
        fate = _ACCEPTED[one.accepted] if one.accepted is not None else "its fate is not known yet"
        by = "" if one.automatic else f" by {one.actor}"
        look = "off-command" if one.action.destructive else "power-on"
        says = f"power {one.action}{by} through {one.bmc_identity}: {fate}"
        marks.append(Mark(at=one.intended_at, until=one.finished_at, look=look, says=says))
    proven = incident.proof.proven_at
    if proven is None:  # a later one may have voided it; the timeline knows that it stood
        proven = next((one.at for one in events if one.kind == "state" and "proven_off" in one.reasons), None)
    if proven is not None:
        marks.append(Mark(at=proven, look="proof", says="off is proven"))
    return marks


def effect_marks(effects: Iterable[Effect], *, now: datetime) -> list[Mark]:
    """From intent to result."""
    return [
        Mark(
            at=one.intended_at,
            until=one.finished_at or (now if one.status is EffectStatus.INTENDED else None),
            look=_EFFECTS[one.kind],
            says=f"{_WORDS[one.kind]}: {_STANDS[one.status]}" + (f": {one.said}" if one.said else ""),
        )
        for one in effects
    ]


def people_marks(events: Iterable[Event]) -> list[Mark]:
    """What people did or reported."""
    return [
        Mark(at=one.at, look="person", says=f"{one.actor}: {one.kind.replace('_', ' ')} {one.text}".strip())
        for one in events
        if one.actor != "hostfence"
    ]
