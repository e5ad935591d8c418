"""One cluster at a glance: how many hosts could be fenced if they died now, what stands against the others. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from controller.domain.explain import Explanation, supposed
from controller.domain.gates import WORST_FIRST, Group, Readiness
from controller.domain.model import Cluster, Host
from controller.domain.policy import Policy
from controller.domain.reasons import WAITS, Reason
from controller.domain.safeguards import ClusterFacts, refusals, slots

_OF_MANY = frozenset({Reason.STORM, Reason.STORM_COOLDOWN, Reason.CLUSTER_UNHEALTHY})
"""What may stand against several hosts at once although nothing stands against each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """One cause: how many hosts of the cluster it stands against, and how it stands at worst."""

    code: str
    group: Group
    readiness: Readiness
    hosts: int
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLine:
    """One host in a list: how it stands, and the codes of what stands against it."""

    id: str
    name: str
    readiness: Readiness
    codes: tuple[str, ...]
    off_s: float
    spare_witnesses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What hosts that fall silent at the same moment would meet: all of at most ``believed`` hosts may be taken down.

    ``power_downs``: how many of them now, by the caps. ``beyond``: what holds all of them when there is one more.
    """

    believed: int
    power_downs: int
    beyond: tuple[Reason, ...]
    max_actions: int
    max_unhealthy_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReadiness:
    """One cluster. ``hosts``: the worst first. ``least_spare_witnesses``: None where there is no host."""

    cluster: Cluster
    at: datetime
    ready: int
    waits: int
    blocked: int
    causes: tuple[Tallied, ...]
    hosts: tuple[HostLine, ...]
    least_spare_witnesses: int | None
    slowest_off_s: float | None
    storm: Storm | None


def summed_up(
    cluster: Cluster, explanations: Sequence[Explanation], *, at: datetime, storm: Storm | None
) -> ClusterReadiness:
    """The cluster from its hosts."""
    lines = sorted(map(_line, explanations), key=lambda line: (WORST_FIRST.index(line.readiness), line.name))
    stands = Counter(line.readiness for line in lines)
    return ClusterReadiness(
        cluster=cluster,
        at=at,
        ready=stands[Readiness.READY],
        waits=stands[Readiness.WAITS],
        blocked=stands[Readiness.BLOCKED],
        causes=_causes(explanations),
        hosts=tuple(lines),
        least_spare_witnesses=min((line.spare_witnesses for line in lines), default=None),
        slowest_off_s=max((line.off_s for line in lines), default=None),
        storm=storm,
    )


def storm(facts: ClusterFacts, policy: Policy, *, now: datetime) -> Storm:
    """Try it out: ever more hosts of the cluster fall silent now, and the safeguards are asked about one of them."""
    managed = [host for host in facts.hosts if not (host.maintenance or host.excluded or host.retired)]
    believed, beyond = 0, tuple[Reason, ...]()
    for many in range(1, len(managed) + 1):
        beyond = _against(managed[:many], facts, policy, now)
        if beyond:
            break
        believed = many
    here = slots(facts.attempts, since=now - policy.action_window, cluster_id=facts.host.cluster_id)
    everywhere = slots(facts.attempts, since=now - policy.global_action_window, cluster_id=None)
    left = min(policy.max_actions - here, policy.global_max_actions - everywhere)
    return Storm(
        believed=believed,
        power_downs=max(0, min(believed, left)),
        beyond=beyond,
        max_actions=policy.max_actions,
        max_unhealthy_percent=policy.max_unhealthy_percent,
    )


def _against(silent: Sequence[Host], facts: ClusterFacts, policy: Policy, now: datetime) -> tuple[Reason, ...]:
    incidents = tuple(supposed(host, policy, now=now) for host in silent)
    with_them = replace(facts, host=silent[0], incidents=(*facts.incidents, *incidents))
    return tuple(r for r in refusals(incidents[0], with_them, policy, now=now) if r in _OF_MANY - WAITS)


def _line(one: Explanation) -> HostLine:
    against = [gate for gate in one.gates if gate.readiness is not Readiness.READY]
    worst_first = sorted(against, key=lambda gate: WORST_FIRST.index(gate.readiness))
    return HostLine(
        id=one.host.id,
        name=one.host.name,
        readiness=one.readiness,
        codes=tuple(dict.fromkeys(gate.key for gate in worst_first)),
        off_s=one.timeline.off_s,
        spare_witnesses=one.could_tell - one.required,
    )


def _causes(explanations: Sequence[Explanation]) -> tuple[Tallied, ...]:
    """The worst first, and of these what stands against most hosts."""
    found: dict[str, Tallied] = {}
    for one in explanations:
        seen = set[str]()
        for gate in one.gates:
            if gate.readiness is Readiness.READY:
                continue
            known = found.get(gate.key)
            stands = gate.readiness if known is None else _worse(known.readiness, gate.readiness)
            before = known.hosts if known is not None else 0
            found[gate.key] = Tallied(
                code=gate.key,
                group=gate.group,
                readiness=stands,
                hosts=before + (gate.key not in seen),
                change=gate.change,
            )
            seen.add(gate.key)
    return tuple(sorted(found.values(), key=lambda one: (WORST_FIRST.index(one.readiness), -one.hosts, one.code)))


def _worse(one: Readiness, other: Readiness) -> Readiness:
    return min(one, other, key=WORST_FIRST.index)
