"""A person's own power command: recorded like any other, refused against life unless forced, never a release.

Carries rule 2 (force against life), rule 4 (one operation in flight) and rule 8 (intent before, result after).
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from controller.db.store import Tx
from controller.domain.in_flight import in_flight
from controller.domain.incident import Incident, State
from controller.domain.model import Attempt, AuditRow
from controller.domain.power import Accepted, Outcome, PowerAction, PowerCode, PowerReading
from controller.domain.proof import fresh
from controller.domain.reasons import Reason
from controller.domain.watch import newest_beat_age
from controller.services import signs
from controller.services.device_checks import keep_reading
from controller.services.errors import BadInput, Refused
from controller.services.scene import Scene, bmc_target
from controller.services.world import World

DEADLINE_S = 15.0
WATCH_DEADLINE_S = 3.0
REPEATED_WITHIN = timedelta(seconds=60)
STATE_CHANGING = (PowerAction.OFF, PowerAction.ON, PowerAction.REBOOT)


async def status(world: World, scene: Scene) -> PowerReading:
    """Read the power state; raises :class:`BadInput` where no usable device is configured."""
    _usable(world, scene)
    return await world.power.status(bmc_target(scene.host, scene.policy), deadline_s=DEADLINE_S, by_hand=True)


async def command(world: World, scene: Scene, *, action: PowerAction, reason: str, actor: str, force: bool) -> Attempt:
    """Send one command for a person. A second *off* within a minute of a proven one returns the first."""
    _usable(world, scene)
    if action.destructive and not force:
        await _refuse_against_life(world, scene)
    attempt, repeated = await _intend(world, scene, action, reason, actor)
    if repeated:
        return attempt
    await signs.remember(world, at=attempt.intended_at)
    if action is PowerAction.TEST:
        outcome = await _try_out(world, scene)
    else:
        outcome = await world.power.act(
            bmc_target(scene.host, scene.policy),
            action,
            deadline_s=DEADLINE_S,
            not_after=world.clock.boottime() + DEADLINE_S,
        )
    async with world.store.transaction() as tx:
        done = replace(
            attempt,
            finished_at=await world.clock.now(),
            accepted=outcome.accepted,
            code=outcome.code,
            said=outcome.said,
        )
        await tx.save_attempt(done)
        return done


async def _try_out(world: World, scene: Scene) -> Outcome:
    """Readiness learns from a person's test as it does from its own: what was mended shows at once."""
    reading = await world.power.test(bmc_target(scene.host, scene.policy), deadline_s=DEADLINE_S)
    method = scene.policy.methods.index(scene.policy.bmc)
    await keep_reading(world, scene.host, scene.policy, method, reading, telling=False)
    return Outcome(
        # A device whose state cannot be read may have been tried all the same.
        accepted=Accepted.YES if reading.reachable or reading.code is PowerCode.NONE else Accepted.NO,
        code=reading.code,
        said=f"power state {reading.state}" + (f": {reading.said}" if reading.said else ""),
    )


async def _intend(world: World, scene: Scene, action: PowerAction, reason: str, actor: str) -> tuple[Attempt, bool]:
    async with world.store.transaction() as tx:
        await tx.guard()
        now = await world.clock.now()
        incident = await tx.open_incident_of(scene.host.id)
        if action is PowerAction.OFF and (first := await _proven_a_moment_ago(tx, scene, now)) is not None:
            return first, True
        unfinished = await tx.attempts_unfinished()
        if in_flight(unfinished, host_id=scene.host.id, identity=scene.policy.bmc.identity):
            raise Refused(
                "another power operation on this host or device is under way; try again in a few seconds",
                code="operation_in_flight",
                reasons=(Reason.OPERATION_IN_FLIGHT,),
            )
        if action in (PowerAction.ON, PowerAction.REBOOT):
            _refuse_while_proving(incident)
        attempt = Attempt(
            id=world.new_id(),
            host_id=scene.host.id,
            cluster_id=scene.host.cluster_id,
            incident_id=None,
            action=action,
            bmc_identity=scene.policy.bmc.identity,
            actor=actor,
            automatic=False,
            takes_slot=action.destructive,
            intended_at=now,
        )
        await tx.add_attempt(attempt)
        await tx.add_audit(
            AuditRow(
                id=world.new_id(),
                at=now,
                actor=actor,
                action=f"power_{action}",
                target=scene.host.id,
                data={"reason": reason, "host": scene.host.name},
            )
        )
        await signs.write(tx, world, now=now)
        return attempt, False


async def _proven_a_moment_ago(tx: Tx, scene: Scene, now: datetime) -> Attempt | None:
    """The off of the host's newest incident, open or closed, if it was proven and nobody gave power again."""
    newest = next(iter(await tx.incidents(host_id=scene.host.id, limit=1)), None)
    if newest is None or newest.sent_on or not fresh(newest.proof, now=now, within=REPEATED_WITHIN):
        return None
    commands = [a for a in await tx.attempts_since(now - timedelta(hours=1)) if a.host_id == scene.host.id]
    last = next((a for a in reversed(commands) if a.action in STATE_CHANGING), None)
    return last if last is not None and last.action is PowerAction.OFF else None


def _refuse_while_proving(incident: Incident | None) -> None:
    """Power back on in the middle of a proof or a release would make two writers."""
    if incident is not None and incident.state in (State.VERIFYING, State.RELEASING):
        raise Refused(
            f"the host is being fenced ({incident.state}); wait until the incident is closed",
            code="being_fenced",
        )


async def _refuse_against_life(world: World, scene: Scene) -> None:
    """Its agent that answers, or its heartbeat that a neighbor saw moving a moment ago."""
    asked = (scene.host, *scene.witnesses.asked)
    seen = await asyncio.gather(*(world.probing.watch(host, deadline_s=WATCH_DEADLINE_S) for host in asked))
    beat = newest_beat_age(scene.host.id, seen)
    signs = []
    if seen[0].answered:
        signs.append(Reason.AGENT_ANSWERS)
    if beat is not None and beat < scene.policy.watch_timeout.total_seconds():
        signs.append(Reason.HEARTBEAT_MOVES)
    if not signs:
        return
    async with world.store.transaction() as tx:
        vms = [vm.name for vm in await tx.vms_of(scene.host.id)]
    what = "agent answers" if seen[0].answered else "heartbeat moves"
    raise Refused(
        f"the host's {what}, and these machines run there: {', '.join(vms) or 'none known'};"
        " give force to cut its power all the same",
        code="signs_of_life",
        reasons=signs,
    )


def _usable(world: World, scene: Scene) -> None:
    bmc = scene.policy.bmc
    if not bmc.configured:
        raise BadInput(
            f"host {scene.host.name} has no power device: set ipmi.host (and user, password) first",
            code=PowerCode.NOT_CONFIGURED,
            field="ipmi.host",
        )
    if world.bmc_address_refused(bmc.host):
        raise BadInput(
            f"ipmi.host: {bmc.host} is a loopback or link-local address, which no real BMC has",
            code=Reason.BMC_ADDRESS_REFUSED,
            field="ipmi.host",
        )
