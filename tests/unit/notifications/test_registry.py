from dataclasses import replace

import pytest

from controller.domain.channels.email import EmailChannel
from controller.domain.model import Severity
from controller.notifications.base import ChannelError
from controller.notifications.registry import ChannelRegistry
from controller.notifications.render import render
from tests.fakes.channel import FakeChannel
from tests.fixtures.notices import a_notice

OPS = EmailChannel(name="ops", host="mail", sender="a@x.org", recipients=("b@x.org",))
BOSS = replace(OPS, name="boss", min_severity=Severity.CRITICAL)


def test_a_channel_lives_as_long_as_its_settings() -> None:
    registry = ChannelRegistry({"email": lambda _: FakeChannel()})
    first = registry.current([OPS, BOSS])
    again = registry.current([replace(OPS, port=587), BOSS])
    assert again["boss"].channel is first["boss"].channel
    assert again["ops"].channel is not first["ops"].channel
    assert registry.current([]) == {}


async def test_a_channel_that_cannot_be_made_says_so_and_hinders_no_other() -> None:
    def make(settings: EmailChannel) -> FakeChannel:
        if settings.name == "boss":
            raise ChannelError("its certificate cannot be read", permanent=True)
        return FakeChannel()

    channels = ChannelRegistry({"email": make}).current([OPS, BOSS])
    message = render(a_notice(), link_base="")
    with pytest.raises(ChannelError, match="certificate") as caught:
        await channels["boss"].channel.send(message)
    assert (caught.value.permanent, caught.value.channel_down) == (False, True)
    assert await channels["ops"].channel.send(message) == ""


async def test_a_kind_nobody_makes_says_so_and_hinders_no_other() -> None:
    registry = ChannelRegistry({"email": lambda _: FakeChannel()})
    channels = registry.current([replace(OPS, name="pager", kind="pigeon"), OPS])
    message = render(a_notice(), link_base="")
    with pytest.raises(ChannelError, match="no channel of kind pigeon") as caught:
        await channels["pager"].channel.send(message)
    assert not caught.value.permanent
    assert await channels["ops"].channel.send(message) == ""
