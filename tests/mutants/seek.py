# ruff: noqa: T201 - its output is read by the program that started it
"""``python -m tests.mutants.seek --runs N --seed S``: schedules until one breaks a rule; one line of JSON says which.

Runs inside a scratch copy, on the code as it was changed there.
"""

import argparse
import json

from tests.simulation.__main__ import SEEDS_APART
from tests.simulation.schedules import random_plan
from tests.simulation.sim import simulate

MALFORMED = ("NameError", "ImportError", "AttributeError", "TypeError", "UnboundLocalError", "SyntaxError")
"""What a mutation written wrongly ends in: it is no find then."""


def main() -> None:
    """The last line of the output is the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(seek(options.runs, options.seed)))


def seek(runs: int, seed: int) -> dict[str, object]:
    """The first schedule with a breach or a crash, counted from 1; ``by`` is empty when there is none."""
    for n in range(runs):
        outcome = simulate(random_plan(seed * SEEDS_APART + n))
        if outcome.breaches:
            first = outcome.breaches[0]
            return {"by": f"rule {first.rule}", "said": first.said, "schedules": n + 1, "malformed": False}
        if outcome.simulation.crashes:
            crash = outcome.simulation.crashes[0].splitlines()[-1]
            malformed = crash.startswith(MALFORMED)
            return {"by": "an exception", "said": crash, "schedules": n + 1, "malformed": malformed}
    return {"by": "", "said": "", "schedules": runs, "malformed": False}


if __name__ == "__main__":
    main()
