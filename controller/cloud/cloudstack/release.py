"""Letting a dead host's machines start elsewhere, a step at a time, resumable from what CloudStack itself shows.

Carries rule 1 where it meets the cloud: nothing here is called but by a release (proof of off, or an acknowledgement).
Two ways, by capability: *declare the host degraded* (one call; CloudStack takes all its machines for stopped and starts
those with HA), else and for what is left over *stop forced, then start* machine by machine. Done when none claims to
run on the host any more.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from controller.cloud.base import EffectResult
from controller.cloud.cloudstack.client import CloudStackClient, Job, JobStatus
from controller.cloud.cloudstack.errors import CloudStackError, ErrorKind
from controller.cloud.cloudstack.fields import text
from controller.cloud.cloudstack.fitness import restarts_by_itself
from controller.cloud.cloudstack.inventory import machine, machines_on
from controller.domain.cloud import CloudVm
from controller.domain.evidence import Machine
from controller.domain.model import VmKind

PAUSES = (0, 8, 15, 30)
"""Before each time that one machine is asked to stop, or to start; in calls of :meth:`Release.go_on`, which are two
seconds apart at least. Together they are longer than hosts take to be Up again after a restart of the management
server: until then nothing starts anywhere."""

WAITS = 60
"""Such calls that CloudStack gets for what it does by itself."""

RUNNING, STOPPED = "Running", "Stopped"
BUSY = frozenset({"Starting", "Stopping", "Migrating"})
RUNS_OR_GONE = frozenset({RUNNING, "Migrating", "Destroyed", "Expunging"})

DEGRADABLE = frozenset({"Alert", "Disconnected"})
DEGRADABLE_RESOURCE = frozenset({"Enabled", "Disabled", "Maintenance"})

_NOUN = {VmKind.USER: "VirtualMachine", VmKind.ROUTER: "Router", VmKind.SYSTEM: "SystemVm"}

Verb = Literal["stop", "start"]


@dataclass(slots=True)
class Progress:
    """What one step leaves for the next, as JSON in the effect's row. ``jobs``: machine -> (verb, job)."""

    way: str = ""
    degraded_job: str = ""
    calls: int = 0
    waited: int = 0
    jobs: dict[str, tuple[str, str]] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    """What was asked of whom ("stop …") -> the call that did so last."""
    said: dict[str, str] = field(default_factory=dict)
    there: dict[str, str] = field(default_factory=dict)
    """Machine -> kind, of those that CloudStack showed on the host at any call: stopped ones it shows nowhere."""

    @classmethod
    def read(cls, kept: dict[str, Any]) -> "Progress":
        """From the row; whatever an older version wrote there is left out."""
        known = {name: kept[name] for name in cls.__dataclass_fields__ if name in kept}
        known["jobs"] = {vm: (str(verb), str(job)) for vm, (verb, job) in known.get("jobs", {}).items()}
        return cls(**known)

    def written(self) -> dict[str, Any]:
        """For the row."""
        return asdict(self)


@dataclass(slots=True)
class Release:
    """One step of one release. ``host_id``: CloudStack's."""

    client: CloudStackClient
    host_id: str
    machines: tuple[Machine, ...]
    progress: Progress
    degraded_allowed: bool
    late: Callable[[], bool]
    """True once nothing may be sent any more: a process that was stopped meanwhile must look for life again."""

    async def go_on(self) -> EffectResult:
        """Do what can be done now.

        The first call only says which machines will run elsewhere: that is stored before one of them does.

        Raises:
            CloudStackError, CloudUnreadableError: CloudStack could not be asked; nothing is lost, call again.
            TimeoutError: it is too late for more.
        """
        vms = await self._vms()
        self.progress.calls += 1
        if not self.progress.way:
            self.progress.way = "degraded" if await self._degradable() else "machines"
            return self._pending("about to let its machines start elsewhere")
        if self.progress.way == "degraded" and not await self._degraded():
            return self._pending("CloudStack is declaring the host degraded")
        return await self._each(vms)

    async def _vms(self) -> list[CloudVm]:
        """All that were there since first suspicion, and what CloudStack has there now; by name."""
        there = await machines_on(self.client, self.host_id)
        self.progress.there |= {m.id: m.kind for m in self.machines} | {vm.id: vm.kind for vm in there}
        asked = self.progress.there.keys() - {vm.id for vm in there}
        kinds = self.progress.there
        found = await asyncio.gather(*(machine(self.client, VmKind(kinds[vm_id]), vm_id) for vm_id in sorted(asked)))
        return sorted([*there, *(vm for vm in found if vm is not None)], key=lambda vm: vm.name)

    # -- the host as a whole

    async def _degradable(self) -> bool:
        """Where CloudStack's VM-HA is off, declaring a host degraded neither stops its machines nor starts any."""
        if not self.degraded_allowed:
            return False
        row = await self._host()
        fits = row.get("state") in DEGRADABLE and row.get("resourcestate") in DEGRADABLE_RESOURCE
        return fits and await restarts_by_itself(self.client, text(row, "zoneid"))

    async def _host(self) -> dict[str, Any]:
        rows = await self.client.list("listHosts", id=self.host_id, details="min")
        return rows[0] if rows else {}

    async def _degraded(self) -> bool:
        """True when CloudStack has done it, or will not: what is left is done machine by machine."""
        if (await self._host()).get("resourcestate") == "Degraded":
            return True
        if not self.progress.degraded_job:
            try:
                self.progress.degraded_job = await self._start("declareHostAsDegraded", self.host_id)
            except CloudStackError as error:
                return self._refused(error)
        job = await self._job(self.progress.degraded_job)
        if job.status is JobStatus.PENDING:
            return False
        self.progress.degraded_job = ""
        if job.status is JobStatus.FAILED:
            self.progress.way, self.progress.said["host"] = "machines", job.error
        return True

    def _refused(self, error: CloudStackError) -> bool:
        if error.kind is not ErrorKind.REJECTED:
            raise error
        self.progress.way, self.progress.said["host"] = "machines", error.said
        return True

    # -- machine by machine

    async def _each(self, vms: list[CloudVm]) -> EffectResult:
        await self._settle()
        free = [vm for vm in vms if vm.id not in self.progress.jobs]
        stopping = [vm for vm in free if vm.host_id == self.host_id and not self._left_to_cloudstack(vm)]
        starting = [
            vm for vm in free if vm.state == STOPPED and self._restarts(vm) and not self._left_to_cloudstack(vm)
        ]
        asked = [await self._act("stop", stopping), await self._act("start", starting)]
        waits = [vm for vm in free if self._left_to_cloudstack(vm)]
        self.progress.waited += bool(waits)
        if self.progress.jobs or any(asked) or waits:
            return self._pending(self._how_far(vms))
        return self._end(vms)

    def _restarts(self, vm: CloudVm) -> bool:
        return vm.ha_enabled or any(m.restart for m in self.machines if m.id == vm.id)

    def _left_to_cloudstack(self, vm: CloudVm) -> bool:
        """It is doing something with it already, or will by itself: it gets its time for that."""
        if self.progress.waited >= WAITS:
            return False
        busy = vm.state in BUSY and (self._restarts(vm) or vm.host_id == self.host_id)
        return busy or (self.progress.way == "degraded" and vm.state == STOPPED and self._restarts(vm))

    async def _act(self, verb: Verb, vms: list[CloudVm]) -> bool:
        """Ask for those whose turn it is; True if any was asked, or will be."""
        tries, asked, now = self.progress.tries, self.progress.asked, self.progress.calls
        names = {f"{verb} {vm.id}": vm for vm in vms if vm.id not in self.progress.jobs}
        open_ = {name: vm for name, vm in names.items() if tries.get(name, 0) < len(PAUSES)}
        due = [vm for name, vm in open_.items() if now - asked.get(name, now) >= PAUSES[tries.get(name, 0)]]
        await asyncio.gather(*(self._ask(verb, vm) for vm in due))
        return bool(open_)

    async def _ask(self, verb: Verb, vm: CloudVm) -> None:
        how: dict[str, bool] = {"forced": True} if verb == "stop" else {}
        name = f"{verb} {vm.id}"
        before = self.progress.tries.get(name, 0)
        self.progress.tries[name], self.progress.asked[name] = before + 1, self.progress.calls
        try:
            job = await self._start(f"{verb}{_NOUN[vm.kind]}", vm.id, **how)
        except CloudStackError as error:
            self.progress.said[vm.id] = error.said
            if error.kind is not ErrorKind.REJECTED:
                self.progress.tries[name] = before
        else:
            self.progress.jobs[vm.id] = (verb, job)

    async def _start(self, command: str, of: str, **how: bool) -> str:
        if self.late():
            raise TimeoutError
        return await self.client.start(command, id=of, **how)

    async def _settle(self) -> None:
        """Take note of the jobs that have ended."""
        jobs = self.progress.jobs
        for vm_id, job in zip(list(jobs), await asyncio.gather(*(self._job(j) for _, j in jobs.values())), strict=True):
            if job.status is not JobStatus.PENDING:
                del jobs[vm_id]
            if job.status is JobStatus.FAILED:
                self.progress.said[vm_id] = job.error
            if job.status is JobStatus.DONE:
                self.progress.said.pop(vm_id, None)

    async def _job(self, job_id: str) -> Job:
        """A job that CloudStack has forgotten has ended: its machine's state says how."""
        try:
            return await self.client.job(job_id)
        except CloudStackError as error:
            if error.kind is ErrorKind.REJECTED:
                return Job(status=JobStatus.FAILED, error=error.said)
            raise

    # -- what is said

    def _pending(self, said: str) -> EffectResult:
        begun = tuple(sorted(self.progress.there))
        return EffectResult(done=False, pending=True, said=said, progress=self.progress.written(), begun=begun)

    def _how_far(self, vms: list[CloudVm]) -> str:
        there = sum(vm.host_id == self.host_id for vm in vms)
        runs = sum(vm.state == RUNNING and vm.host_id != self.host_id for vm in vms)
        return f"{runs} of {len(vms)} run elsewhere, {there} not stopped yet"

    def _end(self, vms: list[CloudVm]) -> EffectResult:
        left = [vm for vm in vms if vm.host_id == self.host_id]
        if left:
            self.progress.tries.clear()  # a person will look; then it is tried again
            said = "; ".join(f"{vm.name} is still {vm.state} there: {self.progress.said.get(vm.id, '')}" for vm in left)
            return EffectResult(done=False, said=said, progress=self.progress.written())
        not_started = tuple(self._why_down(vm) for vm in vms if vm.state not in RUNS_OR_GONE)
        return EffectResult(done=True, said=self._how_far(vms), not_started=not_started)

    def _why_down(self, vm: CloudVm) -> str:
        if vm.state != STOPPED:
            return f"{vm.name} (still {vm.state})"
        if not self._restarts(vm):
            return f"{vm.name} (not HA-enabled)"
        why = self.progress.said.get(vm.id)
        return f"{vm.name} ({why})" if why else vm.name
