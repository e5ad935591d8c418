"""The whole site at one moment, for people: clusters, hosts, what is open, pauses, caps. One read, no network."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.db.store import Clock, Store
from controller.domain.incident import Incident
from controller.domain.model import Cluster, Health, Host, Pause
from controller.domain.policy import Policy
from controller.domain.safeguards import slots
from controller.services.site import Site, read_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """Power-downs in the window: ``used`` of ``most``. ``frees_at``: when the oldest one leaves it."""

    used: int
    most: int
    window: timedelta
    frees_at: datetime | None = None

    @property
    def reached(self) -> bool:
        """True when there is no room for one more."""
        return self.used >= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNow:
    """One cluster: its own policy (hosts may have a stricter mode), cap, hosts by name, and its own pauses."""

    cluster: Cluster
    policy: Policy
    cap: Cap
    hosts: tuple[Host, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """``incidents``: the open ones by host id. ``pauses``: those that hold now, oldest first."""

    at: datetime
    policy: Policy
    cap: Cap
    clusters: tuple[ClusterNow, ...]
    healths: Mapping[str, Health]
    incidents: Mapping[str, Incident]
    pauses: tuple[Pause, ...]


async def read_glance(store: Store, clock: Clock) -> Glance:
    """As it is now."""
    now = await clock.now()
    async with store.transaction() as tx:
        site = await read_site(tx, now=now)
        clusters = await tx.clusters()
        healths = await tx.healths()
        everywhere = site.policies.of_everything()
    return Glance(
        at=now,
        policy=everywhere,
        cap=_cap(site, everywhere.global_max_actions, everywhere.global_action_window, cluster_id=None),
        clusters=tuple(_cluster(site, cluster) for cluster in clusters),
        healths=healths,
        incidents=site.open,
        pauses=tuple(pause for pause in site.pauses if pause.active(now)),
    )


def _cluster(site: Site, cluster: Cluster) -> ClusterNow:
    policy = site.policies.of_cluster(cluster.id)
    return ClusterNow(
        cluster=cluster,
        policy=policy,
        cap=_cap(site, policy.max_actions, policy.action_window, cluster_id=cluster.id),
        hosts=tuple(host for host in site.hosts if host.cluster_id == cluster.id),
    )


def _cap(site: Site, most: int, window: timedelta, *, cluster_id: str | None) -> Cap:
    """Counted as the safeguards count."""
    since = site.now - window
    inside = [
        attempt.intended_at
        for attempt in site.attempts
        if attempt.takes_slot and attempt.intended_at > since and cluster_id in (None, attempt.cluster_id)
    ]
    return Cap(
        used=slots(site.attempts, since=since, cluster_id=cluster_id),
        most=most,
        window=window,
        frees_at=min(inside) + window if inside else None,
    )
