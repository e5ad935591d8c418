"""All power devices as the engine sees them: the named driver, behind the gate, within one deadline.

Carries rule 4 within one process (one operation at a time per device); between processes the unfinished intent does.
"""

import asyncio
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


class PowerDevices(Protocol):
    """What the engine and the operators' services need of power."""

    async def status(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """One read, waiting for the device's turn included in the deadline."""
        ...

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        """One command; never sent after ``not_after`` (CLOCK_BOOTTIME seconds)."""
        ...


class GatedDevices:
    """The drivers of this process behind one gate."""

    def __init__(self, registry: PowerRegistry, gate: Gate) -> None:
        """Both live as long as the process."""
        self._registry = registry
        self._gate = gate

    async def status(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """See :class:`PowerDevices`. A turn that does not come in time is an unknown state, coded ``busy``."""
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
