"""The double on a socket (a real uvicorn in a thread), or in process with virtual time.

with CloudStackDouble() as double:                       # double.url, .key, .secret
    double.site.build(["kvm1", "kvm2", "kvm3"])
    double.site.kill_host("kvm1")

double = CloudStackDouble(now=ManualTime(), started=START)      # no socket:
httpx.AsyncClient(transport=double.transport())          # with base_url double.url
"""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import httpx
import uvicorn
from typing_extensions import override

from tests.fakes.cloudstack.api import Api
from tests.fakes.cloudstack.control import Control
from tests.fakes.cloudstack.profiles import PROFILES
from tests.fakes.cloudstack.schedule import Schedule
from tests.fakes.cloudstack.signature import ApiKey
from tests.fakes.cloudstack.site import Site
from tests.fakes.cloudstack.trouble import Ill, Trouble

PATH = "/client/api"
_SECRETS = frozenset({"signature", "apikey"})
_STARTS_S = 10.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ConnectionCutError(Exception):
    """The connection ends here."""


class SlowError(Exception):
    """The answer would take this many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived, without key and signature."""

    command: str
    params: Mapping[str, str]
    method: str
    at: float


class CloudStackDouble:
    """`now` and `started` give it virtual time. `control`: also serve `/control/…` (control.py). `port` 0: any."""

    def __init__(
        self,
        profile: str = "current",
        *,
        now: Callable[[], float] = time.monotonic,
        started: datetime | None = None,
        keys: Iterable[ApiKey] = (ApiKey(),),
        control: bool = False,
        port: int = 0,
    ) -> None:
        self.site = Site(Schedule(now, started), PROFILES[profile])
        self.api = Api(self.site, {one.key: one for one in keys})
        self.trouble = Trouble(self.site.jobs)
        self.requests: list[Asked] = []
        self.on_request: Callable[[Asked], object] = lambda _: None
        """Something happens while the request is on its way."""
        first = next(iter(self.api.keys.values()))
        self.key, self.secret = first.key, first.secret
        self.url = f"http://cloudstack.invalid{PATH}"
        self._control = Control(self.site, self.trouble) if control else None
        self._port = port
        self._in_process = True
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    # -- for tests -----------------------------------------------------------------------------------------------------

    def add_key(self, key: ApiKey) -> ApiKey:
        return self.api.keys.setdefault(key.key, key)

    def count(self, command: str) -> int:
        return sum(one.command == command for one in self.requests)

    def transport(self) -> httpx.AsyncBaseTransport:
        """In process: cuts and slow answers become httpx's own errors, without waiting."""
        return _InProcess(self)

    # -- on a socket ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", self._port))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
        self._in_process = False
        config = uvicorn.Config(
            self, log_config=None, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="cloudstack", daemon=True)
        self._thread.start()
        until = time.monotonic() + _STARTS_S
        while not self._server.started:
            assert time.monotonic() < until, "the double did not start"
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.should_exit = True
        self._thread.join(_STARTS_S)
        assert not self._thread.is_alive(), "the double did not stop"

    # -- the application -----------------------------------------------------------------------------------------------

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = scope["query_string"].decode()
        if self._control is not None and scope["path"].startswith("/control/"):
            status, answer = self._control.answer(scope["path"].removeprefix("/control/"), body)
            await _reply(send, status, json.dumps(answer).encode(), "application/json")
        elif scope["path"] == PATH:
            await self._talk(scope["method"], query, body, send)
        else:
            await _reply(send, 404, b"<html><body>HTTP Status 404</body></html>", "text/html")

    async def _talk(self, method: str, query: str, body: bytes, send: Send) -> None:
        given = dict(parse_qsl(query, keep_blank_values=True))
        given |= dict(parse_qsl(body.decode(), keep_blank_values=True))
        command = given.get("command", "")
        seen = {name: value for name, value in given.items() if name.lower() not in _SECRETS}
        self.requests.append(Asked(command, seen, method, self.site.schedule.now()))
        self.on_request(self.requests[-1])
        ill = self.trouble.take(command)
        if not self.site.answers():
            await self._cut(send)
        elif ill is not None:
            await self._fall_ill(ill, given, method, send)
        else:
            await self._answer(given, method, send)

    async def _answer(self, given: Mapping[str, str], method: str, send: Send) -> None:
        answer = self.api.answer(given, method)
        await _reply(send, answer.status, json.dumps(answer.body).encode(), self.site.profile.content_type)

    async def _fall_ill(self, ill: Ill, given: Mapping[str, str], method: str, send: Send) -> None:
        if ill.slow_s:
            if self._in_process:
                raise SlowError(ill.slow_s)
            await asyncio.sleep(ill.slow_s)
            await self._answer(given, method, send)
            return
        if ill.does:
            self.api.answer(given, method)
        if ill.cut:
            await self._cut(send)
        elif ill.raw is not None:
            await _reply(send, ill.status, ill.raw, ill.content_type)
        else:
            await _reply(send, ill.status, json.dumps(ill.body).encode(), self.site.profile.content_type)

    async def _cut(self, send: Send) -> None:
        if self._in_process:
            raise ConnectionCutError
        # A promise of more than is sent: uvicorn ends the connection.
        headers = [(b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": True})


class _InProcess(httpx.AsyncBaseTransport):
    def __init__(self, double: CloudStackDouble) -> None:
        self._double = double
        self._inner = httpx.ASGITransport(app=double)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._inner.handle_async_request(request)
        except ConnectionCutError:
            raise httpx.ReadError("the connection was cut", request=request) from None
        except SlowError as slow:
            limit = request.extensions.get("timeout", {}).get("read")
            if limit is not None and slow.seconds > limit:
                raise httpx.ReadTimeout("too slow", request=request) from None
        return await self._inner.handle_async_request(request)


async def _reply(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
