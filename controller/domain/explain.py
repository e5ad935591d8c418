"""Could this host be fenced if it died now, if not why not, and what would have to change? Pure.

No second opinion: the safeguards' gates are what :func:`controller.domain.safeguards.refusals` itself says of an
incident of this host that is dead long enough; the witnesses' are what the judge says of their newest answers. So what
is *ready* here is nothing the engine would refuse on the same facts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from controller.domain.decision import action_after_fences, wants_quarantine
from controller.domain.evidence import CloudSays, Judgement, Verdict
from controller.domain.explain_beside import beside_gates, what_is_well
from controller.domain.foresight import as_if_dead
from controller.domain.gates import Gate, Readiness, closed, in_order, worst
from controller.domain.incident import Incident, NewestRound, Source, State
from controller.domain.methods import OF_THE_DEVICE
from controller.domain.model import Host
from controller.domain.policy import Action, Policy
from controller.domain.reasons import Reason
from controller.domain.safeguards import refusals, slots
from controller.domain.snapshot import Snapshot
from controller.domain.tally import Tally
from controller.domain.timeline import Timeline, timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What hostfence would do once the host is found dead. ``slots_left``: power-downs left in their windows."""

    action: Action
    devices: tuple[str, ...]
    slots_left: int
    slots_left_everywhere: int
    quarantines: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Every gate of one host, what would be done, and how long it would take."""

    host: Host
    at: datetime
    readiness: Readiness
    gates: tuple[Gate, ...]
    plan: Plan
    timeline: Timeline
    could_tell: int
    """Neighbors whose word would count."""
    required: int
    answers: bool
    """The host's own agent answers."""
    incident_id: str = ""
    refused: tuple[Reason, ...] = ()
    """Every refusal of the safeguards, as the engine would give them."""


def explain(snapshot: Snapshot) -> Explanation:
    """Every gate's state now."""
    policy, judgement = snapshot.policy, foreseen(snapshot)
    times = timeline(
        policy,
        cloud_restarts_after_s=snapshot.restarts_after_s,
        asks_cloud=snapshot.facts[0].cloud is not CloudSays.NONE,
    )
    refused = [refused_with(snapshot, method) for method in range(len(snapshot.facts))]
    found = [*_safeguards(snapshot, refused), *beside_gates(snapshot, judgement, times)]
    gates = in_order([*found, *what_is_well(found)])
    could = sum(finding.verdict is Verdict.DEAD for finding in judgement.findings)
    return Explanation(
        host=snapshot.host,
        at=snapshot.now,
        readiness=worst(gates),
        gates=gates,
        plan=_plan(snapshot, refused),
        timeline=times,
        could_tell=could,
        required=max(1, policy.witnesses_required),
        answers=snapshot.answers,
        incident_id=snapshot.incident.id if snapshot.incident is not None else "",
        refused=tuple(dict.fromkeys(reason for reasons in refused for reason in reasons)),
    )


def supposed(host: Host, policy: Policy, *, now: datetime) -> Incident:
    """An incident of this host that is dead long enough: opened now, with all the rounds it takes."""
    needed = max(policy.min_silence, policy.additional_checks * policy.check_interval)
    return Incident(
        id=f"supposed-of-{host.id}",
        host_id=host.id,
        cluster_id=host.cluster_id,
        state=State.CHECKING,
        source=Source.WATCH,
        opened_at=now,
        disconnect_at=now,
        entered_at=now,
        next_step_at=now,
        tally=Tally(dead=policy.rounds_needed, first_at=now - needed, last_at=now),
        newest=NewestRound(number=policy.rounds_needed, at=now, verdict=Verdict.DEAD, reasons=()),
    )


def refused_with(snapshot: Snapshot, method: int) -> tuple[Reason, ...]:
    """What the safeguards would say with one of the power devices: of the open incident, or of the supposed one.

    The cloud's *up* of a host that answers is as it should be: a dead one the cloud will notice, which takes the time
    that the timeline says.
    """
    facts, policy = snapshot.facts[method], snapshot.policy.using(method)
    incident = snapshot.incident
    if incident is None:
        incident = supposed(facts.host, policy, now=snapshot.now)
        facts = replace(facts, incidents=(*facts.incidents, incident))
        if facts.cloud is CloudSays.UP and snapshot.answers:
            facts = replace(facts, cloud=CloudSays.NOT_UP)
    return refusals(incident, facts, policy, now=snapshot.now)


def foreseen(snapshot: Snapshot) -> Judgement:
    """What the judge would say of the neighbors' newest answers."""
    incident = snapshot.incident
    return as_if_dead(
        snapshot.host,
        snapshot.witnesses.asked,
        snapshot.seen,
        snapshot.disks,
        snapshot.policy,
        now=snapshot.now,
        disconnect_at=incident.disconnect_at if incident is not None else snapshot.now,
    )


def _safeguards(snapshot: Snapshot, refused: list[tuple[Reason, ...]]) -> Iterator[Gate]:
    """A device's refusals close nothing while another device stands open: it would be tried."""
    for reason in dict.fromkeys(r for reasons in refused for r in reasons if r not in OF_THE_DEVICE):
        yield closed(reason, detail=_pause_says(snapshot) if reason is Reason.PAUSED else "")
    another = any(OF_THE_DEVICE.isdisjoint(reasons) for reasons in refused)
    for method, reasons in enumerate(refused):
        for reason in reasons:
            if reason in OF_THE_DEVICE:
                which = f"(Power device {method + 1}.)" if len(refused) > 1 else ""
                yield closed(reason, detail=which, readiness=Readiness.WARNING if another else None)


def _pause_says(snapshot: Snapshot) -> str:
    said = [f"{p.by}: {p.reason}" for p in snapshot.facts[0].pauses if p.active(snapshot.now)]
    return f"({'; '.join(said)}.)"


def _plan(snapshot: Snapshot, refused: list[tuple[Reason, ...]]) -> Plan:
    policy, now, attempts = snapshot.policy, snapshot.now, snapshot.facts[0].attempts
    here = slots(attempts, since=now - policy.action_window, cluster_id=snapshot.host.cluster_id)
    everywhere = slots(attempts, since=now - policy.global_action_window, cluster_id=None)
    incident = supposed(snapshot.host, policy, now=now)
    return Plan(
        action=action_after_fences(policy.action, snapshot.fences_before),
        devices=tuple(device.identity for device in policy.methods if device.configured),
        slots_left=max(0, policy.max_actions - here),
        slots_left_everywhere=max(0, policy.global_max_actions - everywhere),
        quarantines=any(wants_quarantine(incident, policy, reasons, now_dead=True) for reasons in refused),
    )
