"""The settings of the channel into CloudStack's own list of alerts: nothing but what every channel has."""

from dataclasses import dataclass

from controller.domain.channels.base import ChannelKind, ChannelSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudStackChannel(ChannelSettings):
    """Alerts in CloudStack's own list, with the API key that hostfence has anyway."""

    kind: str = "cloudstack"


CLOUDSTACK = ChannelKind(
    name="cloudstack",
    help="alerts in CloudStack's own list",
    settings=CloudStackChannel,
    fields={},
    goes_to=lambda _settings: "CloudStack's alerts",
    room=700,  # of the 999 characters of an alert
)
