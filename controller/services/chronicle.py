"""One line in the log for each transition of an incident that was committed, whoever caused it."""

from collections.abc import Sequence

import structlog

from controller.domain.figures import Written
from controller.domain.incident import Incident
from controller.domain.model import Event

log = structlog.get_logger(__name__)


def log_transitions(written: Sequence[Written]) -> None:
    """A store's listener. What was taken back is never logged as having happened."""
    incidents = {one.id: one for one in written if isinstance(one, Incident)}
    for one in written:
        if not isinstance(one, Event) or one.kind not in ("opened", "state"):
            continue
        incident = incidents.get(one.incident_id)
        log.info(
            "incident opened" if one.kind == "opened" else "incident moved",
            incident_id=one.incident_id,
            host_id=incident.host_id if incident is not None else "",
            from_state=one.from_state,
            to_state=one.to_state,
            reasons=[reason.value for reason in one.reasons],
            actor=one.actor,
            **({"text": one.text} if one.text else {}),
        )
