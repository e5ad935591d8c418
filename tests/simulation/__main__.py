# ruff: noqa: T201 - a program for the terminal
"""``python -m tests.simulation --runs N --seed S``: run N random schedules; ``--replay SEED`` tells one as a story."""

import argparse
import os
import sys
import time
from collections import Counter
from contextlib import nullcontext

from tests.simulation.mirror_store import server
from tests.simulation.runner import Result, result_of, run_many
from tests.simulation.schedules import random_plan
from tests.simulation.sim import simulate
from tests.simulation.totals import Totals

SEEDS_APART = 1_000_000
ENOUGH_FOR_EVERYTHING = 2_000
"""So many schedules must have reached every state, edge, refusal, hold, mishap and point of death."""


def main() -> int:
    """Exit code 0 when no rule was broken and, in a long run, nothing was left out."""
    options = _options()
    if options.replay is not None:
        return _replay(options.replay)
    totals, failed, began = Totals(), list[Result](), time.monotonic()
    first = options.seed * SEEDS_APART
    with server() if options.store == "postgres" else nullcontext("") as url:
        for result in run_many(range(first, first + options.runs), jobs=options.jobs, server_url=url):
            totals.add(result.coverage)
            if result.failed:
                failed.append(result)
                _tell(result, story=len(failed) <= options.stories)
                if len(failed) >= options.failures:
                    break
            if sys.stdout.isatty() and totals.schedules % 10 == 0:
                sys.stdout.write(f"\r{totals.schedules}/{options.runs} schedules")
                sys.stdout.flush()
    took = time.monotonic() - began
    print(f"\n{totals.table()}")
    missing = totals.missing()
    print(f"reached by no schedule: {', '.join(missing) or 'nothing'}")
    if failed:
        print(dict(Counter(rule for result in failed for rule in result.rules)))
    speed = f"{totals.schedules / took:.1f} a second, {options.jobs} processes"
    print(f"{totals.schedules} schedules in {took:.1f} s ({speed}), {len(failed)} broke a rule")
    return 1 if failed or (missing and totals.schedules >= ENOUGH_FOR_EVERYTHING) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes (default: cores)")
    parser.add_argument("--store", choices=("memory", "postgres"), default="memory", help="postgres: smaller schedules")
    parser.add_argument("--replay", type=int, help="run this one schedule and tell its story")
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    parser.add_argument("--stories", type=int, default=1, help="tell the stories of the first so many failures")
    return parser.parse_args()


def _replay(seed: int) -> int:
    outcome = simulate(random_plan(seed))
    print(outcome.plan)
    print(outcome.story)
    _tell(result_of(outcome), story=False)
    return 1 if result_of(outcome).failed else 0


def _tell(result: Result, *, story: bool) -> None:
    print()
    if story:
        print(result.story)
    print("\n".join(result.said))
    print(f"replay: python -m tests.simulation --replay {result.seed}")


if __name__ == "__main__":
    sys.exit(main())
