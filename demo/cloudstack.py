"""The demo's CloudStack: the tests' double of a management server on a socket, and a twin that hostfence never meets.

What hostfence learns of the site and does to it goes through the double's API alone. The demo lets machines die and
come back, and looks. The twin lives through the same: it shows what CloudStack would have done by itself, and when.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.cloudstack import CloudStackDouble, Site
from tests.fakes.cloudstack.model import Host, OutOfBand, Vm, VmState
from tests.fakes.cloudstack.profiles import PROFILES
from tests.fakes.cloudstack.schedule import Schedule

CLUSTER = "demo"
FASTER = 4
"""CloudStack's clock against that of a real one: its ping time-out is 37.5 s instead of 150 s."""

_READING = ("list", "query", "get")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """A host as CloudStack's administrator has put it in. ``disks``: of each VM on it."""

    name: str
    address: str
    bmc_port: int
    bmc_user: str
    disks: Mapping[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that changes something, from the double's own log. ``at``: monotonic."""

    at: float
    command: str
    params: Mapping[str, str]


@dataclass(slots=True)
class Cloud:
    """Made with :func:`make_cloud`, filled with :meth:`build`; answers from :meth:`start` to :meth:`close`."""

    double: CloudStackDouble
    twin: Site
    now: Callable[[], float] = time.monotonic
    views: list[tuple[float, str, str]] = field(default_factory=list)
    """When (monotonic) which host was first seen as what, like ``Up/Enabled``."""
    looks: int = 0
    two_writers: set[str] = field(default_factory=set)
    """VMs that at any look ran on two hosts at once."""
    by_itself_at: float = 0.0
    """When the twin's own VM-HA began to start machines; monotonic, 0 while it has not."""
    _vms: dict[str, str] = field(default_factory=dict)
    _up: bool = False

    @property
    def url(self) -> str:
        """Of the API."""
        return self.double.url

    @property
    def ping_timeout_s(self) -> float:
        """Without a ping for so long, a host's agent counts as lost."""
        settings = self.double.site.settings
        return float(settings["ping.interval"]) * float(settings["ping.timeout"])

    @property
    def control_url(self) -> str:
        """Under which the double itself can be looked at."""
        return self.double.url.partition("/client/")[0] + "/control"

    def build(self, hosts: Sequence[HostPlan], pool: Path) -> None:
        """Put the site in, as its administrator has done."""
        for site in (self.double.site, self.twin):
            _build(site, hosts, pool)
        self.look()

    def start(self) -> None:
        """Answer on a socket."""
        self.double.__enter__()
        self._up = True

    def close(self) -> None:
        """Answer nobody any more."""
        if self._up:
            self._up = False
            self.double.__exit__(None, None, None)

    def env(self) -> dict[str, str]:
        """What the controller is told."""
        return {
            "CLOUDSTACK_URL": self.double.url,
            "CLOUDSTACK_API_KEY": self.double.key,
            "CLOUDSTACK_SECRET_KEY": self.double.secret,
        }

    # -- what happens to machines

    def died(self, host: str) -> None:
        """The host is dead: its CloudStack agent and its VMs are gone."""
        for site in (self.double.site, self.twin):
            site.kill_host(host)

    def booted(self, host: str) -> None:
        """The host runs again, and its CloudStack agent with it."""
        self.double.site.agent_back(host)

    # -- looking

    def look(self) -> list[str]:
        """What changed in CloudStack's own view since the last look, in words."""
        site = self.double.site
        with site.lock:
            site.tick()
            self.looks += 1
            self.two_writers |= {vm.name for vm in site.two_writers()}
            news = [text for host in site.hosts.values() if (text := self._host(host))]
            news += [text for vm in site.vms.values() if (text := self._vm(vm))]
        return news

    def alone(self) -> tuple[str, ...]:
        """VMs that CloudStack without hostfence begins to start elsewhere just now; told once."""
        self.twin.tick()
        begun = [vm.name for vm in self.twin.vms.values() if vm.state is VmState.STARTING]
        if self.by_itself_at or not begun:
            return ()
        self.by_itself_at = self.now()
        return tuple(begun)

    def placed(self) -> dict[str, tuple[str, ...]]:
        """Where each VM's process has to run: where CloudStack's agents were told to start it."""
        site = self.double.site
        return {vm.name: site.writers(vm.name) for vm in list(site.vms.values())}

    def runs_on(self, vm: str) -> str:
        """The host on which CloudStack has it Running; empty where it has not."""
        found = self.double.site.vm(vm)
        return found.host.name if found.host is not None and found.state is VmState.RUNNING else ""

    def views_of(self, host: str) -> list[str]:
        """What CloudStack made of a host, in order; *Connecting* is passing."""
        seen = [view for _, name, view in self.views if name == host and not view.startswith("Connecting/")]
        return [view for place, view in enumerate(seen) if place == 0 or seen[place - 1] != view]

    def view(self, host: str) -> str:
        """CloudStack's present word on a host, with the VMs that it has there."""
        site = self.double.site
        with site.lock:
            found = site.host(host)
            vms = ", ".join(vm.name for vm in site.vms_of(found)) or "no VMs"
        return f"{_view(found)} with {vms}"

    def changes(self) -> list[Asked]:
        """Every call so far that is no reading, by its arrival; from the double's own log."""
        offset = self.now() - self.double.site.schedule.now()
        return [
            Asked(at=one.at + offset, command=one.command, params=one.params)
            for one in list(self.double.requests)
            if not one.command.startswith(_READING)
        ]

    def ids(self, host: str) -> dict[str, str]:
        """CloudStack's id of a host, as ``host``, and of all VMs by name."""
        site = self.double.site
        return {"host": site.host(host).id, **{vm.name: vm.id for vm in site.vms.values()}}

    def _host(self, host: Host) -> str:
        view = _view(host)
        before = next((seen for _, name, seen in reversed(self.views) if name == host.name), "")
        if view == before:
            return ""
        self.views.append((self.now(), host.name, view))
        return f"{host.name}: {before} -> {view}{_meaning(before, view)}" if before else ""

    def _vm(self, vm: Vm) -> str:
        where = f"{vm.state} on {vm.host.name}" if vm.host is not None else str(vm.state)
        before, self._vms[vm.name] = self._vms.get(vm.name, ""), where
        return f"{vm.name}: {before} -> {where}" if before not in ("", where) else ""


def make_cloud(*, now: Callable[[], float] = time.monotonic) -> Cloud:
    """Nothing in it yet. ``now``: monotonic seconds."""
    return Cloud(CloudStackDouble(control=True, now=now), Site(Schedule(now), PROFILES["current"]), now)


def _build(site: Site, hosts: Sequence[HostPlan], pool: Path) -> None:
    site.settings["ping.interval"] = f"{site.seconds('ping.interval') / FASTER:g}"
    site.clockwork.investigation_s /= FASTER
    site.clockwork.watch()
    cluster = site.add_cluster(CLUSTER, site.add_pod("pod-1", site.add_zone("zone-1")))
    shared = site.add_pool("shared", cluster, type="SharedMountPoint", path=str(pool))
    for plan in hosts:
        oob = OutOfBand(address=plan.address, port=str(plan.bmc_port), username=plan.bmc_user)
        host = site.add_host(plan.name, cluster, ip=plan.address, oob=oob)
        for vm, disk in plan.disks.items():
            site.add_volume(site.add_vm(vm, host), shared, path=str(disk.relative_to(pool)))


def _view(host: Host) -> str:
    return f"{host.state}/{host.resource_state}"


def _meaning(before: str, view: str) -> str:
    """Why, where it is worth a word."""
    found = {
        "Up/Disabled": "hostfence's quarantine: CloudStack's own VM-HA will leave its VMs alone",
        "Disconnected/Disabled": "CloudStack misses its pings; a Disabled host is not investigated",
        "Disconnected/Degraded": "hostfence's release: its VMs count as stopped and may start elsewhere",
        "Down/Enabled": "CloudStack's own VM-HA starts its VMs elsewhere, whether it is off or not",
        "Up/Degraded": "its agent is back; CloudStack starts nothing there yet",
        "Up/Enabled": "in use as before",
    }
    return f" ({found[view]})" if before and view in found else ""
