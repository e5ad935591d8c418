"""The policies of every host and cluster at once, each resolved from the few rows that concern it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from controller.domain.addresses import places
from controller.domain.catalogue import DEVICE_ADDRESSES
from controller.domain.inheritance import resolve
from controller.domain.model import Cluster, Host, Level, SettingRow
from controller.domain.policy import Policy, same_machine


class Policies:
    """What :func:`resolve` gives for each scope of one set of rows. Sorted once: a site has thousands of rows."""

    def __init__(self, rows: Sequence[SettingRow], clusters: Sequence[Cluster], hosts: Sequence[Host]) -> None:
        self._rows: defaultdict[str, list[SettingRow]] = defaultdict(list)
        for row in rows:
            self._rows[row.owner_id].append(row)
        self._clusters = clusters
        self._hosts = hosts
        self._members: defaultdict[str, int] = defaultdict(int)
        for host in hosts:
            self._members[host.cluster_id] += not host.retired

    def of_host(self, host: Host) -> Policy:
        """What holds for one host."""
        return self._resolve(host.cluster_id, host.id)

    def of_site(self) -> Policy:
        """What holds where no cluster changes it."""
        return self._resolve(None, None)

    def of_cluster(self, cluster_id: str) -> Policy:
        """What holds for a cluster, before what its hosts change."""
        return self._resolve(cluster_id, None)

    def of_everything(self) -> Policy:
        """What holds at global level."""
        return self._resolve(None, None)

    def reached_from(self, level: Level, owner_id: str) -> Iterator[tuple[str, Policy]]:
        """(where, policy) of all that a setting of this owner reaches; hosts only if they have own settings."""
        if level is Level.GLOBAL:
            yield "global level", self._resolve(None, None)
        for cluster in self._clusters:
            if level is Level.GLOBAL or cluster.id == owner_id:
                yield f"cluster {cluster.name}", self._resolve(cluster.id, None)
        for host in self._hosts:
            reached = level is Level.GLOBAL or owner_id in (host.cluster_id, host.id)
            if reached and host.id in self._rows:
                yield f"host {host.name}", self.of_host(host)

    def shared_devices(self, resolved: Mapping[str, frozenset[str]] | None = None) -> dict[str, frozenset[Host]]:
        """Power device identity -> its hosts, where these are several.

        ``resolved``: what the devices' names are known to resolve to; a name and an address may be one device.
        """
        found: defaultdict[str, set[Host]] = defaultdict(set)
        by_address = self._by_device_address()
        place = places(by_address, resolved or {})
        by_place: defaultdict[str, set[Host]] = defaultdict(set)
        for address, hosts in by_address.items():
            by_place[place[address]] |= hosts
        for where, several in by_place.items():
            if len(several) > 1:  # one address may still serve several through its ports and plugs
                devices = [(host, device) for host in several for device in self.of_host(host).methods]
                at_it = [(host, device) for host, device in devices if place.get(device.host) == where]
                for (host, device), (other, its) in combinations(at_it, 2):
                    if host != other and same_machine(replace(device, host=where), replace(its, host=where)):
                        found[device.identity] |= {host, other}
                        found[its.identity] |= {host, other}
        return {identity: frozenset(hosts) for identity, hosts in found.items()}

    def device_addresses(self) -> frozenset[str]:
        """What is written as some host's power device: names and addresses."""
        return frozenset(self._by_device_address())

    def _by_device_address(self) -> dict[str, frozenset[Host]]:
        found: defaultdict[str, set[Host]] = defaultdict(set)
        for host in self._hosts:
            for row in self._rows.get(host.id, ()):
                if row.field in DEVICE_ADDRESSES and row.value:
                    found[str(row.value)].add(host)
        return {address: frozenset(hosts) for address, hosts in found.items()}

    def _resolve(self, cluster_id: str | None, host_id: str | None) -> Policy:
        owners = [owner for owner in ("", cluster_id, host_id) if owner is not None]
        rows = [row for owner in owners for row in self._rows.get(owner, ())]
        others = max(0, self._members[cluster_id] - 1) if cluster_id is not None else 0
        return resolve(rows, cluster_id=cluster_id, host_id=host_id, other_hosts_in_cluster=others)
