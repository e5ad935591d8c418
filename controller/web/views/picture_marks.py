"""What stands in a lane of the picture: marks, thinned so that a day with thousands of them stays readable and light.

Thinning never hides that something was different: only marks that say the same become one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from controller.web.views.picture_scale import Scale

ROOM = 1.3
"""Percent of the width that one mark needs."""
MOST_RUNS = 110
"""In a lane; where there are more, marks of one look within a slice of the width become one."""
_SLICES = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something at a moment, or from ``at`` to ``until``. ``look``: a shape and tone of the picture's legend."""

    at: datetime
    look: str
    says: str
    until: datetime | None = None
    count: int = 1

    @property
    def end(self) -> datetime:
        """When it is over."""
        return self.until or self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Marks in a row that look the same, in percent. ``says``: of the only one, or of the last."""

    x: float
    end_x: float
    at: datetime
    until: datetime
    look: str
    says: str
    count: int

    @property
    def wide(self) -> float:
        """Zero for a single moment."""
        return round(self.end_x - self.x, 2)

    @property
    def middle(self) -> float:
        """Where its number is written."""
        return round((self.x + self.end_x) / 2, 2)


def thin(marks: Iterable[Mark], scale: Scale) -> tuple[Run, ...]:
    """By time."""
    runs: list[Run] = []
    for mark in sorted(marks, key=lambda one: one.at):
        run = _run(mark, scale)
        before = runs[-1] if runs else None
        if before is not None and before.look == run.look and run.x - before.end_x < ROOM:
            runs[-1] = _joined(before, run)
        else:
            runs.append(run)
    return tuple(runs) if len(runs) <= MOST_RUNS else _by_slices(runs)


def _run(mark: Mark, scale: Scale) -> Run:
    return Run(
        x=scale.x(mark.at),
        end_x=scale.x(mark.end),
        at=mark.at,
        until=mark.end,
        look=mark.look,
        says=mark.says,
        count=mark.count,
    )


def _by_slices(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Changing to and fro faster than can be drawn: in each slice one of each look, with how many there were."""
    made: list[Run] = []
    for _, group in groupby(runs, key=lambda run: int(run.x * _SLICES / 100)):
        alike: dict[str, Run] = {}
        for run in group:
            alike[run.look] = _joined(alike[run.look], run) if run.look in alike else run
        made += alike.values()
    return tuple(made)


def _joined(before: Run, after: Run) -> Run:
    return Run(
        x=before.x,
        end_x=max(before.end_x, after.end_x),
        at=before.at,
        until=max(before.until, after.until),
        look=before.look,
        says=after.says,
        count=before.count + after.count,
    )
