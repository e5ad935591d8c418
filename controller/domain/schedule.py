"""When an incident is looked at next. Durations only; nothing here reads a clock.

Carries rule 11: every open state gets a next step.
"""

from datetime import datetime, timedelta

from controller.domain.incident import Incident, State
from controller.domain.policy import Policy

HELD_SLOWLY_AFTER = timedelta(hours=1)
HELD_SLOWLY = timedelta(seconds=60)
SAMPLED_WITHIN = timedelta(seconds=2)
"""The last look waits for a beat of each witness, and for its sample: without one it could not be conclusive."""
RETRY_AFTER_FAILURE = timedelta(seconds=5)


def next_step(incident: Incident, policy: Policy, *, now: datetime) -> datetime | None:
    """The next look in the state the incident is in; None once it is closed."""
    if not incident.open:
        return None
    match incident.state:
        case State.FENCING:
            return now + min(policy.check_interval, policy.heartbeat_interval + SAMPLED_WITHIN)
        case State.VERIFYING:
            return now  # the command was answered, or its fate is unknown: the first read is at once
        case State.RELEASING:
            return now + policy.read_spacing
        case State.HELD:
            return now + held_interval(incident, policy, now=now)
        case _:
            return now + policy.check_interval


def held_interval(incident: Incident, policy: Policy, *, now: datetime) -> timedelta:
    """Held incidents keep their evidence fresh at the check interval for an hour, then once a minute at most."""
    since = incident.held_since or now
    if now - since > HELD_SLOWLY_AFTER:
        return max(policy.check_interval, HELD_SLOWLY)
    return policy.check_interval
