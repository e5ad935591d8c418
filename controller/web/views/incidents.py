"""Incidents as lines of a list."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from controller.domain.incident import Incident
from controller.domain.reasons import Reason
from controller.web.views.look import STATES, Look
from controller.web.views.next_step import NextStep, next_step


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentLine:
    """One incident. ``reasons``: why it stands as it does."""

    id: str
    host_id: str
    host_name: str
    look: Look
    open: bool
    disconnect_at: datetime
    opened_at: datetime
    entered_at: datetime
    closed_at: datetime | None
    reasons: tuple[Reason, ...]
    next: NextStep


def incident_line(incident: Incident, host_name: str) -> IncidentLine:
    """One of them."""
    return IncidentLine(
        id=incident.id,
        host_id=incident.host_id,
        host_name=host_name,
        look=STATES[incident.state],
        open=incident.open,
        disconnect_at=incident.disconnect_at,
        opened_at=incident.opened_at,
        entered_at=incident.entered_at,
        closed_at=incident.closed_at,
        reasons=tuple(dict.fromkeys((*incident.reasons, *sorted(incident.sticky)))),
        next=next_step(incident),
    )


def incident_lines(incidents: Iterable[Incident], names: Mapping[str, str]) -> tuple[IncidentLine, ...]:
    """In the order given. A host that was deleted is shown by its id."""
    return tuple(incident_line(one, names.get(one.host_id, one.host_id)) for one in incidents)
