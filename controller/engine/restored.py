"""A database that lost what was committed (restored from a backup): pause everything, hold what is open, say so.

Carries rules 1, 5 and 9 over a restore: an intent, a proof or a count of which this database knows nothing any more may
have been, so nothing goes on by itself. Looked for at the start, at every sign of life, and before claimed work begins.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from controller.db.store import Tx
from controller.domain import notices
from controller.domain.incident import Incident, State
from controller.domain.model import Host, Level, Pause
from controller.domain.proof import Proof
from controller.domain.reasons import Reason
from controller.services.pauses import own_pause
from controller.services.policies import Policies
from controller.services.signs import is_lost
from controller.services.telling import tell
from controller.services.transition import Change, with_fate_known
from controller.services.world import World

log = structlog.get_logger(__name__)

ONE_RESTORE = timedelta(seconds=60)
"""Controllers that notice within this of each other noticed the same one: one pause, one notice."""


async def stands_still(tx: Tx, world: World, *, now: datetime) -> bool:
    """True until a person has looked at a restored database: side effects stored in it may be long past."""
    paused = any(p.reason == Reason.DATABASE_RESTORED and p.active(now) for p in await tx.pauses())
    return paused or await is_lost(tx, world)


async def hold_everything(world: World, *, starting: bool = False) -> None:
    """Nothing of this database goes on by itself. Nothing happens when another controller saw to it meanwhile."""
    async with world.store.transaction() as tx:
        await tx.guard()
        if not await is_lost(tx, world, starting=starting):
            return
        now = await world.clock.now()
        newest = next((row.alive_at for row in await tx.controllers()), None)
        held = await _hold_open(tx, world, now)
        pause = own_pause(world, Level.GLOBAL, "", Reason.DATABASE_RESTORED, now=now)
        if not any(_of_this_restore(known, now) for known in await tx.pauses()):
            await tx.save_pause(pause)
            await tell(tx, notices.database_restored(pause, newest=newest, held=held))
        identity = await tx.database_identity()
        if identity.moved:
            await tx.settle_database(identity.id)
    log.critical("the database lost what was committed: all fencing is paused", newest_sign_of_life=str(newest))


def _of_this_restore(pause: Pause, now: datetime) -> bool:
    return (
        pause.reason == Reason.DATABASE_RESTORED
        and pause.active(now)
        and timedelta(0) <= now - pause.created_at < ONE_RESTORE
    )


async def _hold_open(tx: Tx, world: World, now: datetime) -> Sequence[Host]:
    """Every open incident, whoever holds its lease: that controller's work is dropped."""
    hosts = {host.id: host for host in await tx.hosts()}
    policies = Policies(await tx.setting_rows(), (), tuple(hosts.values()))
    held = []
    for known in await tx.open_incidents():
        incident = await tx.incident_for_update(known.id, token=None)
        if incident is not None and incident.open:
            host = hosts[incident.host_id]
            change = Change(world, tx, now, host, policies.of_host(host))
            await tx.save_incident(await _hold(change, incident), end_lease=True)
            held.append(host)
    return held


async def _hold(change: Change, incident: Incident) -> Incident:
    """Neither a proof nor a person's word from before counts any more."""
    incident = await with_fate_known(change, incident)
    proof = Proof(unreachable_at=incident.proof.unreachable_at, voided=incident.proof.voided + 1)
    incident = replace(incident, proof=proof, acknowledged=None)
    if incident.state is not State.HELD:
        return await change.move(
            incident, State.HELD, reasons=(Reason.DATABASE_RESTORED,), text="the database was restored from a backup"
        )
    return await change.hold(incident, tuple(dict.fromkeys((Reason.DATABASE_RESTORED, *incident.reasons))))
