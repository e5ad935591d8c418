"""What monitoring asks of this process: is it fit for work, and all its figures. Never waits long, never fails.

A database that does not answer is told, not passed on: then of all times somebody looks.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TypeVar

from controller.db.store import StoreUnavailable
from controller.domain.snapshot import ANSWERS_ARE_GOOD_FOR
from controller.domain.steady import Base
from controller.domain.vitals import DatabaseState, Finding, findings
from controller.metrics import samples
from controller.metrics.prometheus import MEDIA_TYPE, PrometheusMeter
from controller.metrics.samples import Sample, SiteSeen
from controller.services.explaining import Explained, Explainer
from controller.services.kept import Kept
from controller.services.policies import Policies
from controller.services.site import LONGEST_CAP
from controller.services.world import World

T = TypeVar("T")

ANSWERS_WITHIN_S = 3.0
"""How long the database may take to say that it is there: load balancers and people do not wait."""

DEAD_FOR = timedelta(days=3)
"""Messages that were given up are counted for so long."""

FIGURES = MEDIA_TYPE
"""What :meth:`Monitoring.figures` answers, in HTTP's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Whom to ask besides the world. ``database``: for its state; ``steady``: for the corrections of its clock."""

    database: Callable[[], Awaitable[DatabaseState]]
    steady: Callable[[], Base | None]
    version: str


class Monitoring:
    """Of one process."""

    def __init__(self, world: World, explainer: Explainer, meter: PrometheusMeter, sources: Sources) -> None:
        """``meter``: the one that ``world`` and the store tell of what happens."""
        self._world = world
        self._explainer = explainer
        self._meter = meter
        self._sources = sources
        boottime = world.clock.boottime
        self._checkup = Kept(self._look, every_s=1.0, within_s=10.0, good_for_s=5.0, boottime=boottime)
        self._site = Kept(self._read_site, every_s=10.0, within_s=10.0, good_for_s=20.0, boottime=boottime)
        self._hosts = Kept(explainer.all_hosts, every_s=60.0, within_s=30.0, good_for_s=180.0, boottime=boottime)

    async def checkup(self) -> tuple[Finding, ...]:
        """Everything that is wrong with this process now; empty: it is ready."""
        found = await self._checkup.get(patience_s=2 * ANSWERS_WITHIN_S)
        return found if found is not None else self._found(DatabaseState.AWAY, "")

    async def figures(self) -> bytes:
        """All figures in Prometheus' text format. What cannot be had is missing, never zero; nothing is old."""
        found, site, hosts = await asyncio.gather(
            self.checkup(),
            self._site.get(patience_s=ANSWERS_WITHIN_S),
            self._hosts.get(patience_s=ANSWERS_WITHIN_S),
        )
        return self._meter.text(chain(self._of_process(found), self._of_site(site), _of_hosts(hosts or ())))

    async def _look(self) -> tuple[Finding, ...]:
        database = await _within(ANSWERS_WITHIN_S, self._sources.database(), DatabaseState.AWAY)
        clock_said = ""
        if database is DatabaseState.FITS:
            clock_said = await _within(ANSWERS_WITHIN_S, self._clock_says(), "the database does not tell the time")
        return self._found(database, clock_said)

    def _found(self, database: DatabaseState, clock_said: str) -> tuple[Finding, ...]:
        pulse = self._world.pulse
        loops = pulse.states(now=self._world.clock.boottime())
        return findings(database, loops, clock_said=clock_said, started=pulse.started)

    async def _clock_says(self) -> str:
        try:
            await self._world.clock.now()
        except StoreUnavailable as error:
            return str(error)
        return ""

    async def _read_site(self) -> SiteSeen:
        world = self._world
        async with world.store.transaction() as tx:
            now = await world.clock.now()
            clusters = tuple(await tx.clusters())
            hosts = tuple(host for host in await tx.hosts() if not host.retired)
            policies = Policies(await tx.setting_rows(owners={"", *(c.id for c in clusters)}), clusters, hosts)
            return SiteSeen(
                now=now,
                counts=await tx.counts(now=now, dead_since=now - DEAD_FOR),
                clusters=clusters,
                hosts=hosts,
                healths=await tx.healths(),
                policies={"": policies.of_site(), **{c.id: policies.of_cluster(c.id) for c in clusters}},
                attempts=tuple(await tx.attempts_since(now - LONGEST_CAP)),
                pauses=tuple(await tx.pauses()),
                controllers=tuple(await tx.controllers()),
                report=await tx.cloud_report(),
            )

    def _of_process(self, found: tuple[Finding, ...]) -> list[Sample]:
        world = self._world
        loops = world.pulse.states(now=world.clock.boottime())
        return [
            samples.of_this(version=self._sources.version, controller_id=world.controller_id),
            *samples.of_process(found, loops, isolated=world.isolation.isolated),
            *samples.of_clock(self._sources.steady()),
        ]

    def _of_site(self, seen: SiteSeen | None) -> list[Sample]:
        if seen is None:
            return []
        sights = self._world.sights
        answering = frozenset(
            host_id for host_id, sight in sights.known.items() if seen.now - sight.at <= ANSWERS_ARE_GOOD_FOR
        )
        return [*samples.of_site(seen), *samples.of_agents(seen.clusters, seen.hosts, answering)]


def _of_hosts(explained: tuple[Explained, ...]) -> list[Sample]:
    return [sample for one in explained for sample in samples.of_readiness(one.readiness, one.hosts)]


async def _within(seconds: float, asking: Awaitable[T], otherwise: T) -> T:
    """Its answer, or ``otherwise`` after so long: not waited for then, as a hung database lets go of nobody."""
    task = asyncio.ensure_future(asking)
    await asyncio.wait({task}, timeout=seconds)
    if task.done():
        return await task
    task.cancel()
    return otherwise
