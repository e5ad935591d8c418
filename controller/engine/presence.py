"""This controller's sign of life in the database, the quiet after a gap without any controller, and tidying up.

Carries design section 5 (quiet) and rule 9: a manual command whose controller died is closed as unknown, so that its
host is not blocked for ever.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from controller.db.store import Tx
from controller.domain.inheritance import resolve
from controller.domain.model import Attempt, ControllerRow, Level, Pause
from controller.domain.reasons import Reason
from controller.domain.safeguards import SYSTEM
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
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        rows = await tx.setting_rows(owners=("",))
        gap = not any(now - c.alive_at < GAP for c in await tx.controllers())
        await tx.save_controller(ControllerRow(id=world.controller_id, started_at=now, alive_at=now))
        if not gap:
            return
        policy = resolve(rows, cluster_id=None, host_id=None, other_hosts_in_cluster=0)
        await tx.save_pause(
            Pause(
                id=world.new_id(),
                level=Level.GLOBAL,
                owner_id="",
                reason=Reason.STARTUP_QUIET,
                by=SYSTEM,
                created_at=now,
                until=now + policy.startup_quiet,
            )
        )
        log.info("quiet after start", seconds=policy.startup_quiet.total_seconds())


async def alive(world: World) -> None:
    """Every few seconds: this controller lives."""
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        mine = next((c for c in await tx.controllers() if c.id == world.controller_id), None)
        started = mine.started_at if mine else now
        await tx.save_controller(ControllerRow(id=world.controller_id, started_at=started, alive_at=now))
        quiet = [pause for pause in await tx.pauses() if _is_quiet(pause, now)]
    if quiet:
        await _follow_the_setting(world)


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
