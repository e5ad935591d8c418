"""The contract of ``controller/notifications/base.py``, on every channel and on the fake."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.bootstrap import channel_makers
from controller.cloud.standalone import Hooks, Standalone
from controller.domain.channels.apprise import AppriseChannel
from controller.domain.channels.email import EmailChannel, Tls
from controller.domain.channels.kinds import KINDS
from controller.domain.channels.snmp import SnmpVersion
from controller.domain.channels.webhook import WebhookChannel
from controller.domain.digest import digest
from controller.domain.model import Host
from controller.notifications.base import Channel, ChannelError
from controller.notifications.channels.apprise import Apprise
from controller.notifications.channels.cloudstack import CloudStackAlerts
from controller.notifications.channels.email import Email
from controller.notifications.channels.snmp import NOT_CONFIRMED
from controller.notifications.channels.snmp_engine import SnmpPost
from controller.notifications.channels.snmp_identity import EngineIdentity
from controller.notifications.channels.webhook import Webhook
from controller.notifications.render import render
from tests.fakes.channel import FakeChannel, down, refused
from tests.fakes.clock import START
from tests.fixtures.hook_server import hook_server
from tests.fixtures.mail_server import mail_server, silent_server
from tests.fixtures.notices import a_notice
from tests.fixtures.trap_receiver import snmp, snmp_post, trap_receiver

MESSAGE = render(a_notice(), link_base="https://hostfence.example.org")


@dataclass(kw_only=True)
class Rig:
    """One channel and its far side.

    ``text``: all that arrived. ``identities``: None where the protocol has none. ``refuse``: None where the far side
    can't. ``go_down``: None where nobody can notice. ``says``: what a message that was taken comes back with.
    ``cannot_tell``: a refusal of one message looks like a channel that is down.
    """

    channel: Channel
    taken: Callable[[], int]
    text: Callable[[], str]
    identities: Callable[[], list[str]] | None = None
    refuse: Callable[[bool], None] | None = None
    go_down: Callable[[], Coroutine[Any, Any, None]] | None = None
    says: str = ""
    cannot_tell: bool = False


@asynccontextmanager
async def _email(folder: Path) -> AsyncIterator[Rig]:
    del folder
    async with mail_server() as server:
        settings = EmailChannel(
            name="ops", host="127.0.0.1", port=server.port, tls=Tls.NONE, sender="a@x.org", recipients=("b@x.org",)
        )

        def refuse(for_good: bool) -> None:  # noqa: FBT001 - a switch of the rig
            server.data = ["550 no" if for_good else "451 later"]

        yield Rig(
            channel=Email(settings),
            taken=lambda: len(server.mails),
            text=lambda: "".join(str(mail.get_body(("plain",))) for _, mail in server.mails),
            identities=lambda: [str(mail["Message-ID"]) for _, mail in server.mails],
            refuse=refuse,
            go_down=server.stop,
        )


@asynccontextmanager
async def _webhook(folder: Path) -> AsyncIterator[Rig]:
    del folder
    async with hook_server() as server:

        def refuse(for_good: bool) -> None:  # noqa: FBT001 - as above
            server.answers = ["410 Gone\r\n\r\n" if for_good else "408 Later\r\n\r\n"]

        yield Rig(
            channel=Webhook(WebhookChannel(name="ops", url=server.url, secret="0123456789abcdef"), source="urn:x"),
            taken=lambda: len(server.taken),
            text=lambda: "".join(body.decode() for _, body in server.taken),
            identities=lambda: [event["id"] for event in server.events()],
            refuse=refuse,
            go_down=server.stop,
        )


@asynccontextmanager
async def _apprise(folder: Path) -> AsyncIterator[Rig]:
    del folder
    async with hook_server(usual="200 OK\r\n\r\n") as server:

        def refuse(for_good: bool) -> None:  # noqa: FBT001 - as above
            server.answers = ["400 Never\r\n\r\n" if for_good else "503 Later\r\n\r\n"]

        settings = AppriseChannel(name="ops", url=f"mmost://127.0.0.1:{server.port}/a-long-token")
        yield Rig(
            channel=Apprise(settings, asyncio.Semaphore(4)),
            taken=lambda: len(server.taken),
            text=lambda: "".join(body.decode() for _, body in server.taken),
            refuse=refuse,
            go_down=server.stop,
            cannot_tell=True,
        )


def _snmp(version: SnmpVersion, *, inform: bool) -> Callable[[Path], AbstractAsyncContextManager[Rig]]:
    @asynccontextmanager
    async def rig(folder: Path) -> AsyncIterator[Rig]:
        async with trap_receiver(folder) as receiver, snmp_post(folder / "engine") as post:
            yield Rig(
                channel=snmp(post, receiver.port, version, inform=inform),
                taken=lambda: len(receiver.received),
                text=lambda: "".join(one["What"] for one in receiver.received),
                identities=lambda: [one["NoticeId"] for one in receiver.received],
                go_down=receiver.kill if inform else None,
                says="" if inform else NOT_CONFIRMED,
            )

    return rig


@asynccontextmanager
async def _cloudstack(folder: Path) -> AsyncIterator[Rig]:
    """CloudStack's side is tested with its double (tests/integration/cloud); here its answers are a function's."""
    del folder
    alerts: list[str] = []
    answers: list[str] = []

    async def alert(text: str) -> str:
        if answers:
            return answers[0]
        alerts.append(text)
        return ""

    async def go_down() -> None:
        answers.append("CloudStack does not answer")

    yield Rig(channel=CloudStackAlerts(alert), taken=lambda: len(alerts), text=lambda: "".join(alerts), go_down=go_down)


@asynccontextmanager
async def _fake(folder: Path) -> AsyncIterator[Rig]:
    del folder
    fake = FakeChannel()

    def refuse(for_good: bool) -> None:  # noqa: FBT001 - as above
        fake.answers = [refused(for_good=for_good)]

    async def go_down() -> None:
        fake.always = down()

    yield Rig(
        channel=fake,
        taken=lambda: len(fake.taken),
        text=lambda: "".join(one.text for one in fake.taken),
        identities=lambda: [one.notice.id for one in fake.taken],
        refuse=refuse,
        go_down=go_down,
    )


_REAL = pytest.mark.debian("snmptrapd", "mibs")
RIGS = {
    "email": pytest.param(_email, id="email"),
    "webhook": pytest.param(_webhook, id="webhook"),
    "apprise": pytest.param(_apprise, id="apprise"),
    "cloudstack": pytest.param(_cloudstack, id="cloudstack"),
    "snmp": pytest.param(_snmp(SnmpVersion.V3, inform=True), id="snmp", marks=_REAL),
    "snmp 2c": pytest.param(_snmp(SnmpVersion.V2C, inform=True), id="snmp 2c", marks=_REAL),
    "snmp trap": pytest.param(_snmp(SnmpVersion.V2C, inform=False), id="snmp trap", marks=_REAL),
    "fake": pytest.param(_fake, id="fake"),
}
CANNOT = {
    "refuse": {"snmp", "snmp 2c", "snmp trap", "cloudstack"},
    "go_down": {"snmp trap"},
    "identities": {"apprise", "cloudstack"},
}
"""What a protocol does not have. Everything else is asked of every channel."""


def _with(what: str) -> pytest.MarkDecorator:
    able = [made for name, made in RIGS.items() if name not in CANNOT[what]]
    return pytest.mark.parametrize("rig", able, indirect=True)


@pytest.fixture(params=RIGS.values())
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    make: Callable[[Path], AbstractAsyncContextManager[Rig]] = request.param
    async with make(tmp_path) as made:
        yield made


async def _until(rig: Rig, count: int) -> None:
    """A trap takes its time; nothing tells when it has arrived."""
    async with asyncio.timeout(5):
        while rig.taken() < count:
            await asyncio.sleep(0.01)


def test_every_kind_is_made_and_asked(tmp_path: Path) -> None:
    async def nobody(host: Host) -> None:
        del host

    made = channel_makers(Standalone(nobody, Hooks()), SnmpPost(EngineIdentity(tmp_path)), source="urn:x")
    assert set(KINDS) == set(made) == RIGS.keys() - {"fake", "snmp 2c", "snmp trap"}


async def test_returning_means_taken(rig: Rig) -> None:
    assert await rig.channel.send(MESSAGE) == rig.says
    await _until(rig, 1)
    assert rig.taken() == 1


@_with("refuse")
@pytest.mark.parametrize("for_good", [True, False])
async def test_a_refusal_says_whether_trying_again_helps(rig: Rig, *, for_good: bool) -> None:
    assert rig.refuse is not None
    rig.refuse(for_good)
    with pytest.raises(ChannelError) as caught:
        await rig.channel.send(MESSAGE)
    assert caught.value.permanent is for_good
    assert caught.value.channel_down is (rig.cannot_tell and not for_good)
    assert caught.value.not_taken or rig.cannot_tell
    assert caught.value.said
    assert rig.taken() == 0


@_with("refuse")
async def test_a_refused_message_can_be_taken_later(rig: Rig) -> None:
    assert rig.refuse is not None
    rig.refuse(False)
    with pytest.raises(ChannelError):
        await rig.channel.send(MESSAGE)
    await rig.channel.send(MESSAGE)
    assert rig.taken() == 1


@_with("go_down")
async def test_out_of_reach_is_temporary_and_of_the_channel(rig: Rig) -> None:
    assert rig.go_down is not None
    await rig.go_down()
    with pytest.raises(ChannelError) as caught:
        await rig.channel.send(MESSAGE)
    assert (caught.value.permanent, caught.value.channel_down) == (False, True)
    assert caught.value.said


@_with("identities")
async def test_a_repeat_can_be_told_for_one(rig: Rig) -> None:
    assert rig.identities is not None
    for _ in range(2):
        await rig.channel.send(MESSAGE)
    await _until(rig, 2)
    first, second = rig.identities()
    assert first == second


async def test_a_channel_can_be_used_side_by_side(rig: Rig) -> None:
    others = [render(a_notice(number), link_base="") for number in range(5)]
    await asyncio.gather(*[rig.channel.send(one) for one in others])
    await _until(rig, 5)
    assert rig.taken() == 5


async def test_a_digest_names_every_host(rig: Rig) -> None:
    members = [replace(a_notice(number), host_name=f"kvm-a{number:02}") for number in range(20)]
    await rig.channel.send(render(digest(members, channel="ops", at=START), link_base="", members=members))
    await _until(rig, 1)
    arrived = rig.text()
    assert [one.host_name for one in members if one.host_name not in arrived] == []


@pytest.mark.parametrize("kind", ["email", "webhook", "apprise"])
async def test_it_ends_by_itself_when_the_far_side_hangs(kind: str) -> None:
    soon = timedelta(seconds=0.3)
    async with silent_server() as port:
        channels: dict[str, Channel] = {
            "email": Email(
                EmailChannel(name="ops", host="127.0.0.1", port=port, tls=Tls.NONE, sender="a@x", recipients=("b@x",)),
                timeout=soon,
            ),
            "webhook": Webhook(
                WebhookChannel(name="ops", url=f"http://127.0.0.1:{port}/", secret="0123456789abcdef"),
                source="urn:x",
                timeout=soon,
            ),
            "apprise": Apprise(
                AppriseChannel(name="ops", url=f"gotify://127.0.0.1:{port}/a-long-token"),
                asyncio.Semaphore(1),
                timeout=soon,
            ),
        }
        async with asyncio.timeout(5):
            with pytest.raises(ChannelError, match="did not answer within") as caught:
                await channels[kind].send(MESSAGE)
        assert caught.value.channel_down
