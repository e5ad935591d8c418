"""Notices and their deliveries."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import RowMapping, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from controller.db.mapping import Mapping
from controller.db.models import Deliveries, Notices
from controller.db.session import Repository
from controller.db.store_outbox import ChannelState
from controller.domain.digest import Message
from controller.domain.model import Delivery, DeliveryStatus, Notice
from controller.domain.notice_texts import NoticeKind

NOTICES = Mapping(Notice, Notices)
DELIVERIES = Mapping(Delivery, Deliveries)

_TURNS = 0x68667475
"""First half of the advisory locks for the turns of channels; the second one is made from the channel's name."""

_TOLD_ONCE = NOTICES.inserting.on_conflict_do_nothing(index_elements=[Notices.key])
_PENDING = (Deliveries.status == DeliveryStatus.PENDING, Deliveries.next_try_at <= bindparam("now"))
_CHANNELS_DUE = select(Deliveries.channel).where(*_PENDING).distinct()
_DUE = (
    DELIVERIES.select()
    .where(*_PENDING, Deliveries.channel == bindparam("on"))
    .order_by(Deliveries.next_try_at, Deliveries.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


class OutboxRepository(Repository):
    """Part of :class:`controller.db.store_outbox.OutboxTx`."""

    async def add_notice(self, notice: Notice, *, channels: tuple[str, ...]) -> bool:
        """See the port."""
        if not await self._session.touched(_TOLD_ONCE, NOTICES.values(notice)):
            return False
        rows = [DELIVERIES.values(Delivery.of(notice, channel)) for channel in dict.fromkeys(channels)]
        if rows:
            await self._session.run(insert(Deliveries).values(rows))
        return True

    async def channels_due(self, *, now: datetime) -> list[str]:
        """See the port."""
        return sorted(row["channel"] for row in await self._session.all(_CHANNELS_DUE, {"now": now}))

    async def channel_turn(self, channel: str) -> bool:
        """See the port."""
        lock = select(func.pg_try_advisory_xact_lock(_TURNS, func.hashtext(channel)).label("got"))
        row = await self._session.first(lock)
        return row is not None and bool(row["got"])

    async def deliveries_due(self, *, channel: str, now: datetime, limit: int) -> list[tuple[Delivery, Notice]]:
        """See the port."""
        due = await self._session.all(_DUE, {"now": now, "on": channel, "most": limit})
        return await self._with_notices(due)

    async def told_on(self, *, channel: str, since: datetime) -> list[Message]:
        """See the port."""
        given = or_(Deliveries.doubtful, Deliveries.status != DeliveryStatus.PENDING, Notices.kind == NoticeKind.DIGEST)
        statement = (
            select(Notices.at, Notices.kind)
            .select_from(Deliveries)
            .join(Notices, Notices.id == Deliveries.notice_id)
            .where(
                Deliveries.channel == channel,
                Notices.at > since,
                Deliveries.status != DeliveryStatus.IN_DIGEST,
                given,
            )
            .order_by(Notices.at)
        )
        rows = await self._session.all(statement)
        return [Message(row["at"], row["kind"] == NoticeKind.DIGEST) for row in rows]

    async def save_delivery(self, delivery: Delivery) -> None:
        """See the port."""
        await self._session.must_touch(DELIVERIES.updating, f"delivery {delivery.id}", DELIVERIES.changes(delivery))
        self._session.written.append(delivery)

    async def put_off(self, delivery_ids: Collection[str], *, until: datetime) -> None:
        """See the port."""
        later = update(Deliveries).where(Deliveries.id.in_(delivery_ids), Deliveries.status == DeliveryStatus.PENDING)
        await self._session.run(later.values(next_try_at=until))

    async def fold(self, delivery_ids: Collection[str], *, digest_id: str) -> None:
        """See the port."""
        told = update(Deliveries).where(Deliveries.id.in_(delivery_ids), Deliveries.status == DeliveryStatus.PENDING)
        await self._session.run(
            told.values(status=DeliveryStatus.IN_DIGEST, digest_id=digest_id, next_try_at=None, last_error="")
        )

    async def resend_dead(self, *, channel: str, at: datetime) -> int:
        """See the port."""
        dead = update(Deliveries).where(Deliveries.channel == channel, Deliveries.status == DeliveryStatus.DEAD)
        again = dead.values(status=DeliveryStatus.PENDING, tries=0, next_try_at=at, resent_at=at, doubtful=False)
        return (await self._session.run(again)).rowcount

    async def members_of(self, digest_id: str) -> list[Notice]:
        """See the port."""
        statement = (
            NOTICES.select()
            .join(Deliveries, Deliveries.notice_id == Notices.id)
            .where(Deliveries.digest_id == digest_id, Deliveries.status == DeliveryStatus.IN_DIGEST)
            .order_by(Notices.at, Notices.id)
        )
        return [NOTICES.entity(row) for row in await self._session.all(statement)]

    async def notices(
        self, *, incident_id: str | None = None, before: datetime | None = None, limit: int = 100
    ) -> list[tuple[Notice, list[Delivery]]]:
        """See the port."""
        newest = NOTICES.select().order_by(Notices.at.desc(), Notices.id.desc()).limit(limit)
        if incident_id is not None:
            newest = newest.where(Notices.incident_id == incident_id)
        if before is not None:
            newest = newest.where(Notices.at < before)
        found = [NOTICES.entity(row) for row in await self._session.all(newest)]
        sent: dict[str, list[Delivery]] = {notice.id: [] for notice in found}
        which = DELIVERIES.select().where(Deliveries.notice_id.in_(select(newest.subquery().c.id)))
        for row in await self._session.all(which.order_by(Deliveries.id)):
            if row["notice_id"] in sent:  # not one of a notice added between the two reads
                sent[row["notice_id"]].append(DELIVERIES.entity(row))
        return [(notice, sent[notice.id]) for notice in found]

    async def notice(self, notice_id: str) -> tuple[Notice, list[Delivery]] | None:
        """See the port."""
        row = await self._session.first(NOTICES.select().where(Notices.id == notice_id))
        if row is None:
            return None
        which = DELIVERIES.select().where(Deliveries.notice_id == notice_id).order_by(Deliveries.id)
        return NOTICES.entity(row), [DELIVERIES.entity(one) for one in await self._session.all(which)]

    async def deliveries(
        self,
        *,
        channel: str | None = None,
        status: DeliveryStatus | None = None,
        incident_id: str | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[tuple[Delivery, Notice]]:
        """See the port."""
        statement = (
            DELIVERIES.select()
            .join(Notices, Notices.id == Deliveries.notice_id)
            .order_by(Notices.at.desc(), Deliveries.id.desc())
            .limit(limit)
        )
        if channel is not None:
            statement = statement.where(Deliveries.channel == channel)
        if status is not None:
            statement = statement.where(Deliveries.status == status)
        if incident_id is not None:
            statement = statement.where(Notices.incident_id == incident_id)
        if before is not None:
            statement = statement.where(Notices.at < before)
        return await self._with_notices(await self._session.all(statement))

    async def channel_states(self) -> dict[str, ChannelState]:
        """See the port."""
        pending, dead = DeliveryStatus.PENDING, DeliveryStatus.DEAD
        waiting = (
            select(
                Deliveries.channel,
                func.count().filter(Deliveries.status == pending).label("pending"),
                func.count().filter(Deliveries.status == dead).label("dead"),
            )
            .where(Deliveries.status.in_([pending, dead]))
            .group_by(Deliveries.channel)
        )
        sent = (
            select(Deliveries.channel, func.max(Deliveries.sent_at).label("at"))
            .where(Deliveries.status == DeliveryStatus.SENT)
            .group_by(Deliveries.channel)
        )
        counts = {row["channel"]: row for row in await self._session.all(waiting)}
        last = {row["channel"]: row["at"] for row in await self._session.all(sent)}
        return {
            channel: ChannelState(
                pending=counts[channel]["pending"] if channel in counts else 0,
                dead=counts[channel]["dead"] if channel in counts else 0,
                last_sent_at=last.get(channel),
            )
            for channel in sorted(counts.keys() | last.keys())
        }

    async def _with_notices(self, rows: Sequence[RowMapping]) -> list[tuple[Delivery, Notice]]:
        found = [DELIVERIES.entity(row) for row in rows]
        if not found:
            return []
        told = NOTICES.select().where(Notices.id.in_({delivery.notice_id for delivery in found}))
        notices = {row["id"]: NOTICES.entity(row) for row in await self._session.all(told)}
        return [(delivery, notices[delivery.notice_id]) for delivery in found]
