"""The list commands: filters, then a page."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from tests.fakes.cloudstack import views
from tests.fakes.cloudstack.model import SYSTEM_KINDS, Cluster, Host, Kind, Pod, Pool, Vm, Volume, Zone
from tests.fakes.cloudstack.profiles import NEW_SETTINGS
from tests.fakes.cloudstack.registry import ID, PAGED, Call, Registry
from tests.fakes.cloudstack.wire import Param, page

LISTS = Registry()
Row = TypeVar("Row")
_WHERE = (Param("zoneid", "uuid"), Param("podid", "uuid"), Param("clusterid", "uuid"))
_OWNED = (Param("listall", "boolean"), Param("projectid", "uuid"), Param("account"), Param("domainid"))


def _paged(call: Call, key: str, rows: Iterable[Row], render: Callable[[Row], dict[str, Any]]) -> Any:
    limit = int(call.site.settings["default.page.size"])
    return page(call.arguments, key, list(rows), render, limit)


def _matches(call: Call, **values: str | None) -> bool:
    """Whether each of these is what was asked for, where it was asked for at all."""
    asked = {name: call.arguments.get(name) for name in values}
    return all(not asked[name] or asked[name].lower() == str(value).lower() for name, value in values.items())


def _keyword(call: Call, *names: str) -> bool:
    word = call.arguments.get("keyword").lower()
    return not word or any(word in name.lower() for name in names)


def _in_cluster(call: Call, cluster: Cluster | None, zone: Zone) -> bool:
    return _matches(
        call, clusterid=cluster.id if cluster else None, podid=cluster.pod.id if cluster else None, zoneid=zone.id
    )


@LISTS.command("listZones", ID, Param("name"), Param("available"), *PAGED)
def list_zones(call: Call) -> Any:
    rows = [one for one in call.site.zones.values() if _matches(call, id=one.id, name=one.name)]
    return _paged(call, "zone", rows, views.zone_view)


@LISTS.command("listPods", ID, Param("name"), Param("zoneid", "uuid"), *PAGED)
def list_pods(call: Call) -> Any:
    def wanted(pod: Pod) -> bool:
        return _matches(call, id=pod.id, name=pod.name, zoneid=pod.zone.id)

    return _paged(call, "pod", filter(wanted, call.site.pods.values()), views.pod_view)


@LISTS.command("listClusters", ID, Param("name"), Param("hypervisor"), *_WHERE, *PAGED)
def list_clusters(call: Call) -> Any:
    def wanted(one: Cluster) -> bool:
        return _matches(
            call, id=one.id, name=one.name, hypervisor=one.hypervisor, podid=one.pod.id, zoneid=one.pod.zone.id
        )

    return _paged(call, "cluster", filter(wanted, call.site.clusters.values()), views.cluster_view)


@LISTS.command(
    "listHosts",
    ID,
    *(Param(name) for name in ("name", "type", "state", "resourcestate", "hypervisor", "details", "hahost")),
    Param("virtualmachineid", "uuid"),
    *_WHERE,
    *PAGED,
)
def list_hosts(call: Call) -> Any:
    details = call.arguments.many("details")
    oldest = getattr(call.site, "allocationstate_only", False)

    def wanted(host: Host) -> bool:
        return (
            _matches(
                call,
                id=host.id,
                name=host.name,
                type=host.type,
                state=host.state,
                resourcestate=host.resource_state,
                hypervisor=host.hypervisor,
                hahost=str(host.ha_host),
            )
            and _in_cluster(call, host.cluster, host.cluster.pod.zone)
            and _keyword(call, host.name, host.state)
        )

    def render(host: Host) -> Any:
        return views.host_view(call.site, host, details, allocationstate=oldest)

    return _paged(call, "host", filter(wanted, call.site.hosts.values()), render)


@LISTS.command(
    "listStoragePools", ID, *(Param(name) for name in ("name", "path", "ipaddress", "scope", "state")), *_WHERE, *PAGED
)
def list_storage_pools(call: Call) -> Any:
    def wanted(one: Pool) -> bool:
        return _matches(
            call,
            id=one.id,
            name=one.name,
            path=one.path,
            ipaddress=one.ipaddress,
            scope=one.scope,
            state=one.state,
        ) and _in_cluster(call, one.cluster, one.zone)

    return _paged(call, "storagepool", filter(wanted, call.site.pools.values()), views.pool_view)


def _owned(call: Call, vm: Vm) -> bool:
    """`projectid=-1`: only projects' machines; without `projectid` only others; without `listall` only one's own."""
    project = call.arguments.get("projectid")
    if project:
        return bool(vm.project) if project == "-1" else vm.project_id == project
    if vm.project:
        return False
    asked = call.arguments.get("account")
    if asked:
        return vm.account == asked
    return vm.account == call.key.account or (call.arguments.flag("listall") and call.key.root_admin)


def _is_at(call: Call, vm: Vm) -> bool:
    host = vm.host
    if call.arguments.get("hostid") and not call.key.root_admin:
        return False
    return _matches(
        call, id=vm.id, name=vm.name, state=vm.state, zoneid=vm.zone.id, hostid=host.id if host else None
    ) and _matches(call, clusterid=host.cluster.id if host else None, podid=host.cluster.pod.id if host else None)


@LISTS.command(
    "listVirtualMachines",
    ID,
    *(Param(name) for name in ("ids", "name", "state", "details", "haenable", "hypervisor")),
    Param("hostid", "uuid"),
    *_OWNED,
    *_WHERE,
    *PAGED,
)
def list_virtual_machines(call: Call) -> Any:
    ids = call.arguments.many("ids")

    def wanted(vm: Vm) -> bool:
        return (
            vm.kind is Kind.USER
            and (not ids or vm.id in ids)
            and _is_at(call, vm)
            and _matches(call, haenable=str(vm.ha))
            and _keyword(call, vm.name)
            and _owned(call, vm)
        )

    def render(vm: Vm) -> dict[str, Any]:
        return views.vm_view(vm, admin=call.key.root_admin)

    return _paged(call, "virtualmachine", filter(wanted, call.site.vms.values()), render)


@LISTS.command("listRouters", ID, Param("name"), Param("state"), Param("hostid", "uuid"), *_OWNED, *_WHERE, *PAGED)
def list_routers(call: Call) -> Any:
    def wanted(vm: Vm) -> bool:
        return vm.kind is Kind.ROUTER and _is_at(call, vm) and _owned(call, vm)

    def render(vm: Vm) -> dict[str, Any]:
        return views.router_view(vm, admin=call.key.root_admin)

    return _paged(call, "router", filter(wanted, call.site.vms.values()), render)


@LISTS.command(
    "listSystemVms", ID, Param("name"), Param("state"), Param("systemvmtype"), Param("hostid", "uuid"), *_WHERE, *PAGED
)
def list_system_vms(call: Call) -> Any:
    rows = [vm for vm in call.site.vms.values() if vm.kind in SYSTEM_KINDS and _is_at(call, vm)]
    return _paged(call, "systemvm", rows, views.system_vm_view)


@LISTS.command(
    "listVolumes",
    ID,
    *(Param(name) for name in ("ids", "name", "type", "state")),
    *(Param(name, "uuid") for name in ("virtualmachineid", "hostid", "storageid")),
    Param("listsystemvms", "boolean"),
    *_OWNED,
    *_WHERE,
    *PAGED,
)
def list_volumes(call: Call) -> Any:
    site = call.site
    system_too = call.arguments.flag("listsystemvms") and site.profile.system_volumes

    def wanted(one: Volume) -> bool:
        vm = one.vm
        if vm is not None and vm.kind is not Kind.USER and not system_too:
            return False
        # For machines of the system `listall` is all it takes: they are nobody's.
        owned = vm is None or _owned(call, vm) or (vm.kind in SYSTEM_KINDS and call.arguments.flag("listall"))
        return owned and _matches(
            call,
            id=one.id,
            name=one.name,
            type=one.type,
            state=one.state,
            virtualmachineid=vm.id if vm else None,
            hostid=vm.host.id if vm and vm.host else None,
            storageid=one.pool.id,
            zoneid=one.pool.zone.id,
        )

    def render(one: Volume) -> dict[str, Any]:
        return views.volume_view(one, admin=call.key.root_admin)

    return _paged(call, "volume", filter(wanted, site.volumes.values()), render)


@LISTS.command("listAlerts", ID, Param("type"), Param("name"), *PAGED)
def list_alerts(call: Call) -> Any:
    """Newest first."""
    rows = [
        one
        for one in reversed(call.site.alerts)
        if _matches(call, id=one.id, type=str(one.type), name=one.name) and _keyword(call, one.description)
    ]
    return _paged(call, "alert", rows, views.alert_view)


@LISTS.command(
    "listConfigurations", Param("name"), Param("category"), Param("zoneid", "uuid"), Param("clusterid", "uuid"), *PAGED
)
def list_configurations(call: Call) -> Any:
    """With `zoneid` the zone's value, and only settings that a zone may have."""
    site = call.site
    zone = site.zones.get(call.arguments.get("zoneid"))
    zonal = {"vm.ha.enabled", "set.host.down.to.maintenance"}
    names = [
        name
        for name in sorted(site.settings)
        if (site.profile.vm_ha_setting or name not in NEW_SETTINGS)
        and _matches(call, name=name)
        and _keyword(call, name)
        and (zone is None or name in zonal)
    ]

    def render(name: str) -> dict[str, Any]:
        scope = {"scope": "zone"} if name in zonal else {}
        return {"category": "Advanced", "name": name, "value": site.setting(name, zone), "description": name, **scope}

    return _paged(call, "configuration", names, render)


@LISTS.command("listManagementServers", ID, Param("name"), *PAGED)
def list_management_servers(call: Call) -> Any:
    site = call.site

    def render(_: object) -> dict[str, Any]:
        return views.management_server_view(site.management_server, start_shown=site.profile.server_start_shown)

    return _paged(call, "managementserver", [site.management_server], render)


@LISTS.command("listHostHAResources", Param("hostid", "uuid"), *PAGED, since="4.11")
def list_host_ha_resources(call: Call) -> Any:
    rows = [host for host in call.site.hosts.values() if _matches(call, hostid=host.id)]
    return _paged(call, "hostha", rows, views.ha_resource_view)
