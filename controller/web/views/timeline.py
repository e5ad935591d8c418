"""The timeline in words: what each event was, who did it, and its evidence as it was stored."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from controller.domain.incident import State
from controller.domain.model import Event
from controller.domain.reasons import Reason
from controller.web.views.look import STATES, Look

_KINDS = {
    "opened": Look("warn", "eye", "incident opened"),
    "life": Look("ok", "pulse", "sign of life"),
    "baseline": Look("ok", "pulse", "first look"),
    "reasons": Look("warn", "hand", "held for other reasons"),
    "intent": Look("bad", "bolt", "power command recorded, then sent"),
    "not_sent": Look("warn", "bolt", "power command not sent"),
    "method": Look("info", "power", "other power device"),
    "power_read": Look("quiet", "power", "power read"),
    "release_failed": Look("bad", "forward", "release failed"),
    "placed_elsewhere": Look("bad", "alert", "the cloud runs machines elsewhere"),
    "acknowledgement_refused": Look("warn", "person", "acknowledgement refused"),
    "step_failed": Look("bad", "alert", "a step failed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One event. ``actor`` empty: hostfence itself. ``raw``: the evidence as JSON, empty where there is none."""

    id: str
    at: datetime
    look: Look
    text: str
    actor: str
    reasons: tuple[Reason, ...]
    raw: str


def event_lines(events: Iterable[Event]) -> tuple[EventLine, ...]:
    """Newest first."""
    return tuple(_line(one) for one in reversed(list(events)))


def _line(one: Event) -> EventLine:
    return EventLine(
        id=one.id,
        at=one.at,
        look=_look(one),
        text=one.text,
        actor="" if one.actor == "hostfence" else one.actor,
        reasons=one.reasons,
        raw=json.dumps(one.data, indent=2, ensure_ascii=False, default=str) if one.data else "",
    )


def _look(one: Event) -> Look:
    if one.kind == "state" and one.to_state in set(State):
        now = STATES[State(one.to_state)]
        return Look(now.tone, now.icon, f"{one.from_state} → {one.to_state}" if one.from_state else one.to_state)
    return _KINDS.get(one.kind) or Look("quiet", "info", one.kind.replace("_", " "))
