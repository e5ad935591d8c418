"""The engine's ports on the simulated world, one set a process: agents, power, time, store."""

import asyncio
import contextvars
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType

from typing_extensions import override

from controller.db.store import StoreUnavailable, Tx
from controller.domain.evidence import Beat, FileState, PoolView, Reading, Report
from controller.domain.model import Host
from controller.domain.power import (
    Accepted,
    BmcTarget,
    Outcome,
    PowerAction,
    PowerCode,
    PowerReading,
    PowerState,
)
from controller.domain.reasons import Reason
from controller.domain.steady import Base, allowance, corrected, lifted, step_between
from controller.domain.watch import PoolSeen, Seen
from controller.probing.base import Question
from shared.enums import Reach, ReadingCode
from tests.simulation.hardware import Metal, SharedPool, Sight
from tests.simulation.memory_store import MemoryStore
from tests.simulation.process import Process
from tests.simulation.universe import Universe

ANSWER_SHARE = 0.85
LATE_S = 0.0007
"""Real timers are late. Beats that fall exactly on what is due would be decided by the rounding of microseconds."""
SENDER: contextvars.ContextVar[str] = contextvars.ContextVar("sender", default="")


@dataclass(frozen=True, slots=True)
class Heard:
    """What one answer truly told a process about a host: for the rules, which ask what the engine could have known."""

    at: float
    process: Process
    witness_id: str
    subject_id: str
    reach: Reach
    moved_at: float
    """When the subject's heartbeat was last seen moving by this witness on the pools asked about (-inf: never)."""
    complete: bool
    """Every single thing asked was read, freshly, with the positive control held."""


class SimStore:
    """The shared store as one process reaches it."""

    def __init__(self, process: Process, store: MemoryStore) -> None:
        self._process = process
        self._store = store

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        return _Transaction(self._process, self._store)


class _Transaction(AbstractAsyncContextManager[Tx]):
    """A class, because a generator would cost a schedule a tenth of its time."""

    def __init__(self, process: Process, store: MemoryStore) -> None:
        self._process = process
        self._inner = store.transaction()

    @override
    async def __aenter__(self) -> Tx:
        await self._process.point("transaction")
        if self._process.database_gone:
            raise StoreUnavailable("the way to the database is cut")
        await self._late()
        return await self._inner.__aenter__()

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        swallowed = await self._inner.__aexit__(kind, error, trace)
        if error is None:
            await self._process.point("committed")
            await self._late()
        return swallowed

    async def _late(self) -> None:
        if self._process.database_late_s:
            await asyncio.sleep(self._process.database_late_s)


class SimClock:
    """hostfence time from the simulated database's wall clock, kept steady as the real one is."""

    def __init__(self, process: Process, universe: Universe, store: MemoryStore) -> None:
        self._process = process
        self._universe = universe
        self._store = store
        self._last: tuple[datetime, float, int] | None = None
        self._latest: datetime | None = None

    async def now(self) -> datetime:
        if self._process.database_gone or self._store.unavailable:
            raise StoreUnavailable("the database does not tell the time")
        database = self._universe.database
        wall, mono = self._universe.wall(), self._universe.now()
        base = database.base
        if self._last is None:
            base = lifted(self._marked(base), wall=wall)
        elif self._last[2] == base.epoch:
            last_wall, last_mono, _ = self._last
            tolerance = allowance(round_trip_s=0.0, elapsed_s=mono - last_mono)
            step = step_between(last_wall=last_wall, last_mono=last_mono, wall=wall, mono=mono, tolerance=tolerance)
            if step:
                base = corrected(self._marked(base), step=step, wall=wall)
        database.base = base
        self._last = (wall, mono, base.epoch)
        told = base.time(wall)
        self._latest = told if self._latest is None else max(self._latest, told)
        return self._latest

    def expected(self) -> datetime | None:
        """What it would tell now, whatever the wall clock does; None before it ever told the time."""
        if self._latest is None or self._last is None:
            return None
        return self._latest + timedelta(seconds=self._universe.now() - self._last[1])

    def _marked(self, base: Base) -> Base:
        marks = [row.alive_at for row in self._store.tables.controllers.values()]
        return replace(base, high_water=max(marks)) if marks else base

    def boottime(self) -> float:
        return self._universe.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds + LATE_S)
        await self._process.point("woke")


class SimProbing:
    """Answers what agents would: from what is true, what they sampled, and what the network lets through."""

    def __init__(self, process: Process, universe: Universe, heard: list[Heard]) -> None:
        self._process = process
        self._universe = universe
        self._heard = heard

    async def watch(self, host: Host, *, deadline_s: float) -> Seen:
        await self._process.point("watch")
        u, metal = self._universe, self._universe.hosts[host.id]
        if u.watches_slow and u.reach(self._process.name, metal) is Reach.AGENT_ANSWERED:
            reach = Reach.UNKNOWN
            await asyncio.sleep(deadline_s)
        else:
            reach = await self._reach(metal, deadline_s)
        pools: tuple[PoolSeen, ...] = ()  # one wait for the way there and back: two would cost a twentieth more
        boot_id = ""
        if reach is Reach.AGENT_ANSWERED:
            boot_id = metal.boot_id(u.now())
            pools = tuple(self._seen(metal, p) for p in u.pools.values() if p.cluster_id == metal.cluster_id)
        await self._process.point("watched")
        self._heard.append(Heard(u.now(), self._process, "", host.id, reach, float("-inf"), complete=False))
        return Seen(host_id=host.id, reach=reach, boot_id=boot_id, pools=pools)

    async def _reach(self, metal: Metal, deadline_s: float) -> Reach:
        """Who does not answer takes all the time there is; a slow one too, and is then unknown."""
        u = self._universe
        await asyncio.sleep(u.rng.uniform(0.001, 0.02))
        reach = u.reach(self._process.name, metal)
        if reach is Reach.AGENT_ANSWERED and metal.id in u.slow_answers and u.rng.random() < 0.5:
            reach = Reach.UNKNOWN
        if reach is Reach.AGENT_ANSWERED and metal.id in u.disordered:
            await asyncio.sleep(u.rng.uniform(0.0, deadline_s * ANSWER_SHARE / 2))
        if reach in (Reach.NO_ANSWER, Reach.UNKNOWN):
            await asyncio.sleep(deadline_s)
        return reach

    async def ask(self, witness: Host, question: Question, *, deadline_s: float) -> Report:
        await self._process.point("ask")
        u, metal = self._universe, self._universe.hosts[witness.id]
        reach = await self._reach(metal, deadline_s)
        if reach is Reach.KERNEL_ANSWERS and not metal.understood(u.now()):
            await self._process.point("asked")
            return Report(witness_id=witness.id, failure=Reason.WITNESS_INCOMPATIBLE, detail="another protocol")
        if reach is not Reach.AGENT_ANSWERED:
            await self._process.point("asked")
            return Report(witness_id=witness.id, failure=Reason.WITNESS_SILENT, detail=str(reach))
        subject = u.hosts[question.subject.id]
        pools = [p for p in u.pools.values() if p.root in question.pool_roots]
        subject_reach = u.reach(witness.id, subject)
        readings = tuple(self._reading(metal, path) for path in question.paths)
        views = tuple(self._view(metal, pool, subject.id) for pool in pools)
        moved = max((_moved_at(metal, pool, subject.id) for pool in pools), default=float("-inf"))
        complete = _complete(question, readings, views)
        stuck = any(v.code is ReadingCode.TIMED_OUT for v in views) or subject_reach is Reach.NO_ANSWER
        await asyncio.sleep(deadline_s * ANSWER_SHARE if stuck else 0.01)
        await self._process.point("asked")
        if witness.id in u.disordered and u.rng.random() < 0.3:
            # Every answer is signed for its question: an earlier one that comes once more is refused.
            return Report(witness_id=witness.id, failure=Reason.WITNESS_INCOMPATIBLE, detail="signed for another")
        if not u.connected(self._process.name, witness.id):
            return Report(witness_id=witness.id, failure=Reason.WITNESS_SILENT, detail="the answer was lost")
        self._heard.append(
            Heard(u.now(), self._process, witness.id, subject.id, subject_reach, moved, complete=complete)
        )
        return Report(
            witness_id=witness.id,
            boot_id=metal.boot_id(u.now()),
            readings=readings,
            pools=views,
            reach=subject_reach,
        )

    def _reading(self, metal: Metal, path: str) -> Reading:
        pool = next((p for p in self._universe.pools.values() if path.startswith(p.root + "/")), None)
        if pool is None or path not in pool.files:
            return Reading(path=path, state=None, code=ReadingCode.MISSING)
        if not self._universe.can_read(metal, pool):
            return Reading(path=path, state=None, code=ReadingCode.TIMED_OUT)
        file = pool.files[path]
        state = FileState(
            device=pool.id, inode=file.inode, size=file.size, blocks=8, mtime_ns=file.mtime_ns, ctime_ns=file.mtime_ns
        )
        return Reading(path=path, state=state)

    def _view(self, metal: Metal, pool: SharedPool, subject_id: str) -> PoolView:
        if not self._universe.can_read(metal, pool):
            return PoolView(root=pool.root, code=ReadingCode.TIMED_OUT)
        return PoolView(
            root=pool.root, own=self._beat(metal, pool, metal.id), subject=self._beat(metal, pool, subject_id)
        )

    def _seen(self, metal: Metal, pool: SharedPool) -> PoolSeen:
        others = {h: beat for h in pool.marks if h != metal.id and (beat := self._beat(metal, pool, h)) is not None}
        readable = self._universe.can_read(metal, pool)
        return PoolSeen(root=pool.root, readable=readable, own=self._beat(metal, pool, metal.id), others=others)

    def _beat(self, metal: Metal, pool: SharedPool, host_id: str) -> Beat | None:
        sight = metal.sights.get((pool.id, host_id))
        if sight is None:
            return None
        known = self._universe.can_read(metal, pool) and not self._universe.is_stale(sight)
        return Beat(
            known=known,
            code=None if known else ReadingCode.TIMED_OUT,
            boot_id=sight.mark.boot_id,
            counter=sight.mark.counter,
            withdrawn=sight.mark.withdrawn,
            disputed=sight.disputed,
            moved_age=self._age(sight.moved_at),
            sampled_age=self._age(sight.sampled_at),
        )

    def _age(self, at: float | None) -> float | None:
        return None if at is None else self._universe.now() - at


def _moved_at(metal: Metal, pool: SharedPool, subject_id: str) -> float:
    sight: Sight | None = metal.sights.get((pool.id, subject_id))
    return sight.moved_at if sight is not None and sight.moved_at is not None else float("-inf")


def _complete(question: Question, readings: tuple[Reading, ...], views: tuple[PoolView, ...]) -> bool:
    """On the pools that hold disks of the subject; heartbeats on others can show life, and need not."""
    disks = [path for path in question.paths if "/.hostfence/" not in path and "/KVMHA/" not in path]
    known = {r.path for r in readings if r.state is not None}
    return all(path in known for path in disks) and all(
        v.code is None and v.own is not None and v.own.known and v.subject is not None and v.subject.known
        for v in views
        if any(path.startswith(v.root + "/") for path in disks)
    )


class SimDriver:
    """The wire to the BMCs: a command that left flies on when its sender dies."""

    def __init__(self, process: Process, universe: Universe) -> None:
        self._process = process
        self._universe = universe

    async def status(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        await self._process.point("status")
        if self._process.devices_gone:
            await asyncio.sleep(deadline_s)
            return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.NO_ANSWER)
        reading = await self._universe.power.status(target, deadline_s=deadline_s)
        await self._process.point("status read")
        return reading

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        return await self.status(target, deadline_s=deadline_s)

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        await self._process.point(f"act {action}")
        if self._process.devices_gone:
            await asyncio.sleep(deadline_s)
            return Outcome(accepted=Accepted.NOT_SENT, code=PowerCode.NO_ANSWER)
        outside = contextvars.Context()
        outside.run(SENDER.set, self._process.name)
        flying = self._universe.power.act(target, action, deadline_s=deadline_s, not_after=not_after)
        task = asyncio.get_running_loop().create_task(flying, name=f"wire-{action}", context=outside)
        try:
            outcome = await asyncio.shield(task)
        except asyncio.CancelledError:
            # What a dead process had sent is still on its way for a moment; a living one hangs up at once.
            asyncio.get_running_loop().call_later(0.0 if self._process.alive else 0.5, task.cancel)
            raise
        await self._process.point(f"acted {action}")
        return outcome

    async def aclose(self) -> None:
        """Nothing to give back."""
