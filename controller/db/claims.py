"""Leases on incidents: which controller works on which one, until when.

A lease is a token and an end, outside the incident's value: taking or losing one changes no decision.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, Update, func, or_, select, update

from controller.db.models import Incidents
from controller.db.store import LastInLine
from controller.domain.incident import Incident


def claim(
    *, now: datetime, lease_until: datetime, token: str, limit: int, behind: LastInLine | None
) -> Select[Incident]:
    """Lease the due incidents nobody holds, earliest first; rows another controller is just claiming are skipped.

    The inner query is a CTE: PostgreSQL runs that once; a sub-select may be run again and lock more than ``limit``.
    """
    free = or_(Incidents.lease_until.is_(None), Incidents.lease_until <= now)
    due = (
        select(Incidents.id)
        .where(Incidents.open, Incidents.next_step_at <= now, free, *_left_over(behind))
        .order_by(Incidents.next_step_at, Incidents.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    leased = (
        update(Incidents)
        .where(Incidents.id.in_(select(due.c.id)))
        .values(lease_token=token, lease_until=lease_until)
        .returning(Incidents.id, Incidents.next_step_at, Incidents.body)
        .cte("leased")
    )
    return select(leased.c.body).order_by(leased.c.next_step_at, leased.c.id)


def _left_over(behind: LastInLine | None) -> list[ColumnElement[bool]]:
    if behind is None:
        return []
    free_since = func.greatest(Incidents.next_step_at, Incidents.lease_until)  # a lease that is NULL is ignored
    return [or_(Incidents.cluster_id.not_in(sorted(behind.clusters)), free_since <= behind.since)]


def extend(incident_id: str, *, token: str, lease_until: datetime) -> Update:
    """Push the end, never back; touches nothing when the token is no longer the row's.

    A renewal that read its time earlier may come after the step's own: its holder relies on the later end.
    """
    mine = (Incidents.id == incident_id, Incidents.lease_token == token)
    return update(Incidents).where(*mine).values(lease_until=func.greatest(Incidents.lease_until, lease_until))
