# ruff: noqa: T201 - a program for the terminal
"""``python -m tests.mutants``: break every safety rule on purpose, and see that it is noticed.

``--only NAME`` or ``--rule N`` for a part of it. Exit code 0 when every mutation was found.
"""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.mutants.catalogue import MUTATIONS
from tests.mutants.find import ROOT, FinderError, Found, Search, copy_tree
from tests.mutants.mutation import DoesNotApplyError, Mutation

RUNS = 100
SEED = 3
LIMIT_S = 240.0


def main() -> int:
    """Copy, mutate, look, tell."""
    options = _options()
    chosen = tuple(
        m for m in MUTATIONS if options.only in (None, m.name) and (options.rule is None or m.rule == options.rule)
    )
    if not chosen:
        print("there is no such mutation; there are:", *(m.name for m in MUTATIONS), sep="\n  ")
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hostfence-mutants-") as folder:
        base = Path(folder) / "tree"
        copy_tree(ROOT, base)
        search = Search(base=base, runs=options.runs, seed=options.seed, limit_s=LIMIT_S)
        try:
            said = search.without_any(chosen) if len(chosen) == len(MUTATIONS) else ""
        except FinderError as error:
            said = f"nobody: {error}"
        if said:
            print(f"the unchanged code is already found at fault, by {said}")
            return 2
        found = _find_all(search, chosen, jobs=options.jobs)
    _table(found)
    lost = [f for f in found if not f.ok]
    took = (time.monotonic() - began) / 60
    print(f"\n{len(found) - len(lost)} of {len(found)} mutations found in {took:.1f} min")
    for one in lost:
        print(f"NOT FOUND: {one.mutation.name}: {one.mutation.breaks}" + (f" ({one.error})" if one.error else ""))
    return 1 if lost else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", help="the mutation of this name")
    parser.add_argument("--rule", type=int, help="the mutations of this rule")
    parser.add_argument("--runs", type=int, default=RUNS, help="schedules before a mutation counts as not found")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=2, help="mutations at the same time")
    return parser.parse_args()


def _find_all(search: Search, mutations: tuple[Mutation, ...], *, jobs: int) -> list[Found]:
    """In the order of the rules, whatever order they end in."""
    with ThreadPoolExecutor(jobs) as pool:
        looking = [pool.submit(_find, search, mutation) for mutation in mutations]
        for n, done in enumerate(as_completed(looking), 1):
            one = done.result()
            print(f"[{n}/{len(mutations)}] {one.mutation.name}: {_by(one)} ({one.took_s:.0f} s)", flush=True)
    return [done.result() for done in looking]


def _find(search: Search, mutation: Mutation) -> Found:
    try:
        return search.find(mutation)
    except DoesNotApplyError as error:
        return Found(mutation, "", "", None, 0.0, error=str(error))


def _by(one: Found) -> str:
    return one.error or one.by or "NOT FOUND"


def _table(found: list[Found]) -> None:
    rows = [("rule", "mutation", "schedules", "found by")]
    for one in found:
        schedules = "-" if one.schedules is None else str(one.schedules)
        rows.append((str(one.mutation.rule), one.mutation.name, schedules, _by(one).splitlines()[0]))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    print()
    for rule, name, schedules, by in rows:
        print(f"{rule:>{widths[0]}}  {name:<{widths[1]}}  {schedules:>{widths[2]}}  {by}")


if __name__ == "__main__":
    sys.exit(main())
