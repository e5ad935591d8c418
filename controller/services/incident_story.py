"""All that is known of one incident, for a page: its head, and the rest, which is more to read."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.db.store import Store
from controller.domain.incident import Incident
from controller.domain.model import Attempt, Delivery, Effect, Event, Health, Host, Notice
from controller.domain.policy import Policy
from controller.services import history
from controller.services.policies import Policies

NOTICES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """``host`` and ``policy`` None: the host was deleted since."""

    incident: Incident
    host: Host | None
    health: Health
    policy: Policy | None
    cluster_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """``names``: of the hosts of its cluster, by id."""

    incident: Incident
    names: Mapping[str, str]
    events: list[Event]
    rounds: history.RoundsSeen
    attempts: list[Attempt]
    effects: list[Effect]
    notices: list[tuple[Notice, list[Delivery]]]


async def read_head(store: Store, incident_id: str) -> Head:
    """How it stands now, with the policy that holds for its host."""
    incident = await history.incident(store, incident_id)
    async with store.transaction() as tx:
        hosts = await tx.hosts_beside(incident.host_id)
        host = next((one for one in hosts if one.id == incident.host_id), None)
        rows = await tx.setting_rows(owners=("", incident.cluster_id, incident.host_id))
        clusters = {one.id: one.name for one in await tx.clusters()}
        return Head(
            incident=incident,
            host=host,
            health=await tx.health(incident.host_id),
            policy=Policies(rows, (), hosts).of_host(host).using(incident.method) if host is not None else None,
            cluster_name=clusters.get(incident.cluster_id, incident.cluster_id),
        )


async def read_story(store: Store, incident: Incident) -> Story:
    """What happened in it."""
    rounds = await history.rounds_seen(store, incident.id)
    async with store.transaction() as tx:
        return Story(
            incident=incident,
            names={one.id: one.name for one in await tx.hosts(cluster_id=incident.cluster_id)},
            events=await tx.events(incident.id),
            rounds=rounds,
            attempts=await tx.attempts_of(incident.id),
            effects=[one for one in await tx.effects_of(host_id=incident.host_id) if one.incident_id == incident.id],
            notices=await tx.notices(incident_id=incident.id, limit=NOTICES),
        )
