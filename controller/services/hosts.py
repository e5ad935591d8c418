"""Hosts: added, changed, removed; each has one secret with its agent, shown once when it is made."""

import secrets
from dataclasses import dataclass, replace
from typing import TypedDict

from controller.db.store import Clock, Store, Tx
from controller.domain.addresses import canonical_address
from controller.domain.model import Health, Host
from controller.domain.policy import Policy
from controller.services.changes import changing, checked_name, new_id, record
from controller.services.errors import BadInput, Refused
from controller.services.lookup import cluster_by_ref, host_by_ref
from controller.services.policies import Policies


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHost:
    """A host to add. ``cluster`` is any name of the cluster."""

    cluster: str
    name: str
    address: str
    agent_port: int = 8441
    external_id: str | None = None
    excluded: bool = False
    maintenance: bool = False
    runs_controller: bool = False


class HostChanges(TypedDict, total=False):
    """What may be changed; what is left out stays. Not the cluster: the storage would not come along."""

    name: str
    address: str
    agent_port: int
    external_id: str | None
    excluded: bool
    maintenance: bool
    runs_controller: bool


async def list_hosts(store: Store, *, cluster: str | None = None) -> list[Host]:
    """All, or those of one cluster, by name."""
    async with store.transaction() as tx:
        cluster_id = (await cluster_by_ref(tx, cluster)).id if cluster is not None else None
        return await tx.hosts(cluster_id=cluster_id)


async def host_with_health(store: Store, ref: str) -> tuple[Host, Health]:
    """One host and what is remembered of it."""
    async with store.transaction() as tx:
        host = await host_by_ref(tx, ref)
        return host, await tx.health(host.id)


async def policy_of_host(store: Store, host: Host) -> Policy:
    """What holds for the host."""
    async with store.transaction() as tx:
        return Policies(await tx.setting_rows(), (), await tx.hosts(cluster_id=host.cluster_id)).of_host(host)


async def create_host(store: Store, clock: Clock, new: NewHost, *, actor: str) -> Host:
    """Add a host. ``agent_token`` of the answer is for its agent's configuration and is shown only here."""
    now = await clock.now()
    async with changing(store) as tx:
        cluster = await cluster_by_ref(tx, new.cluster)
        host = Host(
            id=new_id(),
            cluster_id=cluster.id,
            name=checked_name(new.name),
            address=_checked_address(new.address),
            agent_port=new.agent_port,
            agent_token=_new_agent_token(),
            external_id=new.external_id,
            excluded=new.excluded,
            maintenance=new.maintenance,
            runs_controller=new.runs_controller,
        )
        await _check_address_free(tx, host)
        await tx.save_host(host)
        await record(tx, at=now, actor=actor, action="host.create", target=host.name, id=host.id, address=host.address)
    return host


async def update_host(store: Store, clock: Clock, ref: str, changes: HostChanges, *, actor: str) -> Host:
    """Change what ``changes`` names."""
    now = await clock.now()
    if "name" in changes:
        changes = {**changes, "name": checked_name(changes["name"])}
    if "address" in changes:
        changes = {**changes, "address": _checked_address(changes["address"])}
    async with changing(store) as tx:
        host = replace(await host_by_ref(tx, ref), **changes)
        await _check_address_free(tx, host)
        await tx.save_host(host)
        await record(tx, at=now, actor=actor, action="host.update", target=host.name, id=host.id, **changes)
    return host


async def rotate_agent_token(store: Store, clock: Clock, ref: str, *, actor: str) -> Host:
    """Give the host a new secret with its agent; the old one is worth nothing from now on."""
    now = await clock.now()
    async with changing(store) as tx:
        host = replace(await host_by_ref(tx, ref), agent_token=_new_agent_token())
        await tx.save_host(host)
        await record(tx, at=now, actor=actor, action="host.rotate_agent_token", target=host.name, id=host.id)
    return host


async def delete_host(store: Store, clock: Clock, ref: str, *, actor: str) -> None:
    """Forget a host with its VMs, settings and pauses. Refused while an incident of it is open."""
    now = await clock.now()
    async with changing(store) as tx:
        host = await host_by_ref(tx, ref)
        if await tx.open_incident_of(host.id) is not None:
            raise Refused(
                f"{host.name} has an open incident; wait for its end or cancel it first", code="incident_open"
            )
        await tx.delete_host(host.id)
        await record(tx, at=now, actor=actor, action="host.delete", target=host.name, id=host.id)


def _new_agent_token() -> str:
    return secrets.token_urlsafe(32)


def _checked_address(text: str) -> str:
    try:
        address = canonical_address(text)
    except ValueError as problem:
        raise BadInput(f"address {text!r}: {problem}", code="bad_address", field="address") from None
    if not address:
        raise BadInput("address is missing: write an IP address or a host name", code="bad_address", field="address")
    return address


async def _check_address_free(tx: Tx, host: Host) -> None:
    """Two hosts at one agent address would vouch for each other's life and death."""
    for other in await tx.hosts():
        if other.id != host.id and (other.address, other.agent_port) == (host.address, host.agent_port):
            raise Refused(
                f"{other.name} has its agent at {host.address} port {host.agent_port} already; give each host its own",
                code="address_taken",
                field="address",
            )
