"""Chat and paging services by URL, each message in a worker process of its own (see ``apprise_worker``).

A process, because the library blocks and takes its time: a thread that hangs cannot be ended. It gets nothing of the
controller's environment but what leads to the network.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from controller.domain.channels.apprise import AppriseChannel
from controller.domain.model import Severity
from controller.notifications import addresses
from controller.notifications.base import SEND_TIMEOUT, ChannelError, Rendered
from controller.notifications.secrecy import MIN_SECRET, cleaned

AT_ONCE = 4
"""Worker processes of one controller."""

_WORKER = (sys.executable, "-I", "-m", "controller.notifications.channels.apprise_worker")
_PASSED_ON = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "LANG", "LC_ALL"),
)
_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
_STATUS = re.compile(r"error[=: ]+(\d{3})\b", re.IGNORECASE)
_NEVER = frozenset({400, 413, 422})
"""Statuses that are about this very message. Others (a key that is no longer good, say) can be mended."""


class Apprise:
    """Sends as :class:`AppriseChannel` says. ``slots``: bounds the workers of all channels together."""

    def __init__(
        self, settings: AppriseChannel, slots: asyncio.Semaphore, *, timeout: timedelta = SEND_TIMEOUT
    ) -> None:
        self._settings = settings
        self._slots = slots
        self._timeout_s = timeout.total_seconds()

    async def send(self, rendered: Rendered) -> str:
        """See :class:`~controller.notifications.base.Channel`."""
        order = {
            "url": self._settings.url,
            "title": rendered.subject,
            "body": body(rendered),
            "type": _TYPES[rendered.notice.severity],
        }
        try:
            async with asyncio.timeout(self._timeout_s), self._slots:
                await self._refuse_address()
                answer = await _work(json.dumps(order).encode())
        except TimeoutError:
            raise self._down(f"{self._settings.service.name} did not answer within {self._timeout_s:g} s") from None
        except (OSError, ValueError) as error:
            raise self._down(f"{type(error).__name__}: {error}") from None
        if not answer["understood"]:
            first, *_ = answer["said"].strip().splitlines() or ["it does not say why"]
            raise self._down(f"this is no URL of that service: {first}", not_taken=True)
        if not answer["sent"]:
            raise self._refusal(answer["said"].strip() or "it does not say why")
        return ""

    async def _refuse_address(self) -> None:
        host = self._settings.own_host
        # a name that leads nowhere may be a part of the URL that only looks like a host; the service will say so
        with suppress(OSError):
            if host and (why := await addresses.refused(host, 443)):
                raise self._down(why, not_taken=True)

    def _refusal(self, said: str) -> ChannelError:
        found = _STATUS.search(said)
        permanent = found is not None and int(found[1]) in _NEVER
        return ChannelError(self._clean(said), permanent=permanent, channel_down=not permanent)

    def _down(self, said: str, *, not_taken: bool = False) -> ChannelError:
        return ChannelError(self._clean(said), permanent=False, channel_down=True, not_taken=not_taken)

    def _clean(self, said: str) -> str:
        return cleaned(said, *secrets_of(self._settings))


def body(rendered: Rendered) -> str:
    """What fits on a telephone: what is the case, where to look, what happens next, how to stop it."""
    notice = rendered.notice
    parts = [notice.what, rendered.link, f"Next: {notice.next}", f"What you can do: {notice.how_to_stop}"]
    return "\n\n".join(part for part in parts if part)


def secrets_of(settings: AppriseChannel) -> Iterator[str]:
    """The URL and every part of it that may be a key: all but the service, and the host where the operator has one."""
    yield settings.url
    parts = urlsplit(settings.url)
    pieces = [parts.username or "", parts.password or "", *parts.path.split("/"), parts.fragment]
    pieces += [value for _, value in parse_qsl(parts.query)]
    if not settings.service.own_host or "." not in parts.netloc:  # ntfy's topics stand where hosts do
        pieces += [parts.netloc, *re.split(r"[@:]", parts.netloc)]
    yield from (piece for piece in pieces if len(piece) >= MIN_SECRET)


async def _work(order: bytes) -> Mapping[str, Any]:
    """The worker's answer. However this ends, the worker has ended."""
    worker = await asyncio.create_subprocess_exec(
        *_WORKER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"HOME": "/nonexistent", **{name: os.environ[name] for name in _PASSED_ON if name in os.environ}},
        start_new_session=True,
    )
    try:
        out, _ = await worker.communicate(order)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        await worker.wait()
    if worker.returncode != 0:
        raise OSError(f"the worker ended with code {worker.returncode}")
    answer = json.loads(out)
    if not isinstance(answer, dict) or not {"understood", "sent", "said"} <= answer.keys():
        raise ValueError("the worker gave no answer")
    return answer
