# ruff: noqa: T201 - a program for the terminal
"""``python -m tests.simulation --runs N --seed S``: run N random schedules; ``--replay SEED`` tells one as a story."""

import argparse
import sys
import time
from collections import Counter

from controller.domain.incident import TRANSITIONS, State
from controller.domain.reasons import Reason
from tests.simulation.facts import Coverage
from tests.simulation.schedules import random_plan
from tests.simulation.sim import Outcome, simulate

SEEDS_APART = 1_000_000


def main() -> int:
    """Exit code 0 when no rule was broken."""
    options = _options()
    if options.replay is not None:
        outcome = simulate(random_plan(options.replay))
        _tell(outcome, story=True)
        return 1 if outcome.breaches else 0
    coverage, failed, began = Coverage(), list[Outcome](), time.monotonic()
    for n in range(options.runs):
        outcome = simulate(random_plan(options.seed * SEEDS_APART + n))
        coverage.add(outcome.coverage)
        if outcome.breaches or outcome.simulation.crashes:
            failed.append(outcome)
            _tell(outcome, story=len(failed) <= options.stories)
            if len(failed) >= options.failures:
                break
        if sys.stdout.isatty() and n % 10 == 0:
            sys.stdout.write(f"\r{n + 1}/{options.runs} schedules")
            sys.stdout.flush()
    took = time.monotonic() - began
    done = min(options.runs, n + 1)
    _table(coverage)
    print(f"{done} schedules in {took:.1f} s ({done / took:.1f} a second), {len(failed)} broke a rule")
    if failed:
        print(dict(Counter(b.rule for o in failed for b in o.breaches[:1])))
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", type=int, help="run this one schedule and tell its story")
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    parser.add_argument("--stories", type=int, default=1, help="tell the stories of the first so many failures")
    return parser.parse_args()


def _tell(outcome: Outcome, *, story: bool) -> None:
    print()
    if story:
        print(outcome.plan)
        print(outcome.story)
    for breach in outcome.breaches:
        print(breach)
    for crash in outcome.simulation.crashes[:1]:
        print(crash)
    print(f"replay: python -m tests.simulation --replay {outcome.plan.seed}")


def _table(coverage: Coverage) -> None:
    edges = {(a, b) for a, ends in TRANSITIONS.items() for b in ends}
    print(f"\nstates {len(coverage.states)}/{len(State)}, missing: {sorted(set(State) - coverage.states)}")
    missing = sorted(f"{a}→{b}" for a, b in edges - coverage.edges)
    print(f"edges {len(edges & coverage.edges)}/{len(edges)}, missing: {missing}")
    print(f"reasons {len(coverage.reasons)}/{len(Reason)}, missing: {sorted(set(Reason) - coverage.reasons)}")
    print(f"points to die at: {len(coverage.points)}")
    for mark in sorted(m for m in coverage.marks if not m.startswith("mishap ")):
        print(f"  came up: {mark}")


if __name__ == "__main__":
    sys.exit(main())
