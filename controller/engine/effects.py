"""Does stored side effects (quarantine and its undoing, LED, a reboot's power-on) until done or given up.

Never delays fencing.

Carries rule 8: the intent was stored with the decision; what became of it is stored here. All of them are idempotent.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from controller.cloud.base import EffectResult
from controller.db.store import Tx
from controller.domain import notices
from controller.domain.in_flight import in_flight
from controller.domain.model import Attempt, Effect, EffectKind, EffectStatus, Host
from controller.domain.power import Accepted, PowerAction
from controller.domain.safeguards import bmc_seen_on
from controller.engine import restored
from controller.services.scene import Scene, bmc_target, read_scene
from controller.services.telling import tell
from controller.services.world import World

log = structlog.get_logger(__name__)

TRY_LEASE = timedelta(seconds=60)
"""While one process tries an effect no other does."""

BACKOFF_FIRST = timedelta(seconds=5)
BACKOFF_LONGEST = timedelta(minutes=10)
DEADLINE_S = 15.0
NO_LONGER = "no longer wanted"

POWER = {
    EffectKind.BLINK: PowerAction.BLINK,
    EffectKind.BLINK_OFF: PowerAction.BLINK_OFF,
    EffectKind.POWER_ON: PowerAction.ON,
}


FAMILIES = (
    frozenset({EffectKind.QUARANTINE, EffectKind.UNQUARANTINE}),
    frozenset(POWER),
    frozenset({EffectKind.RELEASE}),
)


@dataclass(frozen=True, slots=True)
class _Job:
    effect: Effect
    scene: Scene


async def do_due(world: World) -> int:
    """Try every due effect once; returns how many were tried."""
    jobs = await _claim(world)
    await asyncio.gather(*(_try(world, job) for job in jobs))
    return len(jobs)


async def _try(world: World, job: _Job) -> None:
    result = await _do(world, job)
    if result is not None and result.pending:
        # What it is about to replace, stored before it is replaced: see Cloud.quarantine.
        job = replace(job, effect=replace(job.effect, earlier=result.earlier))
        async with world.store.transaction() as tx:
            await tx.save_effect(job.effect)
        result = await _do(world, job)
    await _keep(world, job, result)


async def _claim(world: World) -> list[_Job]:
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        jobs: list[_Job] = []
        due = await tx.effects_due(now=now, limit=20)
        if due and await restored.stands_still(tx, world, now=now):
            return jobs
        for effect in due:
            if await tx.host(effect.host_id) is None:  # deleted meanwhile; the others must not wait for it
                await tx.save_effect(_over(effect, now))
                continue
            if await _must_wait(tx, effect):
                continue
            leased = replace(effect, next_try_at=now + TRY_LEASE, tries=effect.tries + 1)
            await tx.save_effect(leased)
            jobs.append(_Job(leased, await _scene(tx, effect)))
        return jobs


async def _scene(tx: Tx, effect: Effect) -> Scene:
    """With the power device that the incident used: what one device took away, that one gives back."""
    incident = await tx.incident(effect.incident_id) if effect.incident_id else None
    return await read_scene(tx, effect.host_id, method=incident.method if incident is not None else 0)


async def _must_wait(tx: Tx, effect: Effect) -> bool:
    """Effects that undo each other are done in the order they were meant."""
    family = next(f for f in FAMILIES if effect.kind in f)
    earlier = await tx.effects_of(host_id=effect.host_id)
    return any(
        e.status is EffectStatus.INTENDED and e.kind in family
        for e in earlier[: [e.id for e in earlier].index(effect.id)]
    )


async def _do(world: World, job: _Job) -> EffectResult | None:
    """None: what it was for has passed."""
    host = job.scene.host
    async with world.store.transaction() as tx:
        wanted = await _still_wanted(tx, job.effect)
    if not wanted:
        return None
    match job.effect.kind:
        case EffectKind.QUARANTINE:
            return await world.cloud.quarantine(host, job.effect.earlier)
        case EffectKind.UNQUARANTINE:
            return await world.cloud.unquarantine(host, await _earlier(world, host))
        case EffectKind.BLINK | EffectKind.BLINK_OFF | EffectKind.POWER_ON:
            return await _power(world, job)
        case EffectKind.RELEASE:
            return EffectResult(done=False, said="a release is done by its incident alone")


async def _power(world: World, job: _Job) -> EffectResult:
    """A command that takes nothing down; ``power_on`` only while the fence it finishes is the host's newest."""
    action = POWER[job.effect.kind]
    attempt = await _intend(world, job, action)
    if attempt is None:
        return EffectResult(done=False, said="another power operation is under way, or no usable power device is set")
    outcome = await world.power.act(
        bmc_target(job.scene.host, job.scene.policy),
        action,
        deadline_s=DEADLINE_S,
        not_after=world.clock.boottime() + DEADLINE_S,
    )
    async with world.store.transaction() as tx:
        await tx.save_attempt(
            replace(
                attempt,
                finished_at=await world.clock.now(),
                accepted=outcome.accepted,
                code=outcome.code,
                said=outcome.said,
            )
        )
    return EffectResult(done=outcome.accepted is Accepted.YES, said=outcome.said or outcome.code)


async def _intend(world: World, job: _Job, action: PowerAction) -> Attempt | None:
    """Rule 4: no second operation on a host or a device with one in flight."""
    host, bmc = job.scene.host, job.scene.policy.bmc
    async with world.store.transaction() as tx:
        await tx.guard()
        if not bmc.configured or world.bmc_address_refused(bmc.host):
            return None
        if action is PowerAction.ON and not bmc_seen_on(await tx.health(host.id), job.scene.policy):
            return None  # the device was changed meanwhile: it may be another machine's
        if in_flight(await tx.attempts_unfinished(), host_id=host.id, identity=bmc.identity):
            return None
        attempt = Attempt(
            id=world.new_id(),
            host_id=host.id,
            cluster_id=host.cluster_id,
            incident_id=job.effect.incident_id,
            action=action,
            bmc_identity=bmc.identity,
            actor="hostfence",
            automatic=True,
            takes_slot=False,
            intended_at=await world.clock.now(),
        )
        await tx.add_attempt(attempt)
        return attempt


async def _still_wanted(tx: Tx, effect: Effect) -> bool:
    """A power-on belongs to the host's newest fence; a quarantine ends with its incident, or with the host's return."""
    if effect.kind not in (EffectKind.POWER_ON, EffectKind.QUARANTINE):
        return True
    incident = await tx.incident(effect.incident_id) if effect.incident_id else None
    if effect.kind is EffectKind.QUARANTINE and incident is not None and incident.open:
        return True
    return (await tx.health(effect.host_id)).fenced_by == effect.incident_id


async def _earlier(world: World, host: Host) -> str:
    """What the newest quarantine of this host replaced, or may have: the answer of one that failed may be lost."""
    async with world.store.transaction() as tx:
        some = [
            e
            for e in await tx.effects_of(host_id=host.id)
            if e.kind is EffectKind.QUARANTINE and (e.status is EffectStatus.DONE or e.earlier)
        ]
    return some[-1].earlier if some else ""


async def _keep(world: World, job: _Job, result: EffectResult | None) -> None:
    async with world.store.transaction() as tx:
        now = await world.clock.now()
        if result is None:
            await tx.save_effect(_over(job.effect, now))
            return
        effect = _after(job.effect, result, now)
        await tx.save_effect(effect)
        incident = await tx.incident(effect.incident_id) if effect.incident_id else None
        if not result.done and incident is not None:
            await tell(tx, notices.effect_failed(incident, job.scene.host, effect, at=now))
    log.info("effect", kind=effect.kind, host_id=effect.host_id, status=effect.status, said=effect.said)


def _over(effect: Effect, now: datetime) -> Effect:
    return replace(effect, status=EffectStatus.FAILED, finished_at=now, next_try_at=None, said=NO_LONGER)


def _after(effect: Effect, result: EffectResult, now: datetime) -> Effect:
    if result.done:
        return replace(
            effect,
            status=EffectStatus.DONE,
            finished_at=now,
            next_try_at=None,
            said=result.said,
            earlier=result.earlier,
        )
    if now >= effect.give_up_at:
        return replace(effect, status=EffectStatus.FAILED, finished_at=now, next_try_at=None, said=result.said)
    wait = min(BACKOFF_LONGEST, BACKOFF_FIRST * 2 ** min(effect.tries, 10))
    return replace(effect, next_try_at=now + wait, said=result.said)
