"""The channels there are now, by name: built from the ``channels`` setting by the makers bootstrap injects."""

from collections.abc import Callable, Mapping, Sequence

from controller.domain.channels import EmailChannel
from controller.domain.model import Severity
from controller.notifications.base import Channel, ChannelError, Rendered

ChannelMaker = Callable[[EmailChannel], Channel]
"""Makes a working channel from its settings."""

_LOUDNESS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


def channels_wanting(severity: Severity, settings: Sequence[EmailChannel]) -> tuple[str, ...]:
    """The names of the channels that carry notices this loud: for ``add_notice``."""
    return tuple(one.name for one in settings if _LOUDNESS[severity] >= _LOUDNESS[one.min_severity])


class ChannelRegistry:
    """Keeps each channel for as long as its settings stay the same: a channel may remember what it sent."""

    def __init__(self, makers: Mapping[str, ChannelMaker]) -> None:
        """``makers``: by the ``kind`` of channel."""
        self._makers = dict(makers)
        self._made: dict[str, tuple[EmailChannel, Channel]] = {}

    def current(self, settings: Sequence[EmailChannel]) -> dict[str, Channel]:
        """The channels by name. One that cannot be made says so when it is used, and hinders no other."""
        self._made = {one.name: (one, self._keep_or_make(one)) for one in settings}
        return {name: channel for name, (_, channel) in self._made.items()}

    def _keep_or_make(self, settings: EmailChannel) -> Channel:
        before, channel = self._made.get(settings.name, (None, None))
        if channel is not None and before == settings:
            return channel
        maker = self._makers.get(settings.kind)
        return maker(settings) if maker else _Unusable(f"this controller knows no channel of kind {settings.kind}")


class _Unusable:
    """Stands in for a channel whose kind no maker knows (a row can outlive the plug-in it names)."""

    def __init__(self, said: str) -> None:
        self._said = said

    async def send(self, rendered: Rendered) -> str:
        del rendered
        raise ChannelError(self._said, permanent=False, channel_down=True)
