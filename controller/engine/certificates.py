"""Tells in time that an agent's certificate ends: it should have been renewed by itself long before."""

import structlog

from controller.domain import notices
from controller.domain.certificates import ending
from controller.services.telling import tell
from controller.services.world import World

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 600.0


async def warn(world: World) -> int:
    """Look at every host's certificate; returns how many notices are new. Told once, however often this is done."""
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        hosts = [host for host in await tx.hosts() if not host.retired]
    found = [(host, stage) for host in hosts if (stage := ending(host.agent_tls_until, now)) is not None]
    told = 0
    for host, stage in found:
        async with world.store.transaction() as tx:  # one each: a thousand of them hold nobody up
            told += await tell(tx, notices.certificate_ends(host, stage, at=now))
    if told:
        log.warning("certificates of agents end", told=told)
    return told
