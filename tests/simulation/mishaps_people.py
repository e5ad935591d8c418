"""What people do, through a controller's services or past all of them."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from controller.db.store import StoreError, Tx
from controller.domain.incident import Source, State
from controller.domain.model import Level, Pause, SettingRow
from controller.domain.power import PowerAction
from controller.services.errors import ServiceError
from controller.services.operations import ReportResult
from controller.services.operator import Operator
from tests.simulation.mishap_base import MishapBase
from tests.simulation.process import CURRENT


class PeopleMishaps(MishapBase):
    """Part of :class:`tests.simulation.mishaps.Mishaps`."""

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
        now = self._sim.time()
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
        now = self._sim.time()
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
