"""Leases on incidents: which controller works on which one, until when.

A lease is a token and an end, outside the incident's value: taking or losing one changes no decision.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, bindparam, func, or_, select, update

from controller.db.models import Incidents
from controller.db.store import LastInLine
from controller.db.types import Instant
from controller.domain.incident import Incident


def _claim(*left_over: ColumnElement[bool]) -> Select[Incident]:
    """Lease the due incidents nobody holds, earliest first; rows another controller is just claiming are skipped.

    The inner query is a CTE: PostgreSQL runs that once; a sub-select may be run again and lock more than its limit.
    """
    free = or_(Incidents.lease_until.is_(None), Incidents.lease_until <= bindparam("now"))
    due = (
        select(Incidents.id)
        .where(Incidents.open, Incidents.next_step_at <= bindparam("now"), free, *left_over)
        .order_by(Incidents.next_step_at, Incidents.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    leased = (
        update(Incidents)
        .where(Incidents.id.in_(select(due.c.id)))
        .values(lease_token=bindparam("token"), lease_until=bindparam("until"))
        .returning(Incidents.id, Incidents.next_step_at, Incidents.body)
        .cte("leased")
    )
    return select(leased.c.body).order_by(leased.c.next_step_at, leased.c.id)


_FIRST = _claim()
_LAST_IN_LINE = _claim(
    or_(
        Incidents.cluster_id.not_in(bindparam("behind", expanding=True)),
        # A lease that is NULL is ignored.
        func.greatest(Incidents.next_step_at, Incidents.lease_until) <= bindparam("since"),
    )
)


def claim(
    *, now: datetime, lease_until: datetime, token: str, limit: int, behind: LastInLine | None
) -> tuple[Select[Incident], dict[str, Any]]:
    """The statement and its values. It is asked four times a second: putting it together costs more than running it."""
    values: dict[str, Any] = {"now": now, "until": lease_until, "token": token, "most": limit}
    if behind is None:
        return _FIRST, values
    return _LAST_IN_LINE, values | {"behind": sorted(behind.clusters), "since": behind.since}


_EXTEND = (
    update(Incidents)
    .where(Incidents.id == bindparam("incident"), Incidents.lease_token == bindparam("token"))
    .values(lease_until=func.greatest(Incidents.lease_until, bindparam("until", type_=Instant)))
)


def extend(incident_id: str, *, token: str, lease_until: datetime) -> tuple[Update, dict[str, Any]]:
    """Push the end, never back; touches nothing when the token is no longer the row's.

    A renewal that read its time earlier may come after the step's own: its holder relies on the later end.
    """
    return _EXTEND, {"incident": incident_id, "token": token, "until": lease_until}
