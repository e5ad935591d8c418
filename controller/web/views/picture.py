"""One incident drawn over time: lanes of marks on one axis, and the same as the rows of a table. Geometry only.

Across, everything is in percent, so that the picture fills its box without stretching its words; down, in pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.incident import Incident
from controller.domain.model import Attempt, Effect, Event, RoundRecord, RoundRun
from controller.web.views import picture_acting as acting
from controller.web.views import picture_evidence as evidence
from controller.web.views.picture_marks import Mark, Run, thin
from controller.web.views.picture_scale import Scale, Stretch, Tick, make_scale, ticks

AXIS = 44
LANE = 32
MOST_WITNESSES = 8
MOST_POOLS = 6
BEFORE = timedelta(minutes=5)
"""Heartbeats and writes older than this before the disconnect lie at the edge."""
_LEAD = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """``y``: its middle. ``hint``: what it is, for who hovers."""

    name: str
    hint: str
    y: int
    runs: tuple[Run, ...]
    bands: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """``now``: where the present is, None for a closed incident. ``left_out``: lanes that were too many."""

    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    squeezed: tuple[Stretch, ...]
    disconnect: float
    now: float | None
    height: int
    looks: frozenset[str]
    rounds: int
    sampled: int
    left_out: int

    def rows(self) -> list[tuple[str, Run]]:
        """The same as a table: (lane, what), by time."""
        return sorted(((lane.name, run) for lane in self.lanes for run in lane.runs), key=lambda row: row[1].at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is drawn: an incident's records. ``sample``: rounds with evidence. ``names``: of hosts, by id."""

    incident: Incident
    events: Sequence[Event]
    runs: Sequence[RoundRun]
    sample: Sequence[RoundRecord]
    attempts: Sequence[Attempt]
    effects: Sequence[Effect]
    names: Mapping[str, str]


def picture(drawn: Drawn, *, now: datetime) -> Picture:
    """As of ``now``."""
    incident = drawn.incident
    end = max((now if incident.open else incident.closed_at or now, *(one.end for one in _done(drawn, now))))
    witnesses, pools = evidence.witness_marks(drawn.sample), _pools(drawn)
    rows = [
        ("State", "What hostfence made of it", acting.state_marks(incident, drawn.events, until=end)),
        ("Check rounds", "The verdict of each round", evidence.round_marks(drawn.runs)),
        *((drawn.names.get(one, one), "What this witness reported", marks) for one, marks in _first(witnesses)),
        *pools[: 2 * MOST_POOLS],
        ("Its address", "What the host's own address answered", evidence.address_marks(drawn.sample)),
        ("Power", "What its power device said", evidence.power_marks(drawn.sample, drawn.events)),
        ("Power commands", "Intent, command, proof", acting.command_marks(incident, drawn.events, drawn.attempts)),
        ("Cloud", "Quarantine, release and the like", acting.effect_marks(drawn.effects, now=end)),
        ("People", "What people did", acting.people_marks(drawn.events)),
    ]
    scale = _scale(incident, rows, end=end)
    kept = [(name, hint, thin(marks, scale)) for name, hint, marks in rows if marks]
    lanes = tuple(
        Lane(name=name, hint=hint, y=AXIS + LANE * number + LANE // 2, runs=runs, bands=name == "State")
        for number, (name, hint, runs) in enumerate(kept)
    )
    return Picture(
        lanes=lanes,
        ticks=ticks(scale, incident.disconnect_at),
        squeezed=scale.squeezed(),
        disconnect=scale.x(incident.disconnect_at),
        now=scale.x(end) if incident.open else None,
        height=AXIS + LANE * len(lanes),
        looks=frozenset(run.look for lane in lanes if not lane.bands for run in lane.runs),
        rounds=sum(run.last - run.first + 1 for run in drawn.runs),
        sampled=len(drawn.sample),
        left_out=max(0, len(witnesses) - MOST_WITNESSES) + max(0, len(pools) // 2 - MOST_POOLS),
    )


def _done(drawn: Drawn, now: datetime) -> list[Mark]:
    """What may go on after the close: effects."""
    return acting.effect_marks([one for one in drawn.effects if one.finished_at is not None], now=now)


def _first(witnesses: Mapping[str, list[Mark]]) -> list[tuple[str, list[Mark]]]:
    """Those that told most, in the order in which they were asked."""
    most = sorted(witnesses, key=lambda one: -sum(mark.look != "mute" for mark in witnesses[one]))[:MOST_WITNESSES]
    return [(one, marks) for one, marks in witnesses.items() if one in most]


def _pools(drawn: Drawn) -> list[tuple[str, str, list[Mark]]]:
    """Two lanes a pool: heartbeats and last writes; without marks a lane is left out later."""
    beats, writes = evidence.beat_marks(drawn.sample), evidence.write_marks(drawn.incident)
    made = []
    for root in sorted({*beats, *writes}):
        place = root.rstrip("/").rpartition("/")[2] or root
        made.append((f"Heartbeat on {place}", f"The host's heartbeat on {root}", beats.get(root, [])))
        made.append((f"Writes on {place}", f"The last write to each of its disks on {root}", writes.get(root, [])))
    return made


def _scale(incident: Incident, rows: Sequence[tuple[str, str, list[Mark]]], *, end: datetime) -> Scale:
    marks = {name: marks for name, _, marks in rows}
    earliest = incident.disconnect_at - BEFORE
    every = [mark.at for _, _, of_lane in rows for mark in of_lane if mark.at >= earliest]
    begin = min((incident.disconnect_at, incident.opened_at, *every)) - _LEAD
    # What deserves room on the axis: changes. Rounds that say the same, and looks, come as they come.
    changes = [mark.at for name in ("State", "Power commands", "Cloud", "People") for mark in marks[name]]
    changes += [mark.at for mark in marks["Check rounds"]]
    return make_scale(begin, end, (incident.disconnect_at, *changes))
