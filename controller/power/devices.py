"""All power devices as the engine sees them: the named driver, behind the gate, within one deadline.

Carries rule 4 within one process (one operation at a time per device); between processes the unfinished intent does.
Reads never go on knocking with credentials that a device has refused: BMCs lock accounts.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

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

_NOT_TRIED = (
    "the device refused these credentials; they are not tried again for ten minutes, so that it locks nobody out:"
    " correct them, or press Test"
)


class PowerDevices(Protocol):
    """What the engine and the operators' services need of power."""

    async def status(self, target: BmcTarget, *, deadline_s: float, by_hand: bool = False) -> PowerReading:
        """One read, waiting for the device's turn included in the deadline.

        ``by_hand``: a person asks, so credentials that were refused a moment ago are tried once more.
        """
        ...

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        """One command; never sent after ``not_after`` (CLOCK_BOOTTIME seconds)."""
        ...


REFUSED_FOR_S = 600.0
"""So long the same credentials are not tried again by themselves after a device has refused them."""


class GatedDevices:
    """The drivers of this process behind one gate."""

    def __init__(self, registry: PowerRegistry, gate: Gate, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Both live as long as the process."""
        self._registry = registry
        self._gate = gate
        self._monotonic = monotonic
        self._refused: dict[str, tuple[BmcTarget, float]] = {}

    async def status(self, target: BmcTarget, *, deadline_s: float, by_hand: bool = False) -> PowerReading:
        """See :class:`PowerDevices`. A turn that does not come in time is an unknown state, coded ``busy``."""
        known, until = self._refused.get(target.identity, (None, 0.0))
        if not by_hand and known == target and self._monotonic() < until:
            return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.BAD_CREDENTIALS, said=_NOT_TRIED)
        reading = await self._read(target, deadline_s)
        if reading.code is PowerCode.BAD_CREDENTIALS:
            self._refused[target.identity] = (target, self._monotonic() + REFUSED_FOR_S)
        elif reading.reachable:
            self._refused.pop(target.identity, None)
        return reading

    async def _read(self, target: BmcTarget, deadline_s: float) -> PowerReading:
        driver = self._registry.driver_for(target)
        try:
            async with asyncio.timeout(deadline_s + 1):
                async with self._gate.turn(target.identity, PowerAction.STATUS):
                    return await driver.status(target, deadline_s=deadline_s)
        except TimeoutError:
            return PowerReading(
                state=PowerState.UNKNOWN,
                code=PowerCode.BUSY,
                said="another operation held the device until the deadline",
            )

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        """See :class:`PowerDevices`. Only waiting for the turn is cut short here; the driver keeps its own deadline."""
        driver = self._registry.driver_for(target)
        entered = False
        try:
            async with asyncio.timeout(deadline_s) as limit:
                async with self._gate.turn(target.identity, action):
                    entered = True
                    limit.reschedule(None)
                    return await driver.act(target, action, deadline_s=deadline_s, not_after=not_after)
        except TimeoutError:
            if entered:
                raise
            return Outcome(
                accepted=Accepted.NOT_SENT,
                code=PowerCode.BUSY,
                said="another operation held the device until the deadline",
            )
