"""This controller's sign of life in the database, the quiet after a gap without any controller, and tidying up.

Carries design section 5 (quiet) and rule 9: a database without this controller's last sign of life was restored, and a
manual command whose controller died is closed as unknown, so that its host is not blocked for ever.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from controller.db.store import Tx
from controller.domain.inheritance import resolve
from controller.domain.model import Attempt, Level, Pause
from controller.domain.reasons import Reason
from controller.domain.safeguards import SYSTEM
from controller.engine import restored
from controller.services import signs
from controller.services.pauses import own_pause
from controller.services.transition import fate_unknown
from controller.services.world import World

log = structlog.get_logger(__name__)

GAP = timedelta(seconds=60)
UNFINISHED_FOR = timedelta(seconds=120)
"""Longer than any command may take from intent to answer, lease and deadline together."""


async def begin(world: World) -> None:
    """At start: say that this controller lives.

    Be quiet for ``startup_quiet`` when none had been alive for a minute.
    """
    await _sign(world, starting=True)


async def alive(world: World) -> None:
    """Every few seconds: this controller lives."""
    await _sign(world, starting=False)
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        quiet = [pause for pause in await tx.pauses() if _is_quiet(pause, now)]
    if quiet:
        await _follow_the_setting(world)


async def _sign(world: World, *, starting: bool) -> None:
    """Write a sign of life, and keep it; where an earlier one is lost, everything is held first."""
    if not await _write(world, starting=starting, checked=False):
        await restored.hold_everything(world, starting=starting)
        await _write(world, starting=starting, checked=True)


async def _write(world: World, *, starting: bool, checked: bool) -> bool:
    """False, and nothing is written, when what was committed before is lost (and that is not ``checked`` already)."""
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        if not checked and await signs.is_lost(tx, world, starting=starting):
            return False
        if starting and not any(now - c.alive_at < GAP for c in await tx.controllers()):
            await _be_quiet(tx, world, now)
        identity = await tx.database_identity()
        database_id = identity.id or world.new_id()
        if not identity.id:
            await tx.settle_database(database_id)
        await signs.write(tx, world, now=now)
    await signs.remember(world, database_id=database_id, at=now)
    return True


async def _be_quiet(tx: Tx, world: World, now: datetime) -> None:
    policy = resolve(await tx.setting_rows(owners=("",)), cluster_id=None, host_id=None, other_hosts_in_cluster=0)
    until = now + policy.startup_quiet
    await tx.save_pause(own_pause(world, Level.GLOBAL, "", Reason.STARTUP_QUIET, now=now, until=until))
    log.info("quiet after start", seconds=policy.startup_quiet.total_seconds())


async def _follow_the_setting(world: World) -> None:
    """A quiet that is still on lasts as long as the setting says now: pauses are always read live (design section 6).

    On a fresh database nobody could have set it before the first start.
    """
    async with world.store.transaction() as tx:
        await tx.guard()  # a person may be lifting it right now
        now = await world.clock.now()
        policy = resolve(await tx.setting_rows(owners=("",)), cluster_id=None, host_id=None, other_hosts_in_cluster=0)
        for pause in await tx.pauses():
            until = pause.created_at + policy.startup_quiet
            if _is_quiet(pause, now) and pause.until != until:
                await tx.save_pause(replace(pause, until=until))


def _is_quiet(pause: Pause, now: datetime) -> bool:
    return pause.by == SYSTEM and pause.reason == Reason.STARTUP_QUIET and pause.active(now)


async def tidy(world: World) -> int:
    """Close intents that nobody can finish any more; those of open incidents are closed by their own next step."""
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        old = [a for a in await tx.attempts_unfinished() if now - a.intended_at > UNFINISHED_FOR]
        left = [a for a in old if not await _has_its_own_step(tx, a)]
        for attempt in left:
            await tx.save_attempt(fate_unknown(attempt, at=now))
        return len(left)


async def _has_its_own_step(tx: Tx, attempt: Attempt) -> bool:
    incident = await tx.incident(attempt.incident_id) if attempt.incident_id else None
    return incident is not None and incident.open
