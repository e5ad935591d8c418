"""Delivers what the outbox holds: claim, send with no transaction open, store the result. Touches no incident.

At least once: a claim pushes ``next_try_at`` past the time a batch can take, so no other process sends it too; a crash
between sending and storing is the only way to a second copy, and the copy has the same identity. Each channel has a
courier of its own: its messages go in order, and a server that is slow or dead holds up no other channel. Fencing waits
for none of them.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from controller.db.store import Clock, Store
from controller.domain.model import Delivery, DeliveryStatus, Notice
from controller.engine.mailbag import BATCH_TIME, Work, pack
from controller.notifications.base import SEND_TIMEOUT, ChannelError
from controller.notifications.registry import ChannelSource, Outlet
from controller.notifications.render import render

log = structlog.get_logger(__name__)

FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(hours=1)
LONGEST_DOWN = timedelta(minutes=5)
"""A channel that is down as a whole is asked this often at least: one message finds out for all."""
GIVE_UP_AFTER = timedelta(hours=24)
"""A message that old is dead: shown and counted, no longer sent, until a person asks for it."""
LAST_MESSAGE_S = 15.0
"""How long a message under way may take when the process is asked to stop."""


class Notifier:
    """One process's couriers."""

    def __init__(self, store: Store, clock: Clock, channels: ChannelSource, *, link_base: str = "") -> None:
        """``link_base``: the web UI's address, for links."""
        self._store = store
        self._clock = clock
        self._channels = channels
        self._link_base = link_base
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    async def beat(self) -> int:
        """Send a courier for every channel that has something due and none on the way; how many. Never raises."""
        try:
            outlets = await self._channels()
            now = await self._clock.now()
            async with self._store.transaction() as tx:
                due = await tx.channels_due(now=now)
        except Exception:
            log.exception("notifications could not be looked for")
            return 0
        self._under_way = {name: task for name, task in self._under_way.items() if not task.done()}
        begun = [name for name in due if name not in self._under_way and not self._stopping]
        for name in begun:
            self._under_way[name] = asyncio.create_task(self._deliver(name, outlets.get(name)), name=f"courier-{name}")
        return len(begun)

    async def rest(self) -> None:
        """Wait until every courier that is on the way is back."""
        await asyncio.gather(*self._under_way.values())

    async def stop(self) -> None:
        """Begin no further message; those under way get a moment. What is not done is due again after its lease."""
        self._stopping = True
        if self._under_way:
            _, late = await asyncio.wait(self._under_way.values(), timeout=LAST_MESSAGE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _deliver(self, channel: str, outlet: Outlet | None) -> None:
        """The due messages of one channel, oldest first. Once it is down the rest is put off without trying."""
        try:
            batch = await pack(self._store, self._clock, channel, outlet.settings if outlet else None)
        except Exception:
            log.exception("notifications could not be claimed", channel=channel)
            return
        until = self._clock.boottime() + BATCH_TIME.total_seconds()
        down: Delivery | None = None
        for work in batch.works:
            try:
                if down is not None:
                    await self._put_off(work, down)
                elif self._stopping or self._clock.boottime() > until:
                    await self._put_back(work)
                else:
                    down = await self._try(work, outlet, batch.clusters)
            except Exception:
                # the lease runs out and the message is tried again
                log.exception("a notification's result could not be stored", delivery=work.delivery.id)

    async def _try(self, work: Work, outlet: Outlet | None, clusters: Mapping[str, str]) -> Delivery | None:
        """Send one message and store the result; that result, where the channel as a whole is down."""
        error, said = await self._send(work, outlet, clusters)
        now = await self._clock.now()
        result = failed(work.delivery, work.notice, error, now) if error else sent(work.delivery, now, said)
        if error and error.not_taken:
            result = replace(result, doubtful=work.was_doubtful)
        await self._save(result)
        _tell(result, work.notice)
        return result if error and error.channel_down else None

    async def _send(
        self, work: Work, outlet: Outlet | None, clusters: Mapping[str, str]
    ) -> tuple[ChannelError | None, str]:
        if outlet is None:
            gone = "there is no channel of this name any more"
            return ChannelError(gone, permanent=False, channel_down=True, not_taken=True), ""
        try:
            message = render(work.notice, link_base=self._link_base, clusters=clusters, members=work.members)
            async with asyncio.timeout((SEND_TIMEOUT * 1.5).total_seconds()):
                return None, await outlet.channel.send(message)
        except ChannelError as error:
            return error, ""
        except Exception as error:  # a channel that breaks its contract must not break the others
            log.exception("a channel broke its contract", channel=work.delivery.channel)
            return ChannelError(f"unexpected {type(error).__name__}", permanent=False), ""

    async def _put_off(self, work: Work, down: Delivery) -> None:
        """Not tried, for one before it found the channel down: due together with that one, and no try was used up."""
        now = await self._clock.now()
        error = ChannelError(down.last_error, permanent=False, channel_down=True)
        result = replace(failed(work.unpacked, work.notice, error, now), doubtful=work.was_doubtful)
        if result.status is DeliveryStatus.PENDING and down.next_try_at is not None:
            result = replace(result, next_try_at=down.next_try_at)
        await self._save(result)
        if result.status is DeliveryStatus.DEAD:
            _tell(result, work.notice)

    async def _put_back(self, work: Work) -> None:
        """Not begun in time: due again at once, and no try was used up."""
        now = await self._clock.now()
        await self._save(replace(work.unpacked, next_try_at=now))

    async def _save(self, delivery: Delivery) -> None:
        async with self._store.transaction() as tx:
            await tx.save_delivery(delivery)


def retry_at(delivery: Delivery, now: datetime, *, longest: timedelta = LONGEST_RETRY) -> datetime:
    """When to try next after ``delivery.tries`` attempts: 10 s, doubling, up to ``longest``."""
    doublings = min(max(delivery.tries, 1) - 1, 20)
    return now + min(FIRST_RETRY * (1 << doublings), longest)


def sent(delivery: Delivery, now: datetime, said: str) -> Delivery:
    """The far side took it; ``said``: what is worth knowing all the same."""
    return replace(delivery, status=DeliveryStatus.SENT, next_try_at=None, sent_at=now, last_error=said, doubtful=False)


def failed(delivery: Delivery, notice: Notice, error: ChannelError, now: datetime) -> Delivery:
    """It was not taken: later again, or dead when that is pointless or too late."""
    if error.permanent or now - (delivery.resent_at or notice.at) > GIVE_UP_AFTER:
        return replace(delivery, status=DeliveryStatus.DEAD, next_try_at=None, last_error=error.said)
    wish = now + min(error.retry_after, LONGEST_RETRY) if error.retry_after else now
    longest = LONGEST_DOWN if error.channel_down else LONGEST_RETRY
    return replace(delivery, next_try_at=max(retry_at(delivery, now, longest=longest), wish), last_error=error.said)


def _tell(result: Delivery, notice: Notice) -> None:
    facts = {"channel": result.channel, "notice": notice.id, "kind": str(notice.kind), "tries": result.tries}
    if result.status is DeliveryStatus.SENT:
        log.info("notification sent", **facts)
    elif result.status is DeliveryStatus.DEAD:
        log.error("notification given up", said=result.last_error, **facts)
    else:
        log.warning("notification not taken, to be tried again", said=result.last_error, **facts)
