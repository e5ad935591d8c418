"""Answers that come twice, late, or are played again: the next question never gets the answer to an earlier one."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from controller.domain.model import Host
from controller.domain.reasons import Reason
from controller.probing.agents import HttpAgents
from controller.probing.base import Question
from shared.enums import Reach
from shared.protocol import SIGNATURE_HEADER, sign
from tests.fixtures import builders as a

TOKEN = "token-of-h1"


@dataclass
class Recorder:
    """A server between an agent and its controller: it sees all answers and chooses which bytes go out."""

    choose: Callable[[list[bytes]], bytes]
    """From all honest answers so far, the newest last, to what is sent now."""
    honest: list[bytes] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
                request = json.loads(await reader.readexactly(length))
                self.honest.append(an_answer(request, number=len(self.honest)))
                writer.write(self.choose(self.honest))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def an_answer(request: dict[str, Any], *, number: int) -> bytes:
    fields = {
        "protocol": 1,
        "nonce": request["nonce"],
        "host_id": "h1",
        "boot_id": f"answer {number}",
        "agent_version": "1",
        "took_s": 0.1,
        "pools": [],
        "readings": [],
        "reach": [{"outcome": "no_answer"}],
    }
    body = json.dumps(fields).encode()
    head = f"HTTP/1.1 200 OK\r\n{SIGNATURE_HEADER}: {sign(TOKEN, request['nonce'], body)}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def a_host(recorder: Recorder) -> AsyncIterator[Host]:
    server = await asyncio.start_server(recorder.handle, "127.0.0.1", 0)
    async with server:
        yield a.host(address="127.0.0.1", agent_port=server.sockets[0].getsockname()[1], agent_token=TOKEN)


@pytest.fixture
async def client() -> AsyncIterator[HttpAgents]:
    made = HttpAgents()
    yield made
    await made.aclose()


async def test_an_answer_that_comes_twice_is_no_answer_to_the_next_question(client: HttpAgents) -> None:
    async with a_host(Recorder(lambda honest: honest[-1] * 2)) as host:
        boots: list[str] = []
        for number in range(4):
            report = await client.ask(host, Question(subject=host, paths=(), pool_roots=()), deadline_s=2.0)
            assert report.failure is not None or report.boot_id == f"answer {number}"
            boots += [report.boot_id] * (report.failure is None)
        assert len(boots) > 1, "and it is not deaf ever after"


async def test_every_answer_one_question_late_is_none(client: HttpAgents) -> None:
    async with a_host(Recorder(lambda honest: honest[-2] if len(honest) > 1 else honest[-1])) as host:
        question = Question(subject=host, paths=(), pool_roots=())
        assert (await client.ask(host, question, deadline_s=2.0)).failure is None
        for _ in range(3):
            late = await client.ask(host, question, deadline_s=2.0)
            assert (late.failure, late.reach) == (Reason.WITNESS_INCOMPATIBLE, Reach.UNKNOWN)


async def test_a_recorded_answer_played_again_is_none_whatever_was_asked(client: HttpAgents) -> None:
    async with a_host(Recorder(lambda honest: honest[0])) as host:
        question = Question(subject=host, paths=(), pool_roots=())
        assert (await client.ask(host, question, deadline_s=2.0)).failure is None
        assert (await client.ask(host, question, deadline_s=2.0)).failure is Reason.WITNESS_INCOMPATIBLE
        assert not (await client.watch(host, deadline_s=2.0)).answered
