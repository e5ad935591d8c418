"""The loop that moves incidents: claim what is due, run its step, go on. No policy here.

Carries rules 4 and 9: a claim is a lease with a token; whatever a step wants to write, it writes under that token. The
lease is short, so that another controller takes over soon, and is renewed while its step runs; a step ends with it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from controller.db.store import LastInLine
from controller.domain.incident import Incident, State
from controller.domain.reasons import Reason
from controller.domain.schedule import RETRY_AFTER_FAILURE
from controller.engine import restored
from controller.engine.step import LEASE, RENEW_EVERY_S, LeaseLost, Step
from controller.engine.steps import checking, fencing, held, releasing, suspect, verifying
from controller.metrics.base import StepEnd
from controller.services.signs import is_lost
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

WORKER = "worker"
"""The name of the loop that keeps up."""

FAILURES_BEFORE_TELLING = 3
"""Steps of one incident that fail in a row before people are told."""

LONGEST_STEP_S = 45.0
"""Longer than any round, command or release may take: a step that lasts longer is stuck, and is ended."""

RENEWAL_AGAIN_S = 1.0
"""After a renewal that the database did not answer, the next try, in seconds."""

AT_ONCE = 512
"""Incidents one process works on at the same time: nearly all of a step is waiting for an address that does not answer
(six seconds of every fifteen), so that a thousand open incidents have four hundred steps under way."""

AT_THE_STORE = 32
"""Of these, those that read or write: no more is claimed then. When more is due than can be done, it waits in the
table, where any controller may take it, and not in this process under a lease, in line for a connection."""

BREATH_S = 0.02

HEAD_START = timedelta(seconds=5)
"""What a controller that hears no agent of a cluster leaves to the others there; where nobody comes, it does the work:
holds are told by somebody, and an incident past its intent goes on."""


class Worker:
    """Claims and runs; as many in as many processes as one likes."""

    def __init__(self, world: World) -> None:
        """``world``: the ports."""
        self._world = world
        self._running: dict[asyncio.Task[None], Step] = {}
        self._closed = False

    def close(self) -> None:
        """Claim nothing more; what is under way goes on."""
        self._closed = True

    async def keep_up(self) -> None:
        """Claim and start until nothing more is due, no faster than what was started gets going."""
        while not self._closed:
            room = self._room()
            if room > 0:
                if await self._start(room) < room:
                    return
                self._world.pulse.moved(WORKER, at=self._world.clock.boottime())
            await self._world.clock.sleep(BREATH_S)

    async def run_due(self) -> int:
        """Claim what is due and start a task for each, as far as there is room; returns how many were started."""
        room = self._room()
        return await self._start(room) if room > 0 else 0

    def _room(self) -> int:
        at_the_store = sum(not step.looking for step in self._running.values())
        return min(AT_ONCE - len(self._running), AT_THE_STORE - at_the_store)

    async def _start(self, room: int) -> int:
        token = self._world.new_id()
        leased_at = self._world.clock.boottime()
        async with self._world.store.transaction() as tx:
            now = await self._world.clock.now()
            behind = self._behind(now)
            due = await tx.claim_due(now=now, lease_until=now + LEASE, token=token, limit=room, behind=behind)
            lost = bool(due) and await is_lost(tx, self._world)
        if lost:
            await restored.hold_everything(self._world)
            return 0
        for incident in due:
            self._world.meter.step_begun(late_s=_late_s(incident, now))
            step = Step(world=self._world, incident=incident, token=token, leased_at=leased_at)
            task = asyncio.create_task(self._run(step), name=f"step-{incident.id}")
            self._running[task] = step
            task.add_done_callback(self._running.pop)
        return len(due)

    def _behind(self, now: datetime) -> LastInLine | None:
        """Who hears no agent of a cluster can tell nothing of it, and its looks would end what others have counted."""
        deaf_to = self._world.isolation.deaf_to
        return LastInLine(clusters=deaf_to, since=now - HEAD_START) if deaf_to else None

    async def drain(self) -> None:
        """Wait for every started step."""
        while self._running:
            await asyncio.wait(self._running)

    async def _run(self, step: Step) -> None:
        incident = step.incident
        with structlog.contextvars.bound_contextvars(incident_id=incident.id, host_id=incident.host_id):
            end = StepEnd.FAILED
            try:
                async with asyncio.timeout(LONGEST_STEP_S):
                    await _under_lease(step)
                end = StepEnd.DONE
            except LeaseLost:
                end = StepEnd.LEASE_LOST
                log.info("lease lost, work dropped", state=incident.state)
            except Exception as error:
                log.exception("step failed", state=incident.state)
                await self._after_failure(step, error)
            finally:
                took_s = self._world.clock.boottime() - step.leased_at
                self._world.meter.step_ended(incident.state, end, took_s=took_s)

    async def _after_failure(self, step: Step, error: BaseException) -> None:
        """Say it in the timeline once, and try again soon: a step that fails is not a state without a way out."""
        try:
            await _note_failure(step, error)
        except LeaseLost:
            log.info("lease lost, failure not noted", state=step.incident.state)
        except Exception:
            log.exception("could not note the failure")


def _late_s(incident: Incident, now: datetime) -> float:
    return (now - incident.next_step_at).total_seconds() if incident.next_step_at is not None else 0.0


async def _under_lease(step: Step) -> None:
    """Do the step's work; end it when the lease is lost, or has run out with no renewal stored.

    This spares a device two controllers at once. What must never be sent late is bounded by the lease where it is sent:
    after a stop of the whole process the work may go on before this does.
    """
    working = asyncio.create_task(_work(step))
    keeping = asyncio.create_task(_keep_lease(step))
    try:
        await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if step.over:  # it wrote its last; only its own end is missing
            await asyncio.wait({working})
        if not working.done():
            keeping.result()
        await working
    finally:
        keeping.cancel()
        working.cancel()
        await asyncio.gather(working, keeping, return_exceptions=True)


async def _work(step: Step) -> None:
    await STEPS[step.incident.state](step)


async def _keep_lease(step: Step) -> None:
    """Renew the lease until it is lost or has run out: raises :class:`LeaseLost`, nothing else."""
    renewal = _renewal(step, RENEW_EVERY_S)
    try:
        while (left := step.lease_ends() - step.world.clock.boottime()) > 0:
            await asyncio.wait({renewal}, timeout=left)
            if not renewal.done():
                continue
            error = renewal.exception()
            if isinstance(error, LeaseLost):
                raise error
            if error is not None:
                log.warning("lease not renewed", error=str(error), state=step.incident.state)
            renewal = _renewal(step, RENEW_EVERY_S if error is None else RENEWAL_AGAIN_S)
    finally:
        renewal.cancel()  # not waited for: a hung database lets go of nobody
    await step.world.clock.sleep(0)
    raise LeaseLost


def _renewal(step: Step, after: float) -> asyncio.Task[None]:
    renewal = asyncio.create_task(step.renew(after=after))
    renewal.add_done_callback(lambda done: done.cancelled() or done.exception())
    return renewal


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
