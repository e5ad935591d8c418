"""What a management server answered: read within bounds, unwrapped, and its refusals made errors."""

import json
import re
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from controller.cloud.cloudstack.errors import CloudStackError, ErrorKind, Redactor, is_about_the_command

BODY_LIMIT = 32 << 20
"""Bytes of a body, packed or not. A page of 500 VMs is some megabytes."""

_GIST = 2000
"""Bytes of an unreadable answer that are looked at."""

_SKEW = timedelta(minutes=5)
_WAIT = re.compile(r"retry after \[?(\d{1,9})\]? ?(ms|s)", re.IGNORECASE)


class OversizeError(Exception):
    """A body larger than :data:`BODY_LIMIT`."""


async def body_of(response: httpx.Response) -> bytes:
    """The body of a response that was asked for with ``stream=True``, unpacked.

    Raises:
        OversizeError: it is larger than :data:`BODY_LIMIT`.
    """
    packed = response.headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip")
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    data = bytearray()
    async for chunk in response.aiter_raw():  # httpx would unpack without a bound
        try:
            data += unpack.decompress(chunk, BODY_LIMIT + 1 - len(data)) if packed else chunk
        except zlib.error:
            return b"(an answer that cannot be unpacked)"
        if len(data) > BODY_LIMIT:
            raise OversizeError
    return bytes(data)


def payload_of(
    command: str, response: httpx.Response, data: bytes, *, redact: Redactor, now: datetime
) -> dict[str, Any]:
    """What stands under ``<command>response``.

    Raises:
        CloudStackError: everything but a success.
    """
    payload = _unwrapped(command, data)
    if payload is None:
        raise _no_answer(command, response, data, redact)
    if response.status_code != httpx.codes.OK or "errorcode" in payload:
        raise _refusal(command, response, payload, redact, now)
    return payload


def _unwrapped(command: str, data: bytes) -> dict[str, Any] | None:
    """None for what CloudStack would not say. Errors before a command is known have another name than the command's."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(whole, dict):
        return None
    name = f"{command.lower()}response"
    if name not in whole and len(whole) == 1:
        (name,) = whole
    payload = whole.get(name)
    return payload if name.endswith("response") and isinstance(payload, dict) else None


def _no_answer(command: str, response: httpx.Response, data: bytes, redact: Redactor) -> CloudStackError:
    status = response.status_code
    gist = data[:_GIST].decode(errors="replace")
    said = f"HTTP {status}, which is not CloudStack's way to answer: {gist or 'nothing'}"
    if response.is_redirect:
        said = f"HTTP {status}: leads to {response.headers.get('Location', '')}: not followed; give the last address"
    kind = ErrorKind.LIMITED if status == httpx.codes.TOO_MANY_REQUESTS else ErrorKind.MALFORMED
    return CloudStackError(kind, command, redact.tell(said), status=status, wait_s=_wait(response, ""))


def _refusal(
    command: str, response: httpx.Response, payload: Mapping[str, Any], redact: Redactor, now: datetime
) -> CloudStackError:
    code = whole_number(payload.get("errorcode"))
    status = response.status_code
    said = str(payload.get("errortext") or f"HTTP {status} without a word")
    kind = ErrorKind.REJECTED
    match code or status:
        case 401 if not is_about_the_command(said):
            kind = ErrorKind.AUTH
            said = f"{redact.tell(said)}{_skew(response, now)}"
        case 429:
            kind = ErrorKind.LIMITED
        case _:
            pass
    return CloudStackError(
        kind,
        command,
        redact.tell(said),
        status=status,
        code=code,
        detail_code=whole_number(payload.get("cserrorcode")),
        wait_s=_wait(response, said),
    )


def whole_number(value: Any) -> int | None:
    """A number that CloudStack writes as such or as text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _wait(response: httpx.Response, said: str) -> float | None:
    """CloudStack names milliseconds in its text; a proxy in front of it seconds in a header."""
    if found := _WAIT.search(said):
        return int(found[1]) / (1000 if found[2].lower() == "ms" else 1)
    seconds = whole_number(response.headers.get("Retry-After"))
    return None if seconds is None else float(seconds)


def _skew(response: httpx.Response, now: datetime) -> str:
    """A hint: requests expire, and CloudStack does not say when that was the reason."""
    try:
        theirs = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return ""
    if theirs.tzinfo is None:
        return ""
    ahead = theirs - now
    if abs(ahead) <= _SKEW:
        return ""
    way = "ahead of" if ahead > timedelta() else "behind"
    return f"; its clock is {round(abs(ahead) / timedelta(minutes=1))} minutes {way} this machine's: requests expire"
