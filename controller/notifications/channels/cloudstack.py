"""Alerts in CloudStack's own list, through a function of the cloud's adapter that bootstrap injects."""

from collections.abc import Awaitable, Callable

from controller.notifications.base import ChannelError, Rendered

Alert = Callable[[str], Awaitable[str]]
"""Takes the text; answers "" when the alert stands in the list, else what hindered it."""

LONGEST = 999


class CloudStackAlerts:
    """One alert a notice."""

    def __init__(self, alert: Alert | None) -> None:
        """``alert``: None where this controller has no CloudStack."""
        if alert is None:
            raise ChannelError("this controller has no CloudStack (HOSTFENCE_CLOUDSTACK_URL)", permanent=False)
        self._alert = alert

    async def send(self, rendered: Rendered) -> str:
        """See :class:`~controller.notifications.base.Channel`."""
        if said := await self._alert(words(rendered)):
            raise ChannelError(said, permanent=False, channel_down=True)
        return ""


def words(rendered: Rendered) -> str:
    """Subject, what happened and the link, in one line of at most :data:`LONGEST` characters."""
    notice = rendered.notice
    end = f" {rendered.link}" if rendered.link else ""
    # a digest says in its text what its subject only counts, and that needs the room
    first = f"[hostfence] {notice.severity.upper()} {notice.host_name}" if rendered.members else rendered.subject
    line = " ".join(f"{first}. {notice.what} Next: {notice.next}".split())
    room = LONGEST - len(end)
    return (line if len(line) <= room else line[: room - 1] + "…") + end
