"""What many schedules reached: every state, edge, refusal, hold, reason, mishap and point of death, counted."""

import inspect
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.domain import safeguards
from controller.domain.incident import TRANSITIONS, State
from controller.domain.reasons import NEEDS_A_PERSON, WAITS, Reason
from tests.simulation.aimed import POINTS
from tests.simulation.facts import Coverage
from tests.simulation.hardware import Fault, PoolState
from tests.simulation.mishaps import kinds
from tests.simulation.plan import SAYS_WHICH

ALL_EDGES = tuple(f"{a}→{b}" for a, ends in TRANSITIONS.items() for b in sorted(ends))

REFUSALS = tuple(
    reason
    for reason in Reason
    if reason in NEEDS_A_PERSON | WAITS
    or reason.name in set(re.findall(r"Reason\.([A-Z_]+)", inspect.getsource(safeguards)))
)
"""Everything the safeguards can say, read from their own text: a new one is asked for here by itself."""

NO_REFUSAL: dict[Reason, str] = {
    Reason.NOT_DEAD: "the last look sends a host that is not dead back before the safeguards are asked: a second line",
}

NO_HOLD: dict[Reason, str] = {
    Reason.NOT_DEAD: NO_REFUSAL[Reason.NOT_DEAD],
    Reason.ISOLATED: "who hears nobody finds nobody dead: refused in a look under way, held for too few witnesses",
    Reason.WITNESS_SUSPECTED: "why a neighbor was not asked; the hold says that there are too few",
    Reason.PLACED_ELSEWHERE: "told at once, and beside the hold",
    Reason.RELEASED_BY_CLOUD: "told at the end",
    Reason.NOTHING_TO_RELEASE: "an end",
    Reason.ACTION_NONE: "an end",
    Reason.ACTION_BLINK: "an end",
    Reason.HOST_DEAD: "why something is done",
    Reason.ALREADY_OFF: "why a command is not needed",
    Reason.PROVEN_OFF: "why the release may begin",
    Reason.ACKNOWLEDGED: "why the release may begin",
    Reason.OPERATOR: "a person did it",
    Reason.NOT_REARMED: "why no incident was opened",
}

NO_REASON = NO_REFUSAL

MISHAPS = tuple(
    sorted(
        {
            *(kind for kind in kinds() if kind not in SAYS_WHICH),
            *(f"pool {state}" for state in PoolState if state is not PoolState.OK),
            *(f"fault {fault}" for fault in Fault if fault not in (Fault.HUNG, Fault.INCOMPATIBLE)),
            *(f"bmc {habit}" for habit in ("lies_off", "ignores_off", "rejects_off", "loses_answers", "busy", "reads")),
            *(f"bmc {slow}" for slow in ("off_delay_s", "takes_s", "answers_after_s")),
            *(f"setting {name}" for name in ("max_actions", "mode", "action", "max_commands_per_incident")),
            *(f"technician {on}" for on in (True, False)),
            *(f"mark_host {mark}" for mark in ("excluded", "maintenance", "runs_controller", "cloud_ha")),
            *(f"manual {action}" for action in ("on", "off")),
        }
    )
)
"""Everything that goes wrong, and what people do."""


@dataclass(slots=True)
class Totals:
    """How many schedules reached what."""

    schedules: int = 0
    states: Counter[str] = field(default_factory=Counter)
    edges: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    holds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)

    def add(self, coverage: Coverage) -> None:
        """One more schedule."""
        self.schedules += 1
        self.states.update(map(str, coverage.states))
        self.edges.update(f"{a}→{b}" for a, b in coverage.edges if a)
        self.refusals.update(map(str, coverage.refusals))
        self.holds.update(map(str, coverage.holds))
        self.reasons.update(map(str, coverage.reasons))
        self.points.update(coverage.points)
        self.deaths.update(coverage.deaths)
        self.marks.update(coverage.marks)

    def missing(self) -> list[str]:
        """What there is, is not excused, and was reached by none."""
        return [
            f"{name}: {key}"
            for name, keys, counts, excused in self._lists()
            for key in keys
            if not counts[key] and key not in excused
        ]

    def table(self) -> str:
        """For people: everything there is, with the number of schedules that reached it."""
        lines = []
        for name, keys, counts, excused in self._lists():
            lines.append(f"{name}: " + ", ".join(f"{key} {counts[key]}" for key in keys if key not in excused))
            lines += [f"  not {key}: {why}" for key, why in excused.items()]
        lines += [f"came up in {n}: {mark}" for mark, n in sorted(self.marks.items()) if not mark.startswith("mishap ")]
        return "\n".join(lines)

    def _lists(self) -> Iterable[tuple[str, tuple[str, ...], Counter[str], dict[str, str]]]:
        def coded(names: dict[Reason, str]) -> dict[str, str]:
            return {str(reason): why for reason, why in names.items()}

        happened = Counter({m.removeprefix("mishap "): n for m, n in self.marks.items() if m.startswith("mishap ")})
        every = tuple(map(str, Reason))
        points = tuple(sorted({*POINTS, *self.points}))
        yield "states", tuple(map(str, State)), self.states, {}
        yield "edges", ALL_EDGES, self.edges, {}
        yield "refusals", tuple(map(str, REFUSALS)), self.refusals, coded(NO_REFUSAL)
        yield "hold reasons", every, self.holds, coded(NO_HOLD)
        yield "reasons said anywhere", every, self.reasons, coded(NO_REASON)
        yield "mishaps", MISHAPS, happened, {}
        yield "points at which a controller died", points, self.deaths, {}
