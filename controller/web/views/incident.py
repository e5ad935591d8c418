"""One incident's head: where it stands, why, and what happens next."""

from dataclasses import dataclass

from controller.domain.incident import Incident
from controller.web.views.incidents import IncidentLine, incident_line


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentHead:
    """``line``: as in lists. ``source``: who opened it."""

    line: IncidentLine
    source: str
    rounds: int
    dead_rounds: int
    note: str


def incident_head(incident: Incident, host_name: str) -> IncidentHead:
    """From the incident alone."""
    return IncidentHead(
        line=incident_line(incident, host_name),
        source=incident.source.value,
        rounds=incident.rounds,
        dead_rounds=incident.tally.dead,
        note=incident.note,
    )
