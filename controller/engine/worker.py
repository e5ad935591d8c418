"""The loop that moves incidents: claim what is due, run its step, go on. No policy here.

Carries rules 4 and 9: a claim is a lease with a token; whatever a step wants to write, it writes under that token.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from controller.domain.incident import Incident, State
from controller.domain.reasons import Reason
from controller.domain.schedule import RETRY_AFTER_FAILURE
from controller.engine.step import LEASE, LeaseLost, Step
from controller.engine.steps import checking, fencing, held, releasing, suspect, verifying
from controller.services.world import World

log = structlog.get_logger(__name__)

STEPS: dict[State, Callable[[Step], Awaitable[None]]] = {
    State.SUSPECT: suspect.run,
    State.CHECKING: checking.run,
    State.FENCING: fencing.run,
    State.VERIFYING: verifying.run,
    State.RELEASING: releasing.run,
    State.HELD: held.run,
}
"""One step module for every open state (checked by a test)."""

FAILURES_BEFORE_TELLING = 3
"""Steps of one incident that fail in a row before people are told."""

AT_ONCE = 64
"""Incidents one process works on at the same time."""


class Worker:
    """Claims and runs; as many in as many processes as one likes."""

    def __init__(self, world: World) -> None:
        """``world``: the ports."""
        self._world = world
        self._running: set[asyncio.Task[None]] = set()

    async def run_due(self) -> int:
        """Claim what is due and start a task for each; returns how many were started."""
        room = AT_ONCE - len(self._running)
        if room <= 0:
            return 0
        token = self._world.new_id()
        leased_at = self._world.clock.boottime()
        async with self._world.store.transaction() as tx:
            now = await self._world.clock.now()
            due = await tx.claim_due(now=now, lease_until=now + LEASE, token=token, limit=room)
        for incident in due:
            step = Step(world=self._world, incident=incident, token=token, leased_at=leased_at)
            task = asyncio.create_task(self._run(step), name=f"step-{incident.id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(due)

    async def drain(self) -> None:
        """Wait for every started step."""
        while self._running:
            await asyncio.wait(self._running)

    async def _run(self, step: Step) -> None:
        incident = step.incident
        with structlog.contextvars.bound_contextvars(incident_id=incident.id, host_id=incident.host_id):
            try:
                async with asyncio.timeout(LEASE.total_seconds()):
                    await STEPS[incident.state](step)
            except LeaseLost:
                log.info("lease lost, work dropped", state=incident.state)
            except Exception as error:
                log.exception("step failed", state=incident.state)
                await self._after_failure(step, error)

    async def _after_failure(self, step: Step, error: BaseException) -> None:
        """Say it in the timeline once, and try again soon: a step that fails is not a state without a way out."""
        try:
            await _note_failure(step, error)
        except LeaseLost:
            log.info("lease lost, failure not noted", state=step.incident.state)
        except Exception:
            log.exception("could not note the failure")


async def _note_failure(step: Step, error: BaseException) -> None:
    scene = await step.scene()
    async with step.change(scene) as claimed:
        incident: Incident = claimed.incident
        if incident.failures == 0:
            await claimed.change.note(
                incident,
                "step_failed",
                reasons=(Reason.STEP_FAILED,),
                text=f"{type(error).__name__}: {error}"[:500],
            )
        claimed.failed = True
        if incident.failures + 1 >= FAILURES_BEFORE_TELLING:
            incident = await claimed.change.hold(incident, (Reason.STEP_FAILED,))
        claimed.incident = replace(incident, next_step_at=claimed.now + RETRY_AFTER_FAILURE)
