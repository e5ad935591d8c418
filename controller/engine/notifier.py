"""Delivers what the outbox holds: claim, send with no transaction open, store the result. Touches no incident.

At least once: a claim pushes ``next_try_at`` past the time a batch can take, so no other process sends it too; a crash
between sending and storing is the only way to a second copy. Each channel's messages go in order, channels side by
side, so that one dead server holds up no other channel, and fencing waits for neither.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from controller.db.store import Clock, Store
from controller.domain.model import Delivery, DeliveryStatus, Notice
from controller.notifications.base import SEND_TIMEOUT, Channel, ChannelError
from controller.notifications.render import render

log = structlog.get_logger(__name__)

ChannelSource = Callable[[], Awaitable[Mapping[str, Channel]]]
"""Gives the channels of this moment by name: settings can change while hostfence runs."""

BATCH = 50
BATCH_TIME = timedelta(seconds=60)
"""No message is begun later than this after the claim."""
LEASE = BATCH_TIME + 2 * SEND_TIMEOUT
FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)
"""A message that old is dead: shown in the UI and counted, no longer sent."""

_Work = tuple[Delivery, Notice]


async def deliver_due(store: Store, clock: Clock, channels: ChannelSource, *, link_base: str = "") -> int:
    """Try every delivery that is due, at most :data:`BATCH`; the number tried (0: nothing to do). Never raises."""
    try:
        current = await channels()
        claimed = await _claim(store, clock)
    except Exception:
        log.exception("notifications could not be claimed")
        return 0
    until = clock.boottime() + BATCH_TIME.total_seconds()
    courier = _Courier(store, clock, current, link_base=link_base, until=until)
    by_channel = groupby(sorted(claimed, key=_channel_then_age), key=lambda work: work[0].channel)
    await asyncio.gather(*[courier.deliver(list(group)) for _, group in by_channel])
    return len(claimed)


def retry_at(delivery: Delivery, now: datetime) -> datetime:
    """When to try next after ``delivery.tries`` attempts: 10 s, doubling, up to an hour."""
    doublings = min(max(delivery.tries, 1) - 1, 20)
    return now + min(FIRST_RETRY * (1 << doublings), LONGEST_RETRY)


def sent(delivery: Delivery, now: datetime, said: str) -> Delivery:
    """The far side took it; ``said``: what is worth knowing all the same."""
    return replace(delivery, status=DeliveryStatus.SENT, next_try_at=None, sent_at=now, last_error=said)


def failed(delivery: Delivery, notice: Notice, error: ChannelError, now: datetime) -> Delivery:
    """It was not taken: later again, or dead when that is pointless or too late."""
    if error.permanent or now - notice.at > GIVE_UP_AFTER:
        return replace(delivery, status=DeliveryStatus.DEAD, next_try_at=None, last_error=error.said)
    wish = now + min(error.retry_after, LONGEST_RETRY) if error.retry_after else now
    return replace(delivery, next_try_at=max(retry_at(delivery, now), wish), last_error=error.said)


async def _claim(store: Store, clock: Clock) -> list[_Work]:
    """Due deliveries, one try further, leased against every other process."""
    now = await clock.now()
    async with store.transaction() as tx:
        due = await tx.deliveries_due(now=now, limit=BATCH)
        claimed = [(replace(d, tries=d.tries + 1, next_try_at=now + LEASE), notice) for d, notice in due]
        for delivery, _ in claimed:
            await tx.save_delivery(delivery)
    return claimed


class _Courier:
    """Carries one batch."""

    def __init__(
        self, store: Store, clock: Clock, channels: Mapping[str, Channel], *, link_base: str, until: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._channels = channels
        self._link_base = link_base
        self._until = until

    async def deliver(self, works: Sequence[_Work]) -> None:
        """The messages of one channel, oldest first. Once it is down the rest is put off without trying."""
        down: ChannelError | None = None
        for delivery, notice in works:
            try:
                if down is None and self._clock.boottime() > self._until:
                    await self._put_back(delivery)
                    continue
                down = await self._one(delivery, notice, down)
            except Exception:
                # the lease runs out and the message is tried again
                log.exception("a notification's result could not be stored", delivery=delivery.id)

    async def _one(self, delivery: Delivery, notice: Notice, down: ChannelError | None) -> ChannelError | None:
        """Try one message; what is wrong with the channel as a whole, if anything."""
        error, said = (down, "") if down else await self._send(delivery, notice)
        now = await self._clock.now()
        result = failed(delivery, notice, error, now) if error else sent(delivery, now, said)
        await self._save(result)
        _tell(result, notice)
        return error if error and error.channel_down else None

    async def _send(self, delivery: Delivery, notice: Notice) -> tuple[ChannelError | None, str]:
        channel = self._channels.get(delivery.channel)
        if channel is None:
            return ChannelError("there is no channel of this name any more", permanent=False), ""
        try:
            async with asyncio.timeout((SEND_TIMEOUT * 1.5).total_seconds()):
                return None, await channel.send(render(notice, link_base=self._link_base))
        except ChannelError as error:
            return error, ""
        except Exception as error:  # a channel that breaks its contract must not break the others
            log.exception("a channel broke its contract", channel=delivery.channel)
            return ChannelError(f"unexpected {type(error).__name__}", permanent=False), ""

    async def _put_back(self, delivery: Delivery) -> None:
        """Not begun in time: due again at once, and no try was used up."""
        await self._save(replace(delivery, tries=delivery.tries - 1, next_try_at=await self._clock.now()))

    async def _save(self, delivery: Delivery) -> None:
        async with self._store.transaction() as tx:
            await tx.save_delivery(delivery)


def _tell(result: Delivery, notice: Notice) -> None:
    facts = {"channel": result.channel, "notice": notice.id, "kind": str(notice.kind), "tries": result.tries}
    if result.status is DeliveryStatus.SENT:
        log.info("notification sent", **facts)
    elif result.status is DeliveryStatus.DEAD:
        log.error("notification given up", said=result.last_error, **facts)
    else:
        log.warning("notification not taken, to be tried again", said=result.last_error, **facts)


def _channel_then_age(work: _Work) -> tuple[str, datetime, str]:
    delivery, notice = work
    return delivery.channel, notice.at, notice.id
