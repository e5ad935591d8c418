"""Puts a mutation into a scratch copy of the tree and lets its finder look; the tree itself is never touched."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutation import STORIES, Mutation, Simulation, Tests, apply

ROOT = Path(__file__).resolve().parents[2]
FINDERS_TOGETHER = 10
"""Looking with all of them at the unchanged code may take so many times as long as one look."""
FAILED, PASSED = 1, 0
"""Pytest's exit codes; any other says that the tests did not run as meant."""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one mutation. ``schedules``: how many ran; None where tests alone looked."""

    mutation: Mutation
    by: str
    said: str
    schedules: int | None
    took_s: float
    error: str = ""

    @property
    def ok(self) -> bool:
        """A finder noticed, and did so for no other reason than the mutation."""
        return bool(self.by) and not self.error


class FinderError(Exception):
    """The finder did not run to its end: nothing can be said about the mutation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How long to look. ``base``: a copy of the tree, made once, so that all mutations change the same code."""

    base: Path
    runs: int
    seed: int
    limit_s: float

    def find(self, mutation: Mutation) -> Found:
        """Apply, look, and throw the copy away."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="hostfence-mutant-") as folder:
            copy = Path(folder) / "tree"
            copy_tree(self.base, copy)
            apply(mutation, copy)
            try:
                by, said, schedules = self._look(mutation.finder, copy)
            except FinderError as error:
                return Found(mutation, "", "", None, time.monotonic() - began, error=str(error))
            return Found(mutation, by, said, schedules, time.monotonic() - began)

    def without_any(self, mutations: tuple[Mutation, ...]) -> str:
        """What the finders say of the unchanged code, which must be nothing: or every find would mean nothing."""
        named = {test for m in mutations if isinstance(m.finder, Tests) for test in m.finder.selection}
        by, said, _ = self._schedules(self.base)
        if not by:
            all_of_them = tuple(sorted({*STORIES.selection, *named}))
            by, said = self._tests(self.base, all_of_them, limit_s=self.limit_s * FINDERS_TOGETHER)
        return f"{by}: {said}" if by else ""

    def _look(self, finder: Simulation | Tests, copy: Path) -> tuple[str, str, int | None]:
        if isinstance(finder, Tests):
            by, said = self._tests(copy, finder.selection)
            return by, said, None
        by, said, schedules = self._schedules(copy)
        if not by:
            by, said = self._tests(copy, STORIES.selection)
        return by, said, schedules

    def _schedules(self, copy: Path) -> tuple[str, str, int]:
        command = ("-m", "tests.mutants.seek", "--runs", str(self.runs), "--seed", str(self.seed))
        done = self._python(copy, command)
        if done.returncode:
            raise FinderError(f"the simulation did not run: {_last_line(done.stderr)}")
        told = json.loads(done.stdout.splitlines()[-1])
        if told["malformed"]:
            raise FinderError(f"the mutation is not valid code: {told['said']}")
        return told["by"], told["said"], told["schedules"]

    def _tests(self, copy: Path, selection: tuple[str, ...], *, limit_s: float | None = None) -> tuple[str, str]:
        options = ("-x", "-q", "--tb=line", "--no-header", "-p", "no:randomly")
        done = self._python(copy, ("-m", "pytest", *options, *selection), limit_s=limit_s)
        if done.returncode == PASSED:
            return "", ""
        if done.returncode != FAILED:
            raise FinderError(f"pytest ended with {done.returncode}: {_last_line(done.stdout + done.stderr)}")
        line = re.search(r"^(?:FAILED|ERROR) \S+?::(.+?)(?: - (.*))?$", done.stdout, re.MULTILINE)
        if line is None:
            raise FinderError(f"pytest failed and named no test: {_last_line(done.stdout)}")
        return line[1], line[2] or ""

    def _python(
        self, copy: Path, arguments: tuple[str, ...], *, limit_s: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The copy's code, and no other: its folder is the first that is imported from."""
        environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            return subprocess.run(
                [sys.executable, *arguments],
                cwd=copy,
                env=environment,
                capture_output=True,
                check=False,
                text=True,
                timeout=limit_s or self.limit_s,
            )
        except subprocess.TimeoutExpired as late:
            raise FinderError(f"the finder did not end within {limit_s or self.limit_s:.0f} s") from late


def copy_tree(source: Path, target: Path) -> None:
    """Everything but what starts with a dot (environments, caches, git) and compiled code."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*", "__pycache__"))


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no output")
