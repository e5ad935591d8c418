"""How each record looks in an answer. Fields only a root administrator sees are left out for others."""

from datetime import UTC, datetime
from typing import Any

from tests.fakes.cloudstack.model import (
    Alert,
    Cluster,
    Host,
    Kind,
    ManagementServer,
    Pod,
    Pool,
    Vm,
    Volume,
    Zone,
)
from tests.fakes.cloudstack.records import Records
from tests.fakes.cloudstack.wire import date, without_nones

DOMAIN = {"domainid": "1f7d0a54-9c1b-11ee-8c90-0242ac120002", "domain": "ROOT"}
USER_ID = "5a1de8c6-9c1b-11ee-8c90-0242ac120002"
GUEST_OS_ID = "6f0b3a5e-9c1b-11ee-8c90-0242ac120002"
SYSTEM_TYPES = {Kind.CONSOLE_PROXY: "consoleproxy", Kind.STORAGE_VM: "secondarystoragevm"}


def _zone_of(zone: Zone) -> dict[str, Any]:
    return {"zoneid": zone.id, "zonename": zone.name}


def _cluster_of(cluster: Cluster | None) -> dict[str, Any]:
    if cluster is None:
        return {}
    return {
        "podid": cluster.pod.id,
        "podname": cluster.pod.name,
        "clusterid": cluster.id,
        "clustername": cluster.name,
    }


def zone_view(zone: Zone) -> dict[str, Any]:
    return {
        "id": zone.id,
        "name": zone.name,
        "networktype": "Advanced",
        "securitygroupsenabled": False,
        "allocationstate": "Enabled",
        "localstorageenabled": True,
        "tags": [],
    }


def pod_view(pod: Pod) -> dict[str, Any]:
    return {"id": pod.id, "name": pod.name, **_zone_of(pod.zone), "allocationstate": "Enabled"}


def cluster_view(cluster: Cluster) -> dict[str, Any]:
    return {
        "id": cluster.id,
        "name": cluster.name,
        "podid": cluster.pod.id,
        "podname": cluster.pod.name,
        **_zone_of(cluster.pod.zone),
        "hypervisortype": cluster.hypervisor,
        "clustertype": "CloudManaged",
        "allocationstate": "Enabled",
        "managedstate": "Managed",
    }


def host_view(records: Records, host: Host, details: frozenset[str], *, allocationstate: bool = False) -> Any:
    """`details`: as asked for; names and counters come with anything but `min`. `allocationstate`: the oldest form."""
    state: dict[str, Any] = {"resourcestate": host.resource_state}
    if allocationstate:
        state = {"allocationstate": host.resource_state}
    return without_nones(
        {
            "id": host.id,
            "name": host.name,
            "state": host.state,
            "disconnected": date(host.disconnected),
            "type": host.type,
            "ipaddress": host.ip,
            "zoneid": host.cluster.pod.zone.id,
            "podid": host.cluster.pod.id,
            "clusterid": host.cluster.id,
            "version": records.profile.version,
            "hypervisor": host.hypervisor,
            "cpunumber": 16,
            "cpuspeed": 2600,
            **({} if details == {"min"} else _more_of_a_host(host)),
            "capabilities": "hvm,snapshot",
            "lastpinged": _last_pinged(host.connected_at),
            "managementserverid": records.management_server.id if host.agent_alive else None,
            "islocalstorageactive": any(pool.host is host for pool in records.pools.values()),
            "created": date(host.created),
            "hostha": _host_ha(host),
            "outofbandmanagement": oob_view(host),
            **state,
        }
    )


def _more_of_a_host(host: Host) -> dict[str, Any]:
    return {
        **_zone_of(host.cluster.pod.zone),
        **_cluster_of(host.cluster),
        "clustertype": "CloudManaged",
        "cpuallocated": "12.5%",
        "cpuused": "3.04%",
        "cpuwithoverprovisioning": "83200",
        "networkkbsread": 4711,
        "networkkbswrite": 815,
        "memorytotal": 1 << 36,
        "memorywithoverprovisioning": str(1 << 36),
        "memoryallocated": 1 << 33,
        "memoryused": 1 << 34,
        "hasenoughcapacity": True,
        "suitableformigration": True,
        "hypervisorversion": "8.0.0",
        "events": "AgentDisconnected; HostDown; Ping; ShutdownRequested; StartAgentRebalance; AgentConnected",
        "hosttags": host.tags or None,
        "hahost": host.ha_host,
    }


def oob_view(host: Host) -> dict[str, Any]:
    """The password is shown by its first letter."""
    oob = host.oob
    if oob is None:
        return {"powerstate": "Disabled", "enabled": False}
    return {
        "powerstate": oob.power_state if oob.enabled else "Disabled",
        "enabled": oob.enabled,
        "driver": oob.driver,
        "address": oob.address,
        "port": oob.port,
        "username": oob.username,
        "password": f"{oob.password[:1]}****",
    }


def _host_ha(host: Host) -> dict[str, Any]:
    if not host.host_ha:
        return {"haenable": False, "hastate": "Disabled"}
    return {"haenable": True, "hastate": "Available", "haprovider": "kvmhaprovider"}


def ha_resource_view(host: Host) -> dict[str, Any]:
    return {"hostid": host.id, **_host_ha(host)}


def pool_view(pool: Pool) -> dict[str, Any]:
    return {
        "id": pool.id,
        "name": pool.name,
        **_zone_of(pool.zone),
        **_cluster_of(pool.cluster),
        "ipaddress": pool.ipaddress,
        "path": pool.path,
        "type": pool.type,
        "scope": pool.scope,
        "state": pool.state,
        "provider": "DefaultPrimary",
        "disksizetotal": 1 << 42,
        "disksizeused": 1 << 40,
        "overprovisionfactor": "2.0",
        "hypervisor": "KVM" if pool.scope == "ZONE" else "Any",
        "tags": "",
    }


def vm_view(vm: Vm, details: frozenset[str] = frozenset(), *, admin: bool) -> dict[str, Any]:
    """`details`: as asked for; `min` leaves out everything that takes another table."""
    return without_nones(
        {
            "id": vm.id,
            "name": vm.name,
            "displayname": vm.name,
            **_owner(vm),
            "userid": USER_ID,
            "username": "admin",
            "created": date(vm.created),
            "state": vm.state,
            "haenable": vm.ha,
            **_zone_of(vm.zone),
            **(_place(vm) if admin else {}),
            **({"nic": [], "securitygroup": [], "affinitygroup": []} if details == {"min"} else _more_of_a_vm(vm)),
            "guestosid": GUEST_OS_ID,
            "ostypeid": GUEST_OS_ID,
            "osdisplayname": "Debian GNU/Linux 12 (64-bit)",
            "displayvm": True,
            "isdynamicallyscalable": False,
            "hypervisor": "KVM",
            "instancename": vm.instance_name if admin else None,
            "details": {"rootDiskController": "virtio"},
            "tags": [],
        }
    )


def _more_of_a_vm(vm: Vm) -> dict[str, Any]:
    """Offering, template, statistics, network cards."""
    offering = "Medium, HA" if vm.ha else "Medium"
    return {
        "templateid": GUEST_OS_ID,
        "templatename": "debian-12",
        "templatedisplaytext": "Debian 12 with cloud-init",
        "templatetype": "USER",
        "passwordenabled": False,
        "serviceofferingid": USER_ID,
        "serviceofferingname": offering,
        "cpunumber": 2,
        "cpuspeed": 1000,
        "memory": 2048,
        "cpuused": "1.37%",
        "networkkbsread": 48151,
        "networkkbswrite": 62342,
        "diskkbsread": 162,
        "diskkbswrite": 34215,
        "diskioread": 11,
        "diskiowrite": 5012,
        "memorykbs": 2097152,
        "memoryintfreekbs": 1418448,
        "memorytargetkbs": 2097152,
        "rootdeviceid": 0,
        "rootdevicetype": "ROOT",
        "nic": [
            {
                "id": f"{vm.id[:-4]}0001",
                "networkid": f"{vm.id[:-4]}0002",
                "networkname": "tier1",
                "netmask": "255.255.255.0",
                "gateway": "10.1.1.1",
                "ipaddress": "10.1.1.24",
                "broadcasturi": "vlan://1024",
                "isolationuri": "vlan://1024",
                "traffictype": "Guest",
                "type": "Isolated",
                "isdefault": True,
                "macaddress": "02:00:4c:5f:00:01",
                "secondaryip": [],
                "extradhcpoption": [],
            }
        ],
        "securitygroup": [],
        "affinitygroup": [],
    }


def router_view(vm: Vm, *, admin: bool) -> dict[str, Any]:
    return without_nones(
        {
            "id": vm.id,
            "name": vm.instance_name,
            **_zone_of(vm.zone),
            **(_place(vm) if admin else {}),
            **_owner(vm),
            "state": vm.state,
            "role": "VIRTUAL_ROUTER",
            "isredundantrouter": False,
            "redundantstate": "UNKNOWN",
            "requiresupgrade": False,
            "hypervisor": "KVM",
            "created": date(vm.created),
        }
    )


def system_vm_view(vm: Vm) -> dict[str, Any]:
    return without_nones(
        {
            "id": vm.id,
            "systemvmtype": SYSTEM_TYPES[vm.kind],
            "name": vm.instance_name,
            **_zone_of(vm.zone),
            **_place(vm),
            "state": vm.state,
            "agentstate": "Up" if vm.state == "Running" else "Disconnected",
            "hypervisor": "KVM",
            "created": date(vm.created),
        }
    )


def volume_view(volume: Volume, *, admin: bool) -> dict[str, Any]:
    vm = volume.vm
    of_vm: dict[str, Any] = {}
    if vm is not None:
        of_vm = {
            "virtualmachineid": vm.id,
            "vmname": vm.name,
            "vmdisplayname": vm.name,
            "vmstate": vm.state,
            "deviceid": volume.device,
            **_owner(vm),
        }
    for_admin = {"path": volume.path, "storageid": volume.pool.id, "storage": volume.pool.name}
    return {
        "id": volume.id,
        "name": volume.name,
        **_zone_of(volume.pool.zone),
        "type": volume.type,
        **of_vm,
        "provisioningtype": "thin",
        "size": volume.size,
        "created": date(volume.created),
        "state": volume.state,
        "storagetype": "local" if volume.pool.scope == "HOST" else "shared",
        "hypervisor": "KVM",
        **(for_admin if admin else {}),
        "destroyed": False,
        "isextractable": True,
        "tags": [],
    }


def alert_view(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "type": alert.type,
        "name": alert.name,
        "description": alert.description,
        "sent": date(alert.sent),
    }


def management_server_view(server: ManagementServer, *, start_shown: bool) -> dict[str, Any]:
    return without_nones(
        {
            "id": server.id,
            "name": server.name,
            "state": server.state,
            "version": server.version,
            "javadistribution": "OpenJDK Runtime Environment",
            "javaversion": "17.0.11",
            "lastserverstart": date(server.last_server_start) if start_shown else None,
        }
    )


def _owner(vm: Vm) -> dict[str, Any]:
    if vm.project:
        return {"projectid": vm.project_id, "project": vm.project, **DOMAIN}
    return {"account": vm.account, **DOMAIN}


def _place(vm: Vm) -> dict[str, Any]:
    return {} if vm.host is None else {"hostid": vm.host.id, "hostname": vm.host.name}


def _last_pinged(connected_at: datetime) -> str | None:
    """Milliseconds >> 10, printed as if they were milliseconds: a day of January 1970, in steps of 17 minutes."""
    return date(datetime.fromtimestamp((int(connected_at.timestamp() * 1000) >> 10) / 1000, UTC))
