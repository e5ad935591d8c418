"""The rules that stop an otherwise justified power-down. All refusals are collected, none hides another.

Carries rules 2, 4, 5 and 10: evaluated when the decision is made and again, on facts read under the guard lock, in the
transaction that stores the intent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.evidence import CloudSays, Verdict
from controller.domain.in_flight import commands, in_flight
from controller.domain.incident import Incident, IncidentBrief, State
from controller.domain.methods import commands_allowed, device_health
from controller.domain.model import Attempt, Health, Host, Level, Pause
from controller.domain.policy import Mode, Policy
from controller.domain.reasons import NEEDS_A_PERSON, WAITS, Reason
from controller.domain.tally import dead_enough

SYSTEM = "hostfence"
"""Who made a pause that hostfence made itself; its reason is then a :class:`Reason` code."""

STORM_WINDOW = timedelta(seconds=60)
"""Suspects opened within this of each other, plus the watch time-out, are *at once*."""

ROUND_FRESH_IN_INTERVALS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What the safeguards need to know besides the incident itself; gathered in one transaction.

    ``incidents``: the cluster's from :func:`incidents_matter_since` on, this one included. ``attempts``: all intents
    from :func:`attempts_matter_since` on, over all clusters. ``unfinished``: intents without a result, over all
    clusters. ``healths``: those of the cluster's hosts.
    """

    host: Host
    hosts: tuple[Host, ...]
    healths: dict[str, Health]
    incidents: tuple[IncidentBrief, ...]
    attempts: tuple[Attempt, ...]
    unfinished: tuple[Attempt, ...]
    pauses: tuple[Pause, ...]
    identities: dict[str, str]
    """BMC identity by host id, for every host that shares this host's device address; empty where none does."""
    isolated: bool = False
    driver_proves: bool = True
    bmc_address_refused: bool = False
    cloud: CloudSays = CloudSays.NONE


def refusals(incident: Incident, facts: ClusterFacts, policy: Policy, *, now: datetime) -> tuple[Reason, ...]:
    """Every reason not to cut this host's power now, in the order a person would want to read them."""
    return tuple(
        dict.fromkeys(
            (
                *sorted(incident.sticky & NEEDS_A_PERSON),
                *_armed(facts, policy, now),
                *_host(facts),
                *_device(facts, policy),
                *_caps(incident, facts, policy, now),
                *_storm(incident, facts, policy, now),
                *_unhealthy(facts, policy),
                *_cloud(incident, facts),
                *_in_flight(incident, facts, policy),
            )
        )
    )


def evidence_refusals(incident: Incident, policy: Policy, *, now: datetime) -> tuple[Reason, ...]:
    """Rules 2 and 10 at the moment of the intent: the newest round is dead, young, and nothing lived since."""
    newest = incident.newest
    if newest is None:
        return (Reason.NOT_DEAD,)
    found: list[Reason] = []
    if newest.verdict is not Verdict.DEAD:
        found.append(Reason.NOT_DEAD)
    if not timedelta(0) <= now - newest.at < ROUND_FRESH_IN_INTERVALS * policy.check_interval:
        found.append(Reason.EVIDENCE_STALE)
    if incident.life_at is not None and incident.life_at >= _silence_began(incident):
        found.append(Reason.LIFE_SINCE)
    last = incident.command.last_at
    if last is not None and newest.at <= last:
        found.append(Reason.EVIDENCE_STALE)
    if incident.command.may_have_been_sent:
        if last is not None and incident.life_at is not None and incident.life_at > last:
            found.append(Reason.LIFE_SINCE)
    elif not dead_enough(incident.tally, policy):
        # Somebody else's sign of life (a report, another controller's poll) took the count back since the decision.
        found.append(Reason.EVIDENCE_STALE)
    if incident.command.count >= commands_allowed(incident, policy):
        found.append(Reason.COMMAND_BUDGET)
    return tuple(dict.fromkeys(found))


def incidents_matter_since(incident: Incident, policy: Policy, *, now: datetime) -> datetime:
    """What was closed earlier is neither of this incident's storm nor keeps one cooling down."""
    return min(now - policy.storm_cooldown, incident.opened_at - _at_once(policy))


def attempts_matter_since(policy: Policy, *, now: datetime) -> datetime:
    """Intents from before count in no cap."""
    return now - max(policy.action_window, policy.global_action_window)


def _at_once(policy: Policy) -> timedelta:
    return STORM_WINDOW + policy.watch_timeout


def _silence_began(incident: Incident) -> datetime:
    return incident.tally.first_at or incident.opened_at


def waits(found: Iterable[Reason]) -> bool:
    """True when every refusal is one that time cures by itself."""
    return all(r in WAITS for r in found)


def in_storm(incident: Incident, facts: ClusterFacts, policy: Policy) -> bool:
    """More hosts of the cluster fell silent at once than may be taken down: no list of dead hosts is believed then."""
    window = _at_once(policy)
    at_once = {i.host_id for i in facts.incidents if abs(i.opened_at - incident.opened_at) <= window}
    return len(at_once) > max(1, policy.max_actions)


def slots(attempts: Iterable[Attempt], *, since: datetime, cluster_id: str | None) -> int:
    """How many hosts were taken down automatically or by hand since then: one slot per incident or manual command."""
    return len(
        {
            a.incident_id or a.id
            for a in attempts
            if a.takes_slot and a.intended_at > since and (cluster_id is None or a.cluster_id == cluster_id)
        }
    )


def _armed(facts: ClusterFacts, policy: Policy, now: datetime) -> list[Reason]:
    found = [] if policy.mode is Mode.ENFORCE else [Reason.OBSERVE_MODE]
    return found + [pause_code(pause) for pause in facts.pauses if pause.active(now) and _applies(pause, facts.host)]


def pause_code(pause: Pause) -> Reason:
    """Hostfence's own pauses carry a code; a person's is a pause whatever it says."""
    own = pause.by == SYSTEM and pause.reason in set(Reason)
    return Reason(pause.reason) if own else Reason.PAUSED


def _applies(pause: Pause, host: Host) -> bool:
    match pause.level:
        case Level.GLOBAL:
            return True
        case Level.CLUSTER:
            return pause.owner_id == host.cluster_id
        case Level.HOST:  # pragma: no branch - the last one; mypy checks that none is missing
            return pause.owner_id == host.id


def _host(facts: ClusterFacts) -> list[Reason]:
    host = facts.host
    marks = (
        (host.excluded or host.retired, Reason.EXCLUDED),
        (host.maintenance, Reason.MAINTENANCE),
        (host.runs_controller, Reason.CONTROLLERS_OWN_HOST),
        (host.cloud_ha, Reason.HOST_HA_ON),
        (facts.isolated, Reason.ISOLATED),
    )
    return [reason for marked, reason in marks if marked]


def _device(facts: ClusterFacts, policy: Policy) -> list[Reason]:
    if not policy.bmc.configured:
        return [Reason.NOT_CONFIGURED]
    found = []
    same = [h for h, i in facts.identities.items() if i == policy.bmc.identity]
    if any(h != facts.host.id for h in same):
        found.append(Reason.BMC_SHARED)
    if facts.bmc_address_refused:
        found.append(Reason.BMC_ADDRESS_REFUSED)
    if not facts.driver_proves:
        found.append(Reason.DRIVER_CANNOT_PROVE)
    elif not bmc_seen_on(facts.healths.get(facts.host.id), policy):
        found.append(Reason.BMC_UNPROVEN)
    return found


def bmc_seen_on(health: Health | None, policy: Policy) -> bool:
    """The device read *on* while the host's agent answered, and is still the same device."""
    return device_health(health, policy.bmc.identity).on_seen_at is not None


def _caps(incident: Incident, facts: ClusterFacts, policy: Policy, now: datetime) -> list[Reason]:
    """The incident's own slot is not counted against it: retries share it."""
    others = [a for a in facts.attempts if a.incident_id != incident.id]
    found = []
    cluster = slots(others, since=now - policy.action_window, cluster_id=incident.cluster_id)
    if cluster >= policy.max_actions:
        found.append(Reason.CAP_REACHED)
    everywhere = slots(others, since=now - policy.global_action_window, cluster_id=None)
    if everywhere >= policy.global_max_actions:
        found.append(Reason.GLOBAL_CAP_REACHED)
    return found


def _storm(incident: Incident, facts: ClusterFacts, policy: Policy, now: datetime) -> list[Reason]:
    if Reason.STORM in incident.waived:
        return []
    if in_storm(incident, facts, policy):
        return [Reason.STORM]
    over = [
        i.closed_at
        for i in facts.incidents
        if Reason.STORM in i.sticky and i.id != incident.id and i.closed_at is not None
    ]
    raging = any(Reason.STORM in i.sticky and i.open and i.id != incident.id for i in facts.incidents)
    if raging or any(now - t < policy.storm_cooldown for t in over):
        return [Reason.STORM_COOLDOWN]
    return []


def _unhealthy(facts: ClusterFacts, policy: Policy) -> list[Reason]:
    managed = {h.id for h in facts.hosts if not (h.maintenance or h.excluded or h.retired)}
    sick = {i.host_id for i in facts.incidents if i.open} | {
        h for h, health in facts.healths.items() if health.fenced_by
    }
    if not managed:
        return []
    percent = 100 * len(sick & managed) / len(managed)
    return [Reason.CLUSTER_UNHEALTHY] if percent > policy.max_unhealthy_percent else []


def _cloud(incident: Incident, facts: ClusterFacts) -> list[Reason]:
    match facts.cloud:
        case CloudSays.UP:
            return [] if incident.cloud_seen_down else [Reason.CLOUD_SAYS_UP]
        case CloudSays.UNREACHABLE:
            return [Reason.CLOUD_UNREACHABLE]
        case CloudSays.NOT_UP | CloudSays.NONE:  # pragma: no branch - the last one; mypy checks that none is missing
            return []


def _in_flight(incident: Incident, facts: ClusterFacts, policy: Policy) -> list[Reason]:
    found = []
    others = [a for a in commands(facts.unfinished) if a.incident_id != incident.id or not a.incident_id]
    if in_flight(others, host_id=incident.host_id, identity=policy.bmc.identity):
        found.append(Reason.OPERATION_IN_FLIGHT)
    busy = {
        i.host_id for i in facts.incidents if i.id != incident.id and i.state in (State.VERIFYING, State.RELEASING)
    } | {a.host_id for a in others if a.cluster_id == incident.cluster_id}
    if len(busy) >= policy.max_concurrent:
        found.append(Reason.CONCURRENCY)
    return found
