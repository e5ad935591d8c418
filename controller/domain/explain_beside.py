"""The gates beside the safeguards: the witnesses' view, the host's own agent, disks, cloud, return; and what is well.

Read by :mod:`controller.domain.explain`, which says what the whole is.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from controller.domain.certificates import ending
from controller.domain.decision import action_after_fences
from controller.domain.evidence import Judgement, Verdict
from controller.domain.gates import Gate, GateCode, Readiness, closed, names
from controller.domain.methods import device_health
from controller.domain.model import Host, Severity
from controller.domain.policy import Action, Policy
from controller.domain.power import PowerCode
from controller.domain.reasons import Reason
from controller.domain.safeguards import bmc_seen_on
from controller.domain.snapshot import Snapshot
from controller.domain.tally import GAP_IN_INTERVALS
from controller.domain.timeline import NARROW_S, Stage, Timeline

_OF_ONE_NEIGHBOR = frozenset({Reason.WITNESS_SILENT, Reason.WITNESS_SUSPECTED, Reason.WITNESS_INCOMPATIBLE})
"""What stands against one neighbor closes nothing: whether too few are left does."""

_WELL = {
    GateCode.MODE: "Enforce: hostfence may act.",
    GateCode.PAUSES: "Nothing is paused.",
    GateCode.ARMED: "A silence of this host opens an incident.",
    GateCode.MARKS: "The host is not excluded, not in maintenance, and carries no controller.",
    GateCode.DEVICE: "The power device is this host's own and was seen on while the host lived.",
    GateCode.DEVICE_WORKS: "The power device answered when it was read last.",
    GateCode.POOLS: "Every pool in question is read by enough neighbors.",
    GateCode.HEARTBEAT: "Enough neighbors see the host's heartbeat move on every pool in question.",
    GateCode.CONTROL: "The neighbors' own heartbeats move there too.",
    GateCode.MOUNTS: "Nothing is known against the host's mounts.",
    GateCode.ROUNDS: "Heartbeats are written more often than check rounds look.",
    GateCode.CLOUD: "The cloud does not stand in the way.",
    GateCode.CAPS: "There is room for one more power-down.",
    GateCode.STORM: "No storm.",
    GateCode.CLUSTER_HEALTH: "Enough of the cluster would still be healthy.",
    GateCode.TURN: "No other power operation is under way.",
    GateCode.ISOLATION: "This controller reaches agents.",
    GateCode.INCIDENT: "No incident of this host is open.",
}


def beside_gates(snapshot: Snapshot, judgement: Judgement, times: Timeline) -> tuple[Gate, ...]:
    """Every gate but the safeguards' refusals."""
    return (
        *_action(snapshot.policy),
        *_armed(snapshot),
        *_agent(snapshot),
        *_certificate(snapshot.host, snapshot.now),
        *_devices(snapshot),
        *_witnesses(snapshot, judgement),
        *_mounts(snapshot),
        *_rounds(snapshot.policy),
        *_disks(snapshot),
        *_race(times),
        *_incident(snapshot),
        _return(snapshot.policy, snapshot.fences_before),
    )


def what_is_well(found: Iterable[Gate]) -> Iterator[Gate]:
    """One line for each gate against which nothing stands."""
    told = {gate.code for gate in found}
    for code, text in _WELL.items():
        if code not in told:
            yield _ready(code, text)


def _action(policy: Policy) -> Iterator[Gate]:
    match policy.action:
        case Action.NONE:
            yield closed(Reason.ACTION_NONE)
        case Action.BLINK:
            yield closed(Reason.ACTION_BLINK)
        case Action.OFF | Action.REBOOT:  # pragma: no branch - the last one; mypy checks that none is missing
            yield _ready(GateCode.ACTION, f"The action is {policy.action}.")


def _armed(snapshot: Snapshot) -> Iterator[Gate]:
    health = snapshot.facts[0].healths.get(snapshot.host.id)
    if health is not None and not health.armed and snapshot.incident is None:
        detail = "(It was fenced and has not come back.)" if health.fenced_by else ""
        yield closed(Reason.NOT_REARMED, detail=detail)


def _agent(snapshot: Snapshot) -> Iterator[Gate]:
    if not snapshot.host.agent_token:
        yield _warning(
            GateCode.AGENT,
            "The host has no agent: hostfence does not notice its silence by itself, and nobody writes its heartbeat.",
            "Install the agent on the host and enrol it.",
        )
    elif not snapshot.looked:
        yield _waits(GateCode.AGENT, "This controller has not asked the agents yet.")
    elif snapshot.answers:
        yield _ready(GateCode.AGENT, "The host's agent answers: its silence would be noticed.")
    else:
        yield _warning(
            GateCode.AGENT,
            "The host's agent does not answer now. If nothing else lives there, an incident is opened by itself.",
            "Look whether the host and its agent run, and whether the controller reaches the agent's port.",
        )


def _certificate(host: Host, now: datetime) -> Iterator[Gate]:
    if not host.agent_tls:
        if host.agent_token:
            yield _warning(
                GateCode.CERTIFICATE,
                "The agent has not enrolled: its answers are signed, and travel unencrypted.",
                "Make a join token for the host and run hostfence-agent enroll there.",
            )
        return
    until = f" until {host.agent_tls_until:%Y-%m-%d}" if host.agent_tls_until is not None else ""
    if ending(host.agent_tls_until, now) is None:
        yield _ready(GateCode.CERTIFICATE, f"The agent's certificate is good{until}.")
        return
    yield _warning(
        GateCode.CERTIFICATE,
        f"The agent's certificate is good{until} only, and should have been renewed by itself.",
        "Look on the host at the unit hostfence-agent-renew, or enrol the host again.",
    )


def _devices(snapshot: Snapshot) -> Iterator[Gate]:
    """How each device answered when it was read last: one that fails closes nothing while a proven other works."""
    policy, health = snapshot.policy, snapshot.facts[0].healths.get(snapshot.host.id)
    known = [device_health(health, device.identity) for device in policy.methods]
    proven = [bmc_seen_on(health, policy.using(n)) and one.code is PowerCode.NONE for n, one in enumerate(known)]
    for number, one in enumerate(known):
        if one.code is not PowerCode.NONE:
            said = f": {one.said.rstrip('.')}" if one.said else ""
            which = f"Power device {number + 1}" if len(known) > 1 else "It"
            detail = f"({which} failed when it was read last, {one.code.replace('_', ' ')}{said}.)"
            stands = Readiness.WARNING if any(proven) else Readiness.BLOCKED
            yield closed(Reason.BMC_UNREACHABLE, detail=detail, readiness=stands)


def _witnesses(snapshot: Snapshot, judgement: Judgement) -> Iterator[Gate]:
    could = [finding for finding in judgement.findings if finding.verdict is Verdict.DEAD]
    required, asked = max(1, snapshot.policy.witnesses_required), len(snapshot.witnesses.asked)
    count = f"({len(could)} of {asked} neighbors could tell now, {required} must.)"
    dead = judgement.verdict is Verdict.DEAD
    of_disks = {Reason.DISKS_UNKNOWN, Reason.UNCHECKABLE_DISKS}
    against = dict.fromkeys(r for finding in judgement.findings for r in finding.reasons)
    for reason in dict.fromkeys((*(r for r in judgement.reasons if r not in of_disks), *against)):
        yield _doubt(snapshot, judgement, reason, count=count, dead=dead)
    yield from _not_asked(snapshot)
    if len(could) == required:
        text = f"Just as many neighbors as must could tell. {count}"
        yield _warning(GateCode.WITNESSES, text, "Let more neighbors of the cluster be able to tell.")
    elif len(could) > required:
        yield _ready(GateCode.WITNESSES, f"Enough neighbors could tell. {count}")


def _doubt(snapshot: Snapshot, judgement: Judgement, reason: Reason, *, count: str, dead: bool) -> Gate:
    """Closed where the judge could not say dead for it; until this controller has asked, time may cure it."""
    whose = {finding.witness_id for finding in judgement.findings if reason in finding.reasons}
    detail = f"({names([h for h in snapshot.witnesses.asked if h.id in whose])}.)" if whose else ""
    closes = reason in judgement.reasons and reason not in _OF_ONE_NEIGHBOR and not dead
    stands = Readiness.WARNING
    if closes:
        stands = Readiness.BLOCKED if snapshot.looked else Readiness.WAITS
    return closed(reason, detail=count if reason is Reason.TOO_FEW_WITNESSES else detail, readiness=stands)


def _not_asked(snapshot: Snapshot) -> Iterator[Gate]:
    by_id = {host.id: host for host in snapshot.facts[0].hosts}
    suspected = [by_id[h] for h, why in snapshot.witnesses.not_asked if why is Reason.WITNESS_SUSPECTED]
    without = [by_id[h] for h, why in snapshot.witnesses.not_asked if why is not Reason.WITNESS_SUSPECTED]
    if suspected:
        yield closed(Reason.WITNESS_SUSPECTED, detail=f"({names(suspected)}.)", readiness=Readiness.WARNING)
    if without:
        text = f"No agent, so no witness: {names(without)}."
        yield _warning(GateCode.WITNESSES, text, "Install the agent there and enrol it.")


def _mounts(snapshot: Snapshot) -> Iterator[Gate]:
    for root, note in snapshot.mounts:
        if note.severity is not Severity.INFO:
            yield _warning(GateCode.MOUNTS, f"{root}: {note.text}", "See the host's storage.")


def _rounds(policy: Policy) -> Iterator[Gate]:
    """A witness's round counts only if its own heartbeat moved since the one before."""
    beat, interval = policy.heartbeat_interval, policy.check_interval
    if beat <= interval:
        return
    text = (
        f"A heartbeat is written every {beat.total_seconds():.0f} s and looked at every {interval.total_seconds():.0f} "
        "s: in most rounds no witness has seen its own move, and they do not count"
    )
    change = "Make heartbeat_interval shorter than check_interval."
    if beat > GAP_IN_INTERVALS * interval:
        text = f"{text}. Those that do are too far from each other: they never will be enough."
        yield Gate(code=GateCode.ROUNDS, readiness=Readiness.BLOCKED, text=text, change=change)
    else:
        yield _warning(GateCode.ROUNDS, f"{text}: the host may never be found dead.", change)


def _disks(snapshot: Snapshot) -> Iterator[Gate]:
    disks = snapshot.disks
    if not disks.known:
        yield closed(Reason.DISKS_UNKNOWN)
        return
    if disks.uncheckable:
        accepted = snapshot.policy.accept_uncheckable_disks
        shown = ", ".join(disks.uncheckable[:5])
        stands = Readiness.WARNING if accepted else Readiness.BLOCKED
        yield closed(Reason.UNCHECKABLE_DISKS, detail=f"({shown}.)", readiness=stands)
    if not disks.vms:
        yield closed(Reason.NOTHING_TO_RELEASE, readiness=Readiness.WARNING)
    elif not disks.uncheckable:
        count = f"{len(disks.targets)} disks of {len(disks.vms)} machines"
        yield _ready(GateCode.DISKS, f"{count} on {', '.join(disks.roots_in_question)} would be looked at.")


def _race(times: Timeline) -> Iterator[Gate]:
    if times.margin_s is None or times.cloud_restarts_after_s is None:
        yield _ready(GateCode.CLOUD_RACE, "No cloud is known to start the machines elsewhere by itself.")
        return
    quarantined = times.at(Stage.FIRST_DEAD_ROUND).latest_s
    text = (
        f"The cloud starts the machines elsewhere {times.cloud_restarts_after_s:.0f} s after a death at the soonest, "
        f"without cutting the power; hostfence has quarantined the host {quarantined:.0f} s after it at the latest"
    )
    if times.margin_s >= NARROW_S:
        yield _ready(GateCode.CLOUD_RACE, f"{text}: {times.margin_s:.0f} s to spare.")
        return
    late = f"{times.margin_s:.0f} s to spare" if times.margin_s > 0 else f"{-times.margin_s:.0f} s too late"
    yield _warning(
        GateCode.CLOUD_RACE,
        f"{text}: {late}, {NARROW_S:.0f} s to spare are wanted.",
        "Make watch_timeout, grace or check_interval shorter, or ping.timeout of the cloud longer; "
        "or switch its own restart off.",
    )


def _incident(snapshot: Snapshot) -> Iterator[Gate]:
    incident = snapshot.incident
    if incident is not None:
        yield _warning(
            GateCode.INCIDENT,
            f"An incident of this host is open since {incident.opened_at:%Y-%m-%d %H:%M:%S} UTC ({incident.state}).",
            "See the incident.",
        )


def _return(policy: Policy, fences_before: int) -> Gate:
    if policy.action is Action.REBOOT and action_after_fences(policy.action, fences_before) is not policy.action:
        text = f"It was taken down {fences_before} times within a day: this time it would stay off."
        return _warning(GateCode.RETURN, text, "Find out why it fails again and again.")
    if policy.action is Action.REBOOT:
        healthy = policy.healthy_for.total_seconds()
        text = f"It is switched on again, and is in use once it has been up and stable for {healthy:.0f} s."
    else:
        text = "It stays off until a person switches it on."
    return _ready(GateCode.RETURN, text if policy.action.takes_down else "Nothing is done to it.")


def _ready(code: GateCode, text: str) -> Gate:
    return Gate(code=code, readiness=Readiness.READY, text=text)


def _waits(code: GateCode, text: str) -> Gate:
    return Gate(code=code, readiness=Readiness.WAITS, text=text)


def _warning(code: GateCode, text: str, change: str) -> Gate:
    return Gate(code=code, readiness=Readiness.WARNING, text=text, change=change)
