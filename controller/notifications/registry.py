"""The channels there are now, by name: built from the ``channels`` setting by the makers bootstrap injects."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.domain.channels.base import ChannelSettings
from controller.notifications.base import Channel, ChannelError, Rendered

ChannelMaker = Callable[[Any], Channel]
"""Makes a working channel from the settings of its kind; raises :class:`ChannelError` where it can't."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """A channel that can be sent through, and the settings it was made from."""

    settings: ChannelSettings
    channel: Channel


ChannelSource = Callable[[], Awaitable[Mapping[str, Outlet]]]
"""Gives the channels of this moment by name: settings can change while hostfence runs."""


async def no_channels() -> Mapping[str, Outlet]:
    """A source with nothing in it."""
    return {}


class ChannelRegistry:
    """Keeps each channel for as long as its settings stay the same: a channel may remember what it sent."""

    def __init__(self, makers: Mapping[str, ChannelMaker]) -> None:
        """``makers``: by the ``kind`` of channel."""
        self._makers = dict(makers)
        self._made: dict[str, Outlet] = {}

    def current(self, settings: Sequence[ChannelSettings]) -> dict[str, Outlet]:
        """The channels by name. One that cannot be made says so when it is used, and hinders no other."""
        self._made = {one.name: Outlet(settings=one, channel=self._keep_or_make(one)) for one in settings}
        return dict(self._made)

    def _keep_or_make(self, settings: ChannelSettings) -> Channel:
        before = self._made.get(settings.name)
        if before is not None and before.settings == settings:
            return before.channel
        maker = self._makers.get(settings.kind)
        if maker is None:
            return _Unusable(f"this controller knows no channel of kind {settings.kind}")
        try:
            return maker(settings)
        except ChannelError as error:
            return _Unusable(error.said)


class _Unusable:
    """Stands in for a channel that can't be made (a row can outlive what it needs): nothing is lost meanwhile."""

    def __init__(self, said: str) -> None:
        self._said = said

    async def send(self, rendered: Rendered) -> str:
        del rendered
        raise ChannelError(self._said, permanent=False, channel_down=True, not_taken=True)
