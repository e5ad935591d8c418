"""The store port: short transactions over plain values. PostgreSQL implements it; the simulation's in-memory store too.

Both pass ``tests/contracts/test_store.py``. What every store promises:

1. A transaction is all or nothing; leaving the block without an exception commits, an exception rolls back.
2. Everything is compared with times that are passed in; the store reads no clock (rule 12) but in :class:`Clock`.
3. ``claim_due`` gives each due incident to one caller only until the lease ends; ``incident_for_update`` answers None
   when the token is no longer the row's (a lost lease: the work is dropped).
4. ``guard`` serialises the transactions that call it, over all controllers (intents are made under it: rules 4 and 5).
5. ``open_incident`` refuses (False) a second open incident for a host.
6. Timeline events and rounds are append-only. A notice with a known ``key`` is dropped silently (told once).
7. Errors of the database itself surface as :class:`StoreUnavailable` with the original as cause.
8. A :class:`Conflict` ends the transaction: leave the block (swallowing it inside makes the block's end raise).
   Naming a row that does not exist (a host's cluster, an event's incident) is a :class:`Conflict` on that field.
9. History (incidents, attempts, effects, notices, audit) outlives the hosts and clusters it names, so that caps hold
   when somebody deletes a host and adds it again. Settings, pauses, health, VMs go with their host or cluster.
10. What a transaction wrote of :data:`~controller.domain.figures.Written` is told to the store's listener after its
    commit, and only then, in the order of writing and in the task that committed. A transaction whose commit got no
    answer is not told of.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.db.store_outbox import OutboxTx
from controller.db.store_pages import PagesTx
from controller.domain.cloud import CloudReport
from controller.domain.enrolment import Authority, JoinToken
from controller.domain.figures import Counts, Written
from controller.domain.incident import Incident, IncidentBrief, State
from controller.domain.model import (
    ApiToken,
    Attempt,
    AuditRow,
    Cluster,
    ControllerRow,
    Effect,
    Event,
    Health,
    Host,
    Level,
    Pause,
    Pool,
    RoundRecord,
    RoundRun,
    SettingRow,
    Vm,
)
from controller.domain.restored import DatabaseIdentity

Listener = Callable[[Sequence[Written]], None]
"""Told of what one transaction committed. It must not raise, and has no transaction."""


class StoreError(Exception):
    """Base of everything a store raises."""


class StoreUnavailable(StoreError):  # noqa: N818 - reads as what it is
    """The database did not answer or refused to work.

    Nothing was stored, unless the answer to the commit itself was lost: then nobody knows until the next transaction.
    """


def nobody_listens(written: Sequence[Written]) -> None:
    """The listener of a store that has none."""
    del written


class Conflict(StoreError):  # noqa: N818
    """A unique rule was broken. ``field`` names what must be unique."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class LastInLine:
    """A claimer that others go before: it takes incidents of ``clusters`` only when nobody has since ``since``."""

    clusters: frozenset[str]
    since: datetime


class Clock(Protocol):
    """The one source of time: the database's clock, kept steady (:mod:`controller.domain.steady`); a fake in tests."""

    async def now(self) -> datetime:
        """Aware UTC. Raises :class:`StoreUnavailable` when the time cannot be had."""
        ...

    def boottime(self) -> float:
        """Seconds of this machine's ``CLOCK_BOOTTIME``: for deadlines inside one process only."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait without holding anything."""
        ...


class Tx(OutboxTx, PagesTx, Protocol):
    """One open transaction."""

    # -- incidents
    async def claim_due(
        self, *, now: datetime, lease_until: datetime, token: str, limit: int, behind: LastInLine | None = None
    ) -> list[Incident]:
        """Lease up to ``limit`` open incidents with ``next_step_at <= now`` and no live lease, earliest first.

        ``behind``: those of its clusters only once they have been due, and free, since its time.
        """
        ...

    async def incident_for_update(self, incident_id: str, *, token: str | None) -> Incident | None:
        """Lock the row. With a token: None unless the lease is still this token's. Without: whoever holds the lease."""
        ...

    async def extend_lease(self, incident_id: str, *, token: str, lease_until: datetime) -> bool:
        """Push the end of the lease, never back; False when it is lost."""
        ...

    async def save_incident(self, incident: Incident, *, end_lease: bool) -> None:
        """Write the new value of a locked incident.

        ``end_lease`` frees it for the next claim (also takes it from a worker).
        """
        ...

    async def open_incident(self, incident: Incident) -> bool:
        """Insert; False when the host has an open incident already."""
        ...

    async def incident(self, incident_id: str) -> Incident | None:
        """Read without a lock."""
        ...

    async def open_incidents(self) -> list[Incident]:
        """All open ones, oldest first."""
        ...

    async def open_incident_of(self, host_id: str) -> Incident | None:
        """The open one of a host, without a lock."""
        ...

    async def open_hosts(self, *, cluster_id: str | None = None) -> frozenset[str]:
        """Ids of the hosts, all or those now in a cluster, that have an open incident."""
        ...

    async def briefs(self, cluster_id: str, *, since: datetime) -> list[IncidentBrief]:
        """A cluster's incidents that were not closed before ``since``, without their evidence, oldest first."""
        ...

    async def incidents(
        self,
        *,
        host_id: str | None = None,
        cluster_id: str | None = None,
        opened_before: datetime | None = None,
        states: Collection[State] | None = None,
        limit: int = 50,
    ) -> list[Incident]:
        """Newest first, for people."""
        ...

    async def add_event(self, event: Event) -> None:
        """Append to the timeline."""
        ...

    async def events(self, incident_id: str) -> list[Event]:
        """Oldest first."""
        ...

    async def add_round(self, record: RoundRecord) -> None:
        """Append a round."""
        ...

    async def rounds(self, incident_id: str, *, limit: int = 200) -> list[RoundRecord]:
        """The newest ``limit`` rounds, oldest first."""
        ...

    async def round_runs(self, incident_id: str) -> list[RoundRun]:
        """All rounds, oldest first, those in a row that say the same as one."""
        ...

    async def rounds_numbered(self, incident_id: str, numbers: Collection[int]) -> list[RoundRecord]:
        """Those of these numbers that there are, oldest first."""
        ...

    # -- acting
    async def guard(self) -> None:
        """Serialise with every other transaction that calls this, until the end of the transaction.

        Call this before any row is locked: every transaction that takes both takes them in this order, and one that
        has a row locked never asks for this, so that no two can wait for each other.
        """
        ...

    async def add_attempt(self, attempt: Attempt) -> None:
        """Store an intent."""
        ...

    async def save_attempt(self, attempt: Attempt) -> None:
        """Store what became of it."""
        ...

    async def attempt(self, attempt_id: str) -> Attempt | None:
        """One attempt."""
        ...

    async def attempts_of(self, incident_id: str) -> list[Attempt]:
        """Oldest first."""
        ...

    async def attempts_since(self, since: datetime) -> list[Attempt]:
        """Every attempt with ``intended_at > since``, oldest first (for caps and spacing)."""
        ...

    async def attempts_unfinished(self) -> list[Attempt]:
        """Intents without a result."""
        ...

    async def add_effect(self, effect: Effect) -> None:
        """Store an intent."""
        ...

    async def save_effect(self, effect: Effect) -> None:
        """Store what became of it."""
        ...

    async def effects_due(self, *, now: datetime, limit: int) -> list[Effect]:
        """``intended`` ones with ``next_try_at <= now``, locked for this transaction, skipping locked ones."""
        ...

    async def effects_of(self, *, host_id: str) -> list[Effect]:
        """All effects of a host, oldest first."""
        ...

    # -- inventory and memory
    async def clusters(self) -> list[Cluster]:
        """All, by name."""
        ...

    async def save_cluster(self, cluster: Cluster) -> None:
        """Insert or update; :class:`Conflict` on the name or external id."""
        ...

    async def delete_cluster(self, cluster_id: str) -> bool:
        """False when unknown; :class:`Conflict` while it has hosts."""
        ...

    async def hosts(self, *, cluster_id: str | None = None, ids: Collection[str] | None = None) -> list[Host]:
        """All, or those of a cluster, or of these ids, by name."""
        ...

    async def hosts_beside(self, host_id: str) -> list[Host]:
        """All hosts of this host's cluster, itself included, by name; none when it is unknown."""
        ...

    async def hosts_with_device(self, address: str) -> frozenset[str]:
        """Ids of the hosts one of whose power devices' addresses is written as exactly this."""
        ...

    async def host(self, host_id: str) -> Host | None:
        """One host."""
        ...

    async def save_host(self, host: Host) -> None:
        """Insert or update; :class:`Conflict` on the name in its cluster or the external id."""
        ...

    async def delete_host(self, host_id: str) -> bool:
        """False when unknown; :class:`Conflict` while an incident of it is open."""
        ...

    async def pools(self, *, cluster_id: str | None = None) -> list[Pool]:
        """All, or those of one cluster and the cluster-less ones."""
        ...

    async def save_pool(self, pool: Pool) -> None:
        """Insert or update; :class:`Conflict` on the name, or the root of a ``file`` pool, within its cluster."""
        ...

    async def delete_pool(self, pool_id: str) -> bool:
        """False when unknown; :class:`Conflict` while disks lie on it."""
        ...

    async def vms_of(self, host_id: str) -> list[Vm]:
        """With their disks, by name."""
        ...

    async def vms_in(self, cluster_id: str) -> list[Vm]:
        """Those of all hosts of a cluster, with their disks, by name."""
        ...

    async def vms_known_as(self, external_ids: Collection[str]) -> list[Vm]:
        """Those that the cloud knows by one of these ids, with their disks, by name."""
        ...

    async def save_vm(self, vm: Vm) -> None:
        """Insert or replace with its disks; a disk that another VM had moves to this one."""
        ...

    async def delete_vm(self, vm_id: str) -> bool:
        """With its disks; False when unknown."""
        ...

    async def cloud_report(self) -> CloudReport | None:
        """What became of the last reading of the cloud; None before the first."""
        ...

    async def save_cloud_report(self, report: CloudReport) -> None:
        """Keep it in place of the last one."""
        ...

    async def setting_rows(self, *, owners: Collection[str] | None = None) -> list[SettingRow]:
        """Every written setting, or those of these owners only (empty: global); secrets decrypted."""
        ...

    async def put_setting(self, row: SettingRow, *, secret: bool) -> None:
        """Write one field at one level; ``secret`` values are encrypted."""
        ...

    async def delete_setting(self, level: Level, owner_id: str, field: str) -> bool:
        """Back to inheriting; False when it was not written."""
        ...

    async def health(self, host_id: str) -> Health:
        """What is remembered (a fresh value for a host never seen)."""
        ...

    async def health_for_update(self, host_id: str) -> Health:
        """The same, for a caller that will save a changed value: no other changes it before this transaction ends."""
        ...

    async def healths(self, *, cluster_id: str | None = None) -> dict[str, Health]:
        """By host id, of all hosts or those of a cluster."""
        ...

    async def save_health(self, health: Health) -> None:
        """Insert or update."""
        ...

    # -- pauses, controllers
    async def pauses(self) -> list[Pause]:
        """Those not lifted, oldest first (expired ones included)."""
        ...

    async def save_pause(self, pause: Pause) -> None:
        """Insert or update."""
        ...

    async def controllers(self) -> list[ControllerRow]:
        """All that ever wrote, newest ``alive_at`` first."""
        ...

    async def save_controller(self, row: ControllerRow) -> None:
        """Insert or update."""
        ...

    async def database_identity(self) -> DatabaseIdentity:
        """Which database this is, where its rows were written, and where they lie."""
        ...

    async def settle_database(self, database_id: str) -> None:
        """Write down that the database of this id lies where it lies now."""
        ...

    # -- figures
    async def counts(self, *, now: datetime, dead_since: datetime) -> Counts:
        """What there is to count now. ``dead_since``: of messages given up, those of notices that are younger."""
        ...

    # -- access
    async def tokens(self) -> list[ApiToken]:
        """All, oldest first."""
        ...

    async def token_by_digest(self, digest: str) -> ApiToken | None:
        """The token with this SHA-256, revoked or not."""
        ...

    async def save_token(self, token: ApiToken) -> None:
        """Insert or update; :class:`Conflict` on the name or the digest."""
        ...

    async def authority(self) -> Authority | None:
        """The agents' certificate authority; None until one was made."""
        ...

    async def settle_authority(self, authority: Authority) -> None:
        """Keep the authority; :class:`Conflict` when there is one: all certificates hang on it."""
        ...

    async def join_token(self, host_id: str) -> JoinToken | None:
        """The host's unused one, expired or not."""
        ...

    async def save_join_token(self, token: JoinToken) -> None:
        """Keep it in place of the host's earlier one."""
        ...

    async def delete_join_token(self, host_id: str) -> bool:
        """It is used, or taken back; False when there was none."""
        ...

    async def add_audit(self, row: AuditRow) -> None:
        """Append."""
        ...

    async def audit(self, *, before: datetime | None = None, limit: int = 100) -> list[AuditRow]:
        """Newest first."""
        ...


class Store(Protocol):
    """Where transactions come from."""

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        """One short transaction; never held open over the network."""
        ...
