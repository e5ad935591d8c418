"""One thing that the doctor looked at, and how it stands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

OK, WARNING, PROBLEM = "ok", "warning", "problem"
WORST_FIRST = (PROBLEM, WARNING, OK)

SHOWN = 5
"""Names in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. ``details``: what was found, a line each; ``todo``: what to do, a line each."""

    name: str
    state: str
    text: str
    details: tuple[str, ...] = ()
    todo: tuple[str, ...] = ()


@dataclass(slots=True)
class Findings:
    """What is found in one check, until it is said."""

    states: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    todo: list[str] = field(default_factory=list)

    def add(self, state: str, detail: str, todo: str = "") -> None:
        """One more."""
        self.states.append(state)
        self.details.append(detail)
        self.todo.append(todo)

    def said(self, name: str, text: str) -> Check:
        """The check: as it stands at worst."""
        todo = tuple(dict.fromkeys(line for line in self.todo if line))
        return Check(name=name, state=worst_of(self.states), text=text, details=tuple(self.details), todo=todo)


def worst_of(states: Iterable[str]) -> str:
    """How the whole stands."""
    return min(states, key=WORST_FIRST.index, default=OK)


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "no host") + more


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
