"""Many schedules on all cores: every one in a process of a pool, the results in the order of their seeds."""

import gc
import multiprocessing
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from controller.domain.incident import TRANSITIONS, State
from controller.domain.reasons import Reason
from tests.simulation.facts import Coverage
from tests.simulation.mirror_store import MirrorStore, RealDatabase
from tests.simulation.schedules import random_plan, small_plan
from tests.simulation.sim import Outcome, simulate

AT_ONCE = 4
"""Schedules handed to a process together."""

NOT_BY_SCHEDULES: dict[str, str] = {
    "not_dead": "the last look sends a host that is not dead back before the safeguards are asked: a second line",
}
"""States, edges (``a→b``) and reasons that no schedule can reach, and why not."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a process of the pool tells of one schedule; a story only when something was wrong."""

    seed: int
    coverage: Coverage
    rules: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    story: str = ""

    @property
    def failed(self) -> bool:
        """A rule was broken, or the engine met an exception that nobody expected."""
        return bool(self.said)


def run_many(seeds: Sequence[int], *, jobs: int, server_url: str = "") -> Iterator[Result]:
    """The results in the order of ``seeds``. Leaving the loop early ends the processes' work.

    ``server_url``: of a PostgreSQL (:func:`tests.simulation.mirror_store.server`) to run smaller schedules on.
    """
    if jobs == 1:
        _prepare(server_url)
        yield from map(run_one, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare, initargs=(server_url,)) as pool:
        try:
            yield from pool.map(run_one, seeds, chunksize=AT_ONCE)
        finally:
            pool.shutdown(cancel_futures=True)


_DATABASE: list[RealDatabase] = []
"""This process's own, where schedules run on PostgreSQL."""


def _prepare(server_url: str) -> None:
    _DATABASE[:] = [RealDatabase(server_url)] if server_url else []
    gc.freeze()


def run_one(seed: int) -> Result:
    """One schedule, in this process."""
    try:
        if _DATABASE:
            return result_of(simulate(small_plan(seed), MirrorStore(_DATABASE[0])))
        return result_of(simulate(random_plan(seed)))
    except Exception:  # noqa: BLE001 - told with its seed like a broken rule
        return Result(seed, Coverage(), ("exception",), (traceback.format_exc(),))


def result_of(outcome: Outcome) -> Result:
    """The part of an outcome that can travel between processes."""
    said = (*map(str, outcome.breaches), *outcome.simulation.crashes[:1])
    rules = (*(b.rule for b in outcome.breaches[:1]), *(["exception"] if outcome.simulation.crashes else []))
    story = f"{outcome.plan}\n{outcome.story}" if said else ""
    return Result(outcome.plan.seed, outcome.coverage, rules[:1], said, story)


@dataclass(slots=True)
class Totals:
    """How many schedules reached what."""

    schedules: int = 0
    states: Counter[str] = field(default_factory=Counter)
    edges: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)

    def add(self, coverage: Coverage) -> None:
        """One more schedule."""
        self.schedules += 1
        self.states.update(map(str, coverage.states))
        self.edges.update(f"{a}→{b}" for a, b in coverage.edges if a)
        self.reasons.update(map(str, coverage.reasons))
        self.points.update(coverage.points)
        self.marks.update(coverage.marks)

    def missing(self) -> list[str]:
        """What there is, is not excused, and was reached by none."""
        known = {*map(str, State), *ALL_EDGES, *map(str, Reason)}
        return sorted(known - {*self.states, *self.edges, *self.reasons, *NOT_BY_SCHEDULES})

    def table(self) -> str:
        """For people: every state, edge and reason with the number of schedules that reached it."""
        lines = [
            f"{name}: "
            + ", ".join(f"{key} {counts[key]}" for key in keys if counts[key] or key not in NOT_BY_SCHEDULES)
            for name, keys, counts in (
                ("states", [str(s) for s in State], self.states),
                ("edges", ALL_EDGES, self.edges),
                ("refusals and hold reasons", [str(r) for r in Reason], self.reasons),
                ("mishaps", sorted(m for m in self.marks if m.startswith("mishap ")), self.marks),
            )
        ]
        lines += [f"not by schedules: {key}: {why}" for key, why in NOT_BY_SCHEDULES.items()]
        lines.append(f"points at which a controller died or could have died: {len(self.points)}")
        seen = sorted(m for m in self.marks if not m.startswith("mishap "))
        lines += [f"came up in {self.marks[mark]}: {mark}" for mark in seen]
        return "\n".join(lines)


ALL_EDGES = [f"{a}→{b}" for a, ends in TRANSITIONS.items() for b in sorted(ends)]
