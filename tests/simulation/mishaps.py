"""What can go wrong, and what people do: each a method that changes the truth (or asks the API) at one moment."""

import asyncio
import contextvars
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from controller.db.store import StoreError, Tx
from controller.domain.incident import Source, State
from controller.domain.model import Level, Pause, SettingRow
from controller.domain.power import PowerAction, PowerState
from controller.services.errors import ServiceError
from controller.services.operations import ReportResult
from controller.services.operator import Operator
from tests.simulation.hardware import Fault, Mark, PoolState
from tests.simulation.memory_tables import Tables, backup_of
from tests.simulation.plan import Mishap
from tests.simulation.process import CURRENT, Process, Trap

if TYPE_CHECKING:
    from tests.simulation.sim import Simulation


class Mishaps:
    """Bound to one simulation."""

    def __init__(self, simulation: "Simulation") -> None:
        self._sim = simulation
        self._u = simulation.universe
        self.tasks: list[asyncio.Task[None]] = []
        self._ids = itertools.count()
        self._backup: Tables | None = None

    def happen(self, mishap: Mishap) -> None:
        """Let it happen now."""
        self._u.note("world", mishap.kind, ", ".join(str(a) for a in mishap.args))
        self._sim.facts.coverage.marks.add(f"mishap {mishap.kind}")
        getattr(self, mishap.kind)(*mishap.args)

    def _later(self, after: float, what: Callable[..., object], *args: object) -> None:
        self._u.loop.call_later(after, what, *args)

    # -- hosts

    def hang(self, host_id: str) -> None:
        """The kernel stops: power on, nothing else."""
        self._u.hosts[host_id].break_(Fault.HUNG, self._u.now())

    def power_loss(self, host_id: str) -> None:
        """Off by itself, and not by any command."""
        self._u.hosts[host_id].machine.switch(on=False, at=self._u.now())

    def power_loss_with_bmc(self, host_id: str, lasts: float) -> None:
        """The whole rack loses power: the BMC goes with the host."""
        self.power_loss(host_id)
        self._u.bmcs[host_id].unplug(at=self._u.now(), until=self._u.now() + lasts)

    def fault(self, host_id: str, fault: Fault, lasts: float) -> None:
        metal = self._u.hosts[host_id]
        metal.break_(fault, self._u.now())
        self._later(lasts, metal.mend, fault)

    def isolate(self, host_id: str, lasts: float) -> None:
        """Network and storage are cut: it lives, and nobody can see it. Then it is back."""
        self._u.hosts[host_id].storage_cut = True
        self._u.cut_off.add(host_id)
        self._later(lasts, self.rejoin, host_id)

    def rejoin(self, host_id: str) -> None:
        self._u.note("world", "is back", host_id)
        self._u.hosts[host_id].storage_cut = False
        self._u.cut_off.discard(host_id)

    def unplug(self, host_id: str, lasts: float) -> None:
        """The network alone is cut: its heartbeat goes on."""
        self._u.cut_off.add(host_id)
        self._later(lasts, self._u.cut_off.discard, host_id)

    def technician(self, host_id: str, on: bool) -> None:  # noqa: FBT001 - written down in plans
        """Somebody presses the button."""
        self._u.hosts[host_id].machine.switch(on=on, at=self._u.now())

    def guest_writes(self, guest_id: str, lasts: float) -> None:
        guest = self._u.guests[guest_id]
        guest.writes = True
        self._later(lasts, setattr, guest, "writes", False)

    def slow(self, host_id: str, lasts: float) -> None:
        """Half of the agent's answers come too late."""
        self._u.slow_answers.add(host_id)
        self._later(lasts, self._u.slow_answers.discard, host_id)

    def disorder(self, host_id: str, lasts: float) -> None:
        """The agent's answers come in any order, some of them twice."""
        self._u.disordered.add(host_id)
        self._later(lasts, self._u.disordered.discard, host_id)

    def everybody_slow(self, lasts: float) -> None:
        """Half of all agents' answers come too late."""
        for host_id in self._u.hosts:
            self.slow(host_id, lasts)

    def watches_slow(self, lasts: float) -> None:
        """All agents are late to tell what they watch, and answer questions in time."""
        self._u.watches_slow = True
        self._later(lasts, setattr, self._u, "watches_slow", False)

    def upgrade(self, host_id: str, foreign_for: float) -> None:
        """The agent stops in order (its heartbeat is withdrawn), and comes back as a version of another protocol."""
        self.fault(host_id, Fault.WITHDRAWN, 6.0)
        self.fault(host_id, Fault.AGENT_DOWN, 5.0)
        if foreign_for:
            self.fault(host_id, Fault.INCOMPATIBLE, 5.0 + foreign_for)

    def agent_and_beat(self, host_id: str, lasts: float) -> None:
        """Both of hostfence's processes on the host die, and its guests live on."""
        self.fault(host_id, Fault.AGENT_DOWN, lasts)
        self.fault(host_id, Fault.BEAT_DOWN, lasts)

    def copied(self, host_id: str, lasts: float) -> None:
        """A copy of the host's system disk starts somewhere: its agent claims the same id for a while."""
        self._copy_beats(host_id, 1, until=self._u.now() + lasts)

    def _copy_beats(self, host_id: str, counter: int, *, until: float) -> None:
        for pool in self._u.pools.values():
            if pool.cluster_id == self._u.hosts[host_id].cluster_id and pool.state.writable:
                pool.beat(host_id, Mark(f"boot-of-a-copy-of-{host_id}", counter), at=self._u.now())
        if self._u.now() < until:
            self._u.loop.call_later(
                self._u.heartbeat_s * 1.3, partial(self._copy_beats, host_id, counter + 1, until=until)
            )

    # -- network and storage

    def partition(self, a: str, b: str, lasts: float) -> None:
        """Two places cannot reach each other; ``ctl`` is every controller of now."""
        names = [p.name for p in self._sim.alive()] if a == "ctl" else [a]
        for name in names:
            pair = frozenset({name, b})
            self._u.cut_pairs.add(pair)
            self._later(lasts, self._u.cut_pairs.discard, pair)

    def controller_cut_off(self, lasts: float) -> None:
        """One controller has no way to any host; the database and the power devices it reaches."""
        for process in self._sim.alive()[-1:]:
            for host_id in self._u.hosts:
                self.partition(process.name, host_id, lasts)

    def newcomer_cut_off(self, lasts: float) -> None:
        """Another controller starts, in a partition."""
        self._sim.start_process()
        self.controller_cut_off(lasts)

    def pool(self, pool_id: str, state: PoolState, lasts: float) -> None:
        pool = self._u.pools[pool_id]
        pool.state = state
        self._later(lasts, setattr, pool, "state", PoolState.OK)

    def stuck_mount(self, host_id: str, pool_id: str, lasts: float) -> None:
        mounts = self._u.hosts[host_id].stuck_mounts
        mounts.add(pool_id)
        self._later(lasts, mounts.discard, pool_id)

    def server_clock(self, pool_id: str, by: float) -> None:
        """The storage server's clock steps: every later mtime is off."""
        self._u.pools[pool_id].clock_offset_s += by

    def pool_fails_over(self, pool_id: str) -> None:
        """Another server takes the pool over: every file's times jump, and nobody wrote."""
        self._u.pools[pool_id].fail_over()

    def other_inode(self, guest_id: str) -> None:
        """The disk's file is replaced by another one under the same name."""
        guest = self._u.guests[guest_id]
        self._u.pools[guest.pool_id].files[guest.path].inode += 1000

    def clock_step(self, by: float) -> None:
        """The database server's wall clock steps."""
        self._sim.step_clock(by)

    # -- power devices

    def bmc(self, host_id: str, name: str, value: object, lasts: float) -> None:
        """One bad habit of a BMC for a while: an attribute of :class:`tests.fakes.power.FakeBmc`."""
        bmc = self._u.bmcs[host_id]
        before = getattr(bmc, name)
        if name == "lies_off":
            self._u.broken_assumptions[host_id] = "the BMC said off of a host that was on"
        setattr(bmc, name, value)
        self._later(lasts, setattr, bmc, name, before)

    def bmc_unreachable(self, host_id: str, lasts: float) -> None:
        self._u.bmcs[host_id].unplug(at=self._u.now(), until=self._u.now() + lasts)

    def second_unreachable(self, host_id: str, lasts: float) -> None:
        """Nothing where there is no second device."""
        if host_id in self._u.seconds:
            self._u.seconds[host_id].unplug(at=self._u.now(), until=self._u.now() + lasts)

    def bmc_reboots(self, host_id: str, lasts: float) -> None:
        """Out of reach for a while, and then it says *off* for some seconds whatever is true."""
        bmc, now = self._u.bmcs[host_id], self._u.now()
        bmc.unplug(at=now, until=now + lasts)
        self._later(lasts, setattr, bmc, "reads", PowerState.OFF)
        self._later(lasts + 6.0, setattr, bmc, "reads", None)

    def wrong_bmc(self, host_id: str, other: str) -> None:
        """From now on the device of one host is wired to another."""
        self._u.bmcs[host_id].machine = self._u.hosts[other].machine

    # -- cloud

    def cloud_gone(self, lasts: float) -> None:
        self._switch("unreachable", lasts)

    def cloud_effects_fail(self, lasts: float) -> None:
        self._switch("effects_fail", lasts)

    def cloud_loses_answers(self, lasts: float) -> None:
        self._switch("loses_answers", lasts)

    def _switch(self, name: str, lasts: float) -> None:
        setattr(self._u.cloud, name, True)
        self._later(lasts, setattr, self._u.cloud, name, False)

    def cloud_mute(self, lasts: float) -> None:
        self._switch("mute", lasts)

    def adapter_fails(self, lasts: float) -> None:
        """A bug: the adapter raises what it never should."""
        self._switch("adapter_fails", lasts)

    def local_disk(self, guest_id: str, lasts: float) -> None:
        """The guest has a disk on its host's own storage for a while."""
        guest = self._u.guests[guest_id]
        guest.local = True
        self._later(lasts, setattr, guest, "local", False)

    def placed_elsewhere(self, guest_id: str, host_id: str) -> None:
        """The cloud starts a guest somewhere else by itself, without asking anybody."""
        self._u.guests[guest_id].placed_on = host_id

    # -- controllers and database

    def trap(self, point: str, skip: int) -> None:
        """Every controller of now dies at its next such point."""
        for process in self._sim.alive():
            process.traps.append(Trap(point, skip))

    def at_point(self, point: str, kind: str, *args: object) -> None:
        """Something happens not at a time but at the next such point of any controller of now."""
        self.at_later_point(point, 0, kind, *args)

    def at_later_point(self, point: str, skip: int, kind: str, *args: object) -> None:
        """The same, once ``skip`` such points have passed in all controllers together: who takes a step is chance."""
        left = [skip]

        def deed(process: Process) -> None:
            left[0] -= 1
            if left[0] >= 0:
                process.traps.append(Trap(point, 0, partial(deed, process)))
            elif left[0] == -1:
                self.happen(Mishap(self._u.now(), kind, args))

        for process in self._sim.alive():
            process.traps.append(Trap(point, 0, partial(deed, process)))

    def kill(self) -> None:
        for process in self._sim.alive()[:1]:
            process.kill("SIGKILL")

    def restart(self) -> None:
        """A rolling restart's SIGTERM."""
        for process in self._sim.alive()[:1]:
            self.tasks.append(self._u.loop.create_task(process.stop(), name=f"stop-{process.name}"))

    def blackout(self, lasts: float, step: float) -> None:
        """No controller lives for a while, and the database's clock steps meanwhile."""
        self._sim.no_restart_before = self._u.now() + lasts
        for process in self._sim.alive():
            process.kill("no controller for a while")
        self._later(lasts / 2, self.clock_step, step)

    def second_controller(self) -> None:
        self._sim.start_process()

    def pause_process(self, lasts: float) -> None:
        for process in self._sim.alive()[:1]:
            process.pause()
            self._later(lasts, process.resume)

    def database_gone(self, lasts: float, everybody: bool) -> None:  # noqa: FBT001 - written down in plans
        if everybody:
            self._sim.store.unavailable = True
            self._later(lasts, setattr, self._sim.store, "unavailable", False)
            return
        for process in self._sim.alive()[:1]:
            process.database_gone = True
            self._later(lasts, setattr, process, "database_gone", False)

    def database_slow(self, late_s: float, lasts: float) -> None:
        """Every transaction of the controllers of now begins late, and its answer comes late."""
        for process in self._sim.alive():
            process.database_late_s = late_s
            self._later(lasts, setattr, process, "database_late_s", 0.0)

    def backup(self) -> None:
        """The database is dumped; :meth:`restore` brings this one back."""
        self._backup = backup_of(self._sim.store.tables)

    def restore(self) -> None:
        """The dump is loaded in the place of the database: whatever was committed since is gone."""
        if self._backup is not None:
            before, self._sim.store.tables = self._sim.store.tables, self._backup
            self._backup = None
            self._sim.referee.on_restore(before)
            self.database_gone(1.0, everybody=True)  # whoever was in the middle of something fails

    def setting(self, name: str, value: object) -> None:
        self._sim.write_settings({name: value})

    def mark_host(self, host_id: str, mark: str, lasts: float) -> None:
        """A person sets one of the host's marks for a while: excluded, maintenance, runs_controller, cloud_ha."""
        self._mark(host_id, mark)
        self._later(lasts, self.unmark_host, host_id)

    def unmark_host(self, host_id: str) -> None:
        self._mark(host_id, "")

    def _mark(self, host_id: str, mark: str) -> None:
        host = replace(
            self._sim.store.tables.hosts[host_id],
            excluded=mark == "excluded",
            maintenance=mark == "maintenance",
            runs_controller=mark == "runs_controller",
            cloud_ha=mark == "cloud_ha",
        )
        if host != self._sim.store.tables.hosts[host_id]:
            self._sim.edit(lambda tx: tx.save_host(host))

    def device_of(self, host_id: str, other: str, lasts: float) -> None:
        """A person types the address of another host's device; "": takes it away. Later it is put right."""
        self._put_device(host_id, f"bmc-{other}" if other else "")
        self._later(lasts, self.own_device, host_id)

    def own_device(self, host_id: str) -> None:
        self._put_device(host_id, f"bmc-{host_id}")

    def _put_device(self, host_id: str, address: str) -> None:
        row = SettingRow(level=Level.HOST, owner_id=host_id, field="ipmi.host", value=address)
        known = self._sim.store.tables.settings.get((Level.HOST, host_id, "ipmi.host"))
        if row != known:
            self._sim.edit(lambda tx: tx.put_setting(row, secret=False))

    def address_refused(self, host_id: str, lasts: float) -> None:
        """A controller's configuration does not allow the device's address for a while."""
        self._u.refused_addresses.add(f"bmc-{host_id}")
        self._later(lasts, self._u.refused_addresses.discard, f"bmc-{host_id}")

    def driver_gone(self, lasts: float) -> None:
        """Controllers without the driver (a bad roll-out) for a while."""
        self._u.driver_proves = False
        self._later(lasts, setattr, self._u, "driver_proves", True)

    # -- people

    def report(self, host_id: str) -> None:
        self._ask(
            "report",
            lambda op: op.report_disconnect(host_id, at=None, source=Source.REPORT, actor="script", note="reported"),
        )

    def reconnect(self, host_id: str) -> None:
        self._ask("reconnect", lambda op: op.report_reconnect(host_id, actor="script"))

    def retry(self, host_id: str) -> None:
        incident = self._sim.facts.incident_of(host_id)
        if incident is not None:
            self._ask("retry", lambda op: op.retry(incident.id, reason="again", actor="ada"))

    def cancel(self, host_id: str) -> None:
        incident = self._sim.facts.incident_of(host_id)
        if incident is not None:
            self._ask("cancel", lambda op: op.cancel(incident.id, reason="leave it", actor="ada"))

    def acknowledge(self, host_id: str, honest: bool) -> None:  # noqa: FBT001 - written down in plans
        """A person vouches that the host is off; an honest one has looked, or pulls the plug first."""
        incident = self._sim.facts.incident_of(host_id)
        if incident is None or incident.state is not State.HELD:
            return
        if honest:
            self._u.hosts[host_id].machine.switch(on=False, at=self._u.now())
        else:
            self._u.broken_assumptions[host_id] = "a person vouched for off without looking"
        name = self._sim.store.tables.hosts[host_id].name

        async def vouch(op: Operator) -> None:
            await op.acknowledge(incident.id, host_name=name, reason="I stand before it", actor="ada")
            self._u.note("ada", f"{host_id} acknowledged")

        self._ask("acknowledge", vouch)

    def manual(self, host_id: str, action: PowerAction, force: bool) -> None:  # noqa: FBT001 - written down in plans
        self._ask("power", lambda op: op.power(host_id, action=action, reason="manual", actor="ada", force=force))

    def rearm(self, host_id: str) -> None:
        self._ask("rearm", lambda op: op.rearm(host_id, reason="ready", actor="ada"))

    def pause(self, level: Level, owner_id: str, lasts: float) -> None:
        now = self._u.time()
        pause = Pause(
            id=f"pause-{next(self._ids)}",
            level=level,
            owner_id=owner_id,
            reason="work on the switches",
            by="ada",
            created_at=now,
            until=now + timedelta(seconds=lasts),
        )
        self._sim.edit(lambda tx: tx.save_pause(pause))

    def lift_pauses(self) -> None:
        now = self._u.time()
        for pause in self._sim.store.tables.pauses.values():
            if pause.lifted_at is None:
                lifted = replace(pause, lifted_at=now, lifted_by="ada")
                self._sim.edit(partial(_save_pause, lifted))

    def _ask(self, what: str, request: Callable[[Operator], Awaitable[object]]) -> None:
        """A request to one of the controllers; it dies with it."""
        for process in self._sim.alive():
            if process.resumed.is_set():
                context = contextvars.copy_context()
                context.run(CURRENT.set, process)
                operator = self._sim.operators[process.name]
                asked = self._request(what, request, operator)
                self.tasks.append(self._u.loop.create_task(asked, name=f"api-{what}", context=context))
                return

    async def _request(self, what: str, request: Callable[[Operator], Awaitable[object]], operator: Operator) -> None:
        try:
            answer = await request(operator)
        except ServiceError as error:
            self._sim.facts.coverage.reasons.update(error.reasons)
            if what == "power":
                self._sim.facts.coverage.refusals.update(error.reasons)
            self._u.note("api", f"{what} refused", error.code)
        except StoreError as error:
            self._u.note("api", f"{what} failed", str(error))
        except asyncio.CancelledError:
            self._u.note("api", f"{what} lost")
            raise
        else:
            self._u.note("api", f"{what} done")
            if isinstance(answer, ReportResult) and answer.why_not is not None:
                self._sim.facts.coverage.reasons.add(answer.why_not)


async def _save_pause(pause: Pause, tx: Tx) -> None:
    await tx.save_pause(pause)
