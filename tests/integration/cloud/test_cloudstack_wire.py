"""The client against servers that no CloudStack is: drips, floods, nonsense, other people's TLS. No secret gets out."""

import asyncio
import gzip
import json
import logging
import socket
import ssl
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from controller.cloud.cloudstack.answers import BODY_LIMIT
from controller.cloud.cloudstack.client import CloudStackClient
from controller.cloud.cloudstack.errors import CloudStackError, ErrorKind
from controller.cloud.cloudstack.signing import encoded
from tests.fixtures.agents import free_port
from tests.fixtures.authority import Authority
from tests.fixtures.mail_server import silent_server

KEY, SECRET = "Key-Of+the/test", "Secret-Of+the/test="
EMPTY = b'{"listhostsresponse":{}}'
Make = Callable[..., CloudStackClient]
Say = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


def reply(body: bytes = EMPTY, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Server:
    """Answers every request by `say(writer, request)`; keeps connections."""

    def __init__(self, say: Say | bytes) -> None:
        self._say = say
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[Any] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        self._tasks.append(asyncio.current_task())
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
                )
                request = head + await reader.readexactly(length)
                self.requests.append(request)
                if isinstance(self._say, bytes):
                    writer.write(self._say)
                else:
                    await self._say(writer, request)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self, context: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator["Server"]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.gather(*self._tasks)


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
async def make(pauses: list[float]) -> AsyncIterator[Make]:
    made: list[CloudStackClient] = []

    async def no_waiting(seconds: float) -> None:
        pauses.append(seconds)

    def one(port: int, scheme: str = "http", **changes: Any) -> CloudStackClient:
        given = {"key": KEY, "secret": SECRET, "sleep": no_waiting, **changes}
        made.append(CloudStackClient(f"{scheme}://127.0.0.1:{port}/client/api", **given))
        return made[-1]

    yield one
    for client in made:
        await client.aclose()


async def error_of(client: CloudStackClient, command: str = "listHosts", **given: Any) -> CloudStackError:
    with pytest.raises(CloudStackError) as caught:
        await client.call(command, **given)
    return caught.value


# -- time and size -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["head", "body"])
async def test_a_slow_drip_ends_with_the_deadline(make: Make, part: str) -> None:
    async def drip(writer: asyncio.StreamWriter, request: bytes) -> None:
        del request
        answer = reply(b" " * 10_000)
        if part == "body":
            writer.write(answer[:-10_000])
            answer = answer[-10_000:]
        for letter in answer:
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with Server(drip).running() as server:
        began = time.monotonic()
        error = await error_of(make(server.port), deadline_s=0.4)
    assert time.monotonic() - began < 2
    assert (error.kind, error.sent, error.said) == (ErrorKind.UNREACHABLE, True, "no whole answer by the deadline")
    assert isinstance(error.__cause__, TimeoutError)


async def test_an_answer_without_end_is_not_read_to_its_end(make: Make, pauses: list[float]) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter, request: bytes) -> None:
        nonlocal sent
        del request
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while sent < 1_000_000_000:
            writer.write(b" " * (1 << 20))
            await writer.drain()
            sent += 1 << 20

    async with Server(flood).running() as server:
        error = await error_of(make(server.port), deadline_s=30)
    assert (error.kind, error.said) == (ErrorKind.MALFORMED, "the answer is larger than 32 MiB")
    assert sent < 3 * BODY_LIMIT
    assert pauses == []


async def test_a_packed_answer_is_unpacked(make: Make) -> None:
    body = json.dumps({"listhostsresponse": {"count": 1, "host": [{"id": "a"}]}}).encode()
    async with Server(reply(gzip.compress(body), "200 OK", "Content-Encoding: gzip")).running() as server:
        assert await make(server.port).list("listHosts") == [{"id": "a"}]


async def test_an_answer_that_swells_is_not_unpacked(make: Make) -> None:
    bomb = gzip.compress(b" " * (BODY_LIMIT + 10))
    assert len(bomb) < 1 << 20
    async with Server(reply(bomb, "200 OK", "Content-Encoding: gzip")).running() as server:
        error = await error_of(make(server.port), deadline_s=30)
    assert error.said == "the answer is larger than 32 MiB"


async def test_only_so_many_requests_run(make: Make) -> None:
    running = most = 0

    async def slowly(writer: asyncio.StreamWriter, request: bytes) -> None:
        nonlocal running, most
        del request
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        writer.write(reply())

    async with Server(slowly).running() as server:
        client = make(server.port, at_once=3)
        await asyncio.gather(*(client.call("listHosts") for _ in range(12)))
        assert most == 3
        assert server.connections == 3  # kept and used again


async def test_a_long_list_leaves_turns_to_others(make: Make) -> None:
    running = most = 0

    async def page(writer: asyncio.StreamWriter, request: bytes) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        number = int(request.partition(b"&page=")[2].partition(b"&")[0])
        rows = [{"id": f"{number}-{row}"} for row in range(500)]
        writer.write(reply(json.dumps({"listhostsresponse": {"count": 5000, "host": rows}}).encode()))

    async with Server(page).running() as server:
        assert len(await make(server.port, at_once=4).list("listHosts")) == 5000
    assert most == 2


async def test_a_call_that_gets_no_turn_was_not_sent(make: Make) -> None:
    async with silent_server() as port:
        client = make(port, at_once=1)
        first = asyncio.create_task(client.call("listHosts", deadline_s=1))
        await asyncio.sleep(0.1)
        error = await error_of(client, "updateHost", deadline_s=0.1)
        assert (error.sent, error.said) == (False, "other calls left no turn by the deadline")
        with pytest.raises(CloudStackError, match="no whole answer"):
            await first


# -- what is said ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        b"\xff\xfe\x00",
        b"[1]",
        b"{}",
        b'{"listhostsresponse":[]}',
        b'{"listhosts":{}}',
        b'{"a":{},"bresponse":{}}',
        b"[" * 100_000,
        b"<html>" + b"x" * 5000,
    ],
)
async def test_what_cloudstack_would_not_say_is_malformed(make: Make, body: bytes) -> None:
    async with Server(reply(body)).running() as server:
        error = await error_of(make(server.port))
    assert (error.kind, error.status, error.code) == (ErrorKind.MALFORMED, 200, None)
    assert len(error.said) <= 300
    assert error.said.isprintable()


@pytest.mark.parametrize(
    "body", [b"\x1f\x8b garbage", gzip.compress(EMPTY, mtime=0)[:-12]], ids=["garbage", "cut short"]
)
async def test_an_answer_packed_badly_is_malformed(make: Make, body: bytes) -> None:
    async with Server(reply(body, "200 OK", "Content-Encoding: gzip")).running() as server:
        assert (await error_of(make(server.port))).kind is ErrorKind.MALFORMED


async def test_an_error_in_a_good_status_is_an_error(make: Make) -> None:
    body = b'{"listhostsresponse":{"errorcode":"431","cserrorcode":4350,"errortext":"no"}}'
    async with Server(reply(body)).running() as server:
        error = await error_of(make(server.port))
    assert (error.kind, error.code, error.detail_code) == (ErrorKind.REJECTED, 431, 4350)


async def test_a_proxys_limit_is_a_limit(make: Make, pauses: list[float]) -> None:
    async with Server(reply(b"<html>slow down</html>", "429 Too Many", "Retry-After: 3")).running() as server:
        error = await error_of(make(server.port))
    assert (error.kind, error.wait_s) == (ErrorKind.LIMITED, 3.0)
    assert pauses[:2] == [3.0, 3.0]


async def test_a_redirect_is_not_followed(make: Make, pauses: list[float]) -> None:
    async with Server(reply()).running() as other:
        away = f"Location: http://127.0.0.1:{other.port}/client/api"
        async with Server(reply(b"", "307 Temporary Redirect", away)).running() as server:
            error = await error_of(make(server.port))
    assert (error.kind, error.status) == (ErrorKind.MALFORMED, 307)
    assert "not followed" in error.said
    assert other.requests == []
    assert pauses == []


async def test_the_form_says_how_its_letters_are_written(make: Make) -> None:
    # Old Tomcats take a form for ISO 8859-1 otherwise, and compute another signature.
    async with Server(reply()).running() as server:
        await make(server.port).call("listHosts", name="Zürich")
    head, _, form = server.requests[0].partition(b"\r\n\r\n")
    assert b"content-type: application/x-www-form-urlencoded; charset=utf-8" in head.lower()
    assert b"&name=Z%C3%BCrich&" in form


async def test_no_cookie_is_kept(make: Make) -> None:
    async with Server(reply(EMPTY, "200 OK", "Set-Cookie: JSESSIONID=abc; Path=/")).running() as server:
        client = make(server.port)
        await client.call("listHosts")
        await client.call("listHosts")
    assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_the_environment_changes_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with Server(reply()).running() as server:
        assert await make(server.port).call("listHosts") == {}


# -- connections -------------------------------------------------------------------------------------------------------


async def test_a_change_is_tried_again_only_if_no_connection_was_made(make: Make) -> None:
    """The management server comes up during the first pause."""
    port = free_port()
    server = Server(reply(b'{"updatehostresponse":{}}'))
    running = server.running(port=port)

    async def start_it(_: float) -> None:
        await running.__aenter__()

    try:
        assert await make(port, sleep=start_it).call("updateHost", id="x") == {}
        assert len(server.requests) == 1
    finally:
        await running.__aexit__(None, None, None)


async def test_nobody_there(make: Make, pauses: list[float]) -> None:
    error = await error_of(make(free_port()), "updateHost")
    assert (error.kind, error.sent, error.status) == (ErrorKind.UNREACHABLE, False, None)
    assert "refused" in error.said
    assert error.__cause__ is not None
    assert len(pauses) == 4


async def test_a_host_that_takes_no_connection(make: Make) -> None:
    with closing(socket.socket()) as listener, closing(socket.socket()) as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler.connect(listener.getsockname())
        error = await error_of(make(listener.getsockname()[1]), "updateHost", deadline_s=0.3)
    assert (error.kind, error.sent) == (ErrorKind.UNREACHABLE, False)


async def test_a_name_that_no_resolver_takes() -> None:
    client = CloudStackClient(f"http://{'a' * 70}.invalid/client/api", key=KEY, secret=SECRET)
    error = await error_of(client, "updateHost", deadline_s=0.2)
    assert (error.kind, error.sent) == (ErrorKind.UNREACHABLE, False)
    await client.aclose()


async def test_a_connection_that_ends_before_the_answer(make: Make) -> None:
    async def hang_up(writer: asyncio.StreamWriter, request: bytes) -> None:
        del request
        writer.close()

    async with Server(hang_up).running() as server:
        error = await error_of(make(server.port), "updateHost")
    assert (error.kind, error.sent) == (ErrorKind.UNREACHABLE, True)
    assert len(server.requests) == 1


# -- TLS ---------------------------------------------------------------------------------------------------------------


async def test_an_authority_in_a_file_is_trusted(make: Make, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    file = tmp_path / "ca.pem"
    file.write_text(authority.pem)
    async with Server(reply()).running(authority.server_context()) as server:
        assert await make(server.port, "https", verify=str(file)).call("listHosts") == {}


async def test_the_servers_own_certificate_can_be_trusted(make: Make, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context()
    async with Server(reply()).running(context) as server:
        client = make(server.port, "https", verify=str(tmp_path / "server.pem"))
        assert await client.call("listHosts") == {}


async def test_a_stranger_is_not_trusted_and_not_asked_again(make: Make, tmp_path: Path, pauses: list[float]) -> None:
    async with Server(reply()).running(Authority(tmp_path).server_context()) as server:
        error = await error_of(make(server.port, "https"))
        assert (error.kind, error.sent) == (ErrorKind.UNREACHABLE, False)
        assert error.said.startswith("certificate verify failed")
        assert pauses == []
        assert await make(server.port, "https", verify=False).call("listHosts") == {}


async def test_a_plain_server_behind_an_https_address(make: Make) -> None:
    async with Server(reply()).running() as server:
        error = await error_of(make(server.port, "https", verify=False), deadline_s=0.5)
    assert (error.kind, error.sent) == (ErrorKind.UNREACHABLE, False)


async def test_a_handshake_that_hangs_leaves_nothing_behind(make: Make) -> None:
    # A socket left open is a warning when it is collected, and warnings are errors.
    async with silent_server() as port:
        error = await error_of(make(port, "https"), "updateHost", deadline_s=0.3)
    assert (error.kind, error.sent) == (ErrorKind.UNREACHABLE, False)


# -- secrets -----------------------------------------------------------------------------------------------------------


async def test_no_secret_gets_out(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """An error page that repeats the request, with every library at DEBUG."""
    caplog.set_level(logging.DEBUG)
    seen: list[bytes] = []

    async def echo(writer: asyncio.StreamWriter, request: bytes) -> None:
        body = request.partition(b"\r\n\r\n")[2]
        seen.append(body)
        plain = f"<html>{SECRET} {KEY.lower()} ".encode() + body
        writer.write(reply(plain, "500 Internal", f"X-Description: {KEY}"))

    async with Server(echo).running() as server:
        client = make(server.port)
        error = await error_of(client)
        logging.getLogger("httpx").debug("others may still be heard")
    text = "\n".join(
        [
            *(record.getMessage() for record in caplog.records),
            caplog.text,
            "".join(traceback.format_exception(error)),
            repr(error),
            repr(vars(error)),
            repr(client),
            str(client),
        ]
    ).lower()
    assert len(seen) == 5
    assert "others may still be heard" in text
    signatures = [body.decode().rpartition("signature=")[2] for body in seen]
    for secret in (KEY, SECRET, encoded(KEY), encoded(SECRET), *signatures):
        assert secret.lower() not in text
    assert "***" in error.said


async def test_a_refusal_that_repeats_the_key_does_not(make: Make) -> None:
    body = json.dumps({"listhostsresponse": {"errorcode": 401, "errortext": f"bad apiKey {KEY}, secret {SECRET}"}})
    async with Server(reply(body.encode(), "401 Unauthorized")).running() as server:
        assert (await error_of(make(server.port))).said == "bad apiKey ***, secret ***"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("cloud.example/client/api", "must be like"),
        ("ftp://cloud.example/client/api", "must be like"),
        ("https:///client/api", "must be like"),
        ("https://cloud.example:99999/client/api", "must be like"),
        ("https://cloud.example:x/client/api", "cannot be read"),
        ("https://me:hunter2@cloud.example/client/api", "no user"),
        ("https://cloud.example/client/api?apikey=hunter2", "no query"),
        ("http://cloud.example:8096/client/api", "8096"),
    ],
)
def test_an_address_that_cannot_work(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        CloudStackClient(url, key=KEY, secret=SECRET)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "secret"), [("", SECRET), (KEY, ""), (KEY, "with blank"), (KEY, "line\n"), ("ü", SECRET)]
)
def test_a_key_that_cannot_be_one(key: str, secret: str) -> None:
    with pytest.raises(ValueError, match="a key and its secret"):
        CloudStackClient("https://cloud.example/client/api", key=key, secret=secret)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=r"ca\.pem"):
        CloudStackClient("https://cloud.example/client/api", key=KEY, secret=SECRET, verify=str(file))


async def test_an_address_without_a_path_gets_the_usual_one() -> None:
    async with Server(reply()).running() as server:
        client = CloudStackClient(f"http://127.0.0.1:{server.port}", key=KEY, secret=SECRET)
        await client.call("listHosts")
        await client.aclose()
    assert server.requests[0].startswith(b"POST /client/api HTTP/1.1\r\n")
