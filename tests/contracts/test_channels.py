"""The contract of ``controller/notifications/base.py``, on every channel and on the fake."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.channels.email import EmailChannel, Tls
from controller.domain.channels.webhook import WebhookChannel
from controller.notifications.base import Channel, ChannelError
from controller.notifications.channels.email import Email
from controller.notifications.channels.webhook import Webhook
from controller.notifications.render import render
from tests.fakes.channel import FakeChannel, down, refused
from tests.fixtures.hook_server import hook_server
from tests.fixtures.mail_server import mail_server, silent_server
from tests.fixtures.notices import a_notice

MESSAGE = render(a_notice(), link_base="https://hostfence.example.org")


@dataclass
class Rig:
    """One channel and its far side."""

    channel: Channel
    taken: Callable[[], int]
    identities: Callable[[], list[str]]
    refuse: Callable[[bool], None]
    go_down: Callable[[], Coroutine[Any, Any, None]]


@asynccontextmanager
async def _email() -> AsyncIterator[Rig]:
    async with mail_server() as server:
        settings = EmailChannel(
            name="ops", host="127.0.0.1", port=server.port, tls=Tls.NONE, sender="a@x.org", recipients=("b@x.org",)
        )

        def refuse(for_good: bool) -> None:  # noqa: FBT001 - a switch of the rig
            server.data = ["550 no" if for_good else "451 later"]

        yield Rig(
            channel=Email(settings),
            taken=lambda: len(server.mails),
            identities=lambda: [str(mail["Message-ID"]) for _, mail in server.mails],
            refuse=refuse,
            go_down=server.stop,
        )


@asynccontextmanager
async def _webhook() -> AsyncIterator[Rig]:
    async with hook_server() as server:

        def refuse(for_good: bool) -> None:  # noqa: FBT001 - as above
            server.answers = ["410 Gone\r\n\r\n" if for_good else "500 Later\r\n\r\n"]

        yield Rig(
            channel=Webhook(WebhookChannel(name="ops", url=server.url, secret="0123456789abcdef"), source="urn:x"),
            taken=lambda: len(server.taken),
            identities=lambda: [event["id"] for event in server.events()],
            refuse=refuse,
            go_down=server.stop,
        )


@asynccontextmanager
async def _fake() -> AsyncIterator[Rig]:
    fake = FakeChannel()

    def refuse(for_good: bool) -> None:  # noqa: FBT001 - as above
        fake.answers = [refused(for_good=for_good)]

    async def go_down() -> None:
        fake.always = down()

    yield Rig(
        channel=fake,
        taken=lambda: len(fake.taken),
        identities=lambda: [one.notice.id for one in fake.taken],
        refuse=refuse,
        go_down=go_down,
    )


@pytest.fixture(params=[_email, _webhook, _fake], ids=["email", "webhook", "fake"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    make: Callable[[], AbstractAsyncContextManager[Rig]] = request.param
    async with make() as made:
        yield made


async def test_returning_means_taken(rig: Rig) -> None:
    assert await rig.channel.send(MESSAGE) == ""
    assert rig.taken() == 1


@pytest.mark.parametrize("for_good", [True, False])
async def test_a_refusal_says_whether_trying_again_helps(rig: Rig, *, for_good: bool) -> None:
    rig.refuse(for_good)
    with pytest.raises(ChannelError) as caught:
        await rig.channel.send(MESSAGE)
    assert caught.value.permanent is for_good
    assert not caught.value.channel_down
    assert caught.value.said
    assert rig.taken() == 0


async def test_a_refused_message_can_be_taken_later(rig: Rig) -> None:
    rig.refuse(False)
    with pytest.raises(ChannelError):
        await rig.channel.send(MESSAGE)
    await rig.channel.send(MESSAGE)
    assert rig.taken() == 1


async def test_out_of_reach_is_temporary_and_of_the_channel(rig: Rig) -> None:
    await rig.go_down()
    with pytest.raises(ChannelError) as caught:
        await rig.channel.send(MESSAGE)
    assert (caught.value.permanent, caught.value.channel_down) == (False, True)


async def test_a_repeat_can_be_told_for_one(rig: Rig) -> None:
    for _ in range(2):
        await rig.channel.send(MESSAGE)
    first, second = rig.identities()
    assert first == second


async def test_a_channel_can_be_used_side_by_side(rig: Rig) -> None:
    others = [render(a_notice(number), link_base="") for number in range(5)]
    await asyncio.gather(*[rig.channel.send(one) for one in others])
    assert rig.taken() == 5


async def test_email_ends_by_itself_when_the_server_hangs() -> None:
    async with silent_server() as port:
        settings = EmailChannel(
            name="ops", host="127.0.0.1", port=port, tls=Tls.NONE, sender="a@x", recipients=("b@x",)
        )
        channel = Email(settings, timeout=timedelta(seconds=0.1))
        async with asyncio.timeout(3):
            with pytest.raises(ChannelError):
                await channel.send(MESSAGE)
