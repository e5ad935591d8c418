"""Which notices a channel carries: by severity, by cluster, by event. Pure."""

from collections.abc import Sequence

from controller.domain.channels.base import ChannelSettings
from controller.domain.channels.events import group_of
from controller.domain.headlines import LOUDNESS
from controller.domain.model import Notice


def wants(channel: ChannelSettings, notice: Notice) -> bool:
    """Whether ``channel`` carries ``notice``. What is about no cluster is about all of them."""
    return (
        LOUDNESS[notice.severity] >= LOUDNESS[channel.min_severity]
        and (not channel.clusters or notice.cluster_id is None or notice.cluster_id in channel.clusters)
        and (not channel.events or notice.kind in channel.events or group_of(notice.kind) in channel.events)
    )


def channels_wanting(notice: Notice, channels: Sequence[ChannelSettings]) -> tuple[str, ...]:
    """The names of the channels that carry ``notice``: for ``add_notice``."""
    return tuple(channel.name for channel in channels if wants(channel, notice))
