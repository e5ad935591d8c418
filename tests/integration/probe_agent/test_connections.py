"""Connections that ask nothing, from somebody without a token: they cost no honest caller its answer."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvicorn

from probe_agent import connections
from probe_agent.connections import MOST, Connection
from tests.fixtures.agents import AgentFactory, AgentProcess, eventually
from tests.fixtures.fuse import descriptors_of

FILES = 512
"""That the agent may open; fewer than there are silent connections."""


@pytest.fixture
def agent(agents: AgentFactory, pool: Path) -> AgentProcess:
    return agents("b", pools=[pool], launcher=("prlimit", f"--nofile={FILES}")).start()


@pytest.fixture
def crowd(agent: AgentProcess) -> Iterator[list[socket.socket]]:
    """Six hundred who connect and say nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((agent.address, agent.port))) for _ in range(600)]


def test_a_crowd_that_says_nothing_keeps_nobody_out(agent: AgentProcess, crowd: list[socket.socket]) -> None:
    assert len(crowd) > FILES > MOST
    assert agent.serve is not None
    for _ in range(3):
        assert agent.answers()
        (sight,) = agent.watch().pools
        assert sight.code is None
    assert descriptors_of(agent.serve.pid) < FILES
    eventually(lambda: all(pool.own and (pool.own.sampled_age_s or 9) < 1 for pool in agent.watch().pools))
    assert "Too many open files" not in agent.log


# -- one connection, with little patience


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(connections, "REQUEST_WITHIN_S", 0.3)

    async def app(scope: dict[str, str], receive: object, send: object) -> None:
        del receive
        if scope["path"] == "/slow":
            await asyncio.sleep(0.9)
        assert callable(send)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    config = uvicorn.Config(app, port=0, http=Connection, lifespan="off", log_config=None, timeout_keep_alive=60)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


HEAD = b"GET /%s HTTP/1.1\r\nHost: x\r\n"


async def until_ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the connection was ended by the other side."""
    received = b""
    try:
        while chunk := await asyncio.wait_for(reader.read(1000), 5):
            received += chunk
    except ConnectionResetError:
        pass
    return received


async def test_one_that_says_nothing_is_ended(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await until_ended(reader) == b""
    writer.close()


@pytest.mark.parametrize("kept", [False, True])
async def test_one_whose_question_never_gets_whole_is_ended(port: int, *, kept: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if kept:
        writer.write(HEAD % b"" + b"\r\n")
        assert b" 204 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD % b"")
    ended = asyncio.create_task(until_ended(reader))
    while not ended.done():
        writer.write(b"X-More: 1\r\n")
        await asyncio.sleep(0.05)
    assert await ended == b""
    writer.close()


async def test_one_that_waits_for_its_answer_gets_it(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD % b"slow" + b"\r\n")
    assert b" 204 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
