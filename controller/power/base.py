"""The contract of a power driver.

A driver translates three things and decides nothing: our action into the device's verb, the device's state into ours,
the device's errors into :class:`PowerCode`. What every driver promises, and the contract suite checks on each:

1. ``status``, ``test`` and ``act`` return within ``deadline_s`` plus one second, whatever the device does; they never
   raise for anything the device or the network did. They raise only for programming errors, and
   ``asyncio.CancelledError`` passes through.
2. A state that is not clearly on or off is ``unknown`` with a code; what the device said stands in ``said`` without
   secrets.
3. ``act`` sends at most one state-changing command per call. It never retries a destructive command by itself.
4. ``act`` sends nothing once ``not_after`` (seconds of ``time.clock_gettime(CLOCK_BOOTTIME)``) has passed: it then
   answers ``not_sent``/``stalled``. A process that was stopped past its lease and wakes up therefore sends nothing.
5. ``accepted`` is ``no`` only if the device said no; ``not_sent`` only if nothing can have reached it; otherwise
   ``unknown``.
6. Bad credentials are never retried (BMCs lock accounts out).
7. The password is in no argv, log, error, ``said`` or ``repr`` (rule 7).
"""

from typing import Protocol

from controller.domain.power import BmcTarget, Outcome, PowerAction, PowerReading


class PowerDriver(Protocol):
    """One kind of power device."""

    async def status(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """Read the power state once."""
        ...

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """What a person's *Test* does; changes nothing.

        The device's own test action where the settings name one, and its state where that can be read.
        """
        ...

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        """Send one command (off, on, reboot, blink, blink_off). ``test`` and ``status`` are reads."""
        ...

    async def aclose(self) -> None:
        """Give back every process and descriptor; idempotent."""
        ...
