"""What a hold means to people: how loud it is, what happens meanwhile, what can be done, when to remind. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from controller.domain.incident import Incident
from controller.domain.model import Severity
from controller.domain.reasons import NEEDS_A_PERSON, Reason

REMINDERS = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4))
"""After these, counted from the start of the hold; then once a day."""

_DAY = timedelta(days=1)

_URGENT = NEEDS_A_PERSON | {Reason.OFF_NOT_PROVEN, Reason.RELEASE_FAILED, Reason.COMMAND_BUDGET}

_HOLDS_BEFORE = "hostfence is holding: it leaves the host alone for now."
_HOLDS_AFTER = "hostfence is holding after a power command that was sent, or may have been: the host may be off."
_WATCHES_ON = (
    "hostfence keeps checking. Once no reason is left it starts its check rounds afresh, and if the host is still dead "
    "then, it acts by itself."
)
_FOR_A_PERSON = "This never ends in an action by itself: either the host comes back, or a person decides."
_AFTER_COMMAND = "hostfence goes on reading the power state, and sends nothing while it holds."
_ALL_STOPPED = "All fencing, in every cluster, stays stopped until a person lifts that pause."
_QUARANTINED = "The host is quarantined: the cloud will not restart these machines meanwhile, so they stay down."
_REMINDS = "You are reminded after 15 minutes, 1 hour, 4 hours and then daily."

_STOP_BEFORE = (
    "On the incident's page: Retry checks from the start; Acknowledge starts the machines elsewhere (only if you know "
    "that the host is off); Cancel ends the incident and leaves everything as it is."
)
_STOP_AFTER = (
    "On the incident's page: Retry reads the power state again; Acknowledge starts the machines elsewhere (only if you "
    "know that the host is off). It is too late to cancel."
)


def hold_severity(incident: Incident, reasons: Sequence[Reason]) -> Severity:
    """Critical where only a person can go on, or where a host may be half way down; else a warning."""
    urgent = _URGENT & (incident.sticky | set(reasons))
    return Severity.CRITICAL if urgent or incident.command.may_have_been_sent else Severity.WARNING


def hold_what(incident: Incident) -> str:
    """What holding means for the host."""
    return _HOLDS_AFTER if incident.command.may_have_been_sent else _HOLDS_BEFORE


def hold_next(incident: Incident, reasons: Sequence[Reason]) -> str:
    """What happens while the hold lasts."""
    sticky = NEEDS_A_PERSON & (incident.sticky | set(reasons))
    parts = [
        (_AFTER_COMMAND, incident.command.may_have_been_sent),
        (_FOR_A_PERSON, sticky),
        (_WATCHES_ON, not sticky and not incident.command.may_have_been_sent),
        (_ALL_STOPPED, bool(sticky & {Reason.OTHER_HOST_VANISHED, Reason.DATABASE_RESTORED})),
        (_QUARANTINED, incident.quarantined),
        (_REMINDS, True),
    ]
    return " ".join(text for text, applies in parts if applies)


def hold_stop(incident: Incident) -> str:
    """What a person can do."""
    return _STOP_AFTER if incident.command.may_have_been_sent else _STOP_BEFORE


def next_reminder_at(held_since: datetime, reminders: int) -> datetime:
    """When reminder number ``reminders`` (from 0) is due."""
    if reminders < len(REMINDERS):
        return held_since + REMINDERS[reminders]
    return held_since + _DAY * (reminders - len(REMINDERS) + 1)


def reminder_due(held_since: datetime, reminders: int, now: datetime) -> bool:
    """True when people should be reminded, ``reminders`` having been told of this hold."""
    return now >= next_reminder_at(held_since, reminders)


def reminders_by(held_since: datetime, now: datetime) -> int:
    """How many reminders are due by ``now``: what to store once one is told, so that missed ones don't pour in."""
    passed = now - held_since
    return sum(1 for after in REMINDERS if passed >= after) + max(0, passed // _DAY)


def long_ago(span: timedelta) -> str:
    """A duration as people say it: minutes under two hours, hours under two days, then days."""
    minutes = max(0, span // timedelta(minutes=1))
    if minutes < 120:
        return _counted(minutes, "minute")
    if minutes < 48 * 60:
        return _counted(minutes // 60, "hour")
    return _counted(minutes // (24 * 60), "day")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
