"""hostfence time: the database's wall clock plus a durable correction; its steps move nothing (rule 12).

Every controller compares, at each read, how far the database's clock went with how far its own monotonic clock went
since its last read. A difference beyond the tolerance is a step and is taken back once, for all controllers; slow
drift is followed. A high-water mark keeps the time from running backwards over restarts.

A step while no controller runs cannot be told from time passing: ``startup_quiet`` and the voiding of evidence cover
it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

TOLERANCE = timedelta(seconds=2)
"""Smaller differences are followed: they are drift, or the network's jitter."""

DRIFT = 0.001
"""Twice what NTP slews at most (500 ppm), so that rare reads do not take slewing for a step."""

SUSPICIOUS_GAP = timedelta(seconds=30)
"""Longer than running controllers ever leave the high-water mark alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What all controllers share. ``epoch`` counts the changes; ``high_water``: no later time was ever noted."""

    correction: timedelta = timedelta(0)
    epoch: int = 0
    high_water: datetime | None = None

    def time(self, wall: datetime) -> datetime:
        """The steady time when the database's clock shows ``wall``."""
        return wall + self.correction


def allowance(*, round_trip_s: float, elapsed_s: float) -> timedelta:
    """How far both clocks may differ over ``elapsed_s`` without a step; reading took ``round_trip_s`` (both reads)."""
    return TOLERANCE + timedelta(seconds=round_trip_s + elapsed_s * DRIFT)


def step_between(
    *, last_wall: datetime, last_mono: float, wall: datetime, mono: float, tolerance: timedelta
) -> timedelta:
    """How far the wall clock was stepped between two reads; zero within the tolerance. Monotonic times in seconds."""
    difference = (wall - last_wall) - timedelta(seconds=mono - last_mono)
    return difference if abs(difference) > tolerance else timedelta(0)


def corrected(base: Base, *, step: timedelta, wall: datetime) -> Base:
    """The base without ``step``, but never below the high-water mark.

    The mark also heals a false alarm: a controller whose machine was paused sees the database's clock leap, and would
    otherwise take the pause out of everybody's time.
    """
    return lifted(replace(base, correction=base.correction - step, epoch=base.epoch + 1), wall=wall)


def lifted(base: Base, *, wall: datetime) -> Base:
    """The base with its time lifted to the high-water mark where it would lie below."""
    if base.high_water is None or base.time(wall) >= base.high_water:
        return base
    return replace(base, correction=base.high_water - wall, epoch=base.epoch + 1)


def may_hide_a_step(base: Base, *, wall: datetime) -> bool:
    """True when a process that starts now should look again a moment later.

    Time that leapt since the mark: either no controller ran, or a running one is about to correct a step.
    """
    return base.high_water is not None and base.time(wall) - base.high_water > SUSPICIOUS_GAP
