"""What one read of a power device teaches about it: kept with the host, and told where it must be mended.

The proof of off rests on it: a device counts only once it said *on* while its host's agent answered.
"""

from dataclasses import replace
from datetime import datetime

from controller.domain import notices
from controller.domain.methods import with_device
from controller.domain.model import DeviceHealth, Health, Host
from controller.domain.policy import BmcSettings, Policy
from controller.domain.power import PowerReading, PowerState
from controller.services.telling import tell
from controller.services.world import World

_WATCH_DEADLINE_S = 2.0


async def keep_reading(
    world: World, host: Host, policy: Policy, method: int, reading: PowerReading, *, telling: bool
) -> None:
    """*On* counts only if the agent answers right after: both in one sight.

    ``telling``: tell that it failed, once for each kind of failure; a person who tried it sees that anyway.
    """
    seen = await world.probing.watch(host, deadline_s=_WATCH_DEADLINE_S)
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        before = await tx.health_for_update(host.id)
        known = known_device(before, method, policy.methods[method])
        after = _learned(known, reading, alive=seen.answered, now=now)
        await tx.save_health(with_device(before, method, after))
        if telling and seen.answered and reading.state is not PowerState.ON:
            await tell(tx, notices.bmc_test_failed(host, after, at=now))


def known_device(health: Health, method: int, device: BmcSettings) -> DeviceHealth:
    """What is remembered of the device; nothing where another one stood in its place."""
    before = health.second if method else health.first
    return before if before.identity == device.identity else DeviceHealth(identity=device.identity)


def _learned(known: DeviceHealth, reading: PowerReading, *, alive: bool, now: datetime) -> DeviceHealth:
    on_seen = known.on_seen_at
    if alive and reading.state is PowerState.ON:
        on_seen = now
    elif alive and reading.state is PowerState.OFF:
        on_seen = None  # says off while the host answers: it is another machine's, or it lies
    return replace(known, on_seen_at=on_seen, checked_at=now, code=reading.code, said=reading.said)
