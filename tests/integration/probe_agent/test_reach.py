"""What a witness says about an address: only a time-out is silence."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from probe_agent.reach import try_all, try_one
from shared.enums import Reach
from shared.protocol import ReachResult, ReachTarget
from tests.fixtures.agents import AgentFactory, free_port


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


async def test_all_targets_share_the_time(black_hole: int) -> None:
    targets = [ReachTarget(address="127.0.0.1", port=black_hole)] * 8
    begun = asyncio.get_running_loop().time()
    results = await try_all(targets, within_s=0.5)
    assert asyncio.get_running_loop().time() - begun < 1.0
    assert {result.outcome for result in results} == {Reach.NO_ANSWER}
