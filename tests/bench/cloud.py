"""``--only cloud``: what keeping up with a CloudStack of 1,000 hosts and 20,000 machines costs.

The real client, adapter, inventory sync and PostgreSQL; the tests' double of CloudStack in a process of its own. All
share the machine. Beside the adapter, in turns in the same run, a bare httpx client fetches the very pages that the
adapter asked for, signed beforehand, eight at once, and throws them away: what of a cycle is not ours.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
from cryptography.fernet import Fernet

from controller import heap
from controller.cloud.cloudstack.adapter import CloudStack
from controller.cloud.cloudstack.client import CloudStackClient
from controller.cloud.cloudstack.signing import signed_form
from controller.db.clock import SqlClock
from controller.db.engine import make_engine
from controller.db.unit_of_work import PostgresStore
from controller.domain.cloud import CloudInventory
from controller.domain.model import Host, Pool, Vm
from controller.engine.cloud_watch import SYNC_S
from controller.services.inventory_sync import SyncResult, apply
from controller.services.look import LONGEST_ROUND_S
from tests.bench.cloud_site import LargeSite, large_site
from tests.bench.engine import CONNECTIONS
from tests.bench.says import load, say
from tests.bench.server import Server, server

HOSTS, VMS, MOVED = 1000, 20_000, 100
AT_ONCE = 8
"""Requests under way at once, the client's own default."""

CYCLE_AIM_S = SYNC_S / 2
UNCHANGED_AIM = 0.2
"""Writing nothing against writing everything: seconds of the part that is not CloudStack's."""

BARE_AIM = 4.0
"""CPU of ours for an inventory against that of the bare fetch."""

POLL_AIM_S = 1.0
ROUND_AIM_S = LONGEST_ROUND_S / 2
STALL_AIM_S = 0.25
"""Longest time that nothing else of the process had its turn: a fourth of what a step may be late."""

_OURS = frozenset({"command", "expires", "response", "signatureversion"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One call of the adapter."""

    seconds: float
    cpu_s: float
    """Of our own process."""
    asked: list[tuple[str, dict[str, str]]]
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Applying one inventory."""

    seconds: float
    cpu_s: float
    postgres_s: float
    statements: int
    rows: int
    """Inserted, updated or deleted, whatever the table."""
    result: SyncResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Reading and writing, and the longest stall of the event loop meanwhile."""

    read: Reading
    write: Writing
    stalled_s: float

    @property
    def seconds(self) -> float:
        return self.read.seconds + self.write.seconds

    @property
    def own_s(self) -> float:
        """What is not CloudStack's: our CPU, and PostgreSQL's."""
        return self.read.cpu_s + self.write.cpu_s + self.write.postgres_s


@dataclass(slots=True)
class Rig:
    """The adapter, what it writes to, and what it asks."""

    site: LargeSite
    cloud: CloudStack
    store: PostgresStore
    clock: SqlClock
    made: Server
    database: str
    stalls: list[float] = field(default_factory=list)

    async def read(self, call: Callable[[], Awaitable[Any]]) -> Reading:
        await self.site.asked()
        began, cpu = time.monotonic(), time.process_time()
        value = await call()
        took, used = time.monotonic() - began, time.process_time() - cpu
        return Reading(seconds=took, cpu_s=used, asked=await self.site.asked(), value=value)

    async def cycle(self) -> Cycle:
        """As the engine does it."""
        self.stalls.clear()
        read = await self.read(self.cloud.inventory)
        write = await self._write(read.value)
        return Cycle(read=read, write=write, stalled_s=max(self.stalls))

    async def _write(self, inventory: CloudInventory) -> Writing:
        statements, rows = await self._counted()
        began, cpu, postgres = time.monotonic(), time.process_time(), self.made.cpu_s()
        result = await apply(self.store, self.clock, inventory)
        took, used, theirs = time.monotonic() - began, time.process_time() - cpu, self.made.cpu_s() - postgres
        after = await self._counted()
        return Writing(
            seconds=took,
            cpu_s=used,
            postgres_s=theirs,
            statements=after[0] - statements,
            rows=after[1] - rows,
            result=result,
        )

    async def _counted(self) -> tuple[int, int]:
        """Statements in our database so far, and the rows that they wrote."""
        connection = await asyncpg.connect(self.made.admin_url)
        try:
            row = await connection.fetchrow(_COUNTED, self.database)
        finally:
            await connection.close()
        return int(row["calls"]), int(row["rows"])

    async def one_host(self, host: Host, times: int) -> Reading:
        """The reads of one check round; the median of some."""
        readings = [await self.read(lambda: self.cloud.disks(host)) for _ in range(times)]
        return sorted(readings, key=lambda one: one.seconds)[len(readings) // 2]


_COUNTED = """
    SELECT coalesce(sum(calls), 0) AS calls,
           coalesce(sum(rows) FILTER (WHERE query ~* '^\\s*(insert|update|delete)'), 0) AS rows
    FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1"""


async def run(*, quick: bool) -> bool:
    """Measure, print, and say whether the aims were met."""
    hosts, vms = (HOSTS // 10, VMS // 10) if quick else (HOSTS, VMS)
    say(load())
    async with large_site(hosts, vms) as site, server() as made, _rig(site, made) as rig:
        say(", ".join(f"{number:,} {name}" for name, number in site.lists.items()))
        first = await rig.cycle()
        _say_cycle("first", first)
        _check(first.write.result, hosts, vms, written=True)
        unchanged, bare = await _in_turns(rig, rounds=2 if quick else 4)
        _say_cycle("unchanged", unchanged)
        say(
            f"bare httpx, the same {len(unchanged.read.asked)} pages: {bare.seconds:.2f} s, {bare.cpu_s:.2f} s of CPU;"
            f" the adapter: {unchanged.read.seconds:.2f} s, {unchanged.read.cpu_s:.2f} s"
        )
        _check(unchanged.write.result, hosts, vms, written=False)
        await site.ask(f"move {MOVED}")
        moved = await rig.cycle()
        _say_cycle(f"{MOVED} moved", moved)
        if moved.write.result.written != MOVED:
            raise RuntimeError(f"{moved.write.result.written} machines moved in our inventory, not {MOVED}")
        polls = [await rig.read(rig.cloud.poll) for _ in range(3 if quick else 15)]
        poll = sorted(polls, key=lambda one: one.seconds)[len(polls) // 2]
        say(f"poll: {len(poll.asked)} requests, {poll.seconds:.3f} s, {poll.cpu_s * 1000:.0f} ms of CPU")
        known, forgotten = await _rounds(rig, times=3 if quick else 11)
    say(load())
    return _verdict(first, unchanged, bare, moved, poll, (known, forgotten))


async def _in_turns(rig: Rig, *, rounds: int) -> tuple[Cycle, Reading]:
    cycles, bares = [], []
    for _ in range(rounds):
        cycles.append(await rig.cycle())
        bares.append(await _bare(rig.site, cycles[-1].read.asked))
    return (
        sorted(cycles, key=lambda one: one.seconds)[len(cycles) // 2],
        sorted(bares, key=lambda one: one.seconds)[len(bares) // 2],
    )


async def _bare(site: LargeSite, asked: list[tuple[str, dict[str, str]]]) -> Reading:
    """The same requests by a client that does nothing but fetch."""
    forms = [
        signed_form(
            command,
            {name: value for name, value in params.items() if name.lower() not in _OURS},
            key=site.key,
            secret=site.secret,
            now=datetime.now(UTC),
        )
        for command, params in asked
    ]
    turns = asyncio.Semaphore(AT_ONCE)
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    async with httpx.AsyncClient(trust_env=False, timeout=60.0, headers=headers) as client:

        async def fetch(form: str) -> int:
            async with turns:
                return len((await client.post(site.url, content=form)).raise_for_status().content)

        began, cpu = time.monotonic(), time.process_time()
        sizes = await asyncio.gather(*(fetch(form) for form in forms))
        took, used = time.monotonic() - began, time.process_time() - cpu
    return Reading(seconds=took, cpu_s=used, asked=asked, value=sum(sizes))


async def _rounds(rig: Rig, *, times: int) -> tuple[Reading, Reading]:
    """One host's reads while CloudStack has all its machines there, and after it has taken them from it."""
    async with rig.store.transaction() as tx:
        host = (await tx.hosts())[0]
    known = await rig.one_host(host, times)
    count = await rig.site.ask(f"halt {host.external_id}")
    forgotten = await rig.one_host(host, times)
    for name, one in ((f"its {count} machines there", known), ("CloudStack has them nowhere any more", forgotten)):
        disks = one.value
        if not disks.known or len(disks.vms) < count:
            raise RuntimeError(f"this is not what was to be measured: {disks}")
        bare = await _bare(rig.site, one.asked)
        say(
            f"one check round's reads, {name}: {len(one.asked)} requests, {one.seconds * 1000:.0f} ms"
            f" (bare httpx {bare.seconds * 1000:.0f} ms), {one.cpu_s * 1000:.0f} ms of CPU"
        )
    return known, forgotten


def _check(result: SyncResult, hosts: int, vms: int, *, written: bool) -> None:
    report = result.report
    counts = (report.counts["hosts"], report.counts["vms"])
    if report.problem or counts != (hosts, vms) or bool(result.written) is not written:
        raise RuntimeError(f"this is not what was to be measured: {result}")


def _say_cycle(name: str, cycle: Cycle) -> None:
    read, write = cycle.read, cycle.write
    say(
        f"{name:>9}: read {len(read.asked)} requests, {read.seconds:5.2f} s, {read.cpu_s:.2f} s of CPU;"
        f" applied in {write.seconds:5.2f} s, CPU {write.cpu_s:.2f} s and PostgreSQL's {write.postgres_s:.2f} s,"
        f" {write.statements:,} statements, {write.rows:,} rows written; loop stalled {cycle.stalled_s:.2f} s at most"
    )


def _verdict(
    first: Cycle, unchanged: Cycle, bare: Reading, moved: Cycle, poll: Reading, rounds: tuple[Reading, Reading]
) -> bool:
    cheap = unchanged.write.seconds / first.write.seconds
    dear = unchanged.read.cpu_s / bare.cpu_s
    longest = max(unchanged.seconds, moved.seconds)
    slowest = max(one.seconds for one in rounds)
    stalled = max(unchanged.stalled_s, moved.stalled_s)
    say(
        f"cloud: a cycle of {SYNC_S:.0f} s takes {longest:.1f} s (aim < {CYCLE_AIM_S:.0f});"
        f" writing unchanged / first {cheap:.2f} (aim <= {UNCHANGED_AIM}), {unchanged.write.rows} rows (aim 0 or 1);"
        f" CPU of an inventory / of a bare fetch {dear:.1f} (aim <= {BARE_AIM:.0f});"
        f" poll {poll.seconds:.2f} s (aim < {POLL_AIM_S:.0f});"
        f" one round's reads {slowest:.2f} s (aim < {ROUND_AIM_S:.0f});"
        f" loop stalled {stalled:.2f} s (aim < {STALL_AIM_S})"
    )
    return (
        longest < CYCLE_AIM_S
        and cheap <= UNCHANGED_AIM
        and unchanged.write.rows <= 1
        and dear <= BARE_AIM
        and poll.seconds < POLL_AIM_S
        and slowest < ROUND_AIM_S
        and stalled < STALL_AIM_S
    )


@asynccontextmanager
async def _rig(site: LargeSite, made: Server) -> AsyncIterator[Rig]:
    database = "bench_cloud"
    url = await made.fresh(database)
    engine, clock_engine = make_engine(url, pool_size=CONNECTIONS), make_engine(url, pool_size=1)
    store = PostgresStore(engine, keys=[Fernet.generate_key().decode()])
    clock = SqlClock(clock_engine)
    client = CloudStackClient(site.url, key=site.key, secret=site.secret)

    async def inventory(host: Host) -> tuple[list[Vm], list[Pool]] | None:
        async with store.transaction() as tx:
            return await tx.vms_of(host.id), await tx.pools(cluster_id=host.cluster_id)

    cloud = CloudStack(client, inventory, boottime=clock.boottime)
    rig = Rig(site, cloud, store, clock, made, database)
    heap.settle()  # as the controller does when it starts
    watching = asyncio.create_task(_watch_loop(rig.stalls))
    try:
        yield rig
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await cloud.aclose()
        await engine.dispose()
        await clock_engine.dispose()
        await made.drop(database)


async def _watch_loop(stalls: list[float], *, every_s: float = 0.01) -> None:
    """How much later than asked for each turn came."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(every_s)
        stalls.append(time.monotonic() - before - every_s)
