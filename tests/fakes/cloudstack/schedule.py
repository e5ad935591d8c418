"""What happens by itself and when: events of a site in the order of their times, run when somebody looks.

Nothing runs between two looks; each event sees the time at which it was due, so a look an hour later finds the same
site as a look every second.
"""

import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count


class Schedule:
    """`now`: monotonic seconds; `started`: the wall time at the schedule's second 0."""

    def __init__(self, now: Callable[[], float] = time.monotonic, started: datetime | None = None) -> None:
        self._clock = now
        self._origin = now()
        self._started = started or datetime.now(UTC)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._at: float | None = None

    def now(self) -> float:
        """Seconds since the start; within an event, the second at which it was due."""
        return self._clock() - self._origin if self._at is None else self._at

    def wall(self, at: float | None = None) -> datetime:
        return self._started + timedelta(seconds=self.now() if at is None else at)

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now() + seconds, next(self._order), what))

    def run_due(self) -> None:
        """Run all that is due, oldest first, also what those events bring about in time."""
        if self._at is not None:
            return
        until = self.now()
        while self._due and self._due[0][0] <= until:
            self._at, _, what = heapq.heappop(self._due)
            try:
                what()
            finally:
                self._at = None


class ManualTime:
    """Monotonic seconds that pass only when told."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
