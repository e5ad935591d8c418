"""The commands that change something, with CloudStack's own refusals."""

from collections.abc import Mapping
from typing import Any

from tests.fakes.cloudstack import views, vmwork
from tests.fakes.cloudstack.jobs import Finish, Job, JobError
from tests.fakes.cloudstack.model import SYSTEM_KINDS, Host, Kind, Resource, Status, Vm, VmState
from tests.fakes.cloudstack.registry import NEEDED_ID, Call, Registry
from tests.fakes.cloudstack.wire import INTERNAL, PARAMETER, ApiError, Param, date

ACTS = Registry()
_FORCED = Param("forced", "boolean")
DEFAULT_ALERTS = {
    7: "ALERT.COMPUTE.HOST",
    8: "ALERT.USERVM",
    9: "ALERT.SERVICE.DOMAINROUTER",
    10: "ALERT.SERVICE.CONSOLEPROXY",
    11: "ALERT.NETWORK.ROUTING",
    27: "ALERT.TYPE.SYNC",
    28: "ALERT.UPLOAD.FAILED",
}
"""Some of CloudStack's own types of alerts."""


def _host_result(call: Call, host: Host) -> dict[str, Any]:
    return {"host": views.host_view(call.site, host, frozenset({"min"}))}


def _submit(call: Call, command: str, on: tuple[str, str], begin: Any, seconds: float | None = None) -> Any:
    return {"jobid": call.site.jobs.submit(command, on, begin, seconds).id}


def _host(call: Call) -> Host:
    return call.site.hosts[call.arguments.get("id")]


@ACTS.command("updateHost", NEEDED_ID, Param("allocationstate"), Param("hosttags"), Param("annotation"))
def update_host(call: Call) -> Any:
    """Works without the agent. Enabled and Disabled may be set from each other, and Disabled after an error."""
    host, wish = _host(call), call.arguments.get("allocationstate")
    if wish:
        if wish not in {"Enable", "Disable"}:
            raise _not_updated(host, f"Invalid allocation state: {wish}, only Enable/Disable are allowed")
        errors = {Resource.ERROR_IN_MAINTENANCE, Resource.ERROR_IN_PREPARE} if wish == "Disable" else set()
        if host.resource_state not in {Resource.ENABLED, Resource.DISABLED} | errors:
            now = f"current state = {host.resource_state} event = {wish}"
            raise _not_updated(host, f"No next resource state found for {now}")
        host.resource_state = Resource.ENABLED if wish == "Enable" else Resource.DISABLED
    if "hosttags" in call.arguments.values:
        host.tags = call.arguments.get("hosttags")
    return _host_result(call, host)


def _not_updated(host: Host, why: str) -> ApiError:
    return ApiError(INTERNAL, f"Failed to update host: {host.name} with id {host.number}, {why}")


@ACTS.command("prepareHostForMaintenance", NEEDED_ID, is_async=True)
def prepare_host_for_maintenance(call: Call) -> Any:
    host, site = _host(call), call.site

    def begin() -> Finish:
        if host.resource_state in {Resource.MAINTENANCE, Resource.PREPARE_FOR_MAINTENANCE, Resource.ERROR_IN_PREPARE}:
            raise JobError(
                f"Host is already in state {host.resource_state}. Cannot recall for maintenance until resolved."
            )
        straight = site.profile.vm_ha_setting and site.is_on("set.host.down.to.maintenance", host.cluster.pod.zone)
        if straight and host.state is Status.DOWN and host.resource_state is Resource.ENABLED:
            host.resource_state = Resource.MAINTENANCE
            return lambda: _host_result(call, host)
        if not vmwork.reachable(host) or host.resource_state is not Resource.ENABLED:
            raise JobError(f"Unable to prepare for maintenance host {host.number}")
        host.resource_state = Resource.PREPARE_FOR_MAINTENANCE
        site.schedule.after(site.jobs.seconds * 2, lambda: _emptied(call, host))
        return lambda: _host_result(call, host)

    return _submit(call, "prepareHostForMaintenance", ("Host", host.id), begin)


def _emptied(call: Call, host: Host) -> None:
    """Its machines have been moved away, where there is room."""
    if host.resource_state is not Resource.PREPARE_FOR_MAINTENANCE:
        return
    for vm in call.site.vms_of(host):
        place = next(iter(vmwork.fits(call.site, vm)), None)
        if vm.state is VmState.RUNNING and place is not None:
            vmwork.migrate(vm, place)()
    left = call.site.vms_of(host)
    host.resource_state = Resource.ERROR_IN_MAINTENANCE if left else Resource.MAINTENANCE


@ACTS.command("cancelHostMaintenance", NEEDED_ID, is_async=True)
def cancel_host_maintenance(call: Call) -> Any:
    host = _host(call)

    def begin() -> Finish:
        if host.resource_state not in {
            Resource.MAINTENANCE,
            Resource.PREPARE_FOR_MAINTENANCE,
            Resource.ERROR_IN_PREPARE,
            Resource.ERROR_IN_MAINTENANCE,
        }:
            raise JobError(
                f"Cannot perform cancelMaintenance when resource state is {host.resource_state}, hostId = {host.number}"
            )
        if host.state is not Status.UP and not call.site.is_on("kvm.ssh.to.agent"):
            raise JobError("SSH access is disabled, cannot cancel maintenance mode as host agent is not connected")
        host.resource_state = Resource.ENABLED
        return lambda: _host_result(call, host)

    return _submit(call, "cancelHostMaintenance", ("Host", host.id), begin)


@ACTS.command("declareHostAsDegraded", NEEDED_ID, is_async=True, since="4.16.0.0")
def declare_host_as_degraded(call: Call) -> Any:
    """All its machines are taken for stopped, unasked; those with HA start elsewhere."""
    host, site = _host(call), call.site

    def begin() -> Finish:
        if host.resource_state is Resource.DEGRADED:
            text = f"Host [id:{host.number}] was already marked as Degraded."
            raise JobError(f"Failed to declare host as Degraded due to: {text}")
        if host.state not in {Status.ALERT, Status.DISCONNECTED}:
            raise JobError(
                f"Cannot perform declare host [id={host.number}, name={host.name}] as 'Degraded' when host is in "
                f"{host.state} status"
            )
        if host.resource_state not in {Resource.ENABLED, Resource.DISABLED, Resource.MAINTENANCE}:
            now = f"current state = {host.resource_state} event = DeclareHostDegraded"
            raise JobError(f"Failed to declare host as Degraded due to: No next resource state found for {now}")
        host.resource_state = Resource.DEGRADED
        vmwork.host_lost(site, host, obey_setting=site.degrade_obeys_vm_ha)
        return lambda: _host_result(call, host)

    return _submit(call, "declareHostAsDegraded", ("Host", host.id), begin)


@ACTS.command("cancelHostAsDegraded", NEEDED_ID, is_async=True, since="4.16.0.0")
def cancel_host_as_degraded(call: Call) -> Any:
    host = _host(call)

    def begin() -> Finish:
        if host.resource_state is not Resource.DEGRADED:
            raise JobError(
                f"Failed to cancel host as Degraded due to: Cannot perform cancelHostAsDegraded on host "
                f"[id={host.number}, name={host.name}] when host is in {host.resource_state} state"
            )
        host.resource_state = Resource.ENABLED
        return lambda: _host_result(call, host)

    return _submit(call, "cancelHostAsDegraded", ("Host", host.id), begin)


# -- machines ----------------------------------------------------------------------------------------------------------


def _vm(call: Call, kinds: tuple[Kind, ...]) -> Vm:
    vm = call.site.vms[call.arguments.get("id")]
    if vm.kind not in kinds:
        raise ApiError(PARAMETER, f"unable to find a machine of {'/'.join(kinds)} with id {vm.id}", 4350)
    return vm


def _result(vm: Vm) -> dict[str, Any]:
    if vm.kind is Kind.USER:
        return {"virtualmachine": views.vm_view(vm, admin=True)}
    if vm.kind is Kind.ROUTER:
        return {"router": views.router_view(vm, admin=True)}
    return {"systemvm": views.system_vm_view(vm)}


def _stop(call: Call, command: str, kinds: tuple[Kind, ...], instance: str) -> Any:
    vm = _vm(call, kinds)

    def begin() -> Finish:
        end = vmwork.stop(call.site, vm, forced=call.arguments.flag("forced"))

        def finish() -> Mapping[str, Any]:
            end()
            return _result(vm)

        return finish

    return _submit(call, command, (instance, vm.id), begin)


def _start(call: Call, command: str, kinds: tuple[Kind, ...], instance: str) -> Any:
    vm = _vm(call, kinds)
    on = call.site.hosts.get(call.arguments.get("hostid"))

    def begin() -> Finish:
        end = vmwork.start(call.site, vm, on)

        def finish() -> Mapping[str, Any]:
            end()
            return _result(vm)

        return finish

    return _submit(call, command, (instance, vm.id), begin, vmwork.START_S)


@ACTS.command("stopVirtualMachine", NEEDED_ID, _FORCED, is_async=True)
def stop_virtual_machine(call: Call) -> Any:
    return _stop(call, "stopVirtualMachine", (Kind.USER,), "VirtualMachine")


@ACTS.command("startVirtualMachine", NEEDED_ID, Param("hostid", "uuid"), is_async=True)
def start_virtual_machine(call: Call) -> Any:
    return _start(call, "startVirtualMachine", (Kind.USER,), "VirtualMachine")


@ACTS.command("stopRouter", NEEDED_ID, _FORCED, is_async=True)
def stop_router(call: Call) -> Any:
    return _stop(call, "stopRouter", (Kind.ROUTER,), "DomainRouter")


@ACTS.command("startRouter", NEEDED_ID, is_async=True)
def start_router(call: Call) -> Any:
    return _start(call, "startRouter", (Kind.ROUTER,), "DomainRouter")


@ACTS.command("stopSystemVm", NEEDED_ID, _FORCED, is_async=True)
def stop_system_vm(call: Call) -> Any:
    return _stop(call, "stopSystemVm", SYSTEM_KINDS, "SystemVm")


@ACTS.command("startSystemVm", NEEDED_ID, is_async=True)
def start_system_vm(call: Call) -> Any:
    return _start(call, "startSystemVm", SYSTEM_KINDS, "SystemVm")


@ACTS.command(
    "generateAlert",
    Param("type", "integer", required=True),
    Param("name", required=True),
    Param("description", required=True, length=999),
    Param("zoneid", "uuid"),
    Param("podid", "uuid"),
    is_async=True,
)
def generate_alert(call: Call) -> Any:
    """A type that CloudStack uses itself takes CloudStack's own name for it only."""
    given = call.arguments
    own = DEFAULT_ALERTS.get(int(given.get("type")))

    def begin() -> Finish:
        if own is not None and own.lower() != given.get("name").lower():
            raise JobError(f"There is a default alert having type {given.get('type')} and name {own}")
        call.site.alert(int(given.get("type")), given.get("name"), given.get("description"))
        return lambda: {"success": True}

    return _submit(call, "generateAlert", ("None", ""), begin)


# -- jobs --------------------------------------------------------------------------------------------------------------


def job_view(job: Job) -> dict[str, Any]:
    """A pending job has no result; a failed one has code 530 whatever its `errorcode` is."""
    row: dict[str, Any] = {
        "cmd": f"org.apache.cloudstack.api.command.admin.{job.command}Cmd",
        "jobstatus": job.status,
        "jobprocstatus": 0,
        "jobresultcode": INTERNAL if job.status == 2 else 0,
        "created": date(job.created),
        "jobid": job.id,
    }
    if job.instance_id:
        row |= {"jobinstancetype": job.instance_type, "jobinstanceid": job.instance_id}
    if job.status:
        row |= {"jobresulttype": "object", "jobresult": dict(job.result), "completed": date(job.completed)}
    return row


@ACTS.command("queryAsyncJobResult", Param("jobid", "uuid", required=True))
def query_async_job_result(call: Call) -> Any:
    return job_view(call.site.jobs.all[call.arguments.get("jobid")])
