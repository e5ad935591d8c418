"""One schedule, run: the site is built, controllers start, mishaps happen, the referee looks at every step."""

import asyncio
import contextvars
import itertools
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from unittest.mock import patch

import structlog

from controller.db.store import StoreUnavailable, Tx
from controller.domain.incident import State
from controller.domain.inheritance import resolve
from controller.domain.model import Cluster, Host, Level, Pool, PoolKind, SettingRow
from controller.domain.policy import Policy
from controller.domain.restored import Remembered
from controller.engine.supervisor import Supervisor
from controller.power.devices import GatedDevices
from controller.power.gate import Gate
from controller.power.registry import PowerRegistry
from controller.services import policies
from controller.services.operator import Operator
from controller.services.world import World
from tests.simulation import loop
from tests.simulation.cloud import ADAPTER_BUG, SimCloud
from tests.simulation.facts import Breach, Coverage, Facts
from tests.simulation.idle import Bell, DozingWorker, Spared
from tests.simulation.keepsake import SimKeepsake
from tests.simulation.liveness import Liveness
from tests.simulation.memory_store import MemoryStore
from tests.simulation.memory_tables import Tables
from tests.simulation.mishaps import Mishaps
from tests.simulation.plan import Plan
from tests.simulation.ports import SimClock, SimDriver, SimProbing, SimStore
from tests.simulation.process import CURRENT, Process, task_factory
from tests.simulation.rules import Referee
from tests.simulation.turns import Row, SimTurns
from tests.simulation.universe import PASSWORD, Universe

RESTARTS_AFTER_S = 4.0
EXPECTED = (
    "TimeoutError",
    "controller.db.store.StoreUnavailable",
    "controller.services.errors.NotFound",
    f"RuntimeError: {ADAPTER_BUG}",
)
"""A paused process, a database that does not answer, a mishap's bug: the engine says so and tries again."""
GONE_WITH_A_RESTORE = "controller.db.store.StoreError: no "
"""Whoever wants to store what became of something that the restored database never knew."""
POLL_S = 0.5
LOOKS_FOR_BREACHES_S = 5.0
DOZES_S = 60.0


class Simulation:
    """Everything of one schedule."""

    def __init__(self, plan: Plan, store: MemoryStore | None = None) -> None:
        self.plan = plan
        self.rng = random.Random(plan.seed)  # noqa: S311 - a reproducible world, not a secret
        self.universe = Universe(self.rng, heartbeat_s=plan.settings["heartbeat_interval"])
        self.store = store or MemoryStore()
        self.facts = Facts(self.universe, self.store, heard=[])
        self.referee = Referee(self.facts)
        self.processes: list[Process] = []
        self.crashes: list[str] = []
        self.operators: dict[str, Operator] = {}
        self.restarts_after_s = RESTARTS_AFTER_S
        self.no_restart_before = 0.0
        self.kept_outside: dict[str, Remembered] = {}
        """What controllers keep outside of the database."""
        self.device_turns: dict[str, Row] = {}
        self._ids = itertools.count(1)
        self._names = itertools.count(1)
        self.telling_commits: list[int] = []
        """Numbers of the commits that changed an incident, an attempt or an effect."""
        self.kill_after_commit = 0
        self.edits: list[asyncio.Task[None]] = []
        self.bell = Bell()
        self.mishaps = Mishaps(self)

    # -- building

    async def build(self) -> None:
        """The site in truth and in the inventory."""
        plan, u = self.plan, self.universe
        async with self.store.transaction() as tx:
            for cluster_id, host_ids in plan.hosts.items():
                await tx.save_cluster(Cluster(id=cluster_id, name=f"cluster {cluster_id}"))
                pools = [u.add_pool(f"{cluster_id}p{n}", cluster_id) for n in range(1, plan.pools + 1)]
                for pool in pools:
                    await tx.save_pool(
                        Pool(id=pool.id, name=pool.id, kind=PoolKind.FILE, root=pool.root, cluster_id=cluster_id)
                    )
                for host_id in host_ids:
                    u.add_host(host_id, cluster_id, boot_s=8.0)
                    await tx.save_host(
                        Host(
                            id=host_id,
                            cluster_id=cluster_id,
                            name=f"host {host_id}",
                            address=f"{host_id}.example",
                            agent_token=f"token-{host_id}",
                        )
                    )
                    row = SettingRow(level=Level.HOST, owner_id=host_id, field="ipmi.host", value=f"bmc-{host_id}")
                    await tx.put_setting(row, secret=False)
                    if plan.second_devices:
                        row = replace(row, field="second.host", value=u.add_second_device(host_id))
                        await tx.put_setting(row, secret=False)
                    for n in range(plan.guests):
                        writes = self.rng.random() * 100 < plan.writers
                        u.add_guest(f"{host_id}v{n}", host_id, self.rng.choice(pools), writes=writes)
            for row in self._setting_rows({**CREDENTIALS, **plan.settings}):
                await tx.put_setting(row, secret=row.field in SECRET)
        u.cloud.opinions = plan.cloud_opinions
        u.cloud.notices_after_s = plan.cloud_notices_after_s
        u.cloud.slow_release = plan.slow_release
        self.store.before_commit = self._before_commit
        self.store.after_commit = self._after_commit
        u.power.on_command = self.referee.acting.on_command

    def _setting_rows(self, values: dict[str, Any]) -> list[SettingRow]:
        """As an operator would, at the level where each may be written."""
        clusters = [(Level.CLUSTER, c) for c in self.plan.hosts]
        return [
            SettingRow(level=level, owner_id=owner_id, field=name, value=value)
            for name, value in values.items()
            for level, owner_id in (clusters if name in CLUSTER_ONLY else [(Level.GLOBAL, "")])
        ]

    def write_settings(self, values: dict[str, Any]) -> None:
        """Change settings for everybody."""

        async def write(tx: Tx) -> None:
            for row in self._setting_rows(values):
                await tx.put_setting(row, secret=False)

        self.edit(write)

    def edit(self, change: Callable[[Tx], Awaitable[object]]) -> None:
        """A person changes rows, through no controller of this schedule; soon, and again until the database answers."""

        async def change_it() -> None:
            while True:
                try:
                    async with self.store.transaction() as tx:
                        await change(tx)
                except StoreUnavailable:
                    await asyncio.sleep(1.0)
                else:
                    return

        context = contextvars.copy_context()
        context.run(CURRENT.set, None)
        self.edits.append(self.universe.loop.create_task(change_it(), name="edit", context=context))

    # -- processes

    def start_process(self) -> Process:
        """A new controller process with nothing in its memory."""
        process = Process(f"ctl{next(self._names)}", self.universe.note)
        self.universe.note(process.name, "starts")
        gate = Gate(turns=SimTurns(process, self.universe, self.store, self.device_turns), monotonic=self.universe.now)
        driver, clock = SimDriver(process, self.universe), SimClock(process, self.universe, self.store)
        world = World(
            store=SimStore(process, self.store),
            clock=clock,
            probing=SimProbing(process, self.universe, self.facts.heard),
            cloud=SimCloud(process, self.universe, self.referee.acting.on_effect),
            power=GatedDevices(PowerRegistry({"ipmi": driver}), gate, monotonic=self.universe.now),
            new_id=lambda: f"id{next(self._ids):06d}",
            controller_id=process.name,
            keepsake=SimKeepsake(self.kept_outside),
            driver_proves=lambda _driver: self.universe.driver_proves,
            bmc_address_refused=lambda address: address in self.universe.refused_addresses,
        )
        process.on_death, process.expected = self._on_death, clock.expected
        self.processes.append(process)
        self.operators[process.name] = Operator(world)
        process.launch(world, self._sparing(process, Supervisor(world), world, clock))
        return process

    def _sparing(self, process: Process, engine: Supervisor, world: World, clock: SimClock) -> Supervisor:
        """The shipped engine, without the beats on which two of its loops would find nothing."""
        engine.worker = DozingWorker(world, idle_for=partial(self._nothing_due_for, process, clock), bell=self.bell)
        idle = partial(self._no_effect_waits, process)
        engine._loops = tuple(
            replace(one, beat=Spared(one.beat, idle)) if one.name == "effects" else one for one in engine._loops
        )
        return engine

    def _nothing_due_for(self, process: Process, clock: SimClock) -> float:
        """Seconds, as far as can be told now."""
        tables, now = self.store.tables, clock.expected()
        if now is None or not self._store_answers(process):
            return 0.0
        due = [later for i in tables.open_of_host.values() if (later := _claimable_at(tables, i)) is not None]
        return (min(due) - now).total_seconds() if due else DOZES_S

    def _no_effect_waits(self, process: Process) -> bool:
        return self._store_answers(process) and not self.store.tables.effects_waiting

    def _store_answers(self, process: Process) -> bool:
        late = process.database_gone or process.database_late_s
        return not (self.store.unavailable or late) and process.resumed.is_set()

    def time(self) -> datetime:
        """As a controller would be told it."""
        told = (process.expected() for process in self.alive())
        return next((at for at in told if at is not None), self.universe.time())

    def alive(self) -> list[Process]:
        return [p for p in self.processes if p.alive]

    def _on_death(self, process: Process) -> None:
        self.facts.coverage.points.update(process.points)
        if process.died_at:
            self.facts.coverage.deaths.add(process.died_at)
        del self.operators[process.name]
        if not self._ending and len(self.alive()) < self.plan.controllers:
            after = max(self.restarts_after_s, self.no_restart_before - self.universe.now())
            self.universe.loop.call_later(after, self._replace)

    def _replace(self) -> None:
        if not self._ending and len(self.alive()) < self.plan.controllers:
            self.start_process()

    _ending = False

    # -- hooks of the store

    def _before_commit(self) -> None:
        process = CURRENT.get()
        if process is not None:
            self._label, self._tells = "commit", False
            if self._written():
                self._label = self.referee.label()
                self._tells = self._changes_something()
            process.spring(f"before {self._label}")

    def _after_commit(self) -> None:
        process = CURRENT.get()
        if process is not None:
            process.last_commit_at = self.universe.now()
        if self._written():
            self._seen, self._writes = self.store.tables, self.store.tables.writes
            self.bell.ring()
            self.referee.on_commit()
        if process is not None:
            if self._tells:
                self.telling_commits.append(self.store.commits)
            if self.store.commits == self.kill_after_commit:
                process.kill(f"after commit {self.store.commits}")
                raise asyncio.CancelledError
            process.spring(f"after {self._label}")

    def _written(self) -> bool:
        """Something was written since the referee looked: a commit that wrote nothing has nothing to judge."""
        return self._seen is not self.store.tables or self._writes != self.store.tables.writes

    def _changes_something(self) -> bool:
        tables, known = self.store.tables, self.facts.known
        changed = any(known.get(i) is not tables.incidents[i] for i in tables.open_of_host.values())
        closed = any(old.open and tables.incidents[i] is not old for i, old in known.items())
        rows = [*tables.attempts.values(), *tables.effects.values()]
        acted, self._acting = rows != self._acting, rows
        return changed or closed or acted

    _label = "commit"
    _tells = False
    _seen: Tables | None = None
    _writes = -1
    """The tables, and what was written to them, as the referee saw them last."""
    _acting: Sequence[object] = ()

    # -- running

    async def run(self) -> None:
        """From the first start to the end of the plan, or to the first broken rule."""
        self.universe.loop.set_task_factory(task_factory)  # type: ignore[arg-type]
        await self.build()
        for _ in range(self.plan.controllers):
            self.start_process()
        for mishap in (m for m in self.plan.mishaps if m.at < self.plan.ends_at):
            self.universe.loop.call_at(mishap.at, self.mishaps.happen, mishap)
        await self._until(self.plan.ends_at)
        if self.plan.liveness and not self.facts.breaches:
            await Liveness(self).check()
        self.end()

    def end(self) -> None:
        self._ending = True
        for process in self.alive():
            process.kill("the schedule is over")
        self.referee.at_end()

    async def _until(self, at: float) -> None:
        while self.universe.now() < at and not self.facts.breaches:
            await asyncio.sleep(min(LOOKS_FOR_BREACHES_S, max(0.001, at - self.universe.now())))

    async def wait_for(self, host_id: str, *states: State, within: float) -> State | None:
        """The state of the host's newest incident once it is one of ``states``; None when it took too long."""
        until = self.universe.now() + within
        while self.universe.now() < until and not self.facts.breaches:
            state = self.newest_state(host_id)
            if state in states:
                return state
            await asyncio.sleep(POLL_S)
        return None

    def newest_state(self, host_id: str) -> State | None:
        """Of the host's newest incident."""
        mine = [i for i in self.store.tables.incidents.values() if i.host_id == host_id]
        return max(mine, key=lambda i: (i.opened_at, i.id)).state if mine else None

    def on_log(self, event: structlog.typing.EventDict) -> None:
        """Every log line of every process. An exception that was not expected is a bug, whatever the engine does."""
        self.referee.logs.append(event)
        if "exception" in event:
            self.universe.note("log", str(event.get("event")), str(event["exception"]).splitlines()[-1])
            expected = (*EXPECTED, GONE_WITH_A_RESTORE) if self.facts.replaced_at is not None else EXPECTED
            if not str(event["exception"]).splitlines()[-1].startswith(expected):
                self.crashes.append(str(event["exception"]))

    def step_clock(self, seconds: float) -> None:
        self.universe.database.wall_offset += timedelta(seconds=seconds)


SECRET = frozenset({"ipmi.password", "second.password"})
CREDENTIALS = {
    "ipmi.username": "fencer",
    "ipmi.password": PASSWORD,
    "second.username": "fencer",
    "second.password": PASSWORD,
}
CLUSTER_ONLY = frozenset({"max_actions", "action_window", "max_concurrent"})


@dataclass(slots=True)
class Outcome:
    """What became of one schedule."""

    plan: Plan
    breaches: list[Breach]
    coverage: Coverage
    simulation: Simulation

    @property
    def story(self) -> str:
        return self.simulation.universe.journal.story()


def simulate(
    plan: Plan, store: MemoryStore | None = None, *, prepare: Callable[[Simulation], object] | None = None
) -> Outcome:
    """Run one schedule from beginning to end; on the store in memory unless another is given."""

    async def main() -> Outcome:
        simulation = Simulation(plan, store)
        if prepare is not None:
            prepare(simulation)
        with _captured(simulation), patch.object(policies, "resolve", _Remembered()):
            await simulation.run()
        facts = simulation.facts
        return Outcome(plan, facts.breaches, facts.coverage, simulation)

    return loop.run(main())


def _claimable_at(tables: Tables, incident_id: str) -> datetime | None:
    due, lease = tables.incidents[incident_id].next_step_at, tables.leases.get(incident_id)
    return max(due, lease[1]) if due is not None and lease is not None else due


class _Remembered:
    """Resolving settings again and again took three quarters of a schedule's time; they hardly ever change.

    What the same rows gave is known to all schedules of a process; the same objects are recognised even quicker.
    """

    _of_rows: ClassVar[dict[tuple[object, ...], Policy]] = {}

    def __init__(self) -> None:
        self._of_objects: dict[tuple[object, ...], tuple[Sequence[SettingRow], Policy]] = {}

    def __call__(
        self, rows: Sequence[SettingRow], *, cluster_id: str | None, host_id: str | None, other_hosts_in_cluster: int
    ) -> Policy:
        scope = (cluster_id, host_id, other_hosts_in_cluster)
        key = (*scope, *map(id, rows))
        if key not in self._of_objects:  # the rows are kept too, so that no id is ever used again
            values = (*scope, *((r.level, r.owner_id, r.field, repr(r.value)) for r in rows))
            if values not in self._of_rows:
                self._of_rows[values] = resolve(
                    rows, cluster_id=cluster_id, host_id=host_id, other_hosts_in_cluster=other_hosts_in_cluster
                )
            self._of_objects[key] = (list(rows), self._of_rows[values])
        return self._of_objects[key][1]


@contextmanager
def _captured(simulation: Simulation) -> Iterator[None]:
    """Log lines go to the referee (rule 7) instead of the terminal; an unexpected exception is a failure."""

    def keep(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        simulation.on_log(event)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.format_exc_info, keep],
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
