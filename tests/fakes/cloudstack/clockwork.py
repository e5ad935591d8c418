"""The management server's view of its hosts over time: pings, their time-out, investigation, loss and return.

What decides hostfence's design is here: a host that misses pings stays Up until the time-out *and* the investigation
are over, and then goes Down with VM-HA in the same breath, unless it is Disabled or in maintenance.
"""

import math
from functools import partial

from tests.fakes.cloudstack.model import Host, Resource, Status
from tests.fakes.cloudstack.records import Records
from tests.fakes.cloudstack.vmwork import host_lost, power_reports

INVESTIGATION_S = 10.0
CONNECTING_S = 3.0
RECONNECT_S = 20.0
RECONNECT_SPREAD_S = 20.0
ALERT_HOST = (7, "ALERT.COMPUTE.HOST")
NOT_INVESTIGATED = frozenset({Resource.DISABLED, Resource.MAINTENANCE, Resource.ERROR_IN_MAINTENANCE})


class Clockwork:
    """`investigation_s`, `connecting_s`, `reconnect_s`: how long these take; may be changed at any time."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.investigation_s = INVESTIGATION_S
        self.connecting_s = CONNECTING_S
        self.reconnect_s = RECONNECT_S
        self.reconnect_spread_s = RECONNECT_SPREAD_S
        self._generation = 0
        self.watch()

    def watch(self) -> None:
        """Begin the check for late pings, once every `ping.interval`, from now."""
        self._generation += 1
        generation = self._generation

        def check() -> None:
            if generation != self._generation:
                return
            self.records.schedule.after(self.records.seconds("ping.interval"), check)
            self._check_pings()

        self.records.schedule.after(self.records.seconds("ping.interval"), check)

    # -- loss ----------------------------------------------------------------------------------------------------------

    def silence(self, host: Host) -> None:
        """Its agent can't be heard from now on. Its last ping is the last whole `ping.interval` since it connected."""
        if not host.agent_alive:
            return
        host.agent_alive = False
        every = self.records.seconds("ping.interval")
        since = self.records.schedule.now() - self._connected(host)
        host.last_ping = self._connected(host) + math.floor(max(since, 0.0) / every) * every

    def stopped_cleanly(self, host: Host) -> None:
        """The agent says goodbye: Disconnected at once, no investigation, no VM-HA."""
        self.silence(host)
        if host.state in {Status.UP, Status.CONNECTING, Status.ALERT}:
            self.lose(host, Status.DISCONNECTED)

    def _check_pings(self) -> None:
        limit = self.records.seconds("ping.interval") * self.records.seconds("ping.timeout")
        now = self.records.schedule.now()
        for host in self.records.hosts.values():
            behind = not host.agent_alive and now - host.last_ping > limit
            if not behind or host.state not in {Status.UP, Status.CONNECTING} or host.investigating:
                continue
            # Console proxies and storage VMs have agents too, and stand in `listHosts` without `type=Routing`.
            if host.resource_state in NOT_INVESTIGATED or host.type != "Routing":
                self.lose(host, Status.DISCONNECTED)
            else:
                self._investigate(host)

    def _investigate(self, host: Host) -> None:
        host.investigating = True

        def conclude() -> None:
            # The resource state is not looked at again: disabling the host now is too late.
            if not host.investigating:  # it has connected meanwhile
                return
            host.investigating = False
            stale = host.nfs_heartbeat_stale if host.nfs_heartbeat_stale is not None else not host.really_alive
            if host.undecided:
                self.lose(host, Status.ALERT, "Host in ALERT state")
            elif stale:
                self.lose(host, Status.DOWN, "Host is down")
            else:
                self.lose(host, Status.ALERT, "Host disconnected")

        self.records.schedule.after(self.investigation_s, conclude)

    def lose(self, host: Host, state: Status, words: str = "") -> None:
        """The host is now `state`; Down brings VM-HA with it. Only what was investigated raises an alert."""
        host.state = state
        if words:
            zone, pod = host.cluster.pod.zone.name, host.cluster.pod.name
            where = f"availability zone: {zone}, pod: {pod}"
            self.records.alert(*ALERT_HOST, f"{words}, name: {host.name} (id:{host.number}), {where}")
        if state is Status.DOWN:
            host_lost(self.records, host)

    # -- return --------------------------------------------------------------------------------------------------------

    def connect(self, host: Host) -> None:
        """The agent reaches the management server: Connecting, then Up."""
        host.agent_alive = True
        host.investigating = False
        host.state = Status.CONNECTING

        def ready() -> None:
            if host.state is Status.CONNECTING and host.agent_alive:
                host.state = Status.UP
                host.connected_at = self.records.schedule.wall()
                power_reports(self.records, host)

        self.records.schedule.after(self.connecting_s, ready)

    def restart(self) -> None:
        """The management server starts anew: every host Disconnected, those that live come back by and by."""
        now = self.records.schedule.wall()
        self.records.management_server.last_server_start = now
        self.records.jobs.cancel_all()
        self.watch()
        hosts = list(self.records.hosts.values())
        for place, host in enumerate(hosts):
            if host.state in {Status.UP, Status.CONNECTING}:
                host.state = Status.DISCONNECTED
                host.disconnected = now
            host.investigating = False
            wait = self.reconnect_s + self.reconnect_spread_s * place / max(len(hosts), 1)
            self.records.schedule.after(wait, partial(self._again, host))

    def _again(self, host: Host) -> None:
        if host.agent_alive and host.state is Status.DISCONNECTED:
            self.connect(host)

    def _connected(self, host: Host) -> float:
        return (host.connected_at - self.records.schedule.wall(0.0)).total_seconds()
