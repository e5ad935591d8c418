"""What a Redfish service answered: read within bounds, and told without secrets."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from controller.domain.power import PowerCode

BODY_LIMIT = 1 << 20
"""Bytes of a body, packed or not. A System is some ten kilobytes."""

_SAID_LIMIT = 300
_HIDDEN = "***"


class RedfishFault(Exception):  # noqa: N818 - a value that travels a few lines, not an API
    """Why the device told nothing. ``passing``: asking again may help."""

    def __init__(self, code: PowerCode, said: str, *, passing: bool = False) -> None:
        super().__init__(said)
        self.code, self.said, self.passing = code, said, passing


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response. ``body`` is empty where there was none, or none that could be read (then ``readable`` is False)."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)
    readable: bool = True

    @property
    def good(self) -> bool:
        """True for 200 to 299."""
        return 200 <= self.status < 300

    @property
    def message_ids(self) -> tuple[str, ...]:
        """The last words of the device's message ids: ``ResourceInUse`` of ``Base.1.8.ResourceInUse``."""
        return tuple(str(one.get("MessageId", "")).rpartition(".")[2] for one in _extended(self.body))

    def words(self) -> str:
        """The status and what the device says about it. Still with secrets: :func:`tell` takes them out."""
        texts = [str(one.get("Message") or one.get("MessageId") or "") for one in _extended(self.body)]
        error = self.body.get("error")
        if not any(texts) and isinstance(error, dict):
            texts = [str(error.get("message", ""))]
        told = " ".join(text for text in texts if text)
        return f"HTTP {self.status}: {told}" if told else f"HTTP {self.status}"


def tell(text: str, secrets: Sequence[str]) -> str:
    """``text`` fit for people: without secrets, on one line, bounded."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= _SAID_LIMIT else plain[: _SAID_LIMIT - 1] + "…"


async def answer_of(response: httpx.Response) -> Answer:
    """Read a response that was asked for with ``stream=True``.

    Raises:
        RedfishFault: ``malformed``, when the body is larger than :data:`BODY_LIMIT`.
    """
    data = _unpacked(await _bounded(response), response.headers.get("Content-Encoding", ""))
    body: Any = {}
    try:
        body = json.loads(data) if data.strip() else {}
    except (ValueError, RecursionError):
        return Answer(status=response.status_code, headers=response.headers, body={}, readable=False)
    if not isinstance(body, dict):
        return Answer(status=response.status_code, headers=response.headers, body={}, readable=False)
    return Answer(status=response.status_code, headers=response.headers, body=body)


async def _bounded(response: httpx.Response) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > BODY_LIMIT:
            raise _too_large()
    return bytes(data)


def _unpacked(data: bytes, encoding: str) -> bytes:
    """We ask for plain bodies, some services pack them all the same; httpx would unpack without a bound."""
    if encoding.lower() not in ("gzip", "x-gzip", "deflate"):
        return data
    try:
        whole = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(data, BODY_LIMIT + 1)
    except zlib.error:
        return b"?"  # not JSON
    if len(whole) > BODY_LIMIT:
        raise _too_large()
    return whole


def _too_large() -> RedfishFault:
    return RedfishFault(PowerCode.MALFORMED, f"the answer is larger than {BODY_LIMIT >> 20} MiB")


def _extended(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The messages of an error; of a success some services put them beside the rest."""
    error = body.get("error")
    source = error if isinstance(error, dict) else body
    found = source.get("@Message.ExtendedInfo")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
