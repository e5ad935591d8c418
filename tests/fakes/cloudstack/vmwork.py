"""What CloudStack does to machines: stop, start, and its own VM-HA. It never asks whether a silent host is off.

`Vm.processes` is the truth beside it: where the machine's QEMU really runs, whatever CloudStack believes.
"""

from collections import Counter
from collections.abc import Callable

from tests.fakes.cloudstack.jobs import JobError
from tests.fakes.cloudstack.model import Host, Kind, Resource, Status, Vm, VmState
from tests.fakes.cloudstack.records import Records

HA_S = 1.0
START_S = 4.0
HA_RETRY_S = 600.0
_STOP_WORDS = {Kind.USER: "Failed to stop vm", Kind.ROUTER: "Failed to stop router"}
_START_WORDS = {Kind.USER: "Failed to start vm", Kind.ROUTER: "Failed to start router"}


def reachable(host: Host) -> bool:
    """Whether a command to its agent would be answered."""
    return host.state is Status.UP and host.agent_alive


def host_lost(records: Records, host: Host, *, obey_setting: bool = True) -> None:
    """Schedule the restart of a host's machines: all are taken for stopped, those with HA start elsewhere."""
    has_setting = records.profile.vm_ha_setting and obey_setting
    if has_setting and not records.is_on("vm.ha.enabled", host.cluster.pod.zone):
        return
    for vm in records.vms_of(host):
        if vm.active and not vm.left_running:
            _restart(records, vm)


def power_reports(records: Records, host: Host) -> None:
    """A host that has come back says what runs on it; CloudStack's rows follow."""
    for vm in records.vms.values():
        runs = host.id in vm.processes
        if vm.host is host and vm.state is VmState.RUNNING and not runs:
            _restart(records, vm)
        elif runs and vm.state is VmState.STOPPED:
            vm.state, vm.host, vm.last_host = VmState.RUNNING, host, host
        elif runs and vm.host is not None and vm.host is not host:
            records.alert(
                8,
                "ALERT.USERVM",
                f"VM {vm.name} is reported running on host {host.name}, but is recorded on {vm.host.name}",
            )


def fits(records: Records, vm: Vm) -> list[Host]:
    """Hosts where it may start, emptiest first."""
    pools = [volume.pool for volume in vm.volumes]
    guests = Counter(one.host.id for one in records.vms.values() if one.host)

    def suits(host: Host) -> bool:
        return (
            reachable(host)
            and host.resource_state is Resource.ENABLED
            and host.type == "Routing"
            and not host.ha_host
            and host.cluster.pod.zone is vm.zone
            and all(pool.cluster in {None, host.cluster} and pool.host in {None, host} for pool in pools)
        )

    return sorted(filter(suits, records.hosts.values()), key=lambda host: (guests[host.id], host.number))


def stop(records: Records, vm: Vm, *, forced: bool) -> Callable[[], None]:
    """Begin to stop it; the answer ends it. A forced stop on a silent host only changes the row."""
    host = vm.host
    if vm.state is VmState.STOPPED or host is None:
        return lambda: None
    heard = reachable(host)
    if not heard and not forced:
        raise JobError(_STOP_WORDS.get(vm.kind, "Fail to stop system vm"))
    vm.state = VmState.STOPPING

    def end() -> None:
        if heard:
            vm.processes.discard(host.id)
        stopped(vm)
        records.event("VM.STOP", f"Successfully completed stopping VM {vm.name}")

    return end


def start(records: Records, vm: Vm, on: Host | None = None) -> Callable[[], None]:
    """Begin to start it somewhere; the answer ends it."""
    if vm.state is VmState.RUNNING and not records.profile.start_of_running_fails:
        return lambda: None
    if vm.state is not VmState.STOPPED:
        raise JobError(f"The virtual machine {vm.name} ({vm.id}) is already running")
    if vm.will_not_start:
        raise JobError(vm.will_not_start)
    places = fits(records, vm)
    place = on if on in places else None if on else next(iter(places), None)
    if place is None:
        raise JobError(
            f'Unable to create a deployment for VM instance {{"id":{vm.number},"instanceName":"{vm.instance_name}",'
            f'"type":"{vm.kind}","uuid":"{vm.id}"}}',
            533,
        )
    vm.state, vm.host = VmState.STARTING, place

    def end() -> None:
        if vm.state is not VmState.STARTING or vm.host is not place:
            return
        if not reachable(place):
            stopped(vm)
            raise JobError(_START_WORDS.get(vm.kind, "Fail to start system vm"), 534)
        running(vm, place)
        records.event("VM.START", f"Successfully completed starting VM {vm.name}")

    return end


def migrate(vm: Vm, to: Host) -> Callable[[], None]:
    """Begin to move a running machine; while it moves, CloudStack's row names the destination."""
    source = vm.host
    vm.state, vm.host, vm.last_host = VmState.MIGRATING, to, source

    def end() -> None:
        if vm.state is VmState.MIGRATING:
            if source is not None:
                vm.processes.discard(source.id)
            running(vm, to)

    return end


def stopped(vm: Vm) -> None:
    """Its row now says Stopped: the host id is cleared."""
    vm.state, vm.last_host, vm.host = VmState.STOPPED, vm.host or vm.last_host, None


def running(vm: Vm, host: Host) -> None:
    vm.state, vm.host, vm.last_host = VmState.RUNNING, host, host
    vm.processes.add(host.id)


def _restart(records: Records, vm: Vm) -> None:
    vm.state = VmState.STOPPING

    def carry_on() -> None:
        if vm.state is not VmState.STOPPING:
            return
        stopped(vm)
        records.event("HA.STATE.TRANSITION", f"VM {vm.name} was stopped by high availability")
        if vm.ha:
            _start_again(records, vm)

    records.schedule.after(HA_S, carry_on)


def _start_again(records: Records, vm: Vm) -> None:
    def again() -> None:
        if vm.state is VmState.STOPPED:
            _start_again(records, vm)

    try:
        end = start(records, vm)
    except JobError as error:
        records.alert(8, "ALERT.USERVM", f"Unable to restart {vm.name}: {error.text}")
        records.schedule.after(HA_RETRY_S, again)
        return

    def ready() -> None:
        try:
            end()
        except JobError:
            again()

    records.schedule.after(START_S, ready)
