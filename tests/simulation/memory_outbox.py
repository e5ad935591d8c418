"""The in-memory store's notices, deliveries, API tokens and audit."""

from datetime import datetime

from controller.db.store import StoreError
from controller.domain.model import ApiToken, AuditRow, Delivery, DeliveryStatus, Notice
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
            delivery = Delivery(
                id=f"{notice.id}/{channel}",
                notice_id=notice.id,
                channel=channel,
                status=DeliveryStatus.PENDING,
                next_try_at=notice.at,
            )
            self._keep_delivery(delivery)
        return True

    def _keep_delivery(self, delivery: Delivery) -> None:
        t = self._t
        self._put(t.deliveries, delivery.id, delivery)
        if delivery.status is DeliveryStatus.PENDING:
            self._put(t.deliveries_waiting, delivery.id, None)
        else:
            self._drop(t.deliveries_waiting, delivery.id)

    async def deliveries_due(self, *, now: datetime, limit: int) -> list[tuple[Delivery, Notice]]:
        t = self._t
        due = [
            (delivery.next_try_at, delivery.id)
            for delivery in map(t.deliveries.__getitem__, t.deliveries_waiting)
            if delivery.next_try_at is not None and delivery.next_try_at <= now
        ]
        picked = [t.deliveries[delivery_id] for _, delivery_id in sorted(due)[:limit]]
        return [(delivery, t.notices[delivery.notice_id]) for delivery in picked]

    async def save_delivery(self, delivery: Delivery) -> None:
        if delivery.id not in self._t.deliveries:
            raise StoreError(f"no delivery {delivery.id}")
        self._keep_delivery(delivery)

    async def notices(self, *, incident_id: str | None = None, limit: int = 100) -> list[tuple[Notice, list[Delivery]]]:
        t = self._t
        found = [n for n in t.notices.values() if incident_id in (None, n.incident_id)]
        found.sort(key=lambda n: (n.at, n.id), reverse=True)
        mine: dict[str, list[Delivery]] = {n.id: [] for n in found[:limit]}
        for delivery in t.deliveries.values():
            if delivery.notice_id in mine:
                mine[delivery.notice_id].append(delivery)
        return [(n, sorted(mine[n.id], key=lambda d: d.id)) for n in found[:limit]]

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
