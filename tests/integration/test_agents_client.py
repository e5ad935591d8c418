"""How the controller asks agents: real agents, dead ones, and servers that answer what no agent would.

Whatever happens, the answer is a value, comes in time, and is a silence only where nothing at all answered (rule 3).
"""

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from controller.domain.model import Host
from controller.domain.reasons import Reason
from controller.probing.agents import HttpAgents
from controller.probing.base import Question
from shared.enums import Reach, ReadingCode
from shared.protocol import SIGNATURE_HEADER, sign
from tests.fixtures import builders as a
from tests.fixtures.agents import AgentFactory, AgentProcess, agents, eventually, free_port, pool

__all__ = ["agents", "pool"]

DEADLINE_S = 1.0
LATEST_S = DEADLINE_S + 1

Answering = Callable[[dict[str, Any]], bytes]
"""From the request's JSON to the whole HTTP answer."""


@pytest.fixture
async def client() -> AsyncIterator[HttpAgents]:
    made = HttpAgents()
    yield made
    await made.aclose()


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A full backlog: further connects get no answer, as from a host without power."""
    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler.connect(listener.getsockname())
        yield int(listener.getsockname()[1])


def as_host(agent: AgentProcess, **changes: Any) -> Host:
    fields = {"address": agent.address, "agent_port": agent.port, "agent_token": agent.token, **changes}
    return a.host(agent.host_id, **fields)


def host_at(port: int, **changes: Any) -> Host:
    return a.host(**{"address": "127.0.0.1", "agent_port": port, **changes})


def about(subject: Host, *, paths: tuple[str, ...] = (), roots: tuple[str, ...] = ()) -> Question:
    return Question(subject=subject, paths=paths, pool_roots=roots)


# -- agents that answer


async def test_a_report_is_what_the_witness_saw(client: HttpAgents, agents: AgentFactory, pool: Path) -> None:
    witness, subject = agents("b", pools=[pool]).start(), agents("a", pools=[pool]).start()
    disk = pool / "root.qcow2"
    disk.write_bytes(b"x" * 5000)
    question = about(as_host(subject), paths=(str(disk), str(pool / "gone")), roots=(str(pool),))

    def moved() -> bool:
        others = witness.watch().pools[0].others
        return subject.host_id in others and others[subject.host_id].moved_age_s is not None

    eventually(moved)
    report = await client.ask(as_host(witness), question, deadline_s=5)

    assert (report.witness_id, report.failure, report.boot_id) == (witness.host_id, None, witness.boot_id)
    read, gone = report.readings
    assert read.state is not None
    assert (read.path, read.state.size, read.state.inode) == (str(disk), 5000, disk.stat().st_ino)
    assert read.state.mtime_ns == disk.stat().st_mtime_ns
    assert (gone.path, gone.state, gone.code) == (str(pool / "gone"), None, ReadingCode.MISSING)
    (view,) = report.pools
    assert (view.root, view.code) == (str(pool), None)
    assert view.own is not None
    assert view.own.known
    assert view.subject is not None
    assert view.subject.boot_id == subject.boot_id
    assert view.subject.moved_age is not None
    assert report.reach is Reach.AGENT_ANSWERED
    assert 0 < report.took_s < 5


async def test_a_watch_tells_every_heartbeat(client: HttpAgents, agents: AgentFactory, pool: Path) -> None:
    one, other = agents("a", pools=[pool]).start(), agents("b", pools=[pool]).start()
    eventually(lambda: other.host_id in one.watch().pools[0].others)
    seen = await client.watch(as_host(one), deadline_s=5)
    assert (seen.host_id, seen.reach, seen.boot_id) == (one.host_id, Reach.AGENT_ANSWERED, one.boot_id)
    (shown,) = seen.pools
    assert (shown.root, shown.readable) == (str(pool), True)
    assert shown.own is not None
    assert shown.others[other.host_id].known


async def test_somebody_else_at_the_subjects_address_is_not_its_agent(
    client: HttpAgents, agents: AgentFactory, pool: Path
) -> None:
    witness = agents("b", pools=[pool])
    witness.start_serve()
    moved_in = as_host(witness, id="the-subject")
    report = await client.ask(as_host(witness), about(moved_in), deadline_s=5)
    assert report.reach is Reach.KERNEL_ANSWERS


async def test_a_wrong_token_is_a_failure_and_no_silence(client: HttpAgents, agents: AgentFactory, pool: Path) -> None:
    agent = agents("a", pools=[pool])
    agent.start_serve()
    wrong = as_host(agent, agent_token="somebody-elses")
    report = await client.ask(wrong, about(wrong), deadline_s=DEADLINE_S)
    assert report.failure is Reason.WITNESS_INCOMPATIBLE
    assert "401" in report.detail
    assert (await client.watch(wrong, deadline_s=DEADLINE_S)).reach is Reach.KERNEL_ANSWERS


# -- agents that do not


async def test_where_only_the_agent_died_a_kernel_answers(client: HttpAgents, agents: AgentFactory, pool: Path) -> None:
    agent = agents("a", pools=[pool])
    agent.start_serve()
    assert (await client.watch(as_host(agent), deadline_s=5)).answered
    agent.kill_serve()
    reaches = [(await client.watch(as_host(agent), deadline_s=DEADLINE_S)).reach for _ in range(2)]
    assert Reach.NO_ANSWER not in reaches
    assert reaches[-1] is Reach.KERNEL_ANSWERS
    report = await client.ask(as_host(agent), about(as_host(agent)), deadline_s=DEADLINE_S)
    assert report.failure is Reason.WITNESS_SILENT


async def test_only_a_black_hole_is_no_answer(client: HttpAgents, black_hole: int) -> None:
    host = host_at(black_hole)
    began = time.monotonic()
    assert (await client.watch(host, deadline_s=DEADLINE_S)).reach is Reach.NO_ANSWER
    assert (await client.ask(host, about(host), deadline_s=DEADLINE_S)).failure is Reason.WITNESS_SILENT
    assert time.monotonic() - began < 2 * LATEST_S


async def test_a_hung_agent_is_never_no_answer(client: HttpAgents, agents: AgentFactory, pool: Path) -> None:
    agent = agents("a", pools=[pool])
    agent.start_serve()
    assert agent.serve is not None
    agent.serve.send_signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            began = time.monotonic()
            assert (await client.watch(as_host(agent), deadline_s=DEADLINE_S)).reach is Reach.UNKNOWN
            assert time.monotonic() - began < LATEST_S
    finally:
        agent.serve.send_signal(signal.SIGCONT)


async def test_a_kept_connection_to_a_host_that_died_tells_nothing_at_first(client: HttpAgents) -> None:
    """Its silence may be the connection's; only the next connect shows that nobody is there."""
    listener = socket.socket()
    with closing(listener), socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        host = host_at(listener.getsockname()[1])
        answered = asyncio.get_running_loop().run_in_executor(None, _answer_once, listener)
        assert (await client.watch(host, deadline_s=5)).answered
        with closing(await answered):
            filler.connect(listener.getsockname())
            assert (await client.watch(host, deadline_s=DEADLINE_S)).reach is Reach.UNKNOWN
            assert (await client.watch(host, deadline_s=DEADLINE_S)).reach is Reach.NO_ANSWER


async def test_a_name_that_does_not_resolve_tells_nothing_about_the_host(client: HttpAgents) -> None:
    host = host_at(8441, address="no-such-host.invalid")
    assert (await client.watch(host, deadline_s=5)).reach is Reach.UNKNOWN
    assert (await client.ask(host, about(host), deadline_s=5)).failure is Reason.WITNESS_SILENT


async def test_a_resolver_that_hangs_is_no_silence_of_the_host(
    client: HttpAgents, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hangs)
    began = time.monotonic()
    assert (await client.watch(host_at(8441, address="a.example"), deadline_s=DEADLINE_S)).reach is Reach.UNKNOWN
    assert time.monotonic() - began < LATEST_S


async def test_a_host_can_have_a_name(client: HttpAgents, agents: AgentFactory, pool: Path) -> None:
    agent = agents("a", pools=[pool])
    agent.start_serve()
    assert (await client.watch(as_host(agent, address="localhost"), deadline_s=5)).answered


@pytest.mark.parametrize("changes", [{"address": "not a name"}, {"agent_token": "Schlüssel"}, {"agent_port": 1}])
async def test_a_host_that_cannot_even_be_asked_raises_nothing(client: HttpAgents, changes: dict[str, Any]) -> None:
    host = host_at(free_port(), **changes)
    assert not (await client.watch(host, deadline_s=DEADLINE_S)).answered
    assert (await client.ask(host, about(host), deadline_s=DEADLINE_S)).failure is not None


# -- servers that answer something else


def http(body: bytes, *, status: str = "200 OK", signature: str | None = None) -> bytes:
    signed = f"{SIGNATURE_HEADER}: {signature}\r\n" if signature is not None else ""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{signed}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body


def watch_answer(request: dict[str, Any], *, token: str = "token-of-h1", **changes: Any) -> bytes:  # noqa: S107
    fields = {
        "protocol": 1,
        "nonce": request["nonce"],
        "host_id": "h1",
        "boot_id": "b",
        "agent_version": "1",
        "took_s": 0.1,
        "pools": [],
        "readings": [],
        "reach": [],
        **changes,
    }
    body = json.dumps(fields).encode()
    return http(body, signature=sign(token, request["nonce"], body))


WRONG_ANSWERS: dict[str, tuple[Answering, Reason]] = {
    "signed with another token": (
        lambda request: watch_answer(request, token="token-of-h2"),
        Reason.WITNESS_INCOMPATIBLE,
    ),
    "to another question": (
        lambda request: watch_answer({"nonce": "f" * 32}) if request else b"",
        Reason.WITNESS_INCOMPATIBLE,
    ),
    "signed, but naming another question": (
        lambda request: watch_answer(request, nonce="f" * 32),
        Reason.WITNESS_INCOMPATIBLE,
    ),
    "by another host": (lambda request: watch_answer(request, host_id="h2"), Reason.WITNESS_INCOMPATIBLE),
    "in another protocol": (lambda request: watch_answer(request, protocol=2), Reason.WITNESS_INCOMPATIBLE),
    "not signed": (lambda _: http(b"{}"), Reason.WITNESS_INCOMPATIBLE),
    "signed with letters no digest has": (lambda _: http(b"{}", signature="ünsigniert"), Reason.WITNESS_INCOMPATIBLE),
    "signed garbage": (
        lambda request: http(b"garbage", signature=sign("token-of-h1", request["nonce"], b"garbage")),
        Reason.WITNESS_INCOMPATIBLE,
    ),
    "with half its fields": (lambda request: watch_answer(request, pools=None), Reason.WITNESS_INCOMPATIBLE),
    "HTTP 500": (lambda _: http(b"oops", status="500 Oops"), Reason.WITNESS_SILENT),
    "HTTP 404": (lambda _: http(b"", status="404 Not Found"), Reason.WITNESS_INCOMPATIBLE),
    "a redirect": (lambda _: http(b"", status="302 Found"), Reason.WITNESS_INCOMPATIBLE),
    "no HTTP": (lambda _: b"220 mail.example ESMTP\r\n", Reason.WITNESS_SILENT),
    "half an answer": (lambda request: watch_answer(request)[:-20], Reason.WITNESS_SILENT),
    "nothing, and hangs up": (lambda _: b"", Reason.WITNESS_SILENT),
}


@pytest.mark.parametrize("case", WRONG_ANSWERS)
async def test_a_wrong_answer_is_a_failure_with_its_reason(client: HttpAgents, case: str) -> None:
    answering, reason = WRONG_ANSWERS[case]
    async with a_server(answering) as port:
        host = host_at(port)
        report = await client.ask(host, about(host), deadline_s=DEADLINE_S)
        seen = await client.watch(host, deadline_s=DEADLINE_S)
    assert (report.failure, report.readings, report.pools) == (reason, (), ())
    assert report.detail
    assert seen.reach in (Reach.KERNEL_ANSWERS, Reach.UNKNOWN)
    assert seen.pools == ()


async def test_the_right_answer_passes(client: HttpAgents) -> None:
    """The measure for the wrong ones: each of them differs from this in one thing."""
    async with a_server(watch_answer) as port:
        assert (await client.watch(host_at(port), deadline_s=DEADLINE_S)).answered
        assert (await client.ask(host_at(port), about(host_at(port)), deadline_s=DEADLINE_S)).failure is None


async def test_what_was_not_asked_about_is_dropped(client: HttpAgents) -> None:
    reading = {"path": "/etc/passwd", "status": "ok", "size": 1}
    sight = {"root": "/other", "status": "ok"}
    async with a_server(lambda request: watch_answer(request, readings=[reading], pools=[sight])) as port:
        report = await client.ask(host_at(port), about(host_at(port), paths=("/mnt/p1/d",)), deadline_s=DEADLINE_S)
    assert (report.readings, report.pools, report.reach) == ((), (), Reach.UNKNOWN)


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"])
async def test_a_trickle_ends_at_the_deadline(client: HttpAgents, first: bytes) -> None:
    """Each byte comes in time, the answer never does."""

    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.2)

    async with a_server(watch_answer, after=trickle) as port:
        host = host_at(port)
        for ask in (client.watch(host, deadline_s=DEADLINE_S), client.ask(host, about(host), deadline_s=DEADLINE_S)):
            began = time.monotonic()
            answer = await ask
            assert time.monotonic() - began < LATEST_S
            assert getattr(answer, "failure", None) or getattr(answer, "reach", None) is Reach.UNKNOWN


async def test_an_answer_that_comes_too_late_is_none(client: HttpAgents) -> None:
    async def late(writer: asyncio.StreamWriter) -> None:
        del writer
        await asyncio.sleep(DEADLINE_S * 3)

    async with a_server(watch_answer, after=late) as port:
        began = time.monotonic()
        seen = await client.watch(host_at(port), deadline_s=DEADLINE_S)
        assert time.monotonic() - began < LATEST_S
    assert seen.reach is Reach.UNKNOWN


@asynccontextmanager
async def a_server(
    answering: Answering, *, after: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None
) -> AsyncIterator[int]:
    """Answers each connection once, and hangs up. ``after``: what it does with the request before answering."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            request = json.loads(await reader.readexactly(length))
            if after is not None:
                await after(writer)
            writer.write(answering(request))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def _answer_once(listener: socket.socket) -> socket.socket:
    """Take one connection, answer its request and keep it open: an agent, up to the moment the power goes."""
    taken, _ = listener.accept()
    text = b""
    while b"\r\n\r\n{" not in text or not text.endswith(b"}"):
        text += taken.recv(65536)
    taken.sendall(watch_answer(json.loads(text.partition(b"\r\n\r\n")[2])))
    return taken
