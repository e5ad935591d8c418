"""Turns what was read into samples: one function a subject, from values to values."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.cloud import CloudReport
from controller.domain.cluster_readiness import ClusterReadiness
from controller.domain.explain import Explanation
from controller.domain.figures import Counts
from controller.domain.gates import Group, Readiness
from controller.domain.incident import State
from controller.domain.model import Attempt, Cluster, ControllerRow, Health, Host, Pause
from controller.domain.policy import Mode, Policy
from controller.domain.reasons import Reason
from controller.domain.safeguards import pause_code, slots
from controller.domain.steady import Base
from controller.domain.vitals import Ailment, Finding, LoopState
from controller.metrics import families
from controller.metrics.families import Family

ALIVE_WITHIN = timedelta(seconds=60)
"""A controller whose last sign of life is older counts as gone."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of one figure now. ``labels`` in the order of its family's."""

    family: Family
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSeen:
    """What one transaction read of the whole site. ``policies``: those of the clusters, by id; "" for the site's."""

    now: datetime
    counts: Counts
    clusters: tuple[Cluster, ...]
    hosts: tuple[Host, ...]
    healths: Mapping[str, Health]
    policies: Mapping[str, Policy]
    attempts: tuple[Attempt, ...]
    pauses: tuple[Pause, ...]
    controllers: tuple[ControllerRow, ...]
    report: CloudReport | None


def of_site(seen: SiteSeen) -> Iterator[Sample]:
    """Everything that the database tells."""
    yield from _of_counts(seen.counts, seen.now)
    yield from _of_clusters(seen)
    yield from _of_pauses(seen)
    alive = sum(seen.now - row.alive_at < ALIVE_WITHIN for row in seen.controllers)
    yield Sample(families.SITE_CONTROLLERS, (), alive)
    yield from _of_cloud(seen.report, seen.now)


def _of_counts(counts: Counts, now: datetime) -> Iterator[Sample]:
    for state in State:
        if state.open:
            yield Sample(families.SITE_INCIDENTS, (state,), counts.incidents.get(state, 0))
    for reason in Reason:
        yield Sample(families.SITE_HELD, (reason,), counts.held.get(reason, 0))
    yield Sample(families.SITE_HELD_FOR, (), _age(counts.held_since, now))
    yield Sample(families.SITE_LATE, (), _age(counts.due_since, now))
    yield Sample(families.SITE_LEASES, (), counts.leased)
    yield Sample(families.SITE_UNFINISHED, (), counts.unfinished)
    for kind, number in counts.effects.items():
        yield Sample(families.SITE_EFFECTS, (kind,), number)
    yield Sample(families.SITE_EFFECTS_FOR, (), _age(counts.effects_since, now))
    for channel, number in counts.pending.items():
        yield Sample(families.SITE_PENDING, (channel,), number)
    yield Sample(families.SITE_PENDING_FOR, (), _age(counts.pending_since, now))
    for channel, number in counts.dead.items():
        yield Sample(families.SITE_DEAD, (channel,), number)


def _of_clusters(seen: SiteSeen) -> Iterator[Sample]:
    everywhere = seen.policies[""]
    since = seen.now - everywhere.global_action_window
    yield Sample(families.SITE_GLOBAL_USED, (), slots(seen.attempts, since=since, cluster_id=None))
    yield Sample(families.SITE_GLOBAL_CAP, (), everywhere.global_max_actions)
    for cluster in seen.clusters:
        policy, name = seen.policies[cluster.id], cluster.name
        hosts = [host for host in seen.hosts if host.cluster_id == cluster.id]
        used = slots(seen.attempts, since=seen.now - policy.action_window, cluster_id=cluster.id)
        yield Sample(families.SITE_HOSTS, (name,), len(hosts))
        yield Sample(families.SITE_ENFORCED, (name,), policy.mode is Mode.ENFORCE)
        yield Sample(families.SITE_CAP_USED, (name,), used)
        yield Sample(families.SITE_CAP, (name,), policy.max_actions)
        yield Sample(families.SITE_STORMS, (name,), seen.counts.storms.get(cluster.id, 0))
        for mark, number in _marks(hosts, seen.healths).items():
            yield Sample(families.SITE_MARKED, (name, mark), number)
        for host in hosts:
            if host.agent_tls_until is not None:
                yield Sample(families.SITE_CERTIFICATE, (name, host.name), host.agent_tls_until.timestamp())


def _marks(hosts: Sequence[Host], healths: Mapping[str, Health]) -> dict[str, int]:
    return {
        "excluded": sum(host.excluded for host in hosts),
        "maintenance": sum(host.maintenance for host in hosts),
        "fenced": sum(host.id in healths and bool(healths[host.id].fenced_by) for host in hosts),
    }


def _of_pauses(seen: SiteSeen) -> Iterator[Sample]:
    standing = Counter((pause.level, pause_code(pause)) for pause in seen.pauses if pause.active(seen.now))
    for (level, code), number in standing.items():
        yield Sample(families.SITE_PAUSES, (level, code), number)


def _of_cloud(report: CloudReport | None, now: datetime) -> Iterator[Sample]:
    """Nothing where there is no cloud."""
    if report is None:
        return
    yield Sample(families.SITE_CLOUD_PROBLEM, (), bool(report.problem))
    yield Sample(families.SITE_CLOUD_WARNINGS, (), len(report.warnings))
    if report.read_at is not None:
        yield Sample(families.SITE_CLOUD_AGE, (), _age(report.read_at, now))


def of_clock(base: Base | None) -> Iterator[Sample]:
    """Nothing before the first read."""
    if base is not None:
        yield Sample(families.SITE_CLOCK, (), base.epoch)
        yield Sample(families.SITE_CLOCK_BY, (), base.correction.total_seconds())


def of_this(*, version: str, controller_id: str) -> Sample:
    """Which process it is."""
    return Sample(families.INFO, (version, controller_id), 1)


def of_process(found: Iterable[Finding], loops: Iterable[LoopState], *, isolated: bool) -> Iterator[Sample]:
    """How the process itself fares."""
    codes = {finding.code for finding in found}
    yield Sample(families.READY, (), not codes)
    for ailment in Ailment:
        yield Sample(families.AILMENT, (ailment,), ailment in codes)
    yield Sample(families.DATABASE_UP, (), Ailment.DATABASE_UNAVAILABLE not in codes)
    yield Sample(families.ISOLATED, (), isolated)
    for loop in loops:
        yield Sample(families.LOOP_AGE, (loop.name,), loop.since_well_s)
        yield Sample(families.LOOP_BEATS, (loop.name, "well"), loop.beats - loop.failed)
        yield Sample(families.LOOP_BEATS, (loop.name, "failed"), loop.failed)


def of_agents(clusters: Sequence[Cluster], hosts: Sequence[Host], answering: frozenset[str]) -> Iterator[Sample]:
    """Only of hosts that have an agent and are wanted: nobody is alarmed by a machine that is being repaired."""
    for cluster in clusters:
        with_agent = [
            host
            for host in hosts
            if host.cluster_id == cluster.id and host.agent_token and not (host.maintenance or host.excluded)
        ]
        yes = sum(host.id in answering for host in with_agent)
        yield Sample(families.AGENTS, (cluster.name, "yes"), yes)
        yield Sample(families.AGENTS, (cluster.name, "no"), len(with_agent) - yes)


def of_readiness(readiness: ClusterReadiness, hosts: Sequence[Explanation]) -> Iterator[Sample]:
    """Whether a cluster's hosts could be fenced, and what stands against it."""
    name = readiness.cluster.name
    for word, number in (("ready", readiness.ready), ("waits", readiness.waits), ("blocked", readiness.blocked)):
        yield Sample(families.READINESS, (name, word), number)
    for cause in readiness.causes:
        if cause.readiness is not Readiness.WARNING:
            yield Sample(families.AGAINST, (name, cause.code), cause.hosts)
    for state, number in Counter(_device(one) for one in hosts).items():
        yield Sample(families.DEVICES, (name, state), number)
    if readiness.slowest_off_s is not None:
        yield Sample(families.SLOWEST_OFF, (name,), readiness.slowest_off_s)


def _device(one: Explanation) -> str:
    wrong = [gate.key for gate in one.gates if gate.group is Group.DEVICE and gate.readiness is not Readiness.READY]
    return wrong[0] if wrong else Readiness.READY


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0
