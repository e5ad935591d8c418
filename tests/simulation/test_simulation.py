"""Random schedules of the whole engine on virtual time: no rule may break in any of them."""

import secrets
import subprocess
import sys

import pytest

from tests.simulation.runner import run_many
from tests.simulation.schedules import random_plan
from tests.simulation.sim import simulate

FIXED = range(7_000_000, 7_000_040)
"""A few, for whoever runs pytest alone; `make test` runs two thousand more beside it, and counts what they reach."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", FIXED)
def test_a_schedule_breaks_no_rule(seed: int) -> None:
    assert_unbroken(seed)


def test_schedules_in_other_processes_tell_the_same_in_the_same_order() -> None:
    seeds = range(7_000_000, 7_000_006)
    told = [[(r.seed, r.coverage) for r in run_many(seeds, jobs=jobs)] for jobs in (1, 2)]
    assert told[0] == told[1]


def test_a_schedule_nobody_has_seen_before_breaks_no_rule() -> None:
    seed = secrets.randbelow(10**9)
    print(f"python -m tests.simulation --replay {seed}")  # noqa: T201 - shown when it fails
    assert_unbroken(seed)


def test_a_schedule_replays_exactly() -> None:
    first, second = (simulate(random_plan(7_000_003)).simulation.universe.journal.digest() for _ in range(2))
    assert first == second


def test_a_schedule_replays_exactly_in_another_process() -> None:
    """Nothing depends on the order in which this Python happens to keep a set."""
    tell = (
        "from tests.simulation.schedules import random_plan; from tests.simulation.sim import simulate;"
        "print(simulate(random_plan(7_000_005)).simulation.universe.journal.digest())"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", tell],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]


def assert_unbroken(seed: int) -> None:
    outcome = simulate(random_plan(seed))
    replay = f"python -m tests.simulation --replay {seed}"
    assert not outcome.breaches, f"{outcome.breaches[0]}\n{replay}\n{outcome.plan}\n{outcome.story}"
    assert not outcome.simulation.crashes, f"{outcome.simulation.crashes[0]}\n{replay}"
