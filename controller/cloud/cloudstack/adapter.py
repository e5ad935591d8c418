"""One CloudStack behind the port :mod:`controller.cloud.base`, through its public API alone.

What is put in its way is by capability (what the key may call), never by version.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog

from controller.cloud.base import CloudUnreadableError, EffectResult
from controller.cloud.cloudstack.client import CloudStackClient, Job, JobStatus
from controller.cloud.cloudstack.errors import CloudStackError, ErrorKind
from controller.cloud.cloudstack.fields import text
from controller.cloud.cloudstack.fitness import Fitness
from controller.cloud.cloudstack.inventory import InventoryReader, machine, machines_on, volumes_of
from controller.cloud.cloudstack.mapping import alert_about, hosts_from
from controller.cloud.cloudstack.placement import Placement, merged
from controller.cloud.cloudstack.polls import Polls, follow, said
from controller.cloud.cloudstack.release import Progress, Release
from controller.cloud.standalone import Inventory, machine_id
from controller.domain.cloud import CloudHost, CloudHosts, CloudInventory
from controller.domain.evidence import CloudSays, DiskList, Machine
from controller.domain.model import Host, Vm
from controller.domain.remarks import Remarks

log = structlog.get_logger(__name__)

T = TypeVar("T")

SAYS_WITHIN_S = 25.0
"""A poll is an answer for so long; after that CloudStack is asked for the one host."""

POLL_S = 10.0
"""For one list of hosts."""

BESIDES_S = 5.0
"""For what a poll can do without."""

SLICE_S = 12.0
"""One step of a release: with the look before it, it stays within the step's lease."""

JOB_S = 20.0
"""How long the answer of a job is waited for in one go (un-degrading a host); it is asked for again later."""

HOST_ALERTS, HOST_ALERT, ALERTS = 7, "ALERT.COMPUTE.HOST", 50
"""CloudStack's number and name for alerts about hosts, and how many of the newest are read."""

ENABLED, DISABLED, DEGRADED = "Enabled", "Disabled", "Degraded"


@dataclass(slots=True)
class _Table:
    """The newest poll."""

    hosts: dict[str, CloudHost]
    at: float


class CloudStack:
    """Implements :class:`controller.cloud.base.Cloud`."""

    def __init__(
        self,
        client: CloudStackClient,
        inventory: Inventory,
        *,
        boottime: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``inventory``: what our own keeps on a host (see :mod:`controller.cloud.cloudstack.placement`)."""
        self._client = client
        self._inventory = inventory
        self._boottime = boottime
        self._sleep = sleep
        self._reader = InventoryReader(client)
        self._fitness = Fitness(client, boottime=boottime)
        self._polls = Polls()
        self._table = _Table({}, float("-inf"))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    # -- what it says

    async def poll(self) -> CloudHosts:
        """See :class:`controller.cloud.base.Cloud`."""
        try:
            hosts = await self._hosts()
        except CloudStackError as error:
            return CloudHosts(known=False, trouble=str(error))
        servers = await _besides(self._servers(), {})
        hosts = await _besides(self._with_alerts(hosts), hosts)
        at = self._boottime()
        self._polls = follow(self._polls, hosts, servers, at=at)
        self._table = _Table({host.id: host for host in hosts}, at)
        return said(self._polls, hosts)

    async def says(self, host: Host) -> CloudSays:
        """From the newest poll; one host alone where that is old."""
        if host.external_id is None:
            return CloudSays.NONE
        if self._boottime() - self._table.at > SAYS_WITHIN_S:
            try:
                hosts = await self._hosts(host.external_id)
            except CloudStackError:
                return CloudSays.UNREACHABLE
            found = next(iter(hosts), None)
        else:
            found = self._table.hosts.get(host.external_id)
        if self._polls.trouble:
            return CloudSays.UNREACHABLE
        return CloudSays.UP if found is not None and found.up else CloudSays.NOT_UP

    async def _hosts(self, host_id: str | None = None) -> tuple[CloudHost, ...]:
        which = {"id": host_id} if host_id else {"type": "Routing", "hypervisor": "KVM"}
        try:
            rows = await self._client.list("listHosts", deadline_s=POLL_S, details="min", **which)
        except CloudStackError as error:
            if host_id and error.unknown_id:
                return ()
            raise
        return hosts_from(rows, Remarks())

    async def _with_alerts(self, hosts: tuple[CloudHost, ...]) -> tuple[CloudHost, ...]:
        """CloudStack writes down when it lost a host, if only as an alert; its newest ones are enough."""
        lost = {host.name for host in hosts if not host.up and self._polls.up.get(host.id)}
        if not lost or not (await self._fitness.capabilities()).alerts:
            return hosts
        page = {"type": HOST_ALERTS, "page": 1, "pagesize": ALERTS}
        found = (await self._client.call("listAlerts", deadline_s=BESIDES_S, **page)).get("alert")
        rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
        at = {name: max((sent for row in rows if (sent := alert_about(row, name))), default=None) for name in lost}
        return tuple(replace(host, down_since=at[host.name]) if host.name in lost else host for host in hosts)

    async def _servers(self) -> dict[str, str]:
        """Management server -> when it was started. Not every version says, nor to every key."""
        if not (await self._fitness.capabilities()).management_servers:
            return {}
        rows = await self._client.list("listManagementServers", deadline_s=BESIDES_S)
        return {text(row, "id"): started for row in rows if (started := text(row, "lastserverstart"))}

    # -- what runs where

    async def disks(self, host: Host) -> DiskList:
        """See :class:`controller.cloud.base.Cloud`. A host that is none of CloudStack's: as the inventory has it."""
        found = await self._inventory(host)
        if found is None:
            return DiskList(known=False)
        kept, pools = found
        try:
            placement = await self._placement(host.external_id or "", kept)
        except (CloudUnreadableError, CloudStackError) as error:
            log.warning("placement cannot be read", host=host.name, error=str(error))
            return DiskList(known=False)
        return merged(kept, pools, placement, host_id=host.id, address=host.address)

    async def _placement(self, host_id: str, kept: list[Vm]) -> Placement:
        on_host = await machines_on(self._client, host_id) if host_id else ()
        here = {vm.id for vm in on_host}
        asked = [vm for vm in kept if vm.external_id and vm.external_id not in here]
        found = await asyncio.gather(*(machine(self._client, vm.kind, machine_id(vm)) for vm in asked))
        new = here - {machine_id(vm) for vm in kept}
        volumes = (await volumes_of(self._client, sorted(new))).disks if new else {}
        return Placement(
            on_host=on_host,
            found=dict(zip((machine_id(vm) for vm in asked), found, strict=True)),
            disks=volumes,
        )

    async def inventory(self) -> CloudInventory | None:
        """See :class:`controller.cloud.base.Cloud`. A key that lacks rights is told of all of them at once."""
        try:
            await self._fitness.check()
            return await self._fitness.of(await self._reader.read())
        except (CloudStackError, CloudUnreadableError) as error:
            lacking = self._fitness.lacking()
            self._fitness.doubt()
            raise CloudUnreadableError(" ".join((str(error), *lacking))) from error

    # -- effects

    async def quarantine(self, host: Host, earlier: str) -> EffectResult:
        """Disabled: then CloudStack neither uses the host nor restarts its machines by itself when it is lost."""
        try:
            there = await self._one(host)
            if there.resource_state == DISABLED:
                return EffectResult(done=True, said="it is disabled already", earlier=earlier)
            if there.resource_state != ENABLED:
                return EffectResult(done=True, said=f"left as it is: {there.resource_state}")
            if earlier != ENABLED:
                return EffectResult(done=False, pending=True, said="about to disable it", earlier=ENABLED)
            await self._client.call("updateHost", id=there.id, allocationstate="Disable")
        except CloudStackError as error:
            return EffectResult(done=False, said=str(error))
        return EffectResult(done=True, said="disabled", earlier=ENABLED)

    async def unquarantine(self, host: Host, earlier: str) -> EffectResult:
        """Enabled again if it was hostfence that disabled it; a host declared degraded is taken back into use."""
        try:
            there = await self._one(host)
            if there.resource_state == DEGRADED:
                return await self._undegrade(there, earlier)
            if earlier == ENABLED and there.resource_state == DISABLED:
                await self._client.call("updateHost", id=there.id, allocationstate="Enable")
        except CloudStackError as error:
            return EffectResult(done=False, said=str(error))
        if earlier == ENABLED and there.resource_state in {DISABLED, ENABLED}:
            return EffectResult(done=True, said="enabled")
        return EffectResult(done=True, said=f"left as it was: {there.resource_state}")

    async def _undegrade(self, there: CloudHost, earlier: str) -> EffectResult:
        """It ends as Enabled; a host that was not so before is disabled again."""
        job_id = await self._client.start("cancelHostAsDegraded", id=there.id)
        job = await self._ended(job_id)
        if job is None:
            return EffectResult(done=False, said="CloudStack is still taking it back into use")
        if job.status is JobStatus.FAILED:
            return EffectResult(done=False, said=job.error)
        if earlier != ENABLED:
            await self._client.call("updateHost", id=there.id, allocationstate="Disable")
        return EffectResult(done=True, said="no longer degraded")

    async def release(self, host: Host, machines: tuple[Machine, ...], progress: dict[str, Any]) -> EffectResult:
        """See :class:`controller.cloud.base.Cloud` and :mod:`controller.cloud.cloudstack.release`."""
        if host.external_id is None:
            return EffectResult(done=False, said=f"{host.name} has no id of CloudStack's (external_id)")
        kept, until = Progress.read(progress), self._boottime() + SLICE_S
        try:
            async with asyncio.timeout(SLICE_S):
                can = await self._fitness.capabilities()
                step = Release(
                    self._client, host.external_id, machines, kept, can.degraded, lambda: self._boottime() > until
                )
                return await step.go_on()
        except (CloudStackError, CloudUnreadableError) as error:
            trouble = str(error)
        except TimeoutError:
            trouble = "CloudStack is slow"
        return EffectResult(done=False, pending=True, said=trouble, progress=kept.written())

    async def alert(self, text: str) -> str:
        """Put a line into CloudStack's own list of alerts; "" when it stands there, else what hindered it."""
        try:
            job_id = await self._client.start("generateAlert", type=HOST_ALERTS, name=HOST_ALERT, description=text)
            job = await self._ended(job_id)
        except CloudStackError as error:
            return str(error)
        if job is None:
            return "CloudStack is still writing it down"
        return job.error if job.status is JobStatus.FAILED else ""

    async def _ended(self, job_id: str) -> Job | None:
        """What became of a job; None while it goes on after :data:`JOB_S`."""
        until = self._boottime() + JOB_S
        while (job := await self._client.job(job_id)).status is JobStatus.PENDING:
            if self._boottime() > until:
                return None
            await self._sleep(1.0)
        return job

    async def _one(self, host: Host) -> CloudHost:
        found = await self._hosts(host.external_id or "none")
        if not found:
            raise CloudStackError(ErrorKind.REJECTED, "listHosts", f"CloudStack knows no host {host.name}")
        return found[0]


async def _besides(asked: Awaitable[T], otherwise: T) -> T:
    """What CloudStack tells besides: that it cannot be read must not cost what it says of its hosts."""
    try:
        return await asked
    except CloudStackError as error:
        log.warning("the cloud's hosts are read, but not what it tells besides", error=str(error))
        return otherwise
