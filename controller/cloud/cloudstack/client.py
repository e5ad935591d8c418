"""Calls CloudStack's API: signed, within a deadline, reads with patience, changes once.

Only form POSTs are sent, so that neither key nor signature stands in a URL that something logs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from controller.cloud.cloudstack.answers import BODY_LIMIT, OversizeError, body_of, payload_of, whole_number
from controller.cloud.cloudstack.errors import CloudStackError, ErrorKind, Redactor
from controller.cloud.cloudstack.network import in_words, tls_trouble, trust
from controller.cloud.cloudstack.pages import Pages
from controller.cloud.cloudstack.paging import Rows, all_pages
from controller.cloud.cloudstack.signing import signed_form
from controller.logs import quiet_http

Value = str | bool | int

_READS = ("list", "query", "get")
_PAUSES_S = (0.25, 0.5, 1.0, 2.0)
"""Between tries of a read that met a passing trouble; the deadline of the call cuts them short."""

_NO_TROUBLE = range(531, 538)
"""Refusals that CloudStack numbers as if they were its own troubles: rights, limits, capacity, conflicts."""

_UNAUTHENTICATED_PORT = 8096


class JobStatus(StrEnum):
    """What became of an asynchronous command so far."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An asynchronous command. ``result`` by type (``{"host": {…}}``) once done; ``error``: why it failed, bounded."""

    status: JobStatus
    result: dict[str, Any] = field(default_factory=dict, repr=False)  # a started VM's may hold a password
    error: str = ""


@dataclass(slots=True)
class _Progress:
    """Of one try. All words of a call are in the request's body: without it CloudStack has heard of nothing."""

    started: bool = False
    """It had a turn."""
    sent: bool = False
    raw: Any = None
    """A connection whose TLS handshake is under way: httpcore forgets it if that is cut short."""


class CloudStackClient:
    """One key at one CloudStack. One for the process, closed by :meth:`aclose`."""

    def __init__(
        self,
        url: str,
        *,
        key: str,
        secret: str,
        verify: bool | str = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),  # noqa: TID251 - the default of a port
        boottime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
        at_once: int = 8,
    ) -> None:
        """``url``: as in ``https://cloud.example/client/api``. ``at_once``: requests under way at any moment.

        ``verify``: see :func:`controller.cloud.cloudstack.network.trust`. ``now`` stamps the expiry of requests,
        ``boottime`` measures deadlines.

        Raises:
            ValueError: what is given cannot work; the text names it and shows no secret.
        """
        if not all(one and one.isascii() and one.isprintable() and " " not in one for one in (key, secret)):
            raise ValueError("a key and its secret are needed, just as CloudStack shows them")
        self._url = _checked(url)
        self._key, self._secret, self._redact = key, secret, Redactor((key, secret))
        self._now, self._boottime, self._sleep = now, boottime, sleep
        self._traced = transport is None
        self._at_once = at_once
        self._turns = asyncio.Semaphore(at_once)
        self._pages = Pages()
        self._client = httpx.AsyncClient(
            verify=trust(verify) if self._url.scheme == "https" and transport is None else False,
            transport=transport,
            timeout=None,  # noqa: S113 - every call has one deadline
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once, keepalive_expiry=5.0),
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),  # a session would outrank the key
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            },
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def call(
        self, command: str, fields: AbstractSet[str] | None = None, /, *, deadline_s: float = 10.0, **params: Value
    ) -> dict[str, Any]:
        """The payload under ``<command>response``. Reads meet passing troubles with some more tries.

        Anything else is sent once; again only if the connection was not made, so that nothing was sent.

        ``fields``: only these fields of a list's entries. The answer is remembered then, and its objects are the last
        time's as long as CloudStack says the same; nobody may change them.

        Raises:
            CloudStackError: see there.
        """
        return await self._patiently(command, params, self._boottime() + deadline_s, fields)

    async def list(
        self, command: str, fields: AbstractSet[str] | None = None, /, *, deadline_s: float = 30.0, **params: Value
    ) -> Rows:
        """All items of a list, each once, whatever number of pages they come in. ``fields``: see :meth:`call`.

        Raises:
            CloudStackError: see there; a list is whole or an error.
        """
        until = self._boottime() + deadline_s

        async def page(number: int, size: int) -> dict[str, Any]:
            return await self._patiently(command, {**params, "page": number, "pagesize": size}, until, fields)

        # A long list leaves turns to what is urgent.
        return await all_pages(command, page, at_once=max(1, self._at_once // 2))

    async def start(self, command: str, *, deadline_s: float = 10.0, **params: Value) -> str:
        """Begin an asynchronous command; the id of its job.

        Raises:
            CloudStackError: see there.
        """
        payload = await self.call(command, deadline_s=deadline_s, **params)
        job_id = payload.get("jobid")
        if not isinstance(job_id, str) or not job_id:
            raise CloudStackError(ErrorKind.MALFORMED, command, "answered without the id of a job")
        return job_id

    async def job(self, job_id: str) -> Job:
        """What became of a job so far.

        Raises:
            CloudStackError: see there; ``rejected`` for a job that CloudStack does not know (any more).
        """
        command = "queryAsyncJobResult"
        payload = await self.call(command, jobid=job_id)
        result = payload.get("jobresult")
        words = result if isinstance(result, dict) else {}
        match whole_number(payload.get("jobstatus")):
            case 0:
                return Job(status=JobStatus.PENDING)
            case 1:
                return Job(status=JobStatus.DONE, result=words)
            case 2:
                said = words.get("errortext") or (result if isinstance(result, str) else "failed without a word")
                return Job(status=JobStatus.FAILED, result=words, error=self._redact.tell(str(said)))
            case _:
                raise CloudStackError(ErrorKind.MALFORMED, command, "answered without the status of the job")

    async def _patiently(
        self, command: str, params: Mapping[str, Value], until: float, fields: AbstractSet[str] | None
    ) -> dict[str, Any]:
        for pause in _PAUSES_S:
            try:
                return await self._once(command, params, until, fields)
            except CloudStackError as error:
                wait = _wait_before_another(error, pause, read=command.startswith(_READS))
                if wait is None or self._boottime() + wait >= until:
                    raise
            await self._sleep(wait)
        return await self._once(command, params, until, fields)

    async def _once(
        self, command: str, params: Mapping[str, Value], until: float, fields: AbstractSet[str] | None
    ) -> dict[str, Any]:
        progress = _Progress()
        try:
            async with asyncio.timeout(max(0.0, until - self._boottime())), self._turns:
                progress.started, progress.sent = True, not self._traced
                with quiet_http():
                    response, data = await self._exchange(command, params, progress)
        except TimeoutError as error:
            said = "no whole answer by the deadline" if progress.started else "other calls left no turn by the deadline"
            raise CloudStackError(ErrorKind.UNREACHABLE, command, said, sent=progress.sent) from error
        take_apart = partial(payload_of, command, response, data, redact=self._redact, now=self._now())
        if fields is None or response.status_code != httpx.codes.OK:
            return take_apart()
        which = (command, frozenset(params.items()))
        return self._pages.read(which, data, fields=fields, take_apart=take_apart)

    async def _exchange(
        self, command: str, params: Mapping[str, Value], progress: _Progress
    ) -> tuple[httpx.Response, bytes]:
        """Asked once; the response, and its body unpacked."""

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            match event:
                case "connection.connect_tcp.complete" if self._url.scheme == "https":
                    progress.raw = info["return_value"]
                case "connection.start_tls.complete":
                    progress.raw = None
                case "http11.send_request_body.started":
                    progress.sent = True
                case _:
                    pass

        form = signed_form(command, params, key=self._key, secret=self._secret, now=self._now())
        request = self._client.build_request("POST", self._url, content=form, extensions={"trace": trace})
        try:
            response = await self._client.send(request, stream=True)
            try:
                data = await body_of(response)
            except OversizeError as error:
                said = f"the answer is larger than {BODY_LIMIT >> 20} MiB"
                raise CloudStackError(ErrorKind.MALFORMED, command, said, status=response.status_code) from error
            finally:
                await response.aclose()
        except (httpx.HTTPError, OSError, UnicodeError) as error:  # the last two: a name that no resolver takes
            said = self._redact.tell(in_words(error))
            raise CloudStackError(ErrorKind.UNREACHABLE, command, said, sent=progress.sent) from error
        finally:
            if progress.raw is not None:
                await progress.raw.aclose()
        return response, data


def _wait_before_another(error: CloudStackError, pause: float, *, read: bool) -> float | None:
    """Seconds until the call may be tried again; None: not at all."""
    if error.sent and not read:
        return None
    match error.kind:
        case ErrorKind.UNREACHABLE:
            return None if tls_trouble(error.__cause__) else pause
        case ErrorKind.LIMITED:
            return max(pause, error.wait_s or 0.0)
        case ErrorKind.MALFORMED | ErrorKind.REJECTED:
            return pause if _may_pass(error) else None
        case ErrorKind.AUTH | ErrorKind.JOB_FAILED:
            return None


def _may_pass(error: CloudStackError) -> bool:
    """A trouble of the server, or the page of a proxy that stands before one."""
    if isinstance(error.__cause__, OversizeError):
        return False
    status = error.status or 0
    page = error.kind is ErrorKind.MALFORMED and status == httpx.codes.OK
    return page or (status >= 500 and (error.code or status) not in _NO_TROUBLE)


def _checked(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError("the address of CloudStack's API cannot be read") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or not 0 < (parsed.port or 443) < 65536:
        raise ValueError("the address of CloudStack's API must be like https://cloud.example/client/api")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise ValueError("the address of CloudStack's API may hold no user, no query and no fragment")
    if parsed.port == _UNAUTHENTICATED_PORT:
        raise ValueError("port 8096 is CloudStack's door without a lock: use the API's own address, with a key")
    return parsed if parsed.path not in ("", "/") else parsed.copy_with(path="/client/api")
