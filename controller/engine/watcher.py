"""The own watch: polls every agent, opens an incident when a host falls silent, notes life, follows returns.

Quicker than any cloud's time-out. Carries rule 12: its ages are of one monotonic clock. While nobody answers at all
the controller counts itself as isolated, not everybody else as dead.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from controller.domain.incident import Source
from controller.domain.model import Health, Host
from controller.domain.policy import Policy
from controller.domain.reasons import Reason
from controller.domain.watch import Seen, Suspicion, Track, follow, newest_beat_age, suspect
from controller.probing.base import Question
from controller.services.incidents import note_life, open_incident
from controller.services.policies import Policies
from controller.services.returns import returning
from controller.services.world import World
from shared.enums import Reach

log = structlog.get_logger(__name__)

POLL_S = 2.0
POLL_DEADLINE_S = 2.0
HEALTH_WRITTEN_EVERY = timedelta(seconds=60)
HEARD_BY_NOBODY = HEALTH_WRITTEN_EVERY + timedelta(seconds=15)
"""A host that any controller hears was written to be alive within so long: every minute, and a poll or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who is watched, as one transaction saw it."""

    hosts: tuple[Host, ...]
    healths: dict[str, Health]
    open: frozenset[str]
    now: datetime


@dataclass(slots=True)
class Watcher:
    """One process's watch. ``tracks`` is only in memory: a new process must see for itself before it suspects."""

    world: World
    tracks: dict[str, Track] = field(default_factory=dict)
    polled: bool = False
    """True once this process knows whether it is isolated."""

    async def poll(self) -> None:
        """Ask every agent once, at the same time, and act on what was seen."""
        roster = await self._roster()
        watched = [h for h in roster.hosts if h.agent_token]
        # Who comes back after a while is seen anew: nobody asked it meanwhile.
        self.tracks = {h.id: self.tracks[h.id] for h in watched if h.id in self.tracks}
        seen = await asyncio.gather(*(self._ask(h) for h in watched))
        at = self.world.clock.boottime()
        self.world.sights.keep(seen, at=roster.now)
        self._judge_isolation(roster, watched, seen)
        self.polled = True
        policies = await self._policies(roster, zip(watched, seen, strict=True))
        by_cluster: dict[str, list[Seen]] = defaultdict(list)
        for host, one in zip(watched, seen, strict=True):
            by_cluster[host.cluster_id].append(one)
        for host, one in zip(watched, seen, strict=True):
            await self._follow(roster, policies, host, one, by_cluster[host.cluster_id], at)

    async def _roster(self) -> Roster:
        async with self.world.store.transaction() as tx:
            return Roster(
                hosts=tuple(host for host in await tx.hosts() if not host.retired),
                healths=await tx.healths(),
                open=await tx.open_hosts(),
                now=await self.world.clock.now(),
            )

    async def _policies(self, roster: Roster, polled: Iterable[tuple[Host, Seen]]) -> dict[str, Policy]:
        """Of those few hosts from whose answer, or silence, anything may follow."""
        concerned = [host for host, seen in polled if self._concerned(roster, host, seen)]
        if not concerned:
            return {}
        owners = {"", *(h.id for h in concerned), *(h.cluster_id for h in concerned)}
        async with self.world.store.transaction() as tx:
            policies = Policies(await tx.setting_rows(owners=owners), (), roster.hosts)
        return {host.id: policies.of_host(host) for host in concerned}

    def _concerned(self, roster: Roster, host: Host, seen: Seen) -> bool:
        """False while a host is what it was: alive and known to be, or silent with its incident open or unwanted."""
        if host.id in roster.open:
            return False
        health = roster.healths.get(host.id, Health(host_id=host.id))
        if not seen.answered:
            return health.armed and not (host.excluded or host.maintenance or self.world.isolation.isolated)
        fresh = health.seen_at is not None and roster.now - health.seen_at < HEALTH_WRITTEN_EVERY
        return not (fresh and health.armed and not health.fenced_by and health.boot_id == seen.boot_id)

    async def _ask(self, host: Host) -> Seen:
        return await self.world.probing.watch(host, deadline_s=POLL_DEADLINE_S)

    def _judge_isolation(self, roster: Roster, watched: list[Host], seen: list[Seen]) -> None:
        heard = {host.cluster_id for host, one in zip(watched, seen, strict=True) if one.answered}
        self.world.isolation.deaf_to = frozenset(host.cluster_id for host in roster.hosts) - heard
        isolated = bool(roster.hosts) and not heard
        if isolated is not self.world.isolation.isolated:
            log.info("isolated" if isolated else "no longer isolated", agents=len(seen))
        self.world.isolation.isolated = isolated
        if isolated:
            self.tracks.clear()  # what was silent towards a controller that was cut off tells nothing about the hosts

    async def _follow(
        self, roster: Roster, policies: dict[str, Policy], host: Host, seen: Seen, cluster: list[Seen], at: float
    ) -> None:
        track = self.tracks.get(host.id) or Track(tracked_since=at)
        track = follow(track, seen, newest_beat_age(host.id, cluster), at=at)
        self.tracks[host.id] = track
        if seen.answered and host.id in roster.open:
            await note_life(self.world, host.id, why=Reason.AGENT_ANSWERS)
        policy = policies.get(host.id)
        if policy is None:
            return
        if seen.answered:
            await returning(self.world, host, policy, boot_id=seen.boot_id)
            return
        suspicion = suspect(host.id, track, seen, policy, at=at)
        if suspicion is None or self._another_may_hear(roster, host):
            return
        if await self._answers_a_neighbor(roster, host, cluster):
            self.tracks[host.id] = replace(track, answered_at=at)
            return
        await self._open(host, suspicion, at)

    def _another_may_hear(self, roster: Roster, host: Host) -> bool:
        """A whole cluster silent at once: is it, or is this controller cut off from it? Who hears it writes so.

        Waiting costs no fence: without a witness there is none.
        """
        seen_at = roster.healths.get(host.id, Health(host_id=host.id)).seen_at
        deaf = host.cluster_id in self.world.isolation.deaf_to
        return deaf and seen_at is not None and roster.now - seen_at < HEARD_BY_NOBODY

    async def _answers_a_neighbor(self, roster: Roster, host: Host, cluster: list[Seen]) -> bool:
        """A partition between this controller and the host alone is no silence: ask two neighbors before suspecting."""
        answering = {s.host_id for s in cluster if s.answered}
        witnesses = [h for h in roster.hosts if h.id in answering and h.id != host.id][:2]
        question = Question(subject=host, paths=(), pool_roots=())
        reports = await asyncio.gather(
            *(self.world.probing.ask(w, question, deadline_s=POLL_DEADLINE_S * 2) for w in witnesses)
        )
        return any(r.failure is None and r.reach is Reach.AGENT_ANSWERED for r in reports)

    async def _open(self, host: Host, suspicion: Suspicion, at: float) -> None:
        """``at``: when, by the monotonic clock, it had been silent for so long; polling and asking took time since."""
        now = await self.world.clock.now()
        silent_for = suspicion.silent_for + self.world.clock.boottime() - at
        note = f"silent for {suspicion.silent_for:.0f} s"
        if Reason.AGENT_ONLY in suspicion.reasons:
            note = "its agent does not answer, while its heartbeat moves"
        disconnect_at = now - timedelta(seconds=silent_for)
        await open_incident(self.world, host, source=Source.WATCH, disconnect_at=disconnect_at, note=note)
