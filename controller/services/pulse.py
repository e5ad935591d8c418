"""How the loops of this process fare: in memory, for readiness and figures. Its times are of CLOCK_BOOTTIME."""

from dataclasses import dataclass, field

from controller.domain.vitals import LoopState


@dataclass(slots=True)
class Beats:
    """One loop. ``well_at``: it got through a beat then, showed progress, or began."""

    well_at: float
    may_take_s: float | None
    ended: int = 0
    failed: int = 0
    """Of these, beats that ended in an error."""


@dataclass(slots=True)
class Pulse:
    """The loops of one process."""

    loops: dict[str, Beats] = field(default_factory=dict)
    started: bool = False
    """True once all loops run."""

    def begin(self, name: str, *, may_take_s: float | None, at: float) -> None:
        """A loop is started."""
        self.loops[name] = Beats(well_at=at, may_take_s=may_take_s)

    def moved(self, name: str, *, at: float) -> None:
        """A beat that may last is making progress; of a loop that was not begun nothing is kept."""
        if name in self.loops:
            self.loops[name].well_at = at

    def ended(self, name: str, *, well: bool, at: float) -> None:
        """A beat is over."""
        loop = self.loops[name]
        loop.ended += 1
        if well:
            loop.well_at = at
        else:
            loop.failed += 1

    def states(self, *, now: float) -> tuple[LoopState, ...]:
        """Each loop as it stands."""
        return tuple(
            LoopState(
                name=name,
                beats=one.ended,
                failed=one.failed,
                since_well_s=now - one.well_at,
                may_take_s=one.may_take_s,
            )
            for name, one in self.loops.items()
        )
