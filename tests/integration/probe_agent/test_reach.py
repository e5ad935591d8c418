"""What a witness says about an address: only a time-out is silence."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.domain.enrolment import Authority
from probe_agent.reach import try_all, try_one
from probe_agent.tls import load_files
from shared.enrolment import server_name
from shared.enums import Reach
from shared.protocol import ReachResult, ReachTarget
from tests.fixtures.agents import AgentFactory, free_port
from tests.fixtures.certificates import Identity, an_authority


@asynccontextmanager
async def a_server(reply: bytes | None) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        if reply is None:
            await reader.read()
        else:
            writer.write(reply)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A full backlog: further connects get no answer, as from a host without power."""
    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler.connect(listener.getsockname())
        yield int(listener.getsockname()[1])


async def reach(port: int, address: str = "127.0.0.1", within_s: float = 2.0) -> ReachResult:
    return await try_one(ReachTarget(address=address, port=port), within_s=within_s)


async def test_an_agent_is_recognised_with_its_boot(agents: AgentFactory, pool: Path) -> None:
    agent = agents("a", pools=[pool])
    agent.start_serve()
    result = await reach(agent.port)
    assert result == ReachResult(outcome=Reach.AGENT_ANSWERED, host_id=agent.host_id, boot_id=agent.boot_id)
    relayed = agent.probe(reach=[ReachTarget(address="127.0.0.1", port=agent.port)])
    assert relayed.reach == [result]


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"220 mail\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b'HTTP/1.1 200 OK\r\n\r\n{"status":"ok"}',
        b'HTTP/1.1 500 Oh\r\n\r\n{"host_id":"a","boot_id":"b"}',
    ],
)
async def test_any_other_answer_means_that_a_kernel_lives(reply: bytes) -> None:
    async with a_server(reply) as port:
        assert (await reach(port)).outcome is Reach.KERNEL_ANSWERS


async def test_an_accept_without_an_answer_means_that_a_kernel_lives() -> None:
    async with a_server(None) as port:
        assert (await reach(port, within_s=0.5)).outcome is Reach.KERNEL_ANSWERS


async def test_a_refusal_means_that_a_kernel_lives() -> None:
    assert (await reach(free_port())).outcome is Reach.KERNEL_ANSWERS


async def test_only_a_time_out_is_silence(black_hole: int) -> None:
    assert (await reach(black_hole, within_s=0.5)).outcome is Reach.NO_ANSWER


@pytest.mark.parametrize("address", ["no-such-host.invalid", "bad..name", "x" * 70 + ".invalid"])
async def test_the_resolvers_trouble_is_unknown(address: str) -> None:
    assert (await reach(1, address, within_s=10)).outcome is Reach.UNKNOWN


async def test_a_name_is_resolved() -> None:
    assert (await reach(free_port(), "localhost")).outcome is Reach.KERNEL_ANSWERS


# -- a host that has enrolled


NAME = server_name("h1")


@pytest.fixture
def authority() -> Authority:
    return an_authority()


@pytest.fixture
def trust(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    """What a witness asks with."""
    return load_files(Identity(tmp_path / "witness", authority, "witness").files)


async def reach_tls(port: int, trust: ssl.SSLContext | None, within_s: float = 2.0) -> Reach:
    target = ReachTarget(address="127.0.0.1", port=port, tls_name=NAME)
    return (await try_one(target, within_s=within_s, trust=trust)).outcome


@asynccontextmanager
async def a_tls_server(identity: Identity) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n{"host_id":"h1","boot_id":"b"}')
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate_file, identity.key_file)
    context.load_verify_locations(identity.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_an_enrolled_agent_is_recognised_by_its_certificate(
    authority: Authority, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    async with a_tls_server(Identity(tmp_path / "a", authority, "h1")) as port:
        assert await reach_tls(port, trust) is Reach.AGENT_ANSWERED
        assert await reach_tls(port, None) is Reach.KERNEL_ANSWERS


async def test_who_shows_another_certificate_is_only_a_kernel(
    authority: Authority, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    other = Identity(tmp_path / "other", authority, "h2")
    expired = Identity(tmp_path / "old", authority, "h1", now=datetime.now(UTC) - timedelta(days=366))
    foreign = Identity(tmp_path / "foreign", an_authority(), "h1")
    for identity in (other, expired, foreign):
        async with a_tls_server(identity) as port:
            assert await reach_tls(port, trust) is Reach.KERNEL_ANSWERS


@pytest.mark.parametrize("reply", [None, b"", b"HTTP/1.1 200 OK\r\n\r\n{}", b"\x15\x03\x03\x00\x02\x02\x28"])
async def test_a_handshake_that_hangs_or_fails_means_that_a_kernel_lives(
    trust: ssl.SSLContext, reply: bytes | None
) -> None:
    async with a_server(reply) as port:
        assert await reach_tls(port, trust, within_s=0.5) is Reach.KERNEL_ANSWERS


async def test_a_plain_agent_is_not_taken_for_an_enrolled_one(trust: ssl.SSLContext) -> None:
    async with a_server(b'HTTP/1.1 200 OK\r\n\r\n{"host_id":"h1","boot_id":"b"}') as port:
        assert (await reach(port)).outcome is Reach.AGENT_ANSWERED
        assert await reach_tls(port, trust) is Reach.KERNEL_ANSWERS
        assert await reach_tls(port, None) is Reach.KERNEL_ANSWERS


async def test_a_reset_in_the_handshake_means_that_a_kernel_lives(trust: ssl.SSLContext) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        assert await reach_tls(server.sockets[0].getsockname()[1], trust) is Reach.KERNEL_ANSWERS


async def test_over_tls_too_only_a_time_out_is_silence(trust: ssl.SSLContext, black_hole: int) -> None:
    assert await reach_tls(black_hole, trust, within_s=0.5) is Reach.NO_ANSWER
    assert await reach_tls(free_port(), trust) is Reach.KERNEL_ANSWERS


async def test_all_targets_share_the_time(black_hole: int) -> None:
    targets = [ReachTarget(address="127.0.0.1", port=black_hole)] * 8
    begun = asyncio.get_running_loop().time()
    results = await try_all(targets, within_s=0.5)
    assert asyncio.get_running_loop().time() - begun < 1.0
    assert {result.outcome for result in results} == {Reach.NO_ANSWER}
