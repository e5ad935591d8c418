"""The in-memory store's notices, deliveries, API tokens and audit."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from controller.db.store import StoreError
from controller.db.store_outbox import ChannelState
from controller.domain.digest import Message
from controller.domain.model import ApiToken, AuditRow, Delivery, DeliveryStatus, Notice
from controller.domain.notice_texts import NoticeKind
from tests.simulation.memory_tables import TxBase


class OutboxTx(TxBase):
    async def add_notice(self, notice: Notice, *, channels: tuple[str, ...]) -> bool:
        t = self._t
        if notice.incident_id is not None and notice.incident_id not in t.incidents:
            self._refuse("incident_id", f"no incident {notice.incident_id}")
        if notice.key in t.notice_keys:
            return False
        if notice.id in t.notices:
            self._refuse("id", "a notice with this id exists")
        self._put(t.notices, notice.id, notice)
        self._put(t.notice_keys, notice.key, notice.id)
        for channel in dict.fromkeys(channels):
            self._keep_delivery(Delivery.of(notice, channel))
        return True

    def _keep_delivery(self, delivery: Delivery) -> None:
        t = self._t
        self._put(t.deliveries, delivery.id, delivery)
        if delivery.status is DeliveryStatus.PENDING:
            self._put(t.deliveries_waiting, delivery.id, None)
        else:
            self._drop(t.deliveries_waiting, delivery.id)

    async def channels_due(self, *, now: datetime) -> list[str]:
        return sorted({delivery.channel for delivery in self._due(now)})

    async def channel_turn(self, channel: str) -> bool:
        del channel  # transactions take turns anyway
        return True

    def _due(self, now: datetime) -> list[Delivery]:
        t = self._t
        return [
            delivery
            for delivery in map(t.deliveries.__getitem__, t.deliveries_waiting)
            if delivery.next_try_at is not None and delivery.next_try_at <= now
        ]

    async def deliveries_due(self, *, channel: str, now: datetime, limit: int) -> list[tuple[Delivery, Notice]]:
        due = [delivery for delivery in self._due(now) if delivery.channel == channel]
        due.sort(key=lambda delivery: (delivery.next_try_at or now, delivery.id))
        return [(delivery, self._t.notices[delivery.notice_id]) for delivery in due[:limit]]

    async def told_on(self, *, channel: str, since: datetime) -> list[Message]:
        t = self._t
        begun = [
            t.notices[delivery.notice_id]
            for delivery in t.deliveries.values()
            if delivery.channel == channel
            and delivery.status is not DeliveryStatus.IN_DIGEST
            and t.notices[delivery.notice_id].at > since
            and (
                delivery.doubtful
                or delivery.status is not DeliveryStatus.PENDING
                or t.notices[delivery.notice_id].kind == NoticeKind.DIGEST
            )
        ]
        given = [Message(notice.at, notice.kind == NoticeKind.DIGEST) for notice in begun]
        return sorted(given, key=lambda message: message.at)

    async def save_delivery(self, delivery: Delivery) -> None:
        if delivery.id not in self._t.deliveries:
            raise StoreError(f"no delivery {delivery.id}")
        self._keep_delivery(delivery)
        self.written.append(delivery)

    async def put_off(self, delivery_ids: Collection[str], *, until: datetime) -> None:
        for delivery in self._pending(delivery_ids):
            self._keep_delivery(replace(delivery, next_try_at=until))

    async def fold(self, delivery_ids: Collection[str], *, digest_id: str) -> None:
        if digest_id not in self._t.notices:
            self._refuse("digest_id", f"no notice {digest_id}")
        for delivery in self._pending(delivery_ids):
            told = replace(delivery, status=DeliveryStatus.IN_DIGEST, next_try_at=None, last_error="")
            self._keep_delivery(replace(told, digest_id=digest_id))

    async def resend_dead(self, *, channel: str, at: datetime) -> int:
        found = [d for d in self._t.deliveries.values() if (d.channel, d.status) == (channel, DeliveryStatus.DEAD)]
        for delivery in found:
            again = replace(delivery, status=DeliveryStatus.PENDING, tries=0, doubtful=False)
            self._keep_delivery(replace(again, next_try_at=at, resent_at=at))
        return len(found)

    def _pending(self, delivery_ids: Collection[str]) -> list[Delivery]:
        found = [self._t.deliveries[one] for one in delivery_ids if one in self._t.deliveries]
        return [delivery for delivery in found if delivery.status is DeliveryStatus.PENDING]

    async def members_of(self, digest_id: str) -> list[Notice]:
        t = self._t
        told = [d for d in t.deliveries.values() if d.digest_id == digest_id and d.status is DeliveryStatus.IN_DIGEST]
        found = [t.notices[d.notice_id] for d in told]
        return sorted(found, key=lambda n: (n.at, n.id))

    async def notices(
        self, *, incident_id: str | None = None, before: datetime | None = None, limit: int = 100
    ) -> list[tuple[Notice, list[Delivery]]]:
        t = self._t
        found = [
            n for n in t.notices.values() if incident_id in (None, n.incident_id) and (before is None or n.at < before)
        ]
        found.sort(key=lambda n: (n.at, n.id), reverse=True)
        mine: dict[str, list[Delivery]] = {n.id: [] for n in found[:limit]}
        for delivery in t.deliveries.values():
            if delivery.notice_id in mine:
                mine[delivery.notice_id].append(delivery)
        return [(n, sorted(mine[n.id], key=lambda d: d.id)) for n in found[:limit]]

    async def notice(self, notice_id: str) -> tuple[Notice, list[Delivery]] | None:
        found = self._t.notices.get(notice_id)
        if found is None:
            return None
        mine = [d for d in self._t.deliveries.values() if d.notice_id == notice_id]
        return found, sorted(mine, key=lambda d: d.id)

    async def deliveries(
        self,
        *,
        channel: str | None = None,
        status: DeliveryStatus | None = None,
        incident_id: str | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[tuple[Delivery, Notice]]:
        found = [
            (delivery, notice)
            for delivery in self._t.deliveries.values()
            for notice in [self._t.notices[delivery.notice_id]]
            if channel in (None, delivery.channel)
            and status in (None, delivery.status)
            and incident_id in (None, notice.incident_id)
            and (before is None or notice.at < before)
        ]
        return sorted(found, key=lambda pair: (pair[1].at, pair[0].id), reverse=True)[:limit]

    async def channel_states(self) -> dict[str, ChannelState]:
        states: dict[str, ChannelState] = {}
        for one in self._t.deliveries.values():
            before = states.get(one.channel, ChannelState())
            match one.status:
                case DeliveryStatus.PENDING:
                    states[one.channel] = replace(before, pending=before.pending + 1)
                case DeliveryStatus.DEAD:
                    states[one.channel] = replace(before, dead=before.dead + 1)
                case DeliveryStatus.SENT:
                    last = [at for at in (before.last_sent_at, one.sent_at) if at is not None]
                    states[one.channel] = replace(before, last_sent_at=max(last, default=None))
                case DeliveryStatus.IN_DIGEST | DeliveryStatus.TEST_FAILED:
                    pass
        return dict(sorted(states.items()))

    async def tokens(self) -> list[ApiToken]:
        return sorted(self._t.tokens.values(), key=lambda a: (a.created_at, a.id))

    async def token_by_digest(self, digest: str) -> ApiToken | None:
        return next((a for a in self._t.tokens.values() if a.digest == digest), None)

    async def save_token(self, token: ApiToken) -> None:
        t = self._t
        for other in t.tokens.values():
            if other.id != token.id and other.name == token.name:
                self._refuse("name", f"name {token.name!r} is taken")
            if other.id != token.id and other.digest == token.digest:
                self._refuse("digest", "the same token exists")
        self._put(t.tokens, token.id, token)

    async def add_audit(self, row: AuditRow) -> None:
        t = self._t
        if row.id in t.audit:
            self._refuse("id", "an audit row with this id exists")
        self._put(t.audit, row.id, row)

    async def audit(self, *, before: datetime | None = None, limit: int = 100) -> list[AuditRow]:
        found = [row for row in self._t.audit.values() if before is None or row.at < before]
        return sorted(found, key=lambda row: (row.at, row.id), reverse=True)[:limit]
