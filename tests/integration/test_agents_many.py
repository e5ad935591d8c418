"""Many hosts asked at once, most of them dead: the living ones answer as if they were alone."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from controller.descriptors import raise_limit
from controller.domain.model import Host
from controller.probing.agents import HttpAgents
from shared.enums import Reach
from tests.fixtures import builders as a
from tests.integration.test_agents_client import watch_answer

DEAD, LIVING = 300, 100
DEADLINE_S = 3.0


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
        assert set(reaches[:DEAD]) == {Reach.NO_ANSWER}
        assert set(reaches[DEAD:]) == {Reach.AGENT_ANSWERED}
        assert max(took[host.id] for host in living) < DEADLINE_S / 2
    await client.aclose()
