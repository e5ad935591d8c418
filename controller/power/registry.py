"""Finds the driver a target names. Bootstrap fills it: nothing here knows a concrete driver."""

from collections.abc import Mapping

from controller.domain.power import (
    Accepted,
    BmcTarget,
    Outcome,
    PowerAction,
    PowerCode,
    PowerReading,
    PowerState,
)
from controller.power.base import PowerDriver


class PowerRegistry:
    """Driver name → driver. One instance of each driver serves the whole process."""

    def __init__(self, drivers: Mapping[str, PowerDriver]) -> None:
        self._drivers = dict(drivers)

    @property
    def names(self) -> tuple[str, ...]:
        """The drivers that settings may name, sorted."""
        return tuple(sorted(self._drivers))

    def driver_for(self, target: BmcTarget) -> PowerDriver:
        """The driver ``target`` names; for an unknown name one that answers ``not_configured`` and sends nothing.

        Settings are checked when saved, but a row can outlive the driver it names (a plug-in that was removed).
        """
        return self._drivers.get(target.driver, _NOT_CONFIGURED)

    async def aclose(self) -> None:
        """Close every driver, the rest too when one fails; then raise what failed."""
        failures: list[Exception] = []
        for driver in self._drivers.values():
            try:
                await driver.aclose()
            except Exception as failure:  # noqa: BLE001 - the other drivers hold processes too
                failures.append(failure)
        if failures:
            raise ExceptionGroup("power drivers did not close", failures)


class _NotConfigured:
    """Stands in for a driver that does not exist."""

    async def status(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        del deadline_s
        return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.NOT_CONFIGURED, said=_unknown(target))

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        return await self.status(target, deadline_s=deadline_s)

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        del action, deadline_s, not_after
        return Outcome(accepted=Accepted.NOT_SENT, code=PowerCode.NOT_CONFIGURED, said=_unknown(target))

    async def aclose(self) -> None:
        return None


def _unknown(target: BmcTarget) -> str:
    return f"there is no power driver named {target.driver!r}"


_NOT_CONFIGURED = _NotConfigured()
