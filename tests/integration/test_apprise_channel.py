"""Services by URL: in a process that shows no key, ends when it must, and does nothing that was not allowed."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.domain.channels.apprise import SERVICES, AppriseChannel
from controller.domain.digest import digest
from controller.notifications.base import ChannelError
from controller.notifications.channels.apprise import Apprise, _work, secrets_of
from controller.notifications.render import render
from tests.fakes.clock import START
from tests.fixtures.hook_server import HookServer, hook_server
from tests.fixtures.mail_server import silent_server
from tests.fixtures.notices import a_notice

MESSAGE = render(a_notice(), link_base="https://hostfence.example.org")
KEY = "kept-out-of-sight"


@pytest.fixture
async def chat() -> AsyncIterator[HookServer]:
    async with hook_server(usual="200 OK\r\n\r\n") as server:
        yield server


def _apprise(url: str, **more: timedelta) -> Apprise:
    return Apprise(AppriseChannel(name="chat", url=url), asyncio.Semaphore(2), **more)


def _workers() -> list[tuple[str, str]]:
    """Arguments and environment of every worker of ours that runs now."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            arguments, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"apprise_worker" in arguments:
            found.append((arguments.decode(), environment.decode()))
    return found


async def test_what_arrives_says_what_next_and_how_to_stop_it(chat: HookServer) -> None:
    await _apprise(f"mmost://127.0.0.1:{chat.port}/{KEY}").send(MESSAGE)
    ((_, sent),) = chat.taken
    text = json.loads(sent)["text"]
    assert text.startswith("[hostfence] CRITICAL kvm-a3: held, storm")
    for part in (MESSAGE.notice.what, MESSAGE.link, f"Next: {MESSAGE.notice.next}", MESSAGE.notice.how_to_stop):
        assert part in text


@pytest.mark.parametrize(
    ("status", "permanent"), [("400 Bad", True), ("401 Who", False), ("404 Gone", False), ("503 Later", False)]
)
async def test_what_the_service_answers_is_shown_without_the_key(
    chat: HookServer, status: str, *, permanent: bool
) -> None:
    chat.answers = [f"{status}\r\n\r\nyou said {KEY}"]
    with pytest.raises(ChannelError, match=f"error={status[:3]}") as caught:
        await _apprise(f"mmost://127.0.0.1:{chat.port}/{KEY}").send(MESSAGE)
    assert (caught.value.permanent, caught.value.channel_down) == (permanent, not permanent)
    assert KEY not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_a_redirect_is_not_followed(chat: HookServer) -> None:
    chat.answers = [f"302 Found\r\nLocation: http://127.0.0.1:{chat.port}/elsewhere\r\n\r\n"]
    with pytest.raises(ChannelError, match="302"):
        await _apprise(f"mmost://127.0.0.1:{chat.port}/{KEY}").send(MESSAGE)
    assert chat.taken == []


async def test_a_url_that_the_service_does_not_know_is_said_without_its_keys() -> None:
    with pytest.raises(ChannelError, match="this is no URL of that service") as caught:
        await _apprise(f"rockets://chat.example.org/{KEY}/another-key-of-it").send(MESSAGE)
    assert caught.value.channel_down
    assert KEY not in caught.value.said
    assert "another-key-of-it" not in caught.value.said


async def test_one_that_hangs_is_killed_and_its_key_stands_nowhere_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTFENCE_ENCRYPTION_KEY", "the-controllers-own-key")
    async with silent_server() as port:
        channel = _apprise(f"gotify://127.0.0.1:{port}/{KEY}", timeout=timedelta(seconds=2.5))
        sending = asyncio.create_task(channel.send(MESSAGE))
        while not (running := _workers()):
            await asyncio.sleep(0.02)
        with pytest.raises(ChannelError, match=r"Gotify did not answer within 2\.5 s") as caught:
            await sending
    assert caught.value.channel_down
    [(arguments, environment)] = running
    assert KEY not in arguments + environment
    assert "the-controllers-own-key" not in environment
    assert _workers() == []


async def test_a_controller_that_is_asked_to_stop_leaves_no_worker_behind() -> None:
    async with silent_server() as port:
        sending = asyncio.create_task(_apprise(f"gotify://127.0.0.1:{port}/{KEY}").send(MESSAGE))
        while not _workers():
            await asyncio.sleep(0.02)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert _workers() == []


async def test_no_more_workers_than_there_are_slots_for(chat: HookServer) -> None:
    slots = asyncio.Semaphore(1)
    settings = AppriseChannel(name="chat", url=f"mmost://127.0.0.1:{chat.port}/{KEY}")
    most = 0
    sending = asyncio.gather(*[Apprise(settings, slots).send(MESSAGE) for _ in range(3)])
    while not sending.done():
        most = max(most, len(_workers()))
        await asyncio.sleep(0.01)
    assert (most, len(chat.taken)) == (1, 3)


async def test_a_long_one_arrives_in_pieces(chat: HookServer) -> None:
    members = [replace(a_notice(number), host_name=f"a-host-with-a-long-name-{number:04}") for number in range(300)]
    message = render(digest(members, channel="chat", at=START), link_base="", members=members)
    await _apprise(f"mmost://127.0.0.1:{chat.port}/{KEY}").send(message)
    assert len(chat.taken) > 1
    arrived = "".join(json.loads(body)["text"] for _, body in chat.taken).replace("\r\n", "").replace("\n", "")
    assert sum(one.host_name in arrived for one in members) > 290, "but for names that stand where it is cut"


@pytest.mark.parametrize(
    "url",
    [
        "syslog://",
        "dbus://",
        "json://127.0.0.1/x",
        "mmost://127.0.0.1/token?template=/etc/hosts",
        "mmost://127.0.0.1/token?a=b;template=/etc/hosts",
        "mmost://127.0.0.1/token?+X-Header=1",
        "mmost://127.0.0.1/token?verify=no",
    ],
)
async def test_the_worker_itself_sends_nothing_that_is_not_allowed(url: str) -> None:
    """Past all checks of settings: a row that another version wrote, say. Read as the library reads it."""
    order = {"url": url, "title": "t", "body": "b", "type": "info"}
    answer = await _work(json.dumps(order).encode())
    assert (answer["understood"], answer["sent"]) == (False, False)


async def test_a_second_url_is_a_part_of_the_first(chat: HookServer) -> None:
    """The library takes lists of URLs apart elsewhere."""
    order = {"url": f"mmost://127.0.0.1:{chat.port}/t,json://127.0.0.1:{chat.port}/", "title": "", "type": "info"}
    await _work(json.dumps({**order, "body": "b"}).encode())
    assert [headers["user-agent"] for headers, _ in chat.taken] == ["hostfence"]


async def test_every_service_is_one_that_the_library_has() -> None:
    ask = "import apprise, json; print(json.dumps(apprise.Apprise().details()['schemas'], default=str))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", ask, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    known = {
        schema
        for service in json.loads(out)
        for schema in [*(service["protocols"] or []), *(service["secure_protocols"] or [])]
    }
    assert set(SERVICES) <= known


def test_every_part_of_a_url_that_may_be_a_key_is_taken_out() -> None:
    def secrets(url: str) -> set[str]:
        return set(secrets_of(AppriseChannel(name="chat", url=url)))

    assert {"Taaa", "Bbbb", "Cccc"} <= secrets("slack://Taaa/Bbbb/Cccc/#ops")
    assert {"user", "word", "token", "room"} <= secrets("matrixs://user:word@chat.example.org/room?token=token")
    assert not any("example" in one for one in secrets("mmosts://chat.example.org/token") if "/" not in one)
    assert "my-topic" in secrets("ntfys://my-topic")
