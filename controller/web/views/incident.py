"""One incident's head: the situation in a sentence, what happens next and when, what a person can do."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.incident import CommandStatus, Incident, Source, State
from controller.domain.model import Host
from controller.domain.policy import Mode, Policy
from controller.services.operator import CANCELLABLE
from controller.web.views.incidents import IncidentLine, incident_line
from controller.web.views.situation import situation, then

_SOURCES = {
    Source.REPORT: "somebody reported it",
    Source.CLOUD: "the cloud said so",
    Source.WATCH: "hostfence's own watch missed it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentHead:
    """``situation``: one sentence. ``then``: what follows when nothing changes.

    ``off_at``: the earliest moment of the power command, where it is on its way there.
    """

    line: IncidentLine
    cluster_id: str
    source: str
    note: str
    situation: str
    then: str
    off_at: datetime | None
    evidence: str
    may_cancel: bool
    may_retry: bool
    may_acknowledge: bool
    retry_reads_only: bool


def incident_head(incident: Incident, host: Host | None, policy: Policy | None) -> IncidentHead:
    """``host`` and ``policy`` None: the host was deleted since."""
    name = host.name if host is not None else incident.host_id
    sent = incident.command.may_have_been_sent
    settled = incident.command.status is not CommandStatus.INTENDED
    return IncidentHead(
        line=incident_line(incident, name),
        cluster_id=incident.cluster_id,
        source=_SOURCES[incident.source],
        note=incident.note,
        situation=situation(incident, name, policy),
        then=then(incident, policy),
        off_at=_off_at(incident, policy),
        evidence=_evidence(incident),
        may_cancel=incident.state in CANCELLABLE and not sent and settled,
        may_retry=incident.state is State.HELD and settled,
        may_acknowledge=incident.state is State.HELD and settled,
        retry_reads_only=sent,
    )


def _off_at(incident: Incident, policy: Policy | None) -> datetime | None:
    """As early as it can be when every round from now on is dead; None where it is not on its way there."""
    if policy is None or policy.mode is Mode.OBSERVE or not policy.action.takes_down or incident.next_step_at is None:
        return None
    if incident.state is State.FENCING:
        return incident.next_step_at
    if incident.state is not State.CHECKING or not incident.tally.dead:
        return None
    interval = policy.check_interval
    missing = max(
        policy.rounds_needed - incident.tally.dead,
        -((incident.tally.silence - policy.min_silence) // interval),
        1,
    )
    last_look = min(interval, policy.heartbeat_interval + timedelta(seconds=2))
    return incident.next_step_at + (missing - 1) * interval + last_look


def _evidence(incident: Incident) -> str:
    newest = incident.newest
    if newest is None:
        return "no check round yet"
    in_a_row = f", {incident.tally.dead} dead in a row" if incident.tally.dead else ""
    return f"round {newest.number}: {newest.verdict}{in_a_row}"
