"""Explains hosts and clusters: gathers what :mod:`controller.domain.explain` needs, and looks with no transaction open.

One host is looked at live. A cluster is explained from what the own watch of this process was told last: every
controller watches every agent, so any of them can answer, each from its own view.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from controller.cloud.standalone import disk_list
from controller.domain.cluster_readiness import ClusterReadiness, Storm, storm, summed_up
from controller.domain.evidence import DiskList
from controller.domain.explain import Explanation, explain
from controller.domain.model import Cluster, Host
from controller.domain.neighbors import Choice, choose
from controller.domain.safeguards import ClusterFacts
from controller.domain.snapshot import ANSWERS_ARE_GOOD_FOR, Snapshot
from controller.domain.watch import Seen
from controller.services.lookup import cluster_by_ref, host_by_ref
from controller.services.sights import Sights, storage_among
from controller.services.site import ClusterRows, Site, read_cluster, read_site
from controller.services.world import World

LOOK_S = 2.0
"""How long one agent may take to answer."""

AT_ONCE = 32
"""Agents that are asked at the same time for one explanation."""

WITNESSES_LOOKED_AT = 64
"""Of a larger cluster's neighbors, those that answer first: enough to say that enough could tell."""

IN_ONE_GO = 20
"""Hosts that are explained before others may have the processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A cluster with its hosts' explanations."""

    readiness: ClusterReadiness
    hosts: tuple[Explanation, ...]


class Explainer:
    """Answers for hosts and clusters. Raises :class:`NotFound` for what is not there."""

    def __init__(self, world: World) -> None:
        """``world``: the ports; the sights in it are the own watch's."""
        self._world = world

    async def host(self, ref: str) -> Explanation:
        """One host, its agents asked now."""
        world = self._world
        async with world.store.transaction() as tx:
            host = await host_by_ref(tx, ref)
            site = await read_site(tx, now=await world.clock.now())
            rows = await read_cluster(tx, site, host.cluster_id)
        live = Sights()
        asked = [one for one in rows.hosts if one.agent_token and not one.retired]
        disks, seen = await asyncio.gather(world.cloud.disks(host), self._look(asked))
        live.keep(seen, at=site.now)
        return explain(await self._snapshot(site, rows, host, disks, live))

    async def cluster(self, ref: str) -> ClusterReadiness:
        """One cluster, from the watch's newest answers."""
        async with self._world.store.transaction() as tx:
            cluster = await cluster_by_ref(tx, ref)
        return (await self._explained((cluster,)))[0].readiness

    async def everything(self) -> tuple[ClusterReadiness, ...]:
        """All clusters, by name."""
        return tuple(one.readiness for one in await self.all_hosts())

    async def all_hosts(self) -> tuple[Explained, ...]:
        """All clusters with every host's explanation, by name."""
        async with self._world.store.transaction() as tx:
            clusters = tuple(await tx.clusters())
        return await self._explained(clusters)

    async def _explained(self, clusters: Sequence[Cluster]) -> tuple[Explained, ...]:
        world = self._world
        async with world.store.transaction() as tx:
            site = await read_site(tx, now=await world.clock.now())
        made = []
        for cluster in clusters:
            async with world.store.transaction() as tx:
                rows = await read_cluster(tx, site, cluster.id)
            made.append(await self._one(cluster, site, rows))
        return tuple(made)

    async def _one(self, cluster: Cluster, site: Site, rows: ClusterRows) -> Explained:
        explanations: list[Explanation] = []
        of_many: Storm | None = None
        for number, host in enumerate(host for host in rows.hosts if not host.retired):
            if number % IN_ONE_GO == 0:
                await self._world.clock.sleep(0)
            disks = disk_list(list(rows.vms.get(host.id, ())), list(rows.pools))
            snapshot = await self._snapshot(site, rows, host, disks, self._world.sights)
            explanations.append(explain(snapshot))
            of_many = of_many or storm(snapshot.facts[0], site.policies.of_cluster(cluster.id), now=site.now)
        readiness = summed_up(cluster, explanations, at=site.now, storm=of_many)
        return Explained(readiness=readiness, hosts=tuple(explanations))

    async def _look(self, hosts: Sequence[Host]) -> list[Seen]:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(host: Host) -> Seen:
            async with turns:
                return await self._world.probing.watch(host, deadline_s=LOOK_S)

        return list(await asyncio.gather(*map(one, hosts)))

    async def _snapshot(self, site: Site, rows: ClusterRows, host: Host, disks: DiskList, sights: Sights) -> Snapshot:
        world = self._world
        policy = site.policies.of_host(host)
        seen = _good_still(sights, site.now)
        base = ClusterFacts(
            host=host,
            hosts=rows.hosts,
            healths=rows.healths,
            incidents=rows.briefs,
            attempts=site.attempts,
            unfinished=site.unfinished,
            pauses=site.pauses,
            identities={},
            isolated=world.isolation.isolated,
            cloud=await world.cloud.says(host),
        )
        facts = tuple(
            replace(
                base,
                identities={other.id: device.identity for other in site.shared.get(device.identity, ())},
                driver_proves=world.driver_proves(device),
                bmc_address_refused=world.bmc_address_refused(device.host),
            )
            for device in policy.methods
        )
        storage = storage_among(sights, host, rows.hosts, rows.pools)
        return Snapshot(
            now=site.now,
            policy=policy,
            facts=facts,
            witnesses=_few(choose(host, rows.hosts, suspected=frozenset(site.open)), seen),
            disks=disks,
            seen=seen,
            looked=sights.polled,
            incident=site.open.get(host.id),
            mounts=tuple((pool.root, note) for pool in storage.pools for note in pool.notes),
            restarts_after_s=site.restarts_after_s(host.cluster_id),
            fences_before=site.fences_of(host),
        )


def _good_still(sights: Sights, now: datetime) -> dict[str, Seen]:
    return {h: sight.seen for h, sight in sights.known.items() if now - sight.at <= ANSWERS_ARE_GOOD_FOR}


def _few(choice: Choice, seen: dict[str, Seen]) -> Choice:
    if len(choice.asked) <= WITNESSES_LOOKED_AT:
        return choice
    answering_first = sorted(choice.asked, key=lambda host: host.id not in seen)
    return replace(choice, asked=tuple(answering_first[:WITNESSES_LOOKED_AT]))
