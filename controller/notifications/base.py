"""What a channel is: the protocol, its contract, and the one error it raises.

The contract, run on every channel by ``tests/contracts/test_channels.py``:

1. ``send`` either returns (the far side has taken the message) or raises :class:`ChannelError`; nothing else comes out.
2. It ends by itself: every wait in it has a time-out, :data:`SEND_TIMEOUT` in all.
3. It may be called again with the same message (at least once): the same ``notice.id`` makes the same outer
   identity, so that the far side can drop a copy (where its protocol has such a thing: Apprise's has none).
4. ``not_taken`` is set only where that is certain: what may have been taken is never told in another form (a digest).
5. ``said`` is what a person needs to mend it, and never holds a secret (rule 7), whatever the far side answered.
6. It keeps no transaction, no lock and no connection open between two calls.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from controller.domain.model import Notice

SEND_TIMEOUT = timedelta(seconds=30)
"""The longest one ``send`` may take."""

_MAX_SAID = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A notice in words. Channels that carry fields (traps, webhooks) take them from ``notice``.

    ``cluster``: its cluster's name; empty where the notice is about none. ``members``: of a digest,
    what it tells, without text and html.
    """

    notice: Notice
    subject: str
    text: str
    html: str
    link: str = ""
    cluster: str = ""
    members: "tuple[Rendered, ...]" = ()


class ChannelError(Exception):
    """The message was not taken.

    ``permanent``: this very message will never be taken, so trying again is pointless. ``channel_down``: nothing is
    wrong with this message in particular (no connection, login refused): the next one would fare no better right now.
    ``retry_after``: what the receiver itself asked for. ``not_taken``: it is certain that the far side does not have it
    (it said no, or was never reached); without that it may have it, and its answer was lost.
    """

    def __init__(
        self,
        said: str,
        *,
        permanent: bool,
        channel_down: bool = False,
        retry_after: timedelta | None = None,
        not_taken: bool = False,
    ) -> None:
        self.said = said[:_MAX_SAID]
        self.permanent = permanent
        self.channel_down = channel_down
        self.retry_after = retry_after
        self.not_taken = not_taken or permanent
        super().__init__(self.said)


class Channel(Protocol):
    """One way to reach people."""

    async def send(self, rendered: Rendered) -> str:
        """Hand the message over; see the contract above.

        Returns what a person should know although it was taken (one recipient of several was refused); "" for all well.
        """
        ...
