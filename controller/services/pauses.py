"""Pauses: no fencing at a level, for a while and for a reason. Several may stand; one is enough."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.db.store import Clock, Store
from controller.domain.model import Level, Pause
from controller.domain.reasons import Reason
from controller.domain.safeguards import SYSTEM
from controller.services.changes import changing, checked_reason, new_id, record
from controller.services.errors import BadInput, NotFound
from controller.services.lookup import owner_id_of
from controller.services.world import World

LONGEST = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPause:
    """A pause to set. ``owner``: any name of the cluster or host. ``lasts`` None: until a person lifts it."""

    level: Level
    reason: str
    owner: str = ""
    lasts: timedelta | None = None


def own_pause(
    world: World, level: Level, owner_id: str, reason: Reason, *, now: datetime, until: datetime | None = None
) -> Pause:
    """A pause that hostfence makes by itself; without ``until`` only a person lifts it."""
    return Pause(
        id=world.new_id(),
        level=level,
        owner_id=owner_id,
        reason=reason,
        by=SYSTEM,
        created_at=now,
        until=until,
    )


async def list_pauses(store: Store, clock: Clock, *, active: bool) -> list[Pause]:
    """Those not lifted, oldest first; with ``active`` without the expired ones."""
    now = await clock.now()
    async with store.transaction() as tx:
        return [pause for pause in await tx.pauses() if pause.active(now) or not active]


async def create_pause(store: Store, clock: Clock, new: NewPause, *, actor: str) -> Pause:
    """Pause fencing. From the answer on no new intent is made where it holds; what was sent before goes on."""
    now = await clock.now()
    reason = checked_reason(new.reason)
    if new.lasts is not None and not timedelta(0) < new.lasts <= LONGEST:
        raise BadInput(
            f"a pause lasts up to {LONGEST.days} days; give the number of seconds, or null to lift it by hand",
            code="bad_duration",
            field="for_seconds",
        )
    async with changing(store) as tx:
        pause = Pause(
            id=new_id(),
            level=new.level,
            owner_id=await owner_id_of(tx, new.level, new.owner),
            reason=reason,
            by=actor,
            created_at=now,
            until=now + new.lasts if new.lasts is not None else None,
        )
        await tx.save_pause(pause)
        await record(
            tx,
            at=now,
            actor=actor,
            action="pause.create",
            target=f"{new.level}:{new.owner}" if new.owner else new.level.value,
            id=pause.id,
            reason=reason,
            until=pause.until.isoformat() if pause.until else None,
        )
    return pause


async def lift_pause(store: Store, clock: Clock, pause_id: str, *, reason: str, actor: str) -> Pause:
    """End a pause now."""
    now = await clock.now()
    why = checked_reason(reason)
    async with changing(store) as tx:
        for pause in await tx.pauses():
            if pause.id == pause_id:
                lifted = replace(pause, lifted_at=now, lifted_by=actor)
                await tx.save_pause(lifted)
                await record(
                    tx, at=now, actor=actor, action="pause.lift", target=pause.level.value, id=pause.id, reason=why
                )
                return lifted
        raise NotFound(f"there is no pause {pause_id!r} to lift; GET /api/v1/pauses lists them", code="unknown_pause")
