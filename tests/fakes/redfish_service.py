"""A Redfish service on real sockets that says whatever a test wants it to: what the emulator can't do.

Without a script it keeps sessions, shows its systems and does what it is told at once.
"""

import asyncio
import base64
import contextlib
import json
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

ROOT = "/redfish/v1/"
SESSIONS = f"{ROOT}SessionService/Sessions"
SYSTEMS = f"{ROOT}Systems"
RESET = "Actions/ComputerSystem.Reset"
KINDS = ["On", "ForceOff", "GracefulShutdown", "ForceRestart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. Bytes go out as they are; `after_s` passes first; `never`: none; `cut`: the connection ends."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    never: bool = False
    cut: bool = False
    does: bool = False
    """Do what was asked for all the same."""


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


def extended(message_id: str, message: str) -> dict[str, Any]:
    """A body in Redfish's form of errors."""
    return {
        "error": {
            "code": "Base.1.8.GeneralError",
            "message": "See @Message.ExtendedInfo for more information.",
            "@Message.ExtendedInfo": [{"MessageId": f"Base.1.8.{message_id}", "Message": message}],
        }
    }


class RedfishService:
    """`systems`: id to resource. `script`: replies for (method, path), used up one by one; the last one `forever`."""

    def __init__(self, *, user: str, password: str, ids: tuple[str, ...] = ("1",), sessions: bool = True) -> None:
        self._user, self.password = user, password
        self.has_sessions = sessions
        self.systems = {one: self._system(one) for one in ids}
        self.truth = dict.fromkeys(ids, True)
        self.script: defaultdict[tuple[str, str], list[Reply]] = defaultdict(list)
        self.forever: dict[tuple[str, str], Reply] = {}
        self.etag = ""
        self.asked: list[Asked] = []
        self.changes: list[tuple[str, Any]] = []
        self.tokens: dict[str, str] = {}
        self.port = 0
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self, context: ssl.SSLContext | None) -> AsyncIterator["RedfishService"]:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._server.close()
            for task in list(self._talks):
                task.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)

    def count(self, method: str, path: str) -> int:
        return sum((one.method, one.path) == (method, path) for one in self.asked)

    def path(self, one: str = "1") -> str:
        return f"{SYSTEMS}/{one}"

    def reset(self, one: str = "1") -> tuple[str, str]:
        return ("POST", f"{self.path(one)}/{RESET}")

    def _system(self, one: str) -> dict[str, Any]:
        return {
            "@odata.id": self.path(one),
            "Id": one,
            "PowerState": "On",
            "IndicatorLED": "Off",
            "Actions": {
                "#ComputerSystem.Reset": {
                    "target": f"{self.path(one)}/{RESET}",
                    "ResetType@Redfish.AllowableValues": list(KINDS),
                }
            },
        }

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError
            ):
                while True:
                    asked = await _request(reader)
                    self.asked.append(asked)
                    if not await self._answer(asked, writer):
                        return
        finally:
            self._talks.discard(task)
            writer.transport.abort()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        key = (asked.method, asked.path)
        scripted = self.script[key].pop(0) if self.script[key] else self.forever.get(key)
        reply = scripted or Reply(does=True)
        if reply.does:
            done = self._do(asked)
            reply = done if scripted is None else reply
        await asyncio.sleep(reply.after_s)
        if reply.never:
            await asyncio.Event().wait()
        if reply.cut:
            return False
        data = reply.body if isinstance(reply.body, bytes) else b"" if reply.body is None else _json(reply.body)
        headers = {"Content-Length": str(len(data)), "Content-Type": "application/json", **reply.headers}
        head = f"HTTP/1.1 {reply.status} Whatever\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items())
        writer.write(head.encode() + b"\r\n" + data)
        await writer.drain()
        return True

    def _do(self, asked: Asked) -> Reply:  # noqa: PLR0911 - one line for each thing a service has
        key = (asked.method, asked.path)
        if key == ("GET", ROOT):
            return Reply(body=self._root())
        if key == ("POST", SESSIONS) and self.has_sessions:
            return self._login(asked.body)
        if not self._known(asked.headers):
            return Reply(status=401, body=extended("NoValidSession", "There is no valid session."))
        if asked.method == "DELETE" and self.tokens.pop(asked.path, ""):
            return Reply(status=204)
        if key == ("GET", SYSTEMS):
            return Reply(body={"Members": [{"@odata.id": self.path(one)} for one in self.systems]})
        for one, system in self.systems.items():
            if key == ("GET", self.path(one)):
                return Reply(body=system, headers={"ETag": self.etag} if self.etag else {})
            if key == ("PATCH", self.path(one)):
                return self._patch(system, asked)
            if key == self.reset(one):
                return self._reset(one, asked.body)
        return Reply(status=404, body=extended("ResourceMissingAtURI", "The resource was not found."))

    def _root(self) -> dict[str, Any]:
        links = {"Links": {"Sessions": {"@odata.id": SESSIONS}}} if self.has_sessions else {}
        return {"Systems": {"@odata.id": SYSTEMS}, **links}

    def _login(self, body: Any) -> Reply:
        if body != {"UserName": self._user, "Password": self.password}:
            # Some services repeat what they were sent: the driver must not pass it on.
            return Reply(status=401, body=extended("NoValidSession", f"Wrong: {body['Password']}"))
        path = f"{SESSIONS}/{len(self.asked)}"
        self.tokens[path] = f"token-{len(self.asked)}-{self._user}"
        return Reply(
            status=201, body={"@odata.id": path}, headers={"X-Auth-Token": self.tokens[path], "Location": path}
        )

    def _known(self, headers: Mapping[str, str]) -> bool:
        basic = base64.b64encode(f"{self._user}:{self.password}".encode()).decode()
        return headers.get("x-auth-token") in self.tokens.values() or headers.get("authorization") == f"Basic {basic}"

    def _patch(self, system: dict[str, Any], asked: Asked) -> Reply:
        if self.etag and asked.headers.get("if-match") not in (self.etag, "*"):
            status = 412 if "if-match" in asked.headers else 428
            return Reply(status=status, body=extended("PreconditionFailed", "The tag is not the resource's."))
        self.changes.append((asked.path, asked.body))
        system.update(asked.body)
        return Reply(status=200, body=system)

    def _reset(self, one: str, body: Any) -> Reply:
        kind = body["ResetType"]
        self.changes.append((self.path(one), kind))
        if kind in ("ForceOff", "On", "ForceOn"):
            self.truth[one] = kind != "ForceOff"
            self.systems[one]["PowerState"] = "On" if self.truth[one] else "Off"
        return Reply(status=204)


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    data = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first.split(" ")
    return Asked(method, path, headers, json.loads(data) if data else None)


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()
