"""A host whose agent answers while no incident of it is open: re-armed, and after a fence brought back in order.

Design section 3, return: up and stable for ``healthy_for`` under a new boot id, then the quarantine is undone. The
same boot id after a proven off says that another machine was cut: its cluster holds.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from controller.db.store import Tx
from controller.domain import notices
from controller.domain.evidence import CloudSays
from controller.domain.model import Effect, EffectKind, EffectStatus, Health, Host, Level, Pause
from controller.domain.policy import Policy
from controller.domain.reasons import Reason
from controller.domain.safeguards import SYSTEM
from controller.services.telling import tell
from controller.services.transition import EFFECT_GIVES_UP_AFTER
from controller.services.world import World

SEEN_WITHOUT_A_GAP = timedelta(seconds=90)
"""An agent that was not seen for longer has not been stable."""


async def returning(world: World, host: Host, policy: Policy, *, boot_id: str) -> Health:
    """Note that the agent answered under ``boot_id``, and take the steps of a return that are due."""
    cloud = await world.cloud.says(host)
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        before = await tx.health_for_update(host.id)
        same = (
            before.boot_id == boot_id
            and before.healthy_since is not None
            and before.seen_at is not None
            and now - before.seen_at <= SEEN_WITHOUT_A_GAP
        )
        health = replace(
            before,
            boot_id=boot_id,
            seen_at=now,
            healthy_since=before.healthy_since if same else now,
        )
        if health.fenced_by:
            health = await _after_a_fence(tx, world, host, policy, health, now)
        elif not health.armed and cloud in (CloudSays.UP, CloudSays.NONE):
            health = await _rearmed(tx, world, host, health, now)
        await tx.save_health(health)
        return health


async def undo_quarantine(tx: Tx, world: World, health: Health, *, now: datetime) -> Health:
    """The health without its quarantine, whose undoing is stored as an intent; the same health where there is none."""
    if not health.quarantined_by:
        return health
    await _add_effect(tx, world, health.host_id, EffectKind.UNQUARANTINE, health.quarantined_by, now)
    return replace(health, quarantined_by="")


async def _after_a_fence(tx: Tx, world: World, host: Host, policy: Policy, health: Health, now: datetime) -> Health:
    if health.fenced_boot_id and health.boot_id == health.fenced_boot_id:
        await _never_was_off(tx, world, host, health, now)
        return health
    since = health.healthy_since or now
    if now - since < policy.healthy_for:
        return health
    if not policy.auto_return:
        await tell(tx, notices.returned(host, health, at=now, waits=True))
        return health
    await tell(tx, notices.returned(host, health, at=now))
    health = await undo_quarantine(tx, world, health, now=now)
    cleared = replace(health, fenced_by="", fenced_boot_id="")
    return await _rearmed(tx, world, host, cleared, now)


async def _never_was_off(tx: Tx, world: World, host: Host, health: Health, now: datetime) -> None:
    incident = await tx.incident(health.fenced_by)
    known = any(
        p.level is Level.CLUSTER and p.owner_id == host.cluster_id and p.reason == Reason.CONTRADICTION
        for p in await tx.pauses()
    )
    if not known:
        await tx.save_pause(
            Pause(
                id=world.new_id(),
                level=Level.CLUSTER,
                owner_id=host.cluster_id,
                reason=Reason.CONTRADICTION,
                by=SYSTEM,
                created_at=now,
            )
        )
    if incident is not None:
        await tell(tx, notices.contradiction(incident, host, at=now, signs=(Reason.AGENT_ANSWERS,)))


async def _rearmed(tx: Tx, world: World, host: Host, health: Health, now: datetime) -> Health:
    """Healthy again: a new incident may be opened; a lit LED goes out."""
    effects = await tx.effects_of(host_id=host.id)
    lights = [e.kind for e in effects if e.kind in (EffectKind.BLINK, EffectKind.BLINK_OFF)]
    if lights and lights[-1] is EffectKind.BLINK:
        await _add_effect(tx, world, host.id, EffectKind.BLINK_OFF, None, now)
    return replace(health, armed=True)


async def _add_effect(
    tx: Tx, world: World, host_id: str, kind: EffectKind, incident_id: str | None, now: datetime
) -> None:
    await tx.add_effect(
        Effect(
            id=world.new_id(),
            host_id=host_id,
            incident_id=incident_id,
            kind=kind,
            intended_at=now,
            next_try_at=now,
            give_up_at=now + EFFECT_GIVES_UP_AFTER,
            status=EffectStatus.INTENDED,
        )
    )
