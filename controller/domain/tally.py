"""Counting dead rounds: how many, over how long, with no gap.

Carries rules 3 and 12: an inconclusive round neither counts nor resets; a gap of more than three intervals between dead
rounds (a stopped controller, a stepped clock) or time running backwards starts the count again.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.domain.evidence import Verdict
from controller.domain.policy import Policy

GAP_IN_INTERVALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Dead rounds in a row (inconclusive ones between them allowed), when the first and the last were."""

    dead: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def silence(self) -> timedelta:
        """From the first to the last dead round."""
        if self.first_at is None or self.last_at is None:
            return timedelta(0)
        return self.last_at - self.first_at


def count(tally: Tally, verdict: Verdict, *, at: datetime, interval: timedelta) -> Tally:
    """The tally after one more round at ``at``."""
    match verdict:
        case Verdict.ALIVE:
            return Tally()
        case Verdict.INCONCLUSIVE:
            return tally
        case Verdict.DEAD:  # pragma: no branch - the last one; mypy checks that none is missing
            if tally.last_at is None or not (timedelta(0) < at - tally.last_at <= GAP_IN_INTERVALS * interval):
                return Tally(dead=1, first_at=at, last_at=at)
            return replace(tally, dead=tally.dead + 1, last_at=at)


def dead_enough(tally: Tally, policy: Policy) -> bool:
    """True when both the count of rounds and the span of silence are reached."""
    return tally.dead >= policy.rounds_needed and tally.silence >= policy.min_silence
