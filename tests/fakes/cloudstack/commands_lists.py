"""The list commands: filters, then a page."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from tests.fakes.cloudstack import views
from tests.fakes.cloudstack.model import (
    SYSTEM_KINDS,
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
from tests.fakes.cloudstack.profiles import NEW_SETTINGS
from tests.fakes.cloudstack.registry import ID, PAGED, Call, Registry
from tests.fakes.cloudstack.wire import INVALID_VALUE, PARAMETER, ApiError, Param, page

LISTS = Registry()
Row = TypeVar("Row")
Getters = Mapping[str, Callable[[Row], object]]
_WHERE = (Param("zoneid", "uuid"), Param("podid", "uuid"), Param("clusterid", "uuid"))
_OWNED = (Param("listall", "boolean"), Param("projectid", "uuid"), Param("account"), Param("domainid"))
_ZONAL = frozenset({"vm.ha.enabled", "set.host.down.to.maintenance"})


_HOST_DETAILS = frozenset({"all", "capacity", "events", "stats", "min"})
_VM_DETAILS = frozenset(
    {"all", "group", "nics", "stats", "secgrp", "tmpl", "servoff", "diskoff", "iso", "volume", "min", "affgrp"}
)


def _strings(*names: str) -> tuple[Param, ...]:
    return tuple(Param(name) for name in names)


def _paged(call: Call, key: str, rows: Iterable[Row], render: Callable[[Row], dict[str, Any]]) -> Any:
    limit = int(call.site.settings["default.page.size"])
    return page(call.arguments, key, list(rows), render, limit)


def _filtered(call: Call, rows: Iterable[Row], getters: Getters[Row]) -> list[Row]:
    """The rows whose values are those asked for, where something was asked for at all. `keyword` is part of it."""
    asked = [(get, call.arguments.get(name).lower()) for name, get in getters.items()]
    filters = [(get, value) for get, value in asked if value and get is not getters.get("keyword")]
    found = [row for row in rows if all(str(get(row)).lower() == value for get, value in filters)]
    word, text = call.arguments.get("keyword").lower(), getters.get("keyword")
    return [row for row in found if word in str(text(row)).lower()] if word and text else found


def _details(call: Call, allowed: frozenset[str]) -> frozenset[str]:
    details = call.arguments.many("details")
    if details - allowed:
        text = f"The details parameter contains a non permitted value. The allowed values are [{', '.join(allowed)}]"
        raise ApiError(PARAMETER, text, INVALID_VALUE)
    return details


def _table(call: Call, home: Mapping[str, Row]) -> Iterable[Row]:
    """All, or only the one asked for by id: a table of 20,000 is not gone through for one row."""
    one = call.arguments.get("id")
    if not one:
        return home.values()
    return [home[one]] if one in home else []


@LISTS.command("listZones", ID, *_strings("name", "available"), *PAGED)
def list_zones(call: Call) -> Any:
    getters: Getters[Zone] = {"name": lambda one: one.name, "keyword": lambda one: one.name}
    return _paged(call, "zone", _filtered(call, _table(call, call.site.zones), getters), views.zone_view)


@LISTS.command("listPods", ID, *_strings("name"), Param("zoneid", "uuid"), *PAGED)
def list_pods(call: Call) -> Any:
    getters: Getters[Pod] = {
        "name": lambda one: one.name,
        "zoneid": lambda one: one.zone.id,
        "keyword": lambda one: one.name,
    }
    return _paged(call, "pod", _filtered(call, _table(call, call.site.pods), getters), views.pod_view)


@LISTS.command("listClusters", ID, *_strings("name", "hypervisor"), *_WHERE, *PAGED)
def list_clusters(call: Call) -> Any:
    getters: Getters[Cluster] = {
        "name": lambda one: one.name,
        "hypervisor": lambda one: one.hypervisor,
        "podid": lambda one: one.pod.id,
        "zoneid": lambda one: one.pod.zone.id,
        "keyword": lambda one: one.name,
    }
    return _paged(call, "cluster", _filtered(call, _table(call, call.site.clusters), getters), views.cluster_view)


@LISTS.command(
    "listHosts",
    ID,
    *_strings("name", "type", "state", "resourcestate", "hypervisor", "hahost"),
    Param("details", "list"),
    Param("virtualmachineid", "uuid"),
    *_WHERE,
    *PAGED,
)
def list_hosts(call: Call) -> Any:
    details, oldest = _details(call, _HOST_DETAILS), call.site.allocationstate_only
    getters: Getters[Host] = {
        "name": lambda one: one.name,
        "type": lambda one: one.type,
        "state": lambda one: one.state,
        "resourcestate": lambda one: one.resource_state,
        "hypervisor": lambda one: one.hypervisor,
        "hahost": lambda one: one.ha_host,
        "clusterid": lambda one: one.cluster.id,
        "podid": lambda one: one.cluster.pod.id,
        "zoneid": lambda one: one.cluster.pod.zone.id,
        "keyword": lambda one: f"{one.name} {one.state} {one.type}",
    }

    def render(host: Host) -> Any:
        return views.host_view(call.site, host, details, allocationstate=oldest)

    return _paged(call, "host", _filtered(call, _table(call, call.site.hosts), getters), render)


@LISTS.command("listStoragePools", ID, *_strings("name", "path", "ipaddress", "scope", "state"), *_WHERE, *PAGED)
def list_storage_pools(call: Call) -> Any:
    getters: Getters[Pool] = {
        "name": lambda one: one.name,
        "path": lambda one: one.path,
        "ipaddress": lambda one: one.ipaddress,
        "scope": lambda one: one.scope,
        "state": lambda one: one.state,
        "clusterid": lambda one: one.cluster.id if one.cluster else None,
        "podid": lambda one: one.cluster.pod.id if one.cluster else None,
        "zoneid": lambda one: one.zone.id,
        "keyword": lambda one: one.name,
    }
    return _paged(call, "storagepool", _filtered(call, _table(call, call.site.pools), getters), views.pool_view)


# -- machines and their disks ------------------------------------------------------------------------------------------


def _owned(call: Call) -> Callable[[Vm], bool]:
    """`projectid=-1`: only projects' machines; without `projectid` only others; without `listall` only one's own."""
    project, account = call.arguments.get("projectid"), call.arguments.get("account")
    everybody = call.arguments.flag("listall") and call.key.root_admin
    if project == "-1":
        return lambda vm: bool(vm.project)
    if project:
        return lambda vm: vm.project_id == project
    if account:
        return lambda vm: not vm.project and vm.account == account
    return lambda vm: not vm.project and (everybody or vm.account == call.key.account)


def _machines(call: Call, kinds: tuple[Kind, ...], extra: Getters[Vm] | None = None) -> list[Vm]:
    ids = call.arguments.many("ids")
    getters: dict[str, Callable[[Vm], object]] = {
        "name": lambda one: one.name,
        "state": lambda one: one.state,
        "hostid": lambda one: one.host.id if one.host and call.key.root_admin else None,
        "zoneid": lambda one: one.zone.id,
        "clusterid": lambda one: one.host.cluster.id if one.host else None,
        "podid": lambda one: one.host.cluster.pod.id if one.host else None,
        "keyword": lambda one: f"{one.name} {one.instance_name}",
        **(extra or {}),
    }
    rows = (vm for vm in _table(call, call.site.vms) if vm.kind in kinds and (not ids or vm.id in ids))
    return _filtered(call, rows, getters)


@LISTS.command(
    "listVirtualMachines",
    ID,
    *_strings("name", "state", "haenable", "hypervisor"),
    Param("ids", "uuids"),
    Param("details", "list"),
    Param("hostid", "uuid"),
    *_OWNED,
    *_WHERE,
    *PAGED,
)
def list_virtual_machines(call: Call) -> Any:
    rows = filter(_owned(call), _machines(call, (Kind.USER,), {"haenable": lambda one: one.ha}))
    details = _details(call, _VM_DETAILS)
    return _paged(call, "virtualmachine", rows, lambda one: views.vm_view(one, details, admin=call.key.root_admin))


@LISTS.command("listRouters", ID, *_strings("name", "state"), Param("hostid", "uuid"), *_OWNED, *_WHERE, *PAGED)
def list_routers(call: Call) -> Any:
    rows = filter(_owned(call), _machines(call, (Kind.ROUTER,), {"name": lambda one: one.instance_name}))
    return _paged(call, "router", rows, lambda one: views.router_view(one, admin=call.key.root_admin))


@LISTS.command(
    "listSystemVms", ID, *_strings("name", "state", "systemvmtype"), Param("hostid", "uuid"), *_WHERE, *PAGED
)
def list_system_vms(call: Call) -> Any:
    own: Getters[Vm] = {
        "name": lambda one: one.instance_name,
        "systemvmtype": lambda one: views.SYSTEM_TYPES[one.kind],
    }
    return _paged(call, "systemvm", _machines(call, SYSTEM_KINDS, own), views.system_vm_view)


@LISTS.command(
    "listVolumes",
    ID,
    *_strings("name", "type", "state"),
    Param("ids", "uuids"),
    *(Param(name, "uuid") for name in ("virtualmachineid", "hostid", "storageid")),
    Param("listsystemvms", "boolean"),
    *_OWNED,
    *_WHERE,
    *PAGED,
)
def list_volumes(call: Call) -> Any:
    site, of_vm, ids = call.site, call.arguments.get("virtualmachineid"), call.arguments.many("ids")
    system_too = call.arguments.flag("listsystemvms") and site.profile.system_volumes
    listall, owned = call.arguments.flag("listall"), _owned(call)
    getters: Getters[Volume] = {
        "name": lambda one: one.name,
        "type": lambda one: one.type,
        "state": lambda one: one.state,
        "hostid": lambda one: one.vm.host.id if one.vm and one.vm.host else None,
        "storageid": lambda one: one.pool.id,
        "clusterid": lambda one: one.pool.cluster.id if one.pool.cluster else None,
        "zoneid": lambda one: one.pool.zone.id,
        "keyword": lambda one: one.name,
    }

    def wanted(one: Volume) -> bool:
        vm = one.vm
        if (ids and one.id not in ids) or (vm is not None and vm.kind is not Kind.USER and not system_too):
            return False
        # Machines of the system are nobody's: `listall` is all it takes.
        return vm is None or owned(vm) or (vm.kind in SYSTEM_KINDS and listall)

    rows = site.vms[of_vm].volumes if of_vm in site.vms else _table(call, site.volumes) if not of_vm else ()
    found = _filtered(call, filter(wanted, rows), getters)
    return _paged(call, "volume", found, lambda one: views.volume_view(one, admin=call.key.root_admin))


# -- the rest ----------------------------------------------------------------------------------------------------------


@LISTS.command("listAlerts", ID, *_strings("type", "name"), *PAGED)
def list_alerts(call: Call) -> Any:
    """Newest first."""
    getters: Getters[Alert] = {
        "id": lambda one: one.id,
        "type": lambda one: one.type,
        "name": lambda one: one.name,
        "keyword": lambda one: one.description,
    }
    return _paged(call, "alert", _filtered(call, reversed(call.site.alerts), getters), views.alert_view)


@LISTS.command(
    "listConfigurations", *_strings("name", "category"), Param("zoneid", "uuid"), Param("clusterid", "uuid"), *PAGED
)
def list_configurations(call: Call) -> Any:
    """With `zoneid` the zone's value, and only settings that a zone may have."""
    site = call.site
    zone = site.zones.get(call.arguments.get("zoneid"))
    names = [
        name
        for name in sorted(site.settings)
        if (site.profile.vm_ha_setting or name not in NEW_SETTINGS) and (zone is None or name in _ZONAL)
    ]

    def render(name: str) -> dict[str, Any]:
        scope = {"scope": "zone"} if name in _ZONAL else {}
        return {"category": "Advanced", "name": name, "value": site.setting(name, zone), "description": name, **scope}

    getters: Getters[str] = {"name": str, "keyword": lambda name: name}
    return _paged(call, "configuration", _filtered(call, names, getters), render)


@LISTS.command("listManagementServers", ID, *_strings("name"), *PAGED)
def list_management_servers(call: Call) -> Any:
    def render(one: ManagementServer) -> dict[str, Any]:
        return views.management_server_view(one, start_shown=call.site.profile.server_start_shown)

    return _paged(call, "managementserver", [call.site.management_server], render)


@LISTS.command("listHostHAResources", Param("hostid", "uuid"), *PAGED, since="4.11")
def list_host_ha_resources(call: Call) -> Any:
    getters: Getters[Host] = {"hostid": lambda one: one.id}
    return _paged(call, "hostha", _filtered(call, call.site.hosts.values(), getters), views.ha_resource_view)
