"""The channels there are now, by name: built from the ``channels`` setting by the makers bootstrap injects."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from controller.domain.channels.base import ChannelSettings
from controller.notifications.base import Channel, ChannelError, Rendered

ChannelMaker = Callable[[Any], Channel]
"""Makes a working channel from the settings of its kind; raises :class:`ChannelError` where it can't."""


class ChannelRegistry:
    """Keeps each channel for as long as its settings stay the same: a channel may remember what it sent."""

    def __init__(self, makers: Mapping[str, ChannelMaker]) -> None:
        """``makers``: by the ``kind`` of channel."""
        self._makers = dict(makers)
        self._made: dict[str, tuple[ChannelSettings, Channel]] = {}

    def current(self, settings: Sequence[ChannelSettings]) -> dict[str, Channel]:
        """The channels by name. One that cannot be made says so when it is used, and hinders no other."""
        self._made = {one.name: (one, self._keep_or_make(one)) for one in settings}
        return {name: channel for name, (_, channel) in self._made.items()}

    def _keep_or_make(self, settings: ChannelSettings) -> Channel:
        before, channel = self._made.get(settings.name, (None, None))
        if channel is not None and before == settings:
            return channel
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
        raise ChannelError(self._said, permanent=False, channel_down=True)
