"""CloudEvents 1.0 by HTTPS, signed as the Standard Webhooks specification says.

The same notice always has the same ``id``, so that a receiver can drop a copy. Nothing but the answer's status and its
first words is looked at; redirects are not followed and no proxy is used: what is signed goes where the settings say.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from controller.domain.channels.events import group_of
from controller.domain.channels.webhook import WebhookChannel, signing_key
from controller.domain.words import label
from controller.notifications import addresses
from controller.notifications.base import SEND_TIMEOUT, ChannelError, Rendered
from controller.notifications.secrecy import cleaned

CONTENT_TYPE = "application/cloudevents+json"
_ANSWER_BYTES = 2048
_SHOWN = 200
_TRY_AGAIN = frozenset({401, 403, 407, 408, 425, 429})
"""Statuses below 500 after which the same message may be taken later; a login that is refused can be mended."""
_NOT_NOW = frozenset({401, 403, 407, 429, 502, 503, 504})
"""What is wrong is not this message: the next one would fare no better."""
_NOT_AT_ALL = 400


class Webhook:
    """Posts as :class:`WebhookChannel` says. ``source``: what the events come from, an address or a URN."""

    def __init__(
        self,
        settings: WebhookChannel,
        *,
        source: str,
        timeout: timedelta = SEND_TIMEOUT,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),  # noqa: TID251 - the default of a port
    ) -> None:
        """Raises :class:`ChannelError` for certificates or a secret that cannot be used."""
        self._settings = settings
        self._source = source
        self._timeout_s = timeout.total_seconds()
        self._now = now
        try:
            self._key = signing_key(settings.secret)
            self._tls = ssl.create_default_context(cadata=settings.ca or None)
        except (ValueError, ssl.SSLError) as error:
            raise ChannelError(f"secret or ca cannot be used: {type(error).__name__}", permanent=False) from None

    async def send(self, rendered: Rendered) -> str:
        """See :class:`~controller.notifications.base.Channel`."""
        body = json.dumps(cloud_event(rendered, source=self._source), ensure_ascii=False).encode()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._refuse_address()
                status, headers, said = await self._post(body, self._headers(rendered.notice.id, body))
        except TimeoutError:
            raise self._down(f"the receiver did not answer within {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            never_reached = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.InvalidURL)
            raise self._down(f"{type(error).__name__}: {error}", not_taken=never_reached) from None
        if not 200 <= status < 300:
            raise self._refusal(status, headers, said)
        return ""

    def _headers(self, event_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(self._now().timestamp())
        headers = {
            "Content-Type": CONTENT_TYPE,
            "User-Agent": "hostfence",
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._key, event_id, timestamp, body),
        }
        if self._settings.token:
            headers["Authorization"] = f"Bearer {self._settings.token}"
        return headers

    async def _refuse_address(self) -> None:
        """A name that leads to where clouds keep their credentials gets nothing (see ``docs/notifications.md``)."""
        url = httpx.URL(self._settings.url)
        if why := await addresses.refused(url.host, url.port or 443):
            raise self._down(why, not_taken=True)

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, httpx.Headers, str]:
        client = httpx.AsyncClient(
            verify=self._tls, follow_redirects=False, trust_env=False, timeout=httpx.Timeout(self._timeout_s)
        )
        answer = b""
        async with (
            client,
            client.stream("POST", self._settings.url, content=body, headers=headers) as response,
        ):
            if not response.is_success:
                async for part in response.aiter_raw(_ANSWER_BYTES):
                    answer += part
                    if len(answer) >= _ANSWER_BYTES:
                        break
            return response.status_code, response.headers, answer[:_ANSWER_BYTES].decode(errors="replace")

    def _refusal(self, status: int, headers: httpx.Headers, said: str) -> ChannelError:
        words = self._clean(said)[:_SHOWN]
        if 300 <= status < _NOT_AT_ALL:
            words = "it redirects, which is not followed: write the final address"
        permanent = _NOT_AT_ALL <= status < 500 and status not in _TRY_AGAIN
        return ChannelError(
            f"HTTP {status}: {words}".rstrip(": "),
            permanent=permanent,
            channel_down=status in _NOT_NOW,
            not_taken=status < 500 or status == httpx.codes.SERVICE_UNAVAILABLE,
            retry_after=None if permanent else retry_after(headers.get("Retry-After", ""), self._now()),
        )

    def _down(self, said: str, *, not_taken: bool = False) -> ChannelError:
        return ChannelError(self._clean(said), permanent=False, channel_down=True, not_taken=not_taken)

    def _clean(self, said: str) -> str:
        return cleaned(said, self._settings.secret, self._settings.token)


def cloud_event(rendered: Rendered, *, source: str) -> dict[str, Any]:
    """The event in CloudEvents' structured mode."""
    notice = rendered.notice
    return {
        "specversion": "1.0",
        "id": notice.id,
        "source": source,
        "type": f"org.hostfence.{notice.kind}",
        "subject": notice.host_name,
        "time": notice.at.astimezone(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {
            "kind": notice.kind,
            "event": group_of(notice.kind),
            "severity": notice.severity,
            "summary": rendered.subject,
            "host": {"id": notice.host_id, "name": notice.host_name} if notice.host_id else None,
            "cluster": {"id": notice.cluster_id, "name": rendered.cluster} if notice.cluster_id else None,
            "incident": notice.incident_id,
            "what": notice.what,
            "why": [{"code": reason, "label": label(reason)} for reason in notice.why],
            "next": notice.next,
            "how_to_stop": notice.how_to_stop,
            "link": rendered.link or None,
            **({"notices": [cloud_event(one, source=source) for one in rendered.members]} if rendered.members else {}),
        },
    }


def signature(key: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``: HMAC-SHA256 over id, time of sending and body."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def retry_after(header: str, now: datetime) -> timedelta | None:
    """How long the receiver wants to be left alone: seconds or a date; None where it says nothing that can be read."""
    if header.strip().isdigit():
        return timedelta(seconds=min(int(header), 10**6))
    try:
        return max(parsedate_to_datetime(header).astimezone(UTC) - now, timedelta(0))
    except (ValueError, TypeError):
        return None
