"""Many hosts asked at once, most of them dead: the living ones answer as if they were alone."""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from controller.descriptors import raise_limit
from controller.domain.model import Host
from controller.probing.agents import HttpAgents
from controller.probing.clients import UNUSED_FOR_S, HostClients
from shared.enums import Reach
from tests.fixtures import builders as a
from tests.integration.test_agents_client import watch_answer

DEAD, LIVING = 300, 100
DEADLINE_S = 5.0
"""How long a dead host takes: who waits for one is later than that."""


def hosts(kind: int, number: int, port: int) -> list[Host]:
    """Each with an address of its own, all answered for by the one socket that listens on every address."""
    return [
        a.host(f"h{kind}-{n}", address=f"127.{kind}.{n // 250}.{n % 250 + 1}", agent_port=port) for n in range(number)
    ]


@pytest.fixture
def dead() -> Iterator[list[Host]]:
    """A full backlog: further connects get no answer, as from hosts without power."""
    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("0.0.0.0", 0))  # noqa: S104 - only loopback addresses are asked
        listener.listen(0)
        port = int(listener.getsockname()[1])
        filler.connect(("127.0.0.1", port))
        yield hosts(1, DEAD, port)


@pytest.fixture
async def living() -> AsyncIterator[list[Host]]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                token = head.partition(b"Bearer ")[2].partition(b"\r\n")[0].decode()
                request = json.loads(await reader.readexactly(length))
                host_id = token.removeprefix("token-of-")
                writer.write(watch_answer(request, token=token, host_id=host_id))
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(handle, "0.0.0.0", 0, family=socket.AF_INET, backlog=LIVING)  # noqa: S104
    yield hosts(2, LIVING, server.sockets[0].getsockname()[1])
    server.close()


async def test_a_host_that_is_gone_keeps_no_connection() -> None:
    now = 0.0
    clients, trust = HostClients(monotonic=lambda: now), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    gone, stays = hosts(1, 2, 1)
    left, kept = await clients.client_for(gone, trust), await clients.client_for(stays, trust)
    assert left is not kept
    for _ in range(12):
        now += UNUSED_FOR_S / 10
        assert await clients.client_for(stays, trust) is kept
    assert (left.is_closed, kept.is_closed) == (True, False)
    again = await clients.client_for(gone, trust)
    assert not again.is_closed
    await clients.aclose()


async def test_three_hundred_dead_hosts_delay_no_living_one(dead: list[Host], living: list[Host]) -> None:
    """The dead are asked first, as those of one cluster might be; twice, since connections are kept between."""
    raise_limit(4 * (DEAD + LIVING))
    client = HttpAgents()
    took: dict[str, float] = {}
    began = 0.0

    async def watch(host: Host) -> Reach:
        reach = (await client.watch(host, deadline_s=DEADLINE_S)).reach
        took[host.id] = time.monotonic() - began
        return reach

    for _ in range(2):
        began = time.monotonic()
        reaches = await asyncio.gather(*map(watch, [*dead, *living]))
        assert set(reaches[:DEAD]) <= {Reach.NO_ANSWER, Reach.UNKNOWN}, "unknown on a machine that is too busy"
        assert set(reaches[DEAD:]) == {Reach.AGENT_ANSWERED}
        assert max(took[host.id] for host in living) < DEADLINE_S
    await client.aclose()
