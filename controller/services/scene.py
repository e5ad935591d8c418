"""What a step needs to know, read in one short transaction.

The host, its neighbors, its policy, and the safeguards' facts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.db.store import Tx
from controller.domain.evidence import CloudSays
from controller.domain.incident import Incident
from controller.domain.model import Host, SettingRow
from controller.domain.neighbors import Choice, choose
from controller.domain.policy import Policy
from controller.domain.power import BmcTarget
from controller.domain.safeguards import ClusterFacts, attempts_matter_since, incidents_matter_since
from controller.services.errors import NotFound
from controller.services.policies import Policies
from controller.services.world import World

LONGEST_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One host among its neighbors at one moment."""

    host: Host
    hosts: tuple[Host, ...]
    policy: Policy
    rows: tuple[SettingRow, ...]
    """What is written for this host, its cluster and everybody."""
    witnesses: Choice


async def read_scene(tx: Tx, host_id: str, *, method: int = 0) -> Scene:
    """Everything about the host that rows can tell; its policy uses the power device of ``method``.

    Raises :class:`NotFound` for a host that is gone.
    """
    hosts = tuple(await tx.hosts_beside(host_id))
    host = next((h for h in hosts if h.id == host_id), None)
    if host is None:
        raise NotFound(f"there is no host {host_id}", code="host_unknown")
    rows = tuple(await tx.setting_rows(owners=("", host.cluster_id, host.id)))
    suspected = await tx.open_hosts(cluster_id=host.cluster_id)
    return Scene(
        host=host,
        hosts=hosts,
        policy=Policies(rows, (), hosts).of_host(host).using(method),
        rows=rows,
        witnesses=choose(host, hosts, suspected=suspected),
    )


async def read_cluster_facts(
    tx: Tx, world: World, scene: Scene, incident: Incident, *, now: datetime, cloud: CloudSays
) -> ClusterFacts:
    """The safeguards' facts as this transaction sees them: just what they look at, for every step reads them."""
    cluster_id, policy = scene.host.cluster_id, scene.policy
    return ClusterFacts(
        host=scene.host,
        hosts=scene.hosts,
        healths=await tx.healths(cluster_id=cluster_id),
        incidents=tuple(await tx.briefs(cluster_id, since=incidents_matter_since(incident, policy, now=now))),
        attempts=tuple(await tx.attempts_since(attempts_matter_since(policy, now=now))),
        unfinished=tuple(await tx.attempts_unfinished()),
        pauses=tuple(await tx.pauses()),
        identities=await _sharing_the_device(tx, scene),
        isolated=world.isolation.isolated,
        driver_proves=world.driver_proves(policy.bmc),
        bmc_address_refused=world.bmc_address_refused(policy.bmc.host),
        cloud=cloud,
    )


async def _sharing_the_device(tx: Tx, scene: Scene) -> dict[str, str]:
    """Device identity by host id, of the hosts that share the device in use; nothing where it is this host's alone."""
    device = scene.policy.bmc
    owners = await tx.hosts_with_device(device.host) if device.configured else frozenset()
    if len(owners) < 2:
        return {}
    hosts = await tx.hosts(ids=owners)
    rows = await tx.setting_rows(owners={"", *owners, *(h.cluster_id for h in hosts)})
    shared = Policies(rows, (), hosts).shared_devices()
    return {host.id: device.identity for host in shared.get(device.identity, ())}


def bmc_target(host: Host, policy: Policy) -> BmcTarget:
    """The host's device that the policy uses."""
    bmc = policy.bmc
    return BmcTarget(
        driver=bmc.driver,
        address=bmc.host,
        port=bmc.port,
        username=bmc.username,
        password=bmc.password,
        plug=bmc.plug,
        options=bmc.options,
        nodename=host.name,
    )


async def fences_before(tx: Tx, incident: Incident, *, now: datetime) -> int:
    """How often this host was taken down by earlier incidents within a day."""
    return len(
        {
            a.incident_id
            for a in await tx.attempts_since(now - LONGEST_WINDOW)
            if a.host_id == incident.host_id and a.incident_id not in (None, incident.id) and a.takes_slot
        }
    )
