"""How one host stands right now, in one word."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.incident import Incident
from controller.domain.model import Health, Host
from controller.domain.snapshot import ANSWERS_ARE_GOOD_FOR
from controller.services.sights import Sights
from controller.web.views.look import STATES, Look

SEEN_WITHIN = timedelta(seconds=90)
"""A process that has just started was told nothing yet: what another one wrote down counts for that long."""

ANSWERS = Look("ok", "check", "answers")
SILENT = Look("warn", "question", "silent")
NEVER_SEEN = Look("quiet", "question", "never seen")
FENCED = Look("quiet", "power", "fenced, not back yet")
MAINTENANCE = Look("quiet", "wrench", "maintenance")
EXCLUDED = Look("quiet", "hand", "excluded")
RETIRED = Look("quiet", "cross", "not in the cloud any more")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """``since`` None: not known. ``trouble``: somebody should look."""

    look: Look
    since: datetime | None = None
    trouble: bool = False


def host_state(host: Host, health: Health, incident: Incident | None, sights: Sights, *, now: datetime) -> HostState:
    """What concerns people most: an open incident, then that it was fenced, then its marks, then its agent."""
    if incident is not None:
        return HostState(look=STATES[incident.state], since=incident.entered_at, trouble=True)
    if health.fenced_by:
        return HostState(look=FENCED, trouble=True)
    if host.retired:
        return HostState(look=RETIRED)
    if host.maintenance:
        return HostState(look=MAINTENANCE)
    if host.excluded:
        return HostState(look=EXCLUDED)
    return _by_its_agent(host, health, sights, now)


def _by_its_agent(host: Host, health: Health, sights: Sights, now: datetime) -> HostState:
    sight = sights.known.get(host.id)
    seen_at = max((at for at in (health.seen_at, sight.at if sight else None) if at is not None), default=None)
    if seen_at is None:
        return HostState(look=NEVER_SEEN)
    within = ANSWERS_ARE_GOOD_FOR if sights.polled else SEEN_WITHIN
    if now - seen_at <= within:
        return HostState(look=ANSWERS, since=health.healthy_since)
    return HostState(look=SILENT, since=seen_at, trouble=True)
