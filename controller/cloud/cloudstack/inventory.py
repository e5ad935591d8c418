"""Reads what CloudStack manages: everything at once, or what is on one host.

Projects have their own machines and volumes, which a list shows only when it is asked for them: such lists are read
twice and merged by id. What is needed and was not answered is an error, never an empty list.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from controller.cloud.base import CloudUnreadableError
from controller.cloud.cloudstack.errors import CloudStackError
from controller.cloud.cloudstack.fields import Row, text
from controller.cloud.cloudstack.mapping import (
    CLUSTER_FIELDS,
    HOST_FIELDS,
    MACHINE_FIELDS,
    NOT_RUNNING,
    clusters_from,
    hosts_from,
    machines_from,
    unplaced,
)
from controller.cloud.cloudstack.storage import POOL_FIELDS, VOLUME_FIELDS, disks_from, pools_from, unknown_disk
from controller.domain.cloud import CloudDisk, CloudInventory, CloudPool, CloudVm
from controller.domain.model import VmKind
from controller.domain.remarks import Remarks

AT_ONCE = 6
"""Lists that are read side by side; the client has a limit of its own."""

INVENTORY_S = 60.0
"""For each list of a whole site; its pages are read side by side."""

ONE_HOST_S = 10.0
"""For each list of one host or machine: a check round waits for it."""

Rows = list[Row]
Value = str | bool | int

_COMMANDS = {
    VmKind.USER: "listVirtualMachines",
    VmKind.ROUTER: "listRouters",
    VmKind.SYSTEM: "listSystemVms",
}
_OWN: dict[str, Value] = {"listall": True}
_PROJECTS: dict[str, Value] = {"listall": True, "projectid": "-1"}
_SYSTEM_TOO: dict[str, Value] = {"listsystemvms": True}
"""For volumes: those of routers and system VMs as well. Versions before 4.18 take no notice of it."""

_LITTLE: dict[str, Value] = {"details": "min"}
"""Without offerings, templates, statistics, network cards: nobody here reads them."""

_HOSTS: dict[str, Value] = {"type": "Routing", **_LITTLE}

_FIELDS: dict[str, AbstractSet[str]] = {
    "listClusters": CLUSTER_FIELDS,
    "listHosts": HOST_FIELDS,
    "listStoragePools": POOL_FIELDS,
    "listVolumes": VOLUME_FIELDS,
    **dict.fromkeys(_COMMANDS.values(), MACHINE_FIELDS),
}

_VIEWS: dict[VmKind, tuple[dict[str, Value], ...]] = {
    VmKind.USER: ({**_OWN, **_LITTLE}, {**_PROJECTS, **_LITTLE}),
    VmKind.ROUTER: (_OWN, _PROJECTS),
    VmKind.SYSTEM: ({},),
}
"""What a list has to be asked for, so that together everything is seen."""


class Api(Protocol):
    """What of the client is used here."""

    async def list(
        self, command: str, fields: AbstractSet[str] | None = ..., /, *, deadline_s: float = ..., **params: Value
    ) -> Rows:
        """All entries of a list, or ``fields`` of them, remembered. Raises :class:`CloudStackError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """Disks by VM id: at least one for every VM that was asked for. ``pools``: where they lie, by id."""

    disks: dict[str, tuple[CloudDisk, ...]]
    pools: dict[str, CloudPool]
    unmapped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Everything as CloudStack listed it, its own and projects' things merged. ``machines``: one list for each kind."""

    clusters: Rows
    hosts: Rows
    pools: Rows
    volumes: Rows
    machines: tuple[Rows, ...]


class InventoryReader:
    """Reads everything again and again; what CloudStack says the same of is not mapped again."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._last: tuple[Lists, CloudInventory] | None = None

    async def read(self) -> CloudInventory:
        """Everything; a host's state is newer than where its machines are said to be.

        Raises:
            CloudUnreadableError: some list could not be read.
        """
        lists = await _read_lists(self._api)
        if self._last is None or self._last[0] != lists:
            # In a thread: a large site's rows take a fifth of a second of CPU, and steps that are due come first.
            self._last = (lists, await asyncio.to_thread(_inventory_from, lists))
        return self._last[1]


async def _read_lists(api: Api) -> Lists:
    async def read(command: str, **params: Value) -> Rows:
        return await _list(api, INVENTORY_S, command, _FIELDS[command], **params)

    async def machines_of(kind: VmKind) -> Rows:
        return _merged(*[await read(_COMMANDS[kind], **view) for view in _VIEWS[kind]])

    clusters, pools, own, projects, *machines = await _all(
        partial(read, "listClusters"),
        partial(read, "listStoragePools"),
        partial(read, "listVolumes", **_OWN, **_SYSTEM_TOO),
        partial(read, "listVolumes", **_PROJECTS, **_SYSTEM_TOO),
        *(partial(machines_of, kind) for kind in VmKind),
    )
    volumes = _merged(own, projects)
    users = {
        text(row, "id") for kind, rows in zip(VmKind, machines, strict=True) if kind is VmKind.USER for row in rows
    }
    if not any(text(row, "virtualmachineid") in users for row in volumes):  # the system's alone, or none
        plain = await _all(*(partial(read, "listVolumes", **view) for view in (_OWN, _PROJECTS)))
        volumes = _merged(volumes, *plain)
    # Last: a host that is Up now was not given up when its machines were read, so they were not started elsewhere.
    hosts = await read("listHosts", **_HOSTS)
    return Lists(clusters=clusters, hosts=hosts, pools=pools, volumes=volumes, machines=tuple(machines))


def _inventory_from(lists: Lists) -> CloudInventory:
    notes = Remarks()
    zoned = clusters_from(lists.clusters, notes)
    known = hosts_from(lists.hosts, notes)
    unplaced(known, zoned, notes)
    stores = pools_from(lists.pools, zoned, known, notes)
    disks = disks_from(lists.volumes, stores, notes)
    vms = [machines_from(kind, rows, disks, notes) for kind, rows in zip(VmKind, lists.machines, strict=True)]
    return CloudInventory(
        clusters=tuple(zoned.values()),
        hosts=known,
        pools=tuple(stores.values()),
        vms=tuple(vm for some in vms for vm in some),
        unmapped=notes.sentences(),
    )


async def machines_on(api: Api, host_id: str) -> tuple[CloudVm, ...]:
    """The machines of all kinds that the host has, whatever they are doing there; their disks are not read.

    Raises:
        CloudUnreadableError: some list could not be read.
    """
    lists = await _all(*(partial(_machines, api, kind, hostid=host_id) for kind in VmKind))
    found = (_without_disks(kind, rows) for kind, rows in zip(VmKind, lists, strict=True))
    return tuple(vm for some in found for vm in some if vm.state not in NOT_RUNNING)


async def machine(api: Api, kind: VmKind, vm_id: str) -> CloudVm | None:
    """One machine, without its disks; None when the cloud says that there is none of this id (any more).

    Raises:
        CloudUnreadableError: the cloud did not say.
    """
    found = _without_disks(
        kind, _merged(*await _all(*(partial(_known, api, _COMMANDS[kind], **view, id=vm_id) for view in _VIEWS[kind])))
    )
    return next((vm for vm in found if vm.id == vm_id), None)


async def volumes_of(api: Api, vm_ids: Sequence[str]) -> Volumes:
    """Where the disks of some machines lie; of one that the cloud does not know (any more) that is unknown.

    Raises:
        CloudUnreadableError: some list could not be read.
    """
    wanted = list(dict.fromkeys(vm_ids))
    read = partial(_list, api, ONE_HOST_S)
    clusters, hosts, pools, *lists = await _all(
        partial(read, "listClusters"),
        partial(read, "listHosts", **_HOSTS),
        partial(read, "listStoragePools"),
        *(partial(_volumes, api, vm_id) for vm_id in wanted),
    )
    notes, aside = Remarks(), Remarks()
    stores = pools_from(pools, clusters_from(clusters, aside), hosts_from(hosts, aside), aside)
    disks = disks_from(_merged(*lists), stores, notes)
    return Volumes(
        disks={vm_id: disks.get(vm_id) or (unknown_disk(vm_id),) for vm_id in wanted},
        pools=stores,
        unmapped=notes.sentences(),
    )


async def _all(*reads: Callable[[], Awaitable[Rows]]) -> list[Rows]:
    """Side by side, a few at once; the first error ends them all."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(read: Callable[[], Awaitable[Rows]]) -> Rows:
        async with limit:
            return await read()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(read)) for read in reads]
    except* CloudUnreadableError as errors:
        first = errors.exceptions[0]
        raise first from first.__cause__
    return [task.result() for task in tasks]


async def _list(
    api: Api, deadline_s: float, command: str, fields: AbstractSet[str] | None = None, /, **params: Value
) -> Rows:
    try:
        return await api.list(command, fields, deadline_s=deadline_s, **params)
    except CloudStackError as error:
        raise CloudUnreadableError(str(error)) from error


async def _machines(api: Api, kind: VmKind, **params: Value) -> Rows:
    return _merged(*[await _list(api, ONE_HOST_S, _COMMANDS[kind], **view, **params) for view in _VIEWS[kind]])


async def _volumes(api: Api, vm_id: str) -> Rows:
    async def read(view: dict[str, Value]) -> Rows:
        return await _known(api, "listVolumes", **view, virtualmachineid=vm_id)

    found = [await read({**view, **_SYSTEM_TOO}) for view in (_OWN, _PROJECTS)]
    if not any(found):
        found = [await read(view) for view in (_OWN, _PROJECTS)]
    # It was asked for by the machine's id: an entry that does not repeat it is of this machine all the same.
    return [{**row, "virtualmachineid": vm_id} for row in _merged(*found)]


async def _known(api: Api, command: str, **params: Value) -> Rows:
    """What a list has of one machine; nothing where CloudStack says that the machine's id is none."""
    try:
        return await api.list(command, deadline_s=ONE_HOST_S, **params)
    except CloudStackError as error:
        if error.unknown_id:
            return []
        raise CloudUnreadableError(str(error)) from error


def _without_disks(kind: VmKind, rows: Rows) -> tuple[CloudVm, ...]:
    return machines_from(kind, rows, {}, Remarks())


def _merged(*lists: Iterable[Row]) -> Rows:
    """By id; what has none is kept as it is."""
    rows = [row for one in lists for row in one]
    return list({text(row, "id") or f"nameless {number}": row for number, row in enumerate(rows)}.values())
