"""CloudStack's clusters, hosts and machines as hostfence's values. Pure, and never an exception for what it is given.

What is odd becomes a sentence; what is not known never becomes "none": a machine whose volumes could not be read has
one disk on a pool that nobody knows, a host without an address stays listed.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from controller.cloud.cloudstack.fields import Row, block, flag, text
from controller.cloud.cloudstack.storage import unknown_disk
from controller.domain.cloud import CloudBmc, CloudCluster, CloudDisk, CloudHost, CloudVm
from controller.domain.model import VmKind
from controller.domain.remarks import Remarks

CLUSTER_FIELDS = frozenset({"id", "name", "hypervisortype", "zoneid", "zonename", "podname"})
HOST_FIELDS = frozenset(
    {
        "id",
        "name",
        "type",
        "state",
        "resourcestate",
        "allocationstate",
        "hypervisor",
        "clusterid",
        "ipaddress",
        "hostha",
        "outofbandmanagement",
    }
)
MACHINE_FIELDS = frozenset(
    {"id", "name", "displayname", "instancename", "hypervisor", "state", "hostid", "haenable"},
)
"""What is read of each entry here: more of it need not be kept."""

KVM = "KVM"
MAINTENANCE = {"Maintenance", "PrepareForMaintenance", "ErrorInPrepareForMaintenance", "ErrorInMaintenance"}
NOT_RUNNING = {"Stopped", "Destroyed", "Expunging", "Shutdown", "Shutdowned", "Error"}
"""States of a machine in which no host has it, whatever else stands in its entry."""

_NOT_PLACED_YET = "Starting"
_DRIVERS = {"ipmitool": "ipmi", "redfish": "redfish"}
_LAST_PORT = 65535


def clusters_from(rows: Iterable[Row], notes: Remarks) -> dict[str, CloudCluster]:
    """The clusters of KVM hosts, by id."""
    found: dict[str, CloudCluster] = {}
    for row in rows:
        cluster_id, name = text(row, "id"), text(row, "name")
        if not _is_kvm(row, "hypervisortype", "cluster {names}", name or cluster_id, notes):
            continue
        if not cluster_id:
            notes.say("A cluster came without an id and is left out: {names}.", name or "no name")
            continue
        found[cluster_id] = CloudCluster(
            id=cluster_id,
            name=name or cluster_id,
            zone=text(row, "zonename"),
            pod=text(row, "podname"),
            zone_id=text(row, "zoneid"),
        )
    return found


def hosts_from(rows: Iterable[Row], notes: Remarks) -> tuple[CloudHost, ...]:
    """The KVM hosts, by name. One of which something is missing is there all the same: it has not vanished."""
    found: dict[str, CloudHost] = {}
    for row in rows:
        host_id, name = text(row, "id"), text(row, "name")
        if text(row, "type") not in ("", "Routing") or text(row, "state") == "Removed":
            continue
        if not _is_kvm(row, "hypervisor", "host {names}", name or host_id, notes):
            continue
        if not host_id:
            notes.say("A host came without an id and is left out: {names}.", name or "no name")
            continue
        found[host_id] = _host(row, host_id, name, notes)
    return tuple(sorted(found.values(), key=lambda host: (host.name, host.id)))


def _host(row: Row, host_id: str, name: str, notes: Remarks) -> CloudHost:
    shown = name or host_id
    for field, what in (
        ("ipaddress", "address"),
        ("clusterid", "cluster"),
        ("state", "state"),
        ("name", "name"),
    ):
        if not text(row, field):
            notes.say(f"CloudStack shows no {what} of host {{names}}.", shown)
    state = text(row, "state")
    # Very old versions call it allocationstate.
    resource_state = text(row, "resourcestate") or text(row, "allocationstate")
    return CloudHost(
        id=host_id,
        cluster_id=text(row, "clusterid"),
        name=name,
        address=text(row, "ipaddress"),
        up=state == "Up",
        state=state,
        resource_state=resource_state,
        maintenance=resource_state in MAINTENANCE,
        own_ha=flag(block(row, "hostha"), "haenable"),
        bmc=_bmc(block(row, "outofbandmanagement"), shown, notes),
    )


def _bmc(row: Row, host: str, notes: Remarks) -> CloudBmc | None:
    """Out-of-band management, under hostfence's name of the driver. None where nothing (usable) is set."""
    said, driver = text(row, "address"), text(row, "driver").lower()
    if not said:
        return None
    if driver not in _DRIVERS:
        notes.say(
            f"The power device of {{names}} is not imported: hostfence has no driver like {driver or 'none'!r};"
            " set it by hand.",
            host,
        )
        return None
    split = _address_and_port(said)
    if split is None:
        notes.say(f"The power device of {{names}} is not imported: {said!r} is no address; set it by hand.", host)
        return None
    address, port = split
    if not port and driver == "ipmitool":  # CloudStack's Redfish driver takes no notice of the port beside the address
        port = text(row, "port")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT):
        notes.say(f"The port {port!r} of the power device of {{names}} is none and was left out.", host)
        port = ""
    return CloudBmc(driver=_DRIVERS[driver], address=address, port=port, username=text(row, "username"))


def _address_and_port(said: str) -> tuple[str, str] | None:
    """An address alone, ``host:port``, or a URL."""
    if "://" not in said and said.count(":") > 1 and not said.startswith("["):
        return said, ""  # an IPv6 address
    try:
        parts = urlsplit(said if "://" in said else f"//{said}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    return (host, str(port) if port is not None else "") if host else None


def machines_from(
    kind: VmKind, rows: Iterable[Row], disks: Mapping[str, tuple[CloudDisk, ...]], notes: Remarks
) -> tuple[CloudVm, ...]:
    """The machines of one kind, by id. ``disks``: by machine."""
    found: dict[str, CloudVm] = {}
    for row in rows:
        vm_id = text(row, "id")
        if text(row, "hypervisor") not in ("", KVM):
            continue
        if not vm_id:
            notes.say("A virtual machine came without an id and is left out: {names}.", text(row, "name") or "no name")
            continue
        found[vm_id] = _machine(kind, row, vm_id, disks.get(vm_id, ()), notes)
    return tuple(found[vm_id] for vm_id in sorted(found))


def _machine(kind: VmKind, row: Row, vm_id: str, disks: tuple[CloudDisk, ...], notes: Remarks) -> CloudVm:
    name = text(row, "name") or text(row, "displayname") or text(row, "instancename") or vm_id
    state, host_id = text(row, "state"), text(row, "hostid")
    if state in NOT_RUNNING:
        host_id = ""
    placed = bool(host_id) or state in NOT_RUNNING or state == _NOT_PLACED_YET
    if not placed:
        notes.say("CloudStack does not show where {names} runs; is the key one of a root admin?", name)
    if host_id and not disks:
        notes.say(_NO_VOLUMES[kind], name)
    return CloudVm(
        id=vm_id,
        name=name,
        kind=kind,
        state=state,
        host_id=host_id,
        # What the cloud itself needs to work is always started again.
        ha_enabled=kind is not VmKind.USER or flag(row, "haenable"),
        disks=disks or (unknown_disk(vm_id),),
        placement_known=placed,
    )


_NO_VOLUMES = {
    VmKind.USER: "Disks of {names} cannot be checked: CloudStack lists no volume of it.",
    **dict.fromkeys(
        (VmKind.ROUTER, VmKind.SYSTEM),
        "Disks of {names} cannot be checked: CloudStack lists no volume of it"
        " (those of routers and system VMs only from version 4.18 on, and to root admins).",
    ),
}


def unplaced(hosts: Iterable[CloudHost], clusters: Collection[str], notes: Remarks) -> None:
    """Say which hosts stand in a cluster that was not listed."""
    for host in hosts:
        if host.cluster_id and host.cluster_id not in clusters:
            notes.say("The cluster of host {names} was not listed.", host.name or host.id)


def _is_kvm(row: Row, field: str, what: str, name: str, notes: Remarks) -> bool:
    hypervisor = text(row, field)
    if not hypervisor or hypervisor == KVM:
        return True
    notes.say(f"Left out because hostfence looks after KVM hosts only: {what} ({hypervisor}).", name)
    return False


def alert_about(row: Row, host: str) -> datetime | None:
    """When the alert was sent, if it says that this host was lost. Alerts name hosts in words only."""
    said = text(row, "description")
    if f"name: {host} " not in said and f"name: {host}," not in said:
        return None
    try:
        return datetime.strptime(text(row, "sent"), "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None
