"""``--only engine``: 1,000 open incidents on one controller and one PostgreSQL that share this machine.

The real worker, steps, watch, store and database; agents, cloud and power are stand-ins (:mod:`tests.bench.ports`).
Two things are measured: *saturation* (all due, answers at once: what a step costs, with 10, 100 and 1,000 open) and the
*pace* (1,000 open, a look every 15 s, dead addresses that take their whole deadline: how late a step starts).
"""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from statistics import quantiles
from uuid import uuid4

import asyncpg
from cryptography.fernet import Fernet

from controller.db.clock import SqlClock
from controller.db.engine import make_engine
from controller.db.store import Store
from controller.db.unit_of_work import PostgresStore
from controller.domain.incident import State
from controller.engine import worker as workers
from controller.engine.step import Step
from controller.engine.supervisor import Supervisor
from controller.engine.worker import Worker
from controller.services.look import LONGEST_ROUND_S
from controller.services.world import Isolation, World
from tests.bench.ports import Agents, Devices, Pace, StandInCloud
from tests.bench.says import load, say
from tests.bench.server import Server, Yardstick, server, simple_updates
from tests.bench.site import INTERVAL_S, Site, furnish

SIZES = (10, 100, 1000)
CONNECTIONS = 10
"""As many as a controller has."""

DUE_A_SECOND = SIZES[-1] / 2 / INTERVAL_S + SIZES[-1] / 2 / (INTERVAL_S + LONGEST_ROUND_S)
"""Steps that come due at pace: half CHECKING, an interval from look to look; one half HELD, an interval after one."""

LATENESS_AIM_S = 1.0
FLAT_AIM = 1.25
"""Cost of a step with 1,000 open against 10: what still counts as flat."""

_NAMES = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One step at saturation, in milliseconds of CPU."""

    incidents: int
    steps: int
    rate: float
    controller_ms: float
    postgres_ms: float
    statements: float

    @property
    def cpu_ms(self) -> float:
        return self.controller_ms + self.postgres_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """How long after their time steps started, and what the whole engine used meanwhile."""

    steps: int
    failed: int
    seconds: float
    p50_s: float
    p99_s: float
    worst_s: float
    burst_s: float
    """p99 of the first round, for which everything came due at one instant."""
    controller_cpu: float
    """Share of one core."""
    postgres_cpu: float
    controller_mb: float
    postgres_mb: float


@dataclass(slots=True)
class Rig:
    """A furnished site under a world of stand-ins."""

    world: World
    site: Site
    database: str
    url: str
    pace: Pace
    late: list[float] = field(default_factory=list)
    failed: int = 0


async def run(*, quick: bool) -> bool:
    """Measure, print, and say whether the aims were met."""
    say(load())
    async with server() as made:
        yardstick = await simple_updates(made, seconds=3 if quick else 10, clients=CONNECTIONS)
        say(f"yardstick: {yardstick.rate:,.0f} transactions/s ({yardstick.by})")
        costs = []
        for size in SIZES:
            cost = await _saturated(made, size, seconds=3.0 if quick else 15.0)
            costs.append(cost)
            say(
                f"saturation, {size:>5,} open: {cost.rate:6.1f} steps/s; a step costs {cost.cpu_ms:5.2f} ms of CPU"
                f" (controller {cost.controller_ms:.2f}, PostgreSQL {cost.postgres_ms:.2f})"
                f" and {cost.statements:.1f} statements  [{cost.steps:,} steps]",
            )
        late = await _at_pace(made, SIZES[-1], seconds=20.0 if quick else 90.0)
    say(
        f"at pace, {SIZES[-1]:,} open every {INTERVAL_S} s: lateness p50 {late.p50_s:.2f} s, p99 {late.p99_s:.2f} s,"
        f" worst {late.worst_s:.2f} s; first round, all due at one instant: p99 {late.burst_s:.2f} s"
        f"  [{late.steps:,} steps in {late.seconds:.0f} s: {late.steps / late.seconds:.1f}/s of {DUE_A_SECOND:.1f};"
        f" {late.failed} failed]\n"
        f"         controller {late.controller_cpu:.0%} of a core and {late.controller_mb:.0f} MB at most,"
        f" PostgreSQL {late.postgres_cpu:.0%} and {late.postgres_mb:.0f} MB"
    )
    say(load())
    return _verdict(costs, late, yardstick)


def _verdict(costs: list[Cost], late: Lateness, yardstick: Yardstick) -> bool:
    flat = costs[-1].cpu_ms / costs[0].cpu_ms
    say(
        f"engine: p99 lateness {late.p99_s:.2f} s (aim < {LATENESS_AIM_S:.0f} s);"
        f" cost of a step at {costs[-1].incidents:,} / at {costs[0].incidents} {flat:.2f} (aim <= {FLAT_AIM});"
        f" saturation {costs[-1].rate:.0f} steps/s = {costs[-1].rate / yardstick.rate:.1%} of {yardstick.rate:,.0f}"
        f" simple updates/s (aim: none; {DUE_A_SECOND:.0f} steps/s needed)"
    )
    return late.p99_s < LATENESS_AIM_S and not late.failed and flat <= FLAT_AIM


async def _saturated(made: Server, incidents: int, *, seconds: float) -> Cost:
    """Everything due again and again, one worker, nothing else."""
    async with _rig(made, incidents, Pace()) as rig:
        worker = Worker(rig.world)
        database = await asyncpg.connect(rig.url)
        for _ in range(2):  # what is told once is told in these
            await _one_pass(worker, database, rig)
        began, cpu, postgres = time.monotonic(), time.process_time(), made.cpu_s()
        calls, steps = await made.calls(rig.database), 0
        while steps < incidents or time.monotonic() - began < seconds:
            await _one_pass(worker, database, rig)
            steps += incidents
        took = time.monotonic() - began
        cost = Cost(
            incidents=incidents,
            steps=steps,
            rate=steps / took,
            controller_ms=1000 * (time.process_time() - cpu) / steps,
            postgres_ms=1000 * (made.cpu_s() - postgres) / steps,
            statements=(await made.calls(rig.database) - calls) / steps,
        )
        await _check(database, incidents)
        await database.close()
        return cost


async def _one_pass(worker: Worker, database: "asyncpg.Connection", rig: Rig) -> None:
    now = await rig.world.clock.now()
    await database.execute("UPDATE incidents SET next_step_at = $1 WHERE open", now)
    started = 0
    while started < len(rig.site.silent):
        more = await worker.run_due()
        started += more
        await asyncio.sleep(0 if more else 0.005)
    await worker.drain()


async def _at_pace(made: Server, incidents: int, *, seconds: float) -> Lateness:
    """The whole engine with all its loops, left alone."""
    pace = Pace(witness_s=0.05, power_s=0.3, dead_takes_its_deadline=True)
    async with _rig(made, incidents, pace) as rig:
        supervisor = Supervisor(rig.world)
        await supervisor.start()
        await asyncio.sleep(INTERVAL_S)
        burst, rig.late = rig.late, []
        await asyncio.sleep(2 * INTERVAL_S)
        rig.late, rig.failed = [], 0
        began, cpu, postgres = time.monotonic(), time.process_time(), made.cpu_s()
        await asyncio.sleep(seconds)
        late, failed, took = rig.late, rig.failed, time.monotonic() - began
        used, postgres_used = time.process_time() - cpu, made.cpu_s() - postgres
        postgres_mb = made.memory_mb()
        await supervisor.stop()
    centiles = quantiles(late, n=100)
    return Lateness(
        steps=len(late),
        failed=failed,
        seconds=took,
        p50_s=centiles[49],
        p99_s=centiles[98],
        worst_s=max(late),
        burst_s=quantiles(burst, n=100)[98],
        controller_cpu=used / took,
        postgres_cpu=postgres_used / took,
        controller_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        postgres_mb=postgres_mb,
    )


@asynccontextmanager
async def _rig(made: Server, incidents: int, pace: Pace) -> AsyncIterator[Rig]:
    database = f"bench_{next(_NAMES)}"
    url = await made.fresh(database)
    engine, clock_engine = make_engine(url, pool_size=CONNECTIONS), make_engine(url, pool_size=1)
    store: Store = PostgresStore(engine, keys=[Fernet.generate_key().decode()])
    clock = SqlClock(clock_engine)
    now = await clock.now()
    ahead = clock.boottime()
    site = await furnish(store, incidents=incidents, now=now)
    silent_since = ahead - (now - site.disconnect_at).total_seconds()
    world = World(
        store=store,
        clock=clock,
        probing=Agents(site=site, silent_since=silent_since, boottime=clock.boottime, pace=pace),
        cloud=StandInCloud(),
        power=Devices(pace),
        new_id=lambda: str(uuid4()),
        controller_id="bench",
        isolation=Isolation(isolated=False),
    )
    rig = Rig(world=world, site=site, database=database, url=url, pace=pace)
    real = dict(workers.STEPS)
    workers.STEPS.update({state: _timed(rig, step, began=now, at=ahead) for state, step in real.items()})
    try:
        # The whole site has come due while it was being furnished: the first round starts now.
        connection = await asyncpg.connect(url)
        await connection.execute("ANALYZE")
        due = now + timedelta(seconds=clock.boottime() - ahead)
        await connection.execute("UPDATE incidents SET next_step_at = $1 WHERE open", due)
        await connection.close()
        yield rig
    finally:
        workers.STEPS.update(real)
        await engine.dispose()
        await clock_engine.dispose()
        await made.drop(database)


def _timed(
    rig: Rig, step: Callable[[Step], Awaitable[None]], *, began: datetime, at: float
) -> Callable[[Step], Awaitable[None]]:
    async def run_timed(one: Step) -> None:
        due = one.incident.next_step_at
        assert due is not None
        rig.late.append((began - due).total_seconds() + rig.world.clock.boottime() - at)
        try:
            await step(one)
        except Exception:
            rig.failed += 1
            raise

    return run_timed


async def _check(database: "asyncpg.Connection", incidents: int) -> None:
    """What was measured was the work that was meant: dead rounds of incidents that went nowhere."""
    rows = await database.fetch(
        "SELECT state, body->'newest'->>'verdict' AS verdict, (body->>'failures')::int AS failures, count(*) AS n"
        " FROM incidents WHERE open GROUP BY 1, 2, 3"
    )
    found = {(row["state"], row["verdict"], row["failures"]): row["n"] for row in rows}
    meant = {(State.CHECKING, "dead", 0), (State.HELD, "dead", 0)}
    if sum(found.values()) != incidents or set(found) != meant:
        raise RuntimeError(f"this is not what was to be measured: {found}")
