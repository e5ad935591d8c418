"""The port through which a process tells of its work as it happens. What is committed it need not tell: the store does.

Nothing here may raise, wait or decide anything: a figure is never worth a step.
"""

from enum import StrEnum
from typing import Protocol

from controller.domain.incident import State


class StepEnd(StrEnum):
    """How one step of an incident ended. ``lease_lost``: another controller has it now; the work was dropped."""

    DONE = "done"
    LEASE_LOST = "lease_lost"
    FAILED = "failed"


class Meter(Protocol):
    """Durations in seconds."""

    def step_begun(self, *, late_s: float) -> None:
        """An incident was claimed, so long after its step was due."""
        ...

    def step_ended(self, state: State, end: StepEnd, *, took_s: float) -> None:
        """Its step, begun in ``state``, is over."""
        ...

    def cloud_polled(self, *, told: bool) -> None:
        """The cloud was asked for its hosts, and did or did not tell."""
        ...

    def cloud_read(self, *, well: bool) -> None:
        """The cloud's whole inventory was asked for."""
        ...

    def answered(self, method: str, route: str, status: int, *, took_s: float) -> None:
        """A request was answered. ``route``: the pattern that it matched, empty for none."""
        ...


class NoMeter:
    """Tells nobody."""

    def step_begun(self, *, late_s: float) -> None:
        """See the port."""

    def step_ended(self, state: State, end: StepEnd, *, took_s: float) -> None:
        """See the port."""

    def cloud_polled(self, *, told: bool) -> None:
        """See the port."""

    def cloud_read(self, *, well: bool) -> None:
        """See the port."""

    def answered(self, method: str, route: str, status: int, *, took_s: float) -> None:
        """See the port."""


def _keeps_the_port(meter: NoMeter) -> Meter:
    return meter
