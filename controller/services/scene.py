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
from controller.domain.safeguards import ClusterFacts
from controller.services.errors import NotFound
from controller.services.policies import Policies
from controller.services.world import World

RECENT_INCIDENTS = 200
LONGEST_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One host among its neighbors at one moment."""

    host: Host
    hosts: tuple[Host, ...]
    policy: Policy
    rows: tuple[SettingRow, ...]
    witnesses: Choice


async def read_scene(tx: Tx, host_id: str) -> Scene:
    """Everything about the host that rows can tell. Raises :class:`NotFound` for a host that is gone."""
    host = await tx.host(host_id)
    if host is None:
        raise NotFound(f"there is no host {host_id}", code="host_unknown")
    hosts = tuple(await tx.hosts(cluster_id=host.cluster_id))
    rows = tuple(await tx.setting_rows())
    suspected = frozenset(i.host_id for i in await tx.open_incidents())
    return Scene(
        host=host,
        hosts=hosts,
        policy=Policies(rows, (), hosts).of_host(host),
        rows=rows,
        witnesses=choose(host, hosts, suspected=suspected),
    )


async def read_cluster_facts(tx: Tx, world: World, scene: Scene, *, now: datetime, cloud: CloudSays) -> ClusterFacts:
    """The safeguards' facts as this transaction sees them."""
    shared = Policies(scene.rows, (), await tx.hosts()).shared_devices() if scene.policy.bmc.configured else {}
    identities = {host.id: identity for identity, owners in shared.items() for host in owners}
    return ClusterFacts(
        host=scene.host,
        hosts=scene.hosts,
        healths=await tx.healths(),
        incidents=tuple(await tx.incidents(cluster_id=scene.host.cluster_id, limit=RECENT_INCIDENTS)),
        attempts=tuple(await tx.attempts_since(now - LONGEST_WINDOW)),
        unfinished=tuple(await tx.attempts_unfinished()),
        pauses=tuple(await tx.pauses()),
        identities=identities,
        isolated=world.isolation.isolated,
        driver_proves=world.driver_proves(scene.policy.bmc.driver),
        bmc_address_refused=world.bmc_address_refused(scene.policy.bmc.host),
        cloud=cloud,
    )


def bmc_target(policy: Policy) -> BmcTarget:
    """The device the policy names."""
    bmc = policy.bmc
    return BmcTarget(
        driver=bmc.driver,
        address=bmc.host,
        port=bmc.port,
        username=bmc.username,
        password=bmc.password,
        plug=bmc.plug,
        options=bmc.options,
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
