"""Webhooks to a real receiver: what arrives, how it is signed, and what becomes of refusals."""

import base64
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.domain.channels.webhook import WebhookChannel
from controller.notifications.base import ChannelError
from controller.notifications.channels.webhook import Webhook
from controller.notifications.render import render
from tests.fixtures.agents import REPOSITORY
from tests.fixtures.hook_server import HookServer, hook_server
from tests.fixtures.mail_server import silent_server
from tests.fixtures.notices import a_notice

GUIDE = REPOSITORY / "docs/notifications.md"
KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
SECRET, TOKEN = f"whsec_{KEY}", "let-me-in-please"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MESSAGE = render(a_notice(), link_base="https://hostfence.example.org", clusters={"c-1": "kvm-a"})


@pytest.fixture
async def hooks() -> AsyncIterator[HookServer]:
    async with hook_server() as server:
        yield server


def webhook(url: str, **more: Any) -> Webhook:
    settings = WebhookChannel(name="ops", url=url, secret=SECRET, token=TOKEN, **more)
    return Webhook(settings, source="https://hostfence.example.org", now=lambda: NOW, timeout=timedelta(seconds=1))


async def test_a_cloud_event_arrives_and_whoever_has_the_secret_can_check_it(hooks: HookServer) -> None:
    await webhook(hooks.url).send(MESSAGE)
    ((headers, body),) = hooks.taken
    (event,) = hooks.events()
    assert headers["content-type"] == "application/cloudevents+json"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert (event["specversion"], event["id"], event["type"]) == ("1.0", MESSAGE.notice.id, "org.hostfence.held")
    assert (event["source"], event["subject"]) == ("https://hostfence.example.org", MESSAGE.notice.host_name)
    assert event["data"]["cluster"]["name"] == "kvm-a"
    assert event["data"]["why"][0]["code"] == "storm"
    assert event["data"]["link"] == MESSAGE.link
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(base64.b64decode(KEY), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


async def test_the_check_that_the_guide_shows_works(hooks: HookServer) -> None:
    """docs/notifications.md."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    shown: dict[str, Any] = {}
    exec(code, shown)  # noqa: S102 - the guide's own lines
    await webhook(hooks.url).send(MESSAGE)
    ((headers, body),) = hooks.taken
    assert shown["is_hostfences"](headers, body, SECRET)
    assert not shown["is_hostfences"](headers, body + b" ", SECRET)
    assert not shown["is_hostfences"](headers, body, "whsec_" + base64.b64encode(b"another").decode())


@pytest.mark.parametrize(
    ("status", "permanent", "channel_down"),
    [
        ("400 Bad Request", True, False),
        ("410 Gone", True, False),
        ("401 Unauthorized", False, True),
        ("408 Request Timeout", False, False),
        ("500 Internal Server Error", False, False),
        ("503 Service Unavailable", False, True),
        ("504 Gateway Timeout", False, True),
        ("302 Found", False, False),
    ],
)
async def test_what_a_status_means(hooks: HookServer, status: str, *, permanent: bool, channel_down: bool) -> None:
    hooks.answers = [f"{status}\r\nLocation: http://127.0.0.1:1/\r\n\r\nsorry"]
    with pytest.raises(ChannelError) as caught:
        await webhook(hooks.url).send(MESSAGE)
    assert (caught.value.permanent, caught.value.channel_down) == (permanent, channel_down)
    assert caught.value.not_taken is (status[:3] not in ("500", "504")), "a gateway's time-out says nothing"
    assert status[:3] in caught.value.said


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(seconds=120)),
        ("Sun, 01 Mar 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("soon", None),
    ],
)
async def test_how_long_a_receiver_wants_to_be_left_alone(
    hooks: HookServer, header: str, wait: timedelta | None
) -> None:
    hooks.answers = [f"429 Too Many Requests\r\nRetry-After: {header}\r\n\r\n"]
    with pytest.raises(ChannelError) as caught:
        await webhook(hooks.url).send(MESSAGE)
    assert caught.value.retry_after == wait


async def test_no_secret_comes_back_whatever_the_receiver_repeats(hooks: HookServer) -> None:
    hooks.answers = [f"500 No\r\n\r\nyou said {SECRET} and {TOKEN}" + "x" * 10_000]
    with pytest.raises(ChannelError) as caught:
        await webhook(hooks.url).send(MESSAGE)
    assert SECRET not in caught.value.said
    assert TOKEN not in caught.value.said
    assert len(caught.value.said) < 300


async def test_one_that_hangs_is_left_in_time() -> None:
    async with silent_server() as port:
        with pytest.raises(ChannelError, match="did not answer within 1 s") as caught:
            await webhook(f"http://127.0.0.1:{port}/").send(MESSAGE)
    assert caught.value.channel_down


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "https://[fe80::1]/"])
async def test_nothing_is_posted_to_where_clouds_keep_their_credentials(url: str) -> None:
    with pytest.raises(ChannelError, match="link-local"):
        await webhook(url).send(MESSAGE)


def test_certificates_that_are_none_are_refused_when_it_is_made() -> None:
    with pytest.raises(ChannelError, match="secret or ca"):
        webhook("https://hooks.example.org", ca="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
