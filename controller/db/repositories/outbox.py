"""Notices and their deliveries."""

from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from controller.db.mapping import Mapping
from controller.db.models import Deliveries, Notices
from controller.db.session import Repository
from controller.domain.model import Delivery, DeliveryStatus, Notice

NOTICES = Mapping(Notice, Notices)
DELIVERIES = Mapping(Delivery, Deliveries)

_TOLD_ONCE = NOTICES.inserting.on_conflict_do_nothing(index_elements=[Notices.key])
_DUE = (
    DELIVERIES.select()
    .where(Deliveries.status == DeliveryStatus.PENDING, Deliveries.next_try_at <= bindparam("now"))
    .order_by(Deliveries.next_try_at, Deliveries.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


class OutboxRepository(Repository):
    """Part of :class:`controller.db.store.Tx`."""

    async def add_notice(self, notice: Notice, *, channels: tuple[str, ...]) -> bool:
        """See the port."""
        if not await self._session.touched(_TOLD_ONCE, NOTICES.values(notice)):
            return False
        rows = [
            DELIVERIES.values(
                Delivery(
                    id=f"{notice.id}/{channel}",
                    notice_id=notice.id,
                    channel=channel,
                    status=DeliveryStatus.PENDING,
                    next_try_at=notice.at,
                )
            )
            for channel in dict.fromkeys(channels)
        ]
        if rows:
            await self._session.run(insert(Deliveries).values(rows))
        return True

    async def deliveries_due(self, *, now: datetime, limit: int) -> list[tuple[Delivery, Notice]]:
        """See the port."""
        due = [DELIVERIES.entity(row) for row in await self._session.all(_DUE, {"now": now, "most": limit})]
        if not due:
            return []
        told = NOTICES.select().where(Notices.id.in_({delivery.notice_id for delivery in due}))
        notices = {row["id"]: NOTICES.entity(row) for row in await self._session.all(told)}
        return [(delivery, notices[delivery.notice_id]) for delivery in due]

    async def save_delivery(self, delivery: Delivery) -> None:
        """See the port."""
        await self._session.must_touch(DELIVERIES.updating, f"delivery {delivery.id}", DELIVERIES.changes(delivery))

    async def notices(self, *, incident_id: str | None = None, limit: int = 100) -> list[tuple[Notice, list[Delivery]]]:
        """See the port."""
        newest = NOTICES.select().order_by(Notices.at.desc(), Notices.id.desc()).limit(limit)
        if incident_id is not None:
            newest = newest.where(Notices.incident_id == incident_id)
        found = [NOTICES.entity(row) for row in await self._session.all(newest)]
        sent: dict[str, list[Delivery]] = {notice.id: [] for notice in found}
        which = DELIVERIES.select().where(Deliveries.notice_id.in_(select(newest.subquery().c.id)))
        for row in await self._session.all(which.order_by(Deliveries.id)):
            if row["notice_id"] in sent:  # not one of a notice added between the two reads
                sent[row["notice_id"]].append(DELIVERIES.entity(row))
        return [(notice, sent[notice.id]) for notice in found]
