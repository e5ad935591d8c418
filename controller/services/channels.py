"""The channels as people see them: where each goes and how it does; and a test of one, with the receiver's real answer.

A test is stored before it is sent and its answer after it, like every side effect (rule 8); it is never tried again.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from controller.db.store import Clock, Store
from controller.db.store_outbox import ChannelState
from controller.domain.channels.base import ChannelSettings
from controller.domain.channels.kinds import KINDS
from controller.domain.inheritance import channels_of
from controller.domain.model import Delivery, DeliveryStatus
from controller.domain.notices import channel_test
from controller.notifications.base import SEND_TIMEOUT, ChannelError, Rendered
from controller.notifications.registry import ChannelSource, Outlet
from controller.notifications.render import render
from controller.services.changes import new_id, record
from controller.services.errors import NotFound

log = structlog.get_logger(__name__)

_NOT_KNOWN = "begun; what became of it is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAtWork:
    """A channel and how it does. ``settings`` None: there is none of this name any more, but something waits for it."""

    name: str
    settings: ChannelSettings | None
    state: ChannelState

    @property
    def kind(self) -> str | None:
        """What sends."""
        return self.settings.kind if self.settings else None

    @property
    def goes_to(self) -> str:
        """Where to, without secrets."""
        return KINDS[self.settings.kind].goes_to(self.settings) if self.settings else "nowhere any more"

    @property
    def confirms(self) -> bool:
        """Whether it is known that what was sent has arrived."""
        return self.settings is not None and KINDS[self.settings.kind].confirms(self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTest:
    """What became of a test. ``said``: the receiver's own words, or what hindered it; "" where there is nothing to say.

    ``confirmed``: it is known to have arrived, not only to have left.
    """

    notification_id: str
    channel: str
    kind: str
    taken: bool
    confirmed: bool
    said: str
    took: timedelta


async def list_channels(store: Store) -> list[ChannelAtWork]:
    """All channels of the settings, in their order; then those that are gone and have something waiting or dead."""
    async with store.transaction() as tx:
        found = channels_of(await tx.setting_rows(owners=("",)))
        states = await tx.channel_states()
    known = {one.name for one in found}
    gone = [name for name, state in states.items() if name not in known and (state.pending or state.dead)]
    return [
        *(ChannelAtWork(name=one.name, settings=one, state=states.get(one.name, ChannelState())) for one in found),
        *(ChannelAtWork(name=name, settings=None, state=states[name]) for name in gone),
    ]


async def try_channel(
    store: Store, clock: Clock, channels: ChannelSource, name: str, *, link_base: str, actor: str
) -> ChannelTest:
    """Send a message that says it is a test, whatever the channel's routes, and wait for the answer."""
    outlet = (await channels()).get(name)
    if outlet is None:
        raise NotFound(f"there is no channel {name!r}; GET /api/v1/channels lists them", code="unknown_channel")
    now = await clock.now()
    notice = channel_test(new_id(), channel=name, by=actor, at=now)
    begun = replace(
        Delivery.of(notice, name),
        status=DeliveryStatus.TEST_FAILED,
        next_try_at=None,
        tries=1,
        last_error=_NOT_KNOWN,
    )
    async with store.transaction() as tx:
        await tx.add_notice(notice, channels=(name,))
        await tx.save_delivery(begun)
        await record(tx, at=now, actor=actor, action="channel.test", target=name)
    started = clock.boottime()
    error, said = await _send(outlet, render(notice, link_base=link_base))
    took = timedelta(seconds=clock.boottime() - started)
    status = DeliveryStatus.TEST_FAILED if error else DeliveryStatus.SENT
    sent_at = None if error else await clock.now()
    async with store.transaction() as tx:
        await tx.save_delivery(replace(begun, status=status, last_error=said, sent_at=sent_at))
    log.info("channel tested", channel=name, kind=outlet.settings.kind, taken=not error, said=said)
    return ChannelTest(
        notification_id=notice.id,
        channel=name,
        kind=outlet.settings.kind,
        taken=not error,
        confirmed=not error and KINDS[outlet.settings.kind].confirms(outlet.settings),
        said=said,
        took=took,
    )


async def _send(outlet: Outlet, message: Rendered) -> tuple[bool, str]:
    """Whether it failed, and what was said."""
    try:
        async with asyncio.timeout((SEND_TIMEOUT * 1.5).total_seconds()):
            return False, await outlet.channel.send(message)
    except ChannelError as error:
        return True, error.said
    except Exception as error:  # a channel that breaks its contract is what a test is to find
        log.exception("a channel broke its contract", channel=outlet.settings.name)
        return True, f"unexpected {type(error).__name__}; the controller's log says more"
