"""The policies of every host and cluster at once, each resolved from the few rows that concern it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from controller.domain.inheritance import resolve
from controller.domain.model import Cluster, Host, SettingRow
from controller.domain.policy import Policy


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
            self._members[host.cluster_id] += 1

    def of_host(self, host: Host) -> Policy:
        """What holds for one host."""
        return self._resolve(host.cluster_id, host.id)

    def everywhere(self) -> Iterator[tuple[str, Policy]]:
        """(where, policy) for global, each cluster, and each host with settings of its own."""
        yield "global level", self._resolve(None, None)
        for cluster in self._clusters:
            yield f"cluster {cluster.name}", self._resolve(cluster.id, None)
        for host in self._hosts:
            if host.id in self._rows:
                yield f"host {host.name}", self.of_host(host)

    def devices(self) -> dict[str, list[Host]]:
        """Power device identity -> the hosts that have it."""
        found: defaultdict[str, list[Host]] = defaultdict(list)
        for host in self._hosts:
            if host.id not in self._rows:
                continue  # a device's address can only be written at host level
            bmc = self.of_host(host).bmc
            if bmc.configured:
                found[bmc.identity].append(host)
        return dict(found)

    def _resolve(self, cluster_id: str | None, host_id: str | None) -> Policy:
        owners = [owner for owner in ("", cluster_id, host_id) if owner is not None]
        rows = [row for owner in owners for row in self._rows.get(owner, ())]
        others = max(0, self._members[cluster_id] - 1) if cluster_id is not None else 0
        return resolve(rows, cluster_id=cluster_id, host_id=host_id, other_hosts_in_cluster=others)
