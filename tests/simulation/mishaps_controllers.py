"""What happens to controllers and their database: deaths, stops, partitions, restores, clocks."""

import contextvars
from functools import partial

from tests.simulation.memory_tables import backup_of
from tests.simulation.mishap_base import MishapBase
from tests.simulation.plan import Mishap
from tests.simulation.process import CURRENT, Process, Trap


class ControllerMishaps(MishapBase):
    """Part of :class:`tests.simulation.mishaps.Mishaps`."""

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

    def devices_cut_off(self, lasts: float) -> None:
        """One controller has no way to any power device; the hosts and the database it reaches."""
        for process in self._sim.alive()[-1:]:
            process.devices_gone = True
            self._later(lasts, setattr, process, "devices_gone", False)

    def clock_step(self, by: float) -> None:
        """The database server's wall clock steps."""
        self._sim.step_clock(by)

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
                outside = contextvars.copy_context()  # what happens is no work of the controller
                outside.run(CURRENT.set, None)
                outside.run(self.happen, Mishap(self._u.now(), kind, args))

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
