"""Many hosts in one process: their agents over real HTTP on loopback, their BMCs over real IPMI, one storage model.

A test double of the probe agent for tests that need many hosts: it speaks the agent's protocol with signed answers, and
reads its heartbeats and disks from what the test says of each host. A host that dies answers like one without power.
Everything lives in the running event loop, so nothing in a test may block it.
"""

import asyncio
import contextlib
import itertools
import random
import secrets
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from demo.blackhole import BlackHole
from demo.bmc import Behaviour, DemoBmc, Entry
from shared.enums import Reach, ReadingStatus
from shared.protocol import (
    SIGNATURE_HEADER,
    Answer,
    FileReading,
    Health,
    HeartbeatSight,
    PoolSight,
    ProbeAnswer,
    ProbeRequest,
    ReachResult,
    ReachTarget,
    WatchAnswer,
    WatchRequest,
    sign,
)

BMC_USER, BMC_PASSWORD = "fencing", "made-up"
HEARTBEAT_S = 1.0
OLD_NS = 1_600_000_000 * 10**9
WITNESS_WAITS_S = 0.5
"""What a witness takes over an address that does not answer (a share of its deadline in the real one)."""


@dataclass(slots=True)
class SimHost:
    """One host. ``died_at``: by ``time.monotonic``, None while it lives."""

    name: str
    cluster: str
    address: str
    port: int
    bmc: DemoBmc
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    born_at: float = field(default_factory=time.monotonic)
    died_at: float | None = None
    cut_alive: bool = False
    """Its power was cut while it lived: what must never happen."""

    @property
    def root(self) -> str:
        """The pool it writes its heartbeat to."""
        return f"/mnt/{self.cluster}"

    @property
    def disk(self) -> str:
        """Its VM's disk."""
        return f"{self.root}/{self.name}.qcow2"

    def beats(self) -> tuple[int, float]:
        """How many heartbeats it wrote, and how many seconds ago the last one was."""
        now = time.monotonic()
        end = now if self.died_at is None else self.died_at
        count = int((end - self.born_at) / HEARTBEAT_S) + 1
        return count, now - self.born_at - (count - 1) * HEARTBEAT_S


class Site:
    """All hosts. Use ``async with``."""

    def __init__(self) -> None:
        self.hosts: dict[str, SimHost] = {}
        self._net = _Net()
        self._servers: dict[str, asyncio.Server] = {}
        self._talking: dict[str, set[asyncio.StreamWriter]] = {}
        self._holes: list[BlackHole] = []
        self._dying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._dying)
        for name in list(self._servers):
            await self._hang_up(name)
        for host in self.hosts.values():
            host.bmc.close()
        for hole in self._holes:
            hole.close()
        await asyncio.sleep(0)

    async def add(self, cluster: str, names: Iterable[str], *, on_off: Callable[[str], None] | None = None) -> None:
        """Hosts that live, each with a BMC that says *on*. ``on_off`` hears the name of a host whose power goes."""
        for name in names:
            bmc = DemoBmc(user=BMC_USER, password=BMC_PASSWORD, name=name, behaviour=Behaviour())
            host = SimHost(name, cluster, *self._net.next(), bmc)
            bmc.address = host.address
            bmc.on_power = lambda state, host=host: self._power(host, state, on_off)
            await bmc.start()
            self.hosts[name] = host
            self._talking[name] = set()
            self._servers[name] = await asyncio.start_server(self._serving(host), host.address, host.port)

    async def die(self, name: str) -> None:
        """The host hangs for ever: nothing of it moves or answers; its power stays on."""
        host = self.hosts[name]
        host.died_at = time.monotonic()
        await self._hang_up(name)
        self._holes.append(await asyncio.to_thread(BlackHole, host.address, host.port))

    def lives(self, name: str) -> bool:
        """True until it died."""
        return self.hosts[name].died_at is None

    def entries(self, name: str) -> list[Entry]:
        """What its BMC wrote down."""
        return self.hosts[name].bmc.entries

    def offs(self, name: str) -> list[float]:
        """When its BMC was told *off*."""
        return [entry.at for entry in self.entries(name) if entry.what == "off"]

    # -- what happens to a host

    def _power(self, host: SimHost, state: str, on_off: Callable[[str], None] | None) -> None:
        if state != "off":
            return
        if host.died_at is None:
            host.cut_alive = True
            dying = asyncio.get_running_loop().create_task(self.die(host.name))
            self._dying.add(dying)
        if on_off is not None:
            on_off(host.name)

    async def _hang_up(self, name: str) -> None:
        if server := self._servers.pop(name, None):
            server.close()
        for writer in self._talking[name]:
            writer.transport.abort()

    # -- the agent's protocol

    def _serving(self, host: SimHost) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._talking[host.name].add(writer)
            try:
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    while await self._exchange(host, reader, writer):
                        pass
            finally:
                self._talking[host.name].discard(writer)
                writer.close()

        return serve

    async def _exchange(self, host: SimHost, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        answer, signature = await self._answer(host, head[0].split(" ")[1], body)
        if host.died_at is not None:
            return False
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n"
            f"{SIGNATURE_HEADER}: {signature}\r\n\r\n".encode()
            + answer
        )
        await writer.drain()
        return True

    async def _answer(self, host: SimHost, path: str, body: bytes) -> tuple[bytes, str]:
        answer: Answer
        if path == "/v1/watch":
            watch = WatchRequest.model_validate_json(body)
            neighbors = {h.id: h for h in self._cluster(host) if h is not host}
            answer = WatchAnswer(**_about(host, watch.nonce), pools=[_pool(host, neighbors)])
        elif path == "/v1/probes":
            probe = ProbeRequest.model_validate_json(body)
            subject = {h.id: h for h in self._cluster(host) if h.id == probe.subject_host_id}
            answer = ProbeAnswer(
                **_about(host, probe.nonce),
                readings=[self._reading(host, one) for one in probe.paths],
                pools=[_pool(host, subject) for root in probe.pool_roots if root == host.root],
                reach=[await self._reach(target) for target in probe.reach],
            )
        else:
            return Health(host_id=host.id, boot_id=host.boot_id).model_dump_json().encode(), ""
        text = answer.model_dump_json().encode()
        return text, sign(host.token, answer.nonce, text)

    def _reading(self, witness: SimHost, path: str) -> FileReading:
        """Idle guests: only heartbeat files change."""
        beats = witness.beats()[0] if path.endswith(witness.id) else 0
        written = time.clock_gettime_ns(time.CLOCK_REALTIME) if beats else OLD_NS
        return FileReading(
            path=path,
            status=ReadingStatus.OK,
            device="0:99",
            inode=abs(hash(path)) % 2**31,
            size=512,
            blocks=1,
            mtime_ns=written,
            ctime_ns=written,
        )

    async def _reach(self, target: ReachTarget) -> ReachResult:
        asked = next((h for h in self.hosts.values() if (h.address, h.port) == (target.address, target.port)), None)
        if asked is None or asked.died_at is not None:
            await asyncio.sleep(WITNESS_WAITS_S)
            return ReachResult(outcome=Reach.NO_ANSWER, detail="connect timed out")
        return ReachResult(outcome=Reach.AGENT_ANSWERED, host_id=asked.id, boot_id=asked.boot_id)

    def _cluster(self, host: SimHost) -> list[SimHost]:
        return [h for h in self.hosts.values() if h.cluster == host.cluster]


class _Net:
    """A loopback address of its own for each host, one port for all."""

    def __init__(self) -> None:
        chance = random.SystemRandom()
        self._addresses = (
            f"127.{chance.randrange(64, 255)}.{chance.randrange(256)}.{host}" for host in itertools.count(1)
        )
        self._port = chance.randrange(10_000, 30_000)

    def next(self) -> tuple[str, int]:
        for address in self._addresses:
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.bind((address, self._port))
                return address, self._port
        raise AssertionError("endless")


def _about(host: SimHost, nonce: str) -> dict[str, Any]:
    return {
        "nonce": nonce,
        "host_id": host.id,
        "boot_id": host.boot_id,
        "agent_version": "test",
        "took_s": 0.001,
    }


def _pool(witness: SimHost, others: dict[str, SimHost]) -> PoolSight:
    return PoolSight(
        root=witness.root,
        status=ReadingStatus.OK,
        fs_type="nfs4",
        own=_sight(witness),
        others={host_id: _sight(host) for host_id, host in others.items()},
    )


def _sight(host: SimHost) -> HeartbeatSight:
    counter, age = host.beats()
    return HeartbeatSight(
        status=ReadingStatus.OK,
        boot_id=host.boot_id,
        counter=counter,
        moved_age_s=age,
        sampled_age_s=0.1,
        watched_for_s=3600.0,
    )
