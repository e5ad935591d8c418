"""One claimed incident in the hands of one worker: read the scene, look, and apply only while the lease is ours.

Carries rule 9: :meth:`Step.change` opens its transaction only if the token still holds; a lost lease drops the work.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from controller.domain.incident import Incident
from controller.services.scene import Scene, read_scene
from controller.services.signs import is_lost
from controller.services.transition import Change
from controller.services.world import World

if TYPE_CHECKING:
    from datetime import datetime

LEASE = timedelta(seconds=15)
"""How long an incident stays with a controller that gives no sign of life: the worst wait for another to take over."""

RENEW_EVERY_S = 7.0
"""Seconds between two renewals of the lease under a step that goes on: two within a lease, and longer than a look at a
host that does not answer takes (six seconds), so that the usual step needs none."""


class LeaseLost(Exception):  # noqa: N818 - an expected end of the work, not an error
    """Somebody else has the incident now: what was found is dropped."""


@dataclass(slots=True)
class Claimed:
    """The change in hand: put the new incident into ``incident``; it is saved when the block ends."""

    change: Change
    incident: Incident
    scene: Scene
    failed: bool = False
    """The step ended in an unexpected error; otherwise the count of failures in a row starts again."""
    ends: bool = True
    """False keeps the lease: the step goes on after this transaction."""

    @property
    def now(self) -> "datetime":
        """Hostfence time of this transaction."""
        return self.change.now


@dataclass(slots=True, kw_only=True)
class Step:
    """A claim: the incident as it was when claimed, and the lease on it."""

    world: World
    incident: Incident
    token: str
    leased_at: float
    """CLOCK_BOOTTIME seconds when the lease was taken."""
    renewed_at: float = 0.0
    """CLOCK_BOOTTIME seconds when the lease was renewed last, as the database is known to have it."""
    looking: bool = False
    """It has read its scene and writes nothing yet: it waits for others, not for the database."""
    over: bool = False
    """The lease was given back: the step wrote its last."""

    async def scene(self) -> Scene:
        """The host among its neighbors, in a transaction of its own."""
        async with self.world.store.transaction() as tx:
            scene = await read_scene(tx, self.incident.host_id, method=self.incident.method)
        structlog.contextvars.bind_contextvars(host=scene.host.name)
        self.looking = True
        return scene

    @asynccontextmanager
    async def change(self, scene: Scene, *, guarded: bool = False) -> AsyncIterator[Claimed]:
        """One guarded transaction on the incident *as it is now* (a report may have changed it meanwhile).

        ``guarded``: serialised with all other intents and with changes of settings, on the scene as it is now.
        Raises :class:`LeaseLost` before anything is written. A step that goes on afterwards has a whole lease for it.
        """
        began, self.looking = self.world.clock.boottime(), False
        async with self.world.store.transaction() as tx:
            if guarded:
                await tx.guard()
            current = await tx.incident_for_update(self.incident.id, token=self.token)
            if current is None or not current.open:
                raise LeaseLost
            if guarded:
                scene = await read_scene(tx, self.incident.host_id, method=current.method)
                if await is_lost(tx, self.world):  # with an old backup an old lease comes back too
                    raise LeaseLost
            now = await self.world.clock.now()
            change = Change(self.world, tx, now, scene.host, scene.policy)
            claimed = Claimed(change, current, scene)
            yield claimed
            failures = current.failures + 1 if claimed.failed else 0
            after = replace(claimed.incident, failures=failures)
            await tx.save_incident(after, end_lease=claimed.ends)
            if not claimed.ends:
                await tx.extend_lease(current.id, token=self.token, lease_until=now + LEASE)
        if claimed.ends:
            self.over = True
        else:
            self.renewed_at = began

    async def renew(self, *, after: float) -> None:
        """In ``after`` seconds push the lease's end; :class:`LeaseLost` when another has it or it was given back."""
        await asyncio.sleep(after)
        began = self.world.clock.boottime()
        async with self.world.store.transaction() as tx:
            until = await self.world.clock.now() + LEASE
            if not await tx.extend_lease(self.incident.id, token=self.token, lease_until=until):
                raise LeaseLost
        self.renewed_at = began

    def looked_for(self) -> timedelta:
        """Since the claim. The interval is from look to look: a host that answers nobody makes each look last long."""
        return timedelta(seconds=self.world.clock.boottime() - self.leased_at)

    def lease_ends(self) -> float:
        """CLOCK_BOOTTIME seconds after which nothing may be sent: never later than the stored lease ends.

        The renewal is dated from before its transaction began. One whose commit got no answer does not count.
        """
        return max(self.leased_at, self.renewed_at) + LEASE.total_seconds()
