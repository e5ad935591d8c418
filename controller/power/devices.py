"""All power devices as the engine sees them: the named driver, behind the gate, within one deadline.

One operation at a time per device, over all controllers (:mod:`controller.power.gate`).
Reads never go on knocking with credentials that a device has refused: BMCs lock accounts.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from controller.domain.in_flight import place_of
from controller.domain.power import (
    Accepted,
    BmcTarget,
    Outcome,
    PowerAction,
    PowerCode,
    PowerReading,
    PowerState,
)
from controller.power.gate import Gate
from controller.power.registry import PowerRegistry

_NO_TURN = "another operation held the device until the deadline"


class PowerDevices(Protocol):
    """What the engine and the operators' services need of power."""

    async def status(self, target: BmcTarget, *, deadline_s: float, by_hand: bool = False) -> PowerReading:
        """One read, waiting for the device's turn included in the deadline.

        ``by_hand``: a person asks, so credentials that were refused a moment ago are tried once more.
        """
        ...

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """A person's *Test*: see :meth:`PowerDriver.test`; credentials that were refused are tried once more."""
        ...

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        """One command; never sent after ``not_after`` (CLOCK_BOOTTIME seconds)."""
        ...


REFUSED_FOR_S, REFUSED_LONGEST_S = 600.0, 6 * 3600.0
"""So long the same credentials are not tried again by themselves after a device has refused them; each time that it
refuses them again twice as long, up to the second."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """Credentials that their device did not take. ``until``: by the gate's clock."""

    target: BmcTarget
    until: float
    for_s: float

    @property
    def reading(self) -> PowerReading:
        said = (
            "the device refused these credentials; they are not tried again by themselves for"
            f" {self.for_s / 60:.0f} minutes, so that it locks nobody out: correct them, or press Test"
        )
        return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.BAD_CREDENTIALS, said=said)


class _Read(Protocol):
    """A driver's ``status`` or ``test``."""

    async def __call__(self, target: BmcTarget, /, *, deadline_s: float) -> PowerReading: ...


PlaceRefused = Callable[[str], Awaitable[str]]
"""Says why a device may not live where its name leads to now, or nothing."""


class GatedDevices:
    """The drivers of this process behind one gate."""

    def __init__(
        self,
        registry: PowerRegistry,
        gate: Gate,
        *,
        place_refused: PlaceRefused | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """All of them live as long as the process. ``place_refused``: None where every address may be used."""
        self._place_refused = place_refused
        self._registry = registry
        self._gate = gate
        self._monotonic = monotonic
        self._refused: dict[str, _Refused] = {}

    async def status(self, target: BmcTarget, *, deadline_s: float, by_hand: bool = False) -> PowerReading:
        """See :class:`PowerDevices`. A turn that does not come in time is an unknown state, coded ``busy``."""
        known = self._refused.get(target.identity)
        if not by_hand and known is not None and known.target == target and self._monotonic() < known.until:
            return known.reading
        return await self._read(target, deadline_s, self._registry.driver_for(target).status)

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """See :class:`PowerDevices`."""
        return await self._read(target, deadline_s, self._registry.driver_for(target).test)

    async def _read(self, target: BmcTarget, deadline_s: float, how: _Read) -> PowerReading:
        try:
            async with asyncio.timeout(deadline_s + 1):
                if why := await self._why_not_there(target):
                    return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.NOT_CONFIGURED, said=why)
                async with self._gate.turn(place_of(target.identity), PowerAction.STATUS, deadline_s=deadline_s):
                    reading = await how(target, deadline_s=deadline_s)
        except TimeoutError:
            return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.BUSY, said=_NO_TURN)
        self._remember(target, reading.code, worked=reading.code is PowerCode.NONE)
        return reading

    async def _why_not_there(self, target: BmcTarget) -> str:
        return await self._place_refused(target.address) if self._place_refused is not None else ""

    def _remember(self, target: BmcTarget, code: PowerCode, *, worked: bool) -> None:
        if code is PowerCode.BAD_CREDENTIALS:
            before = self._refused.get(target.identity)
            again = before is not None and before.target == target
            for_s = min(2 * before.for_s, REFUSED_LONGEST_S) if before is not None and again else REFUSED_FOR_S
            self._refused[target.identity] = _Refused(target, self._monotonic() + for_s, for_s)
        elif worked:
            self._refused.pop(target.identity, None)

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        """See :class:`PowerDevices`. Only waiting for the turn is cut short here; the driver keeps its own deadline."""
        driver = self._registry.driver_for(target)
        entered = False
        try:
            async with asyncio.timeout(deadline_s) as limit:
                if why := await self._why_not_there(target):
                    return Outcome(accepted=Accepted.NOT_SENT, code=PowerCode.NOT_CONFIGURED, said=why)
                async with self._gate.turn(place_of(target.identity), action, deadline_s=deadline_s):
                    entered = True
                    limit.reschedule(None)
                    outcome = await driver.act(target, action, deadline_s=deadline_s, not_after=not_after)
        except TimeoutError:
            if entered:
                raise
            return Outcome(accepted=Accepted.NOT_SENT, code=PowerCode.BUSY, said=_NO_TURN)
        self._remember(target, outcome.code, worked=outcome.accepted is Accepted.YES)
        return outcome
