"""A person's own power command: recorded like any other, refused against life unless forced, never a release.

Carries rule 2 (force against life), rule 4 (one operation in flight) and rule 8 (intent before, result after).
"""

from dataclasses import replace
from datetime import timedelta

from controller.domain.incident import Incident, State
from controller.domain.model import Attempt, AuditRow
from controller.domain.power import Accepted, Outcome, PowerAction, PowerCode, PowerReading
from controller.domain.proof import fresh
from controller.domain.reasons import Reason
from controller.services.errors import BadInput, Refused
from controller.services.scene import Scene, bmc_target
from controller.services.world import World

DEADLINE_S = 15.0
REPEATED_WITHIN = timedelta(seconds=60)


async def status(world: World, scene: Scene) -> PowerReading:
    """Read the power state; raises :class:`BadInput` where no usable device is configured."""
    _usable(world, scene)
    return await world.power.status(bmc_target(scene.policy), deadline_s=DEADLINE_S)


async def command(world: World, scene: Scene, *, action: PowerAction, reason: str, actor: str, force: bool) -> Attempt:
    """Send one command for a person. A second *off* within a minute of a proven one returns the first."""
    _usable(world, scene)
    if action.destructive and not force:
        await _refuse_against_life(world, scene)
    attempt, repeated = await _intend(world, scene, action, reason, actor)
    if repeated:
        return attempt
    if action is PowerAction.TEST:
        reading = await world.power.status(bmc_target(scene.policy), deadline_s=DEADLINE_S)
        outcome = Outcome(
            accepted=Accepted.YES if reading.reachable else Accepted.NO,
            code=reading.code,
            said=f"power state {reading.state}" + (f": {reading.said}" if reading.said else ""),
        )
    else:
        outcome = await world.power.act(
            bmc_target(scene.policy),
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


async def _intend(world: World, scene: Scene, action: PowerAction, reason: str, actor: str) -> tuple[Attempt, bool]:
    async with world.store.transaction() as tx:
        await tx.guard()
        now = await world.clock.now()
        incident = next((i for i in await tx.open_incidents() if i.host_id == scene.host.id), None)
        if action is PowerAction.OFF and incident is not None:
            earlier = await tx.attempts_of(incident.id)
            if earlier and fresh(incident.proof, now=now, within=REPEATED_WITHIN):
                return earlier[-1], True
        unfinished = await tx.attempts_unfinished()
        if any(a.host_id == scene.host.id or a.bmc_identity == scene.policy.bmc.identity for a in unfinished):
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
        return attempt, False


def _refuse_while_proving(incident: Incident | None) -> None:
    """Power back on in the middle of a proof or a release would make two writers."""
    if incident is not None and incident.state in (State.VERIFYING, State.RELEASING):
        raise Refused(
            f"the host is being fenced ({incident.state}); wait until the incident is closed",
            code="being_fenced",
        )


async def _refuse_against_life(world: World, scene: Scene) -> None:
    seen = await world.probing.watch(scene.host, deadline_s=3.0)
    if seen.answered:
        async with world.store.transaction() as tx:
            vms = [vm.name for vm in await tx.vms_of(scene.host.id)]
        raise Refused(
            f"the host's agent answers, and these machines run there: {', '.join(vms) or 'none known'};"
            " give force to cut its power all the same",
            code="signs_of_life",
            reasons=(Reason.AGENT_ANSWERS,),
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
