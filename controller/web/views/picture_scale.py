"""The picture's time axis: moments to percent of its width.

A hold lasts a day, and the minutes in which everything happened must stay readable: stretches in which nothing changed
are squeezed, and say so. Between two moments of interest the axis is linear.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from controller.web.timing import span

LONG = timedelta(seconds=90)
"""Nothing changed for longer than this: from here on the stretch grows with the logarithm of its length."""
MOST_MOMENTS = 60
_NICE_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_TICKS = 9
_EXACT_S = 3600
_TICK_ROOM = 9.5
_EDGE = 4.0
_MARGIN = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """``x`` to ``end_x`` in percent. ``squeezed``: much longer than it looks."""

    begin: datetime
    end: datetime
    x: float
    end_x: float
    squeezed: bool

    @property
    def lasts(self) -> timedelta:
        """How long it really is."""
        return self.end - self.begin

    @property
    def middle(self) -> float:
        """Where to write on it."""
        return round((self.x + self.end_x) / 2, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """``after``: since the disconnect."""

    x: float
    at: datetime
    after: timedelta

    @property
    def words(self) -> str:
        """``+1 min 20 s``: seconds matter for the first hour."""
        seconds = abs(int(self.after.total_seconds()))
        minutes, rest = divmod(seconds, 60)
        sign = "-" if self.after < timedelta(0) else "+" if seconds else ""
        exact = f"{minutes} min {rest} s" if minutes and rest else span(timedelta(seconds=seconds))
        return sign + (exact if seconds < _EXACT_S else span(timedelta(seconds=seconds)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where each moment lies."""

    stretches: tuple[Stretch, ...]

    def x(self, at: datetime) -> float:
        """In percent; what is outside lies at the edge."""
        for one in self.stretches:
            if at <= one.end:
                share = max(0.0, (at - one.begin) / one.lasts)
                return round(one.x + share * (one.end_x - one.x), 2)
        return self.stretches[-1].end_x

    def at(self, x: float) -> datetime:
        """The moment there."""
        one = next((one for one in self.stretches if x <= one.end_x), self.stretches[-1])
        return one.begin + (x - one.x) / (one.end_x - one.x) * one.lasts

    def squeezed(self) -> tuple[Stretch, ...]:
        """The stretches that must say how long they are."""
        return tuple(one for one in self.stretches if one.squeezed)


def make_scale(begin: datetime, end: datetime, moments: Iterable[datetime]) -> Scale:
    """From ``begin`` to ``end``, with room for each of the ``moments`` between them."""
    end = max(end, begin + timedelta(seconds=1))
    inside = sorted({at for at in moments if begin < at < end})
    keys = (begin, *inside[:: math.ceil(len(inside) / MOST_MOMENTS) or 1], end)
    weights = [_weight(later - earlier) for earlier, later in pairwise(keys)]
    room, x, made = 100 - 2 * _MARGIN, _MARGIN, []
    for (earlier, later), weight in zip(pairwise(keys), weights, strict=True):
        wide = room * weight / sum(weights)
        squeezed = (later - earlier).total_seconds() > 2 * weight
        made.append(Stretch(begin=earlier, end=later, x=round(x, 3), end_x=round(x + wide, 3), squeezed=squeezed))
        x += wide
    return Scale(stretches=tuple(made))


def ticks(scale: Scale, zero: datetime) -> tuple[Tick, ...]:
    """Round distances from ``zero`` (the disconnect), about evenly over the width, never on top of each other."""
    made: list[Tick] = []
    for after in _even(scale, zero) if not scale.squeezed() else _spread(scale, zero):
        x = scale.x(zero + after)
        if _EDGE <= x <= 100 - _EDGE and (not made or x - made[-1].x >= _TICK_ROOM):
            made.append(Tick(x=x, at=zero + after, after=after))
    return tuple(made)


def _even(scale: Scale, zero: datetime) -> list[timedelta]:
    begin, end = scale.stretches[0].begin, scale.stretches[-1].end
    step = timedelta(seconds=_nice((end - begin).total_seconds() / (_TICKS - 1)))
    return [number * step for number in range((begin - zero) // step, (end - zero) // step + 1)]


def _spread(scale: Scale, zero: datetime) -> list[timedelta]:
    """Where seconds are not equally wide everywhere: round near where a tick would be welcome."""
    found = []
    for number in range(_TICKS):
        wanted = _EDGE + (100 - 2 * _EDGE) * number / (_TICKS - 1)
        step = _nice(_seconds_around(scale, wanted) * 100 / _TICKS / 2)
        found.append(timedelta(seconds=round((scale.at(wanted) - zero).total_seconds() / step) * step))
    return found


def _weight(lasts: timedelta) -> float:
    seconds, long = lasts.total_seconds(), LONG.total_seconds()
    return seconds if seconds <= long else long * (1 + math.log2(seconds / long) / 2)


def _seconds_around(scale: Scale, x: float) -> float:
    """Seconds that one percent of the width stands for there."""
    one = next((one for one in scale.stretches if x <= one.end_x), scale.stretches[-1])
    return one.lasts.total_seconds() / (one.end_x - one.x)


def _nice(seconds: float) -> int:
    return next((one for one in _NICE_S if one >= seconds), _NICE_S[-1])
