"""How the controller asks agents that have enrolled: over TLS, each by its own certificate, and never in plain again.

Whatever goes wrong after the connection was taken, a kernel lives there: it is no silence (rule 3).
"""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.domain.enrolment import Authority
from controller.domain.model import Host
from controller.domain.reasons import Reason
from controller.probing.agents import HttpAgents
from controller.probing.base import Question
from controller.probing.clients import RETIRED_FOR_S
from controller.probing.tls import RENEWED_AFTER_S, NoTrustError, SecureClients
from shared.enums import Reach
from tests.fixtures import builders as a
from tests.fixtures.agents import AgentFactory, AgentProcess, agents, eventually, free_port, pool
from tests.fixtures.certificates import Identity, an_authority
from tests.integration.test_agents_client import watch_answer

__all__ = ["agents", "pool"]

DEADLINE_S = 1.0
LATEST_S = DEADLINE_S + 1
Break = Callable[[socket.socket], None]


@pytest.fixture
def authority() -> Authority:
    return an_authority()


def asking(authority: Authority | None, *, step: timedelta = timedelta()) -> HttpAgents:
    async def read() -> tuple[Authority | None, datetime]:
        return authority, datetime.now(UTC) + step

    return HttpAgents(secure=SecureClients(read, limit=4))


@pytest.fixture
async def client(authority: Authority) -> AsyncIterator[HttpAgents]:
    made = asking(authority)
    yield made
    await made.aclose()


def enrolled(agents: AgentFactory, name: str, pool: Path, authority: Authority, folder: Path) -> AgentProcess:
    agent = agents(name, pools=[pool])
    agent.extra = Identity(folder / name, authority, agent.host_id).settings
    agent.start_serve(wait=False)
    eventually(lambda: takes_connections(agent.port))
    return agent


def takes_connections(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def as_host(agent: AgentProcess, **changes: Any) -> Host:
    fields = {"address": agent.address, "agent_port": agent.port, "agent_token": agent.token, "agent_tls": True}
    return a.host(agent.host_id, **fields | changes)


def host_at(port: int, **changes: Any) -> Host:
    return a.host(**{"address": "127.0.0.1", "agent_port": port, "agent_tls": True, **changes})


def about(subject: Host) -> Question:
    return Question(subject=subject, paths=(), pool_roots=())


# -- agents that have enrolled


async def test_an_enrolled_agent_answers_and_sees_its_enrolled_neighbor(
    client: HttpAgents, authority: Authority, agents: AgentFactory, pool: Path, tmp_path: Path
) -> None:
    witness = enrolled(agents, "b", pool, authority, tmp_path)
    subject = enrolled(agents, "a", pool, authority, tmp_path)
    seen = await client.watch(as_host(witness), deadline_s=5)
    assert (seen.reach, seen.boot_id) == (Reach.AGENT_ANSWERED, witness.boot_id), seen.detail
    report = await client.ask(as_host(witness), about(as_host(subject)), deadline_s=5)
    assert (report.failure, report.reach) == (None, Reach.AGENT_ANSWERED), report.detail
    moved = as_host(subject, id="somebody-else")
    assert (await client.ask(as_host(witness), about(moved), deadline_s=5)).reach is Reach.KERNEL_ANSWERS


@pytest.mark.parametrize("days", [-1, 1])
async def test_a_controller_whose_clock_is_a_day_off_is_still_trusted(
    authority: Authority, agents: AgentFactory, pool: Path, tmp_path: Path, days: int
) -> None:
    agent = enrolled(agents, "a", pool, authority, tmp_path)
    client = asking(authority, step=timedelta(days=days))
    assert (await client.watch(as_host(agent), deadline_s=5)).answered
    await client.aclose()


async def test_nobody_without_a_certificate_learns_anything(
    authority: Authority, agents: AgentFactory, pool: Path, tmp_path: Path
) -> None:
    agent = enrolled(agents, "a", pool, authority, tmp_path)
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    foreign = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    foreign.check_hostname, foreign.verify_mode = False, ssl.CERT_NONE
    other = Identity(tmp_path / "other", an_authority(), agent.host_id)
    foreign.load_cert_chain(other.certificate_file, other.key_file)
    assert b"boot_id" not in await _health(agent.port, None)
    assert b"boot_id" not in await _health(agent.port, bare)
    assert b"boot_id" not in await _health(agent.port, foreign)


async def test_a_controller_with_another_authority_gets_no_answer_but_life(
    agents: AgentFactory, authority: Authority, pool: Path, tmp_path: Path
) -> None:
    agent = enrolled(agents, "a", pool, authority, tmp_path)
    client = asking(an_authority())
    assert (await client.watch(as_host(agent), deadline_s=DEADLINE_S)).reach is Reach.KERNEL_ANSWERS
    await client.aclose()


async def _health(port: int, context: ssl.SSLContext | None) -> bytes:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        with closing(writer):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return await reader.read()
    return b""


# -- what is not this host's agent


def silent(taken: socket.socket) -> None:
    del taken


def reset(taken: socket.socket) -> None:
    taken.recv(10)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    taken.close()


def hang_up(taken: socket.socket) -> None:
    taken.close()


def half_a_hello(taken: socket.socket) -> None:
    taken.recv(2000)
    taken.sendall(b"\x16\x03\x03\x00\x7a\x02")


def plain_http(taken: socket.socket) -> None:
    taken.recv(2000)
    taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def alert(taken: socket.socket) -> None:
    taken.recv(2000)
    taken.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


@pytest.mark.parametrize("breaking", [silent, reset, hang_up, half_a_hello, plain_http, alert])
async def test_a_handshake_that_fails_is_a_living_kernel(client: HttpAgents, breaking: Break) -> None:
    with a_socket(breaking) as port:
        host = host_at(port)
        for _ in range(2):
            began = time.monotonic()
            seen = await client.watch(host, deadline_s=DEADLINE_S)
            assert time.monotonic() - began < LATEST_S
            assert seen.reach is Reach.KERNEL_ANSWERS, seen.detail
            assert "took the connection" in seen.detail
        report = await client.ask(host, about(host), deadline_s=DEADLINE_S)
        assert report.failure in (Reason.WITNESS_SILENT, Reason.WITNESS_INCOMPATIBLE)


IMPOSTORS: dict[str, Callable[[Path, Authority], Identity]] = {
    "another authority": lambda folder, _: Identity(folder, an_authority(), "h1"),
    "the key of another host": lambda folder, authority: Identity(folder, authority, "h2"),
    "an expired certificate": lambda folder, authority: Identity(
        folder, authority, "h1", now=datetime.now(UTC) - timedelta(days=366)
    ),
    "a certificate of next month": lambda folder, authority: Identity(
        folder, authority, "h1", now=datetime.now(UTC) + timedelta(days=30)
    ),
}


@pytest.mark.parametrize("case", IMPOSTORS)
async def test_who_shows_a_wrong_certificate_lives_and_never_hears_the_hosts_secret(
    client: HttpAgents, authority: Authority, tmp_path: Path, case: str
) -> None:
    async with a_server(IMPOSTORS[case](tmp_path, authority)) as (port, heard):
        host = host_at(port)
        seen = await client.watch(host, deadline_s=DEADLINE_S)
        report = await client.ask(host, about(host), deadline_s=DEADLINE_S)
    assert seen.reach is Reach.KERNEL_ANSWERS, seen.detail
    assert report.failure is Reason.WITNESS_INCOMPATIBLE, report.detail
    assert heard == []


async def test_the_right_certificate_passes(client: HttpAgents, authority: Authority, tmp_path: Path) -> None:
    """The measure for the wrong ones: each of them differs from this in one thing."""
    async with a_server(Identity(tmp_path, authority, "h1")) as (port, heard):
        assert (await client.watch(host_at(port), deadline_s=DEADLINE_S)).answered
    assert heard == ["token-of-h1"]


async def test_a_connection_to_one_host_is_not_used_for_another_at_its_address(
    client: HttpAgents, authority: Authority, tmp_path: Path
) -> None:
    async with a_server(Identity(tmp_path, authority, "h1")) as (port, heard):
        assert (await client.watch(host_at(port), deadline_s=DEADLINE_S)).answered
        moved = host_at(port, id="h2", agent_token="token-of-h2")
        assert (await client.watch(moved, deadline_s=DEADLINE_S)).reach is Reach.KERNEL_ANSWERS
        assert (await client.watch(host_at(port), deadline_s=DEADLINE_S)).answered
    assert heard == ["token-of-h1", "token-of-h1"]


# -- silence stays silence


async def test_only_a_black_hole_is_no_answer(client: HttpAgents) -> None:
    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler.connect(listener.getsockname())
        host = host_at(listener.getsockname()[1])
        assert (await client.watch(host, deadline_s=DEADLINE_S)).reach is Reach.NO_ANSWER


async def test_a_refusal_is_a_living_kernel(client: HttpAgents) -> None:
    assert (await client.watch(host_at(free_port()), deadline_s=DEADLINE_S)).reach is Reach.KERNEL_ANSWERS


async def test_a_kept_connection_to_a_host_that_died_shows_no_life(
    client: HttpAgents, authority: Authority, tmp_path: Path
) -> None:
    """It was accepted once; only what is accepted during the question proves a living kernel."""
    identity = Identity(tmp_path, authority, "h1")
    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        host = host_at(listener.getsockname()[1])
        answered = asyncio.get_running_loop().run_in_executor(None, _answer_once, listener, identity)
        assert (await client.watch(host, deadline_s=5)).answered
        with closing(await answered):
            filler.connect(listener.getsockname())
            assert (await client.watch(host, deadline_s=DEADLINE_S)).reach is Reach.UNKNOWN
            assert (await client.watch(host, deadline_s=DEADLINE_S)).reach is Reach.NO_ANSWER


def _answer_once(listener: socket.socket, identity: Identity) -> ssl.SSLSocket:
    taken = _context_of(identity).wrap_socket(listener.accept()[0], server_side=True)
    received = b""
    while not received.endswith(b"}"):
        received += taken.recv(4096)
    taken.sendall(watch_answer(json.loads(received.partition(b"\r\n\r\n")[2])))
    return taken


# -- what the controller itself lacks


async def test_an_enrolled_host_is_never_asked_in_plain() -> None:
    with a_socket(lambda taken: pytest.fail(str(taken.recv(2000)))) as port:
        for client in (HttpAgents(), asking(None)):
            seen = await client.watch(host_at(port), deadline_s=DEADLINE_S)
            assert seen.reach is Reach.UNKNOWN
            assert "enrolled" in seen.detail
            await client.aclose()


async def test_an_authority_that_cannot_be_read_tells_nothing_about_the_host(authority: Authority) -> None:
    broken = True

    async def read() -> tuple[Authority | None, datetime]:
        if broken:
            raise NoTrustError("the database is away")
        return authority, datetime.now(UTC)

    client = HttpAgents(secure=SecureClients(read, limit=4))
    host = host_at(free_port())
    assert (await client.watch(host, deadline_s=DEADLINE_S)).reach is Reach.UNKNOWN
    assert (await client.ask(host, about(host), deadline_s=DEADLINE_S)).failure is Reason.WITNESS_SILENT
    broken = False
    assert (await client.watch(host, deadline_s=DEADLINE_S)).reach is Reach.KERNEL_ANSWERS
    await client.aclose()


async def test_a_database_that_hangs_is_waited_for_no_longer_than_the_deadline() -> None:
    async def read() -> tuple[Authority | None, datetime]:
        await asyncio.sleep(60)
        raise AssertionError

    client = HttpAgents(secure=SecureClients(read, limit=4))
    began = time.monotonic()
    assert (await client.watch(host_at(free_port()), deadline_s=DEADLINE_S)).reach is Reach.UNKNOWN
    assert time.monotonic() - began < LATEST_S
    await client.aclose()


async def test_the_controllers_certificate_is_made_anew_long_before_it_ends(authority: Authority) -> None:
    now, reads = 0.0, 0

    async def read() -> tuple[Authority | None, datetime]:
        nonlocal reads
        reads += 1
        return authority, datetime.now(UTC)

    clients = SecureClients(read, limit=4, monotonic=lambda: now)
    first = await clients.client_for(host_at(1))
    assert await clients.client_for(host_at(1)) is first
    assert reads == 1
    now += RENEWED_AFTER_S
    second = await clients.client_for(host_at(1))
    assert (second is first, reads) == (False, 2)
    assert not is_closed(first), "somebody may be in the middle of an answer"
    now += RETIRED_FOR_S + 1
    assert await clients.client_for(host_at(1)) is second
    assert is_closed(first)
    await clients.aclose()
    assert is_closed(second)


def is_closed(client: httpx.AsyncClient) -> bool:
    return client.is_closed


# -- servers


@contextlib.contextmanager
def a_socket(taking: Break) -> Iterator[int]:
    """Takes every connection, does that to it, and keeps it open unless that closed it."""
    kept: list[socket.socket] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken, _ = listener.accept()
                    kept.append(taken)
                    taking(taken)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for taken in kept:
            taken.close()


@asynccontextmanager
async def a_server(identity: Identity) -> AsyncIterator[tuple[int, list[str]]]:
    """An agent of host h1, as far as its certificate goes; and the bearer tokens it heard."""
    heard: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), closing(writer):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                heard.append(head.partition(b"bearer ")[2].partition(b"\r\n")[0].decode())
                length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                writer.write(watch_answer(json.loads(await reader.readexactly(length))))
                await writer.drain()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=_context_of(identity))
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()


def _context_of(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate_file, identity.key_file)
    return context
