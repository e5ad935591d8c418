"""A mutation as data: which rule it is about, what text is changed into what, and which machine must notice."""

from dataclasses import dataclass
from pathlib import Path


class DoesNotApplyError(Exception):
    """The text to change is not there exactly once: the mutation must be written anew, it is never skipped."""


@dataclass(frozen=True, slots=True)
class Change:
    """``old`` must occur exactly once in ``file`` (a path from the root of the tree)."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Simulation:
    """Random schedules from a fixed seed, up to the first broken rule; then the stories written by hand."""


@dataclass(frozen=True, slots=True)
class Tests:
    """A selection of pytest, for what the simulation replaces or does not have: PostgreSQL, drivers, logs, the API."""

    __test__ = False

    selection: tuple[str, ...]


SIMULATION = Simulation()

STORIES = Tests(("tests/simulation/test_worst_moments.py", "tests/simulation/test_stories.py"))
"""The simulated engine and its referee as well, at moments that random schedules rarely come by."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """``breaks`` says in words what the changed code does. More than one change where two lines carry one promise."""

    name: str
    rule: int
    breaks: str
    changes: tuple[Change, ...]
    finder: Simulation | Tests = SIMULATION


def apply(mutation: Mutation, root: Path) -> None:
    """Change the files under ``root``; raises :class:`DoesNotApplyError` before the first one is written."""
    texts: dict[str, str] = {}
    for change in mutation.changes:
        path = root / change.file
        if change.file not in texts and not path.is_file():
            raise DoesNotApplyError(f"{mutation.name}: there is no {change.file}")
        text = texts.setdefault(change.file, path.read_text(encoding="utf-8"))
        found = text.count(change.old)
        if found != 1:
            raise DoesNotApplyError(
                f"{mutation.name}: this must stand once in {change.file}, and stands {found} times:\n{change.old}"
            )
        texts[change.file] = text.replace(change.old, change.new)
    for file, text in texts.items():
        compile(text, file, "exec")
        (root / file).write_text(text, encoding="utf-8")
