"""What rows tell of the whole site, and of one cluster, read at once: for explanations, which concern every host."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.db.store import Tx
from controller.domain.cloud import CloudReport
from controller.domain.incident import Incident, IncidentBrief
from controller.domain.model import Attempt, Health, Host, Pause, Pool, Vm
from controller.services.policies import Policies
from controller.services.scene import LONGEST_WINDOW

LONGEST_CAP = timedelta(days=7)
"""The longest window that a cap may have."""

LONGEST_STORM = timedelta(hours=2)
"""Longer than a storm, and its cooling down, can matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything that is not one cluster's. ``open``: the open incidents by host id; ``zones``: by cluster id."""

    now: datetime
    policies: Policies
    shared: dict[str, frozenset[Host]]
    hosts: tuple[Host, ...]
    open: dict[str, Incident]
    attempts: tuple[Attempt, ...]
    unfinished: tuple[Attempt, ...]
    pauses: tuple[Pause, ...]
    zones: Mapping[str, str]
    report: CloudReport | None

    def restarts_after_s(self, cluster_id: str) -> float | None:
        """The soonest after a host's death that the cloud starts its machines elsewhere; None: it never does."""
        return None if self.report is None else self.report.restarts_after_in(self.zones.get(cluster_id, ""))

    def fences_of(self, host: Host) -> int:
        """How often it was taken down by earlier incidents within a day."""
        now_open = self.open.get(host.id)
        return len(
            {
                attempt.incident_id
                for attempt in self.attempts
                if attempt.host_id == host.id
                and attempt.takes_slot
                and attempt.incident_id is not None
                and attempt.intended_at > self.now - LONGEST_WINDOW
                and (now_open is None or attempt.incident_id != now_open.id)
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRows:
    """One cluster's. ``vms``: by host id."""

    hosts: tuple[Host, ...]
    healths: dict[str, Health]
    briefs: tuple[IncidentBrief, ...]
    pools: tuple[Pool, ...]
    vms: dict[str, tuple[Vm, ...]]


async def read_site(tx: Tx, *, now: datetime) -> Site:
    """In the transaction given."""
    hosts = tuple(await tx.hosts())
    policies = Policies(await tx.setting_rows(), (), hosts)
    return Site(
        now=now,
        policies=policies,
        shared=policies.shared_devices(),
        hosts=hosts,
        open={incident.host_id: incident for incident in await tx.open_incidents()},
        attempts=tuple(await tx.attempts_since(now - LONGEST_CAP)),
        unfinished=tuple(await tx.attempts_unfinished()),
        pauses=tuple(await tx.pauses()),
        zones={cluster.id: cluster.zone for cluster in await tx.clusters()},
        report=await tx.cloud_report(),
    )


async def read_cluster(tx: Tx, site: Site, cluster_id: str) -> ClusterRows:
    """In the transaction given."""
    vms: dict[str, list[Vm]] = {}
    for vm in await tx.vms_in(cluster_id):
        vms.setdefault(vm.host_id, []).append(vm)
    return ClusterRows(
        hosts=tuple(host for host in site.hosts if host.cluster_id == cluster_id),
        healths=await tx.healths(cluster_id=cluster_id),
        briefs=tuple(await tx.briefs(cluster_id, since=site.now - LONGEST_STORM)),
        pools=tuple(await tx.pools(cluster_id=cluster_id)),
        vms={host_id: tuple(found) for host_id, found in vms.items()},
    )
