"""A channel that does what a test tells it to; kept to the contract by ``tests/contracts/test_channels.py``."""

from controller.notifications.base import ChannelError, Rendered


class FakeChannel:
    """Takes messages into ``taken``; ``answers`` (used up first to last) make it fail instead, None for taking one."""

    def __init__(self, *answers: ChannelError | Exception | None) -> None:
        self.taken: list[Rendered] = []
        self.calls = 0
        self.answers = list(answers)
        self.always: ChannelError | None = None

    async def send(self, rendered: Rendered) -> str:
        self.calls += 1
        answer = self.answers.pop(0) if self.answers else self.always
        if answer is not None:
            raise answer
        self.taken.append(rendered)
        return ""


def down() -> ChannelError:
    return ChannelError("no answer", permanent=False, channel_down=True, not_taken=True)


def refused(*, for_good: bool) -> ChannelError:
    return ChannelError("550 no" if for_good else "451 later", permanent=for_good, not_taken=True)


def lost_answer() -> ChannelError:
    """It may have the message."""
    return ChannelError("the connection was lost", permanent=False)
