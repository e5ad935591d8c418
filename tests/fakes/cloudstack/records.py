"""All records of a site, and how they are put in: the database of the double."""

import threading
import uuid
from collections.abc import Iterable
from itertools import count

from tests.fakes.cloudstack.jobs import Jobs
from tests.fakes.cloudstack.model import (
    SYSTEM_KINDS,
    Alert,
    Cluster,
    Event,
    Host,
    Kind,
    ManagementServer,
    OutOfBand,
    Pod,
    Pool,
    Vm,
    VmState,
    Volume,
    Zone,
)
from tests.fakes.cloudstack.profiles import Profile
from tests.fakes.cloudstack.schedule import Schedule

NAMES = uuid.UUID("6d6f2e20-6a0c-4b0e-9d5e-0d6f7c1a2b30")
SETTINGS = {
    "alert.wait": "1800",
    "default.page.size": "500",
    "enforce.post.requests.and.timestamps": "false",
    "kvm.ha.activity.check.interval": "10",
    "kvm.ha.degraded.max.period": "300",
    "kvm.ssh.to.agent": "false",
    "ping.interval": "60",
    "ping.timeout": "2.5",
    "set.host.down.to.maintenance": "false",
    "vm.ha.enabled": "true",
}
"""Name to value as a string, as CloudStack has them. `ping.timeout` is a multiple of `ping.interval`."""


class Records:
    """Lookup by CloudStack's id (a uuid); `number` is the internal id that alerts and error texts show."""

    def __init__(self, schedule: Schedule, profile: Profile) -> None:
        self.schedule = schedule
        self.profile = profile
        self.lock = threading.RLock()
        self.settings = dict(SETTINGS)
        self.zones: dict[str, Zone] = {}
        self.pods: dict[str, Pod] = {}
        self.clusters: dict[str, Cluster] = {}
        self.hosts: dict[str, Host] = {}
        self.pools: dict[str, Pool] = {}
        self.vms: dict[str, Vm] = {}
        self.volumes: dict[str, Volume] = {}
        self.alerts: list[Alert] = []
        self.events: list[Event] = []
        self._numbers = count(1)
        number, id_ = self._identity("ManagementServer")
        self.management_server = ManagementServer(
            id=id_, number=number, name="ms1", version=profile.version, last_server_start=schedule.wall()
        )
        self.jobs = Jobs(schedule)
        self.allocationstate_only = False
        """Hosts show `allocationstate` in the place of `resourcestate`, as very old versions do."""

    # -- putting in ----------------------------------------------------------------------------------------------------

    def add_zone(self, name: str) -> Zone:
        number, id_ = self._identity("Zone")
        return self.zones.setdefault(id_, Zone(id=id_, number=number, name=name))

    def add_pod(self, name: str, zone: Zone) -> Pod:
        number, id_ = self._identity("Pod")
        return self.pods.setdefault(id_, Pod(id=id_, number=number, name=name, zone=zone))

    def add_cluster(self, name: str, pod: Pod, hypervisor: str = "KVM") -> Cluster:
        number, id_ = self._identity("Cluster")
        cluster = Cluster(id=id_, number=number, name=name, pod=pod, hypervisor=hypervisor)
        return self.clusters.setdefault(id_, cluster)

    def add_host(
        self, name: str, cluster: Cluster, *, ip: str = "", oob: OutOfBand | None = None, type_: str = "Routing"
    ) -> Host:
        number, id_ = self._identity("Host")
        now = self.schedule.wall()
        host = Host(
            id=id_,
            number=number,
            name=name,
            ip=ip or f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            cluster=cluster,
            hypervisor=cluster.hypervisor,
            created=now,
            connected_at=now,
            oob=oob,
            type=type_,
        )
        with self.lock:  # a client may be going through the table
            return self.hosts.setdefault(id_, host)

    def add_pool(
        self,
        name: str,
        where: Cluster | Zone | Host,
        *,
        type: str = "NetworkFilesystem",  # noqa: A002 - CloudStack's word
        path: str = "/export/primary",
        ipaddress: str = "10.0.0.5",
        id: str = "",  # noqa: A002 - so that files can lie where a test has them
    ) -> Pool:
        """For a cluster, a zone (zone-wide), or a host (local)."""
        number, id_ = self._identity("Pool")
        host = where if isinstance(where, Host) else None
        cluster = where if isinstance(where, Cluster) else host.cluster if host else None
        zone = where if isinstance(where, Zone) else cluster.pod.zone if cluster else None
        assert zone is not None
        scope = "HOST" if host else "CLUSTER" if cluster else "ZONE"
        pool = Pool(
            id=id or id_,
            number=number,
            name=name,
            type=type,
            zone=zone,
            path=path,
            ipaddress=ipaddress,
            scope=scope,
            cluster=cluster,
            host=host,
        )
        return self.pools.setdefault(pool.id, pool)

    def add_vm(
        self,
        name: str,
        on: Host | None,
        pools: Iterable[Pool] = (),
        *,
        kind: Kind = Kind.USER,
        ha: bool = True,
        account: str = "admin",
        project: str = "",
        zone: Zone | None = None,
    ) -> Vm:
        """Running on `on` (Stopped without), with one volume on each of `pools`: the first is its ROOT."""
        number, id_ = self._identity("Vm")
        where = zone or (on.cluster.pod.zone if on else next(iter(self.zones.values())))
        letter = {Kind.ROUTER: "r", Kind.CONSOLE_PROXY: "v", Kind.STORAGE_VM: "s"}.get(kind, "i-2")
        vm = Vm(
            id=id_,
            number=number,
            name=name,
            kind=kind,
            zone=where,
            created=self.schedule.wall(),
            instance_name=f"{letter}-{number}-VM",
            state=VmState.RUNNING if on else VmState.STOPPED,
            host=on,
            last_host=on,
            ha=ha,
            account="system" if kind in SYSTEM_KINDS else account,
            project=project,
            project_id=str(uuid.uuid5(NAMES, f"Project {project}")) if project else "",
            processes={on.id} if on else set(),
        )
        with self.lock:
            self.vms[id_] = vm
        for place, pool in enumerate(pools):
            self.add_volume(vm, pool, device=place)
        return vm

    def add_volume(self, vm: Vm | None, pool: Pool, *, device: int = 0, path: str = "") -> Volume:
        number, id_ = self._identity("Volume")
        type_ = "DATADISK" if device or vm is None else "ROOT"
        volume = Volume(
            id=id_,
            number=number,
            name=f"{type_}-{vm.number if vm else number}",
            path=path or str(uuid.uuid5(NAMES, f"path {number}")),
            pool=pool,
            created=self.schedule.wall(),
            vm=vm,
            type=type_,
            device=device,
        )
        with self.lock:
            self.volumes[id_] = volume
            if vm is not None:
                vm.volumes.append(volume)
        return volume

    def alert(self, type_: int, name: str, description: str) -> Alert:
        _, id_ = self._identity("Alert")
        alert = Alert(id=id_, type=type_, name=name, description=description, sent=self.schedule.wall())
        self.alerts.append(alert)
        return alert

    def event(self, type_: str, description: str) -> None:
        self.events.append(Event(type=type_, description=description, created=self.schedule.wall()))

    # -- looking up ----------------------------------------------------------------------------------------------------

    def host(self, name: str) -> Host:
        return next(one for one in self.hosts.values() if name in {one.name, one.id})

    def vm(self, name: str) -> Vm:
        return next(one for one in self.vms.values() if name in {one.name, one.id})

    def vms_of(self, host: Host) -> list[Vm]:
        return [vm for vm in self.vms.values() if vm.host is host]

    def setting(self, name: str, zone: Zone | None = None) -> str:
        return (zone.settings if zone else {}).get(name, self.settings.get(name, ""))

    def seconds(self, name: str) -> float:
        return float(self.settings[name])

    def is_on(self, name: str, zone: Zone | None = None) -> bool:
        return self.setting(name, zone) == "true"

    def _identity(self, kind: str) -> tuple[int, str]:
        number = next(self._numbers)
        return number, str(uuid.uuid5(NAMES, f"{kind} {number}"))
