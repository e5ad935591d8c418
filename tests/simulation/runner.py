"""Many schedules on all cores: every one in a process of a pool, the results in the order of their seeds."""

import gc
import multiprocessing
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.simulation.facts import Coverage
from tests.simulation.mirror_store import MirrorStore, RealDatabase
from tests.simulation.schedules import random_plan, small_plan
from tests.simulation.sim import Outcome, simulate

AT_ONCE = 4
"""Schedules handed to a process together."""


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
