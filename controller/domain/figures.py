"""What monitoring is made of: what the store counts now, and what it tells of as it is committed. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from controller.domain.incident import Incident, State
from controller.domain.model import Attempt, Delivery, Effect, EffectKind, Event, RoundRecord
from controller.domain.reasons import Reason

Written = Incident | Event | RoundRecord | Attempt | Effect | Delivery
"""What a store's listener is told of: each of these as it was added, opened or saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Only what is open, waiting or young: history grows, and must not make a reading dear.

    ``incidents``: the open ones. ``held``: held ones by each of their reasons. ``storms``: by cluster id, the open ones
    that are part of a storm. ``due_since``: when the step that waits
    longest for a controller was due; None: none waits. ``leased``: incidents some controller works on.
    ``unfinished``: power commands without a result. ``effects``: side effects to be done, ``effects_since``: the oldest
    one's intent. ``pending`` and ``dead``: messages by channel; ``pending_since``: the oldest pending one's notice.
    """

    incidents: Mapping[State, int]
    held: Mapping[Reason, int]
    held_since: datetime | None
    storms: Mapping[str, int]
    due_since: datetime | None
    leased: int
    unfinished: int
    effects: Mapping[EffectKind, int]
    effects_since: datetime | None
    pending: Mapping[str, int]
    pending_since: datetime | None
    dead: Mapping[str, int]
