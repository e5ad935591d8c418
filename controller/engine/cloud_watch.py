"""Polls the cloud's opinion of its hosts: a host that it loses opens an incident, what it marks is kept here.

The own watch comes first and is quicker (:mod:`controller.engine.watcher`); this one is for hosts whose agent is silent
already. A cloud that is in trouble itself says nothing about hosts: nothing is concluded from such a poll.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from controller.cloud.base import CloudUnreadableError
from controller.domain import notices
from controller.domain.cloud import CloudHost
from controller.domain.incident import Source
from controller.domain.model import Host, Notice
from controller.engine.watcher import POLL_DEADLINE_S
from controller.services import cloud_reports, inventory_sync
from controller.services.changes import record
from controller.services.incidents import open_incident
from controller.services.telling import tell
from controller.services.world import World

log = structlog.get_logger(__name__)

POLL_S = 10.0
"""A host list is one request for 500 hosts; the own watch is what has to be quick."""


SYNC_S = 60.0
"""How often everything is read. Of a VM that is newer its host's first check round reads the disks itself."""

TROUBLE_IS_TOLD_AFTER = timedelta(minutes=10)
"""A restart of the management server takes less."""

SYNC_FRESH = timedelta(seconds=SYNC_S * 0.75)


@dataclass(slots=True)
class CloudWatch:
    """One process's view of the cloud. ``up``: what the last poll said of each host, by the cloud's id."""

    world: World
    up: dict[str, bool] = field(default_factory=dict)
    trouble: str = ""
    trouble_since: datetime | None = None
    logged: tuple[str, ...] = ()
    known_at: datetime | None = None
    """When the cloud last told of its hosts."""

    async def poll(self) -> None:
        """Ask once, and act on what changed."""
        seen = await self.world.cloud.poll()
        self.world.meter.cloud_polled(told=seen.known)
        await self._note_trouble(seen.trouble)
        if not seen.known:
            return
        before, self.up = self.up, {host.id: host.up for host in seen.hosts}
        was_known_at, self.known_at = self.known_at, await self.world.clock.now()
        if not seen.hosts:
            return
        async with self.world.store.transaction() as tx:
            known = {host.external_id: host for host in await tx.hosts() if host.external_id}
            open_hosts = await tx.open_hosts()
        for there in seen.hosts:
            here = known.get(there.id)
            if here is None:
                continue
            await self._mark(here, there)
            if before.get(there.id) and not there.up and not there.maintenance and here.id not in open_hosts:
                await self._lost(here, there, not_before=was_known_at)

    async def _note_trouble(self, trouble: str) -> None:
        """Say it once when the cloud has told nothing for long, and once when that is over."""
        now = await self.world.clock.now()
        since = self.trouble_since or now
        long = now - since >= TROUBLE_IS_TOLD_AFTER
        if trouble and not self.trouble:
            log.warning("the cloud tells nothing", trouble=trouble)
        if self.trouble and not trouble:
            log.info("the cloud tells again")
        if long and trouble:
            await self._tell(notices.cloud_trouble(trouble, since=since, at=now))
        elif long:
            await self._tell(notices.cloud_is_back(since=since, at=now))
        self.trouble, self.trouble_since = trouble, since if trouble else None

    async def _tell(self, notice: Notice) -> None:
        async with self.world.store.transaction() as tx:
            await tell(tx, notice)

    async def sync(self) -> None:
        """Bring the cloud's whole inventory into ours, unless another controller has just done so."""
        world = self.world
        last = await cloud_reports.read_report(world.store)
        if last is not None and await world.clock.now() - last.at < SYNC_FRESH:
            return
        try:
            inventory = await world.cloud.inventory()
        except CloudUnreadableError as error:
            self.world.meter.cloud_read(well=False)
            log.warning("the cloud's inventory cannot be read", error=str(error))
            await cloud_reports.note_problem(world.store, world.clock, str(error))
            return
        if inventory is not None:
            self.world.meter.cloud_read(well=True)
            allow_local = not world.bmc_address_refused("127.0.0.1")
            result = await inventory_sync.apply(world.store, world.clock, inventory, allow_local=allow_local)
            self._log_news((*filter(None, [result.report.problem]), *result.report.warnings))

    def _log_news(self, sentences: tuple[str, ...]) -> None:
        """Rights that the key lacks, and what else stands in the way: in the log at the start, and when it changes."""
        for sentence in sentences:
            if sentence not in self.logged:
                log.warning("the cloud is not as it should be", said=sentence)
        self.logged = sentences

    async def _mark(self, here: Host, there: CloudHost) -> None:
        if (here.maintenance, here.cloud_ha) != (there.maintenance, there.own_ha):
            await follow_marks(self.world, here.id, there)

    async def _lost(self, here: Host, there: CloudHost, *, not_before: datetime | None) -> None:
        """The cloud's own agent may be down alone: a host that answers us is alive, and is left to our own watch."""
        if here.excluded or here.retired:
            return
        if here.agent_token and (await self.world.probing.watch(here, deadline_s=POLL_DEADLINE_S)).answered:
            log.info("the cloud lost a host that answers", host=here.name, state=there.state)
            return
        note = f"the cloud calls it {there.state or 'not up'}"
        since = there.down_since
        if since is not None and not_before is not None:
            since = max(since, not_before)  # the cloud's clock is another one: it still said Up then
        await open_incident(self.world, here, source=Source.CLOUD, disconnect_at=since, note=note)


async def follow_marks(world: World, host_id: str, there: CloudHost) -> None:
    """Keep what the cloud says of a host's maintenance and of its own host HA; both stop hostfence."""
    async with world.store.transaction() as tx:
        await tx.guard()  # the sync, or a person, may be writing the same row
        found = await tx.hosts(ids=(host_id,))
        for host in found:
            marked = replace(host, maintenance=there.maintenance, cloud_ha=there.own_ha)
            await tx.save_host(marked)
            await record(
                tx,
                at=await world.clock.now(),
                actor="cloud",
                action="host.update",
                target=host.name,
                id=host.id,
                maintenance=there.maintenance,
                cloud_ha=there.own_ha,
            )
