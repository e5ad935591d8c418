"""Counts what is open, waiting or young, in a few statements on indexed rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, RowMapping, Text, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from controller.db.models import Attempts, Deliveries, Effects, Incidents, Notices
from controller.db.session import Repository
from controller.db.types import Instant, Word
from controller.domain.figures import Counts
from controller.domain.incident import State
from controller.domain.model import DeliveryStatus, EffectStatus
from controller.domain.reasons import Reason

_BODY = Incidents.__table__.c.body
_HELD = (Incidents.open, Incidents.state == State.HELD)
_ALL_REASONS = _BODY.op("->", return_type=JSONB())(literal("reasons", Text))
_REASON = func.jsonb_array_elements_text(_ALL_REASONS, type_=Word(Reason))
_SINCE = _BODY.op("->>", return_type=Text())(literal("held_since", Text))

_NUMBER = func.count().label("number")

_OPEN = select(Incidents.state.label("of"), _NUMBER).where(Incidents.open).group_by(Incidents.state)
_REASONS = select(_REASON.label("of")).where(*_HELD).subquery()
_BY_REASON = select(_REASONS.c.of, _NUMBER).group_by(_REASONS.c.of)
_HELD_SINCE = select(func.min(_SINCE.cast(Instant)).label("since")).where(*_HELD)
_STICKY = _BODY.op("->", return_type=JSONB())(literal("sticky", Text))
_STORMS = (
    select(Incidents.cluster_id.label("of"), _NUMBER)
    .where(Incidents.open, _STICKY.op("?", return_type=Boolean())(literal(Reason.STORM, Text)))
    .group_by(Incidents.cluster_id)
)
_UNFINISHED = select(_NUMBER).select_from(Attempts).where(Attempts.finished_at.is_(None))
_EFFECTS = (
    select(Effects.kind.label("of"), _NUMBER, func.min(Effects.intended_at).label("since"))
    .where(Effects.status == EffectStatus.INTENDED)
    .group_by(Effects.kind)
)
_MESSAGES = (
    select(Deliveries.channel.label("of"), _NUMBER, func.min(Notices.at).label("since"))
    .join(Notices, Notices.id == Deliveries.notice_id)
    .group_by(Deliveries.channel)
)
_PENDING = _MESSAGES.where(Deliveries.status == DeliveryStatus.PENDING)
_DEAD = _MESSAGES.where(Deliveries.status == DeliveryStatus.DEAD)


class CountingRepository(Repository):
    """Part of :class:`controller.db.store.Tx`."""

    async def counts(self, *, now: datetime, dead_since: datetime) -> Counts:
        """See the port."""
        free = or_(Incidents.lease_until.is_(None), Incidents.lease_until <= now)
        leases = select(
            func.min(Incidents.next_step_at).filter(free, Incidents.next_step_at <= now).label("due_since"),
            func.count().filter(~free).label("leased"),
        ).where(Incidents.open)
        (waiting,) = await self._session.all(leases)
        effects = await self._session.all(_EFFECTS)
        pending = await self._session.all(_PENDING)
        dead = await self._session.all(_DEAD.where(Notices.at > dead_since))
        return Counts(
            incidents=_numbers(await self._session.all(_OPEN)),
            held=_numbers(await self._session.all(_BY_REASON)),
            held_since=(await self._session.all(_HELD_SINCE))[0]["since"],
            storms=_numbers(await self._session.all(_STORMS)),
            due_since=waiting["due_since"],
            leased=waiting["leased"],
            unfinished=(await self._session.all(_UNFINISHED))[0]["number"],
            effects=_numbers(effects),
            effects_since=_oldest(effects),
            pending=_numbers(pending),
            pending_since=_oldest(pending),
            dead=_numbers(dead),
        )


def _numbers(rows: Sequence[RowMapping]) -> dict[Any, int]:
    return {row["of"]: row["number"] for row in rows}


def _oldest(rows: Sequence[RowMapping]) -> datetime | None:
    return min((row["since"] for row in rows), default=None)
