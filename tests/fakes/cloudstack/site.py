"""A CloudStack site and what can be done to it from outside: machines die, agents fall silent, people place VMs.

site.kill_host("kvm1")                 the machine is off; CloudStack notices in its own time
site.silence_agent("kvm1")             only the agent is; the guests run on
site.stop_agent("kvm1")                a clean stop: Disconnected at once
site.agent_back("kvm1")                it runs and is heard again
site.place("vm1", "kvm2")              someone moved it
site.restart_management_server()       every host is Disconnected for a while
site.writers("vm1")                    where it really runs: two are two writers
"""

from collections.abc import Iterable

from tests.fakes.cloudstack.clockwork import Clockwork
from tests.fakes.cloudstack.model import Cluster, Host, OutOfBand, Pool, Resource, Vm, VmState, Zone
from tests.fakes.cloudstack.profiles import Profile
from tests.fakes.cloudstack.records import Records
from tests.fakes.cloudstack.schedule import Schedule
from tests.fakes.cloudstack.vmwork import migrate, running


class Site(Records):
    """Every method first lets happen what was due."""

    def __init__(self, schedule: Schedule, profile: Profile) -> None:
        super().__init__(schedule, profile)
        self.clockwork = Clockwork(self)
        self.down_until = 0.0
        """Second of the schedule until which the API answers nobody."""
        self.degrade_obeys_vm_ha = True
        """Whether `vm.ha.enabled=false` also stops the restarts of `declareHostAsDegraded`: not known, so assume it."""

    def tick(self) -> None:
        """Let happen what is due by now. The API does it before every answer."""
        with self.lock:
            self.schedule.run_due()

    def build(
        self, hosts: Iterable[str], *, zone: str = "zone1", cluster: str = "cluster1", pool: str = "primary1"
    ) -> Cluster:
        """A zone, a pod and a cluster with these hosts, an NFS pool and out-of-band management; the usual site."""
        made = self.add_cluster(cluster, self.add_pod(f"{zone}-pod1", self.add_zone(zone)))
        self.add_pool(pool, made)
        for name in hosts:
            host = self.add_host(name, made)
            host.oob = OutOfBand(address=f"10.200.{host.number >> 8 & 255}.{host.number & 255}")
        return made

    def pool(self, name: str) -> Pool:
        return next(one for one in self.pools.values() if name in {one.name, one.id})

    def zone(self, name: str) -> Zone:
        return next(one for one in self.zones.values() if name in {one.name, one.id})

    # -- hosts ---------------------------------------------------------------------------------------------------------

    def kill_host(self, name: str) -> None:
        """Its power fails: agent and guests are gone, its NFS heartbeat goes stale."""
        with self.lock:
            self.tick()
            host = self.host(name)
            host.really_alive = False
            self.clockwork.silence(host)
            for vm in self.vms.values():
                vm.processes.discard(host.id)

    def silence_agent(self, name: str, *, heartbeat_stale: bool | None = None) -> None:
        """The agent falls silent, the guests run on. `heartbeat_stale`: what a neighbor will find (None: the truth)."""
        with self.lock:
            self.tick()
            host = self.host(name)
            host.nfs_heartbeat_stale = heartbeat_stale
            self.clockwork.silence(host)

    def stop_agent(self, name: str) -> None:
        """`systemctl stop cloudstack-agent`."""
        with self.lock:
            self.tick()
            self.clockwork.stopped_cleanly(self.host(name))

    def agent_back(self, name: str) -> None:
        """The machine runs (without guests, if it had been dead) and its agent connects."""
        with self.lock:
            self.tick()
            host = self.host(name)
            host.really_alive, host.nfs_heartbeat_stale = True, None
            self.clockwork.connect(host)

    def enable(self, name: str, resource_state: str = "Enabled") -> None:
        """Somebody sets its resource state by hand."""
        with self.lock:
            self.tick()
            self.host(name).resource_state = Resource(resource_state)

    def rename(self, name: str, new: str) -> None:
        with self.lock:
            self.host(name).name = new

    def remove_host(self, name: str) -> None:
        with self.lock:
            del self.hosts[self.host(name).id]

    # -- machines ------------------------------------------------------------------------------------------------------

    def place(self, name: str, host: str) -> None:
        """It runs on that host and nowhere else, and CloudStack knows."""
        with self.lock:
            self.tick()
            vm = self.vm(name)
            vm.processes.clear()
            running(vm, self.host(host))

    def begin_migration(self, name: str, host: str, seconds: float | None = None) -> None:
        """Under way to `host`; done after `seconds`, or never."""
        with self.lock:
            self.tick()
            end = migrate(self.vm(name), self.host(host))
            if seconds is not None:
                self.schedule.after(seconds, end)

    def halt(self, name: str) -> None:
        """Its owner shuts it down."""
        with self.lock:
            self.tick()
            vm = self.vm(name)
            vm.processes.clear()
            vm.state, vm.last_host, vm.host = VmState.STOPPED, vm.host, None

    def writers(self, name: str) -> tuple[str, ...]:
        """Names of the hosts where it really runs."""
        with self.lock:
            self.tick()
            return tuple(sorted(self.hosts[one].name for one in self.vm(name).processes if one in self.hosts))

    def two_writers(self) -> list[Vm]:
        """Every machine that runs twice."""
        with self.lock:
            self.tick()
            return [vm for vm in self.vms.values() if len(vm.processes) > 1]

    # -- the management server -----------------------------------------------------------------------------------------

    def restart_management_server(self, *, down_s: float = 0.0) -> None:
        """It goes, answers nobody for `down_s`, then starts: jobs are cancelled, every host is Disconnected."""
        with self.lock:
            self.tick()
            self.down_until = self.schedule.now() + down_s
            if down_s:
                self.schedule.after(down_s, self.clockwork.restart)
            else:
                self.clockwork.restart()

    def api_down(self, seconds: float) -> None:
        """Only the API is unreachable; everything else goes on."""
        with self.lock:
            self.tick()
            self.down_until = self.schedule.now() + seconds

    def answers(self) -> bool:
        return self.schedule.now() >= self.down_until

    def describe(self, host: Host) -> str:
        """For a demo's screen: one line of CloudStack's own view."""
        return f"{host.name}: {host.state}/{host.resource_state}"
