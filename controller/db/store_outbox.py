"""What the store promises of notices and their deliveries; part of :class:`controller.db.store.Tx`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.domain.digest import Message
from controller.domain.model import Delivery, DeliveryStatus, Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """How a channel does: what waits, what was given up, when something last went through."""

    pending: int = 0
    dead: int = 0
    last_sent_at: datetime | None = None


class OutboxTx(Protocol):
    """Notices are written with the change they tell of; each has a delivery for every channel that wants it."""

    async def add_notice(self, notice: Notice, *, channels: tuple[str, ...]) -> bool:
        """Store a notice and one pending delivery a channel, due at once; False when the key is known."""
        ...

    async def channels_due(self, *, now: datetime) -> list[str]:
        """Names of the channels that have a pending delivery with ``next_try_at <= now``; in order."""
        ...

    async def channel_turn(self, channel: str) -> bool:
        """Whether no other transaction has this channel's turn; it is kept until the end of the transaction."""
        ...

    async def deliveries_due(self, *, channel: str, now: datetime, limit: int) -> list[tuple[Delivery, Notice]]:
        """A channel's pending ones with ``next_try_at <= now``, earliest first, locked, skipping locked ones."""
        ...

    async def told_on(self, *, channel: str, since: datetime) -> list[Message]:
        """What the channel has, or may have, of notices with ``at > since``, and every digest for it; oldest first."""
        ...

    async def save_delivery(self, delivery: Delivery) -> None:
        """Store what became of it."""
        ...

    async def put_off(self, delivery_ids: Collection[str], *, until: datetime) -> None:
        """Let these pending ones be due later."""
        ...

    async def fold(self, delivery_ids: Collection[str], *, digest_id: str) -> None:
        """These are told in the notice ``digest_id`` from now on, and no longer by themselves."""
        ...

    async def resend_dead(self, *, channel: str, at: datetime) -> int:
        """Every dead one of a channel is pending again, due and resent at ``at``, with no try made; how many."""
        ...

    async def members_of(self, digest_id: str) -> list[Notice]:
        """The notices that a digest tells, oldest first."""
        ...

    async def notices(
        self, *, incident_id: str | None = None, before: datetime | None = None, limit: int = 100
    ) -> list[tuple[Notice, list[Delivery]]]:
        """Newest first; ``before``: only with ``at < before``."""
        ...

    async def notice(self, notice_id: str) -> tuple[Notice, list[Delivery]] | None:
        """One, with where it stands on each channel."""
        ...

    async def deliveries(
        self,
        *,
        channel: str | None = None,
        status: DeliveryStatus | None = None,
        incident_id: str | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[tuple[Delivery, Notice]]:
        """For people: the newest notices first; ``before``: only of notices with ``at < before``."""
        ...

    async def channel_states(self) -> dict[str, ChannelState]:
        """By name, of every channel that ever had a delivery."""
        ...
