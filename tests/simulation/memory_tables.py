"""The dicts behind the in-memory store, and the log that takes a transaction's changes back.

Entities are immutable, so remembering the old reference of each touched key is a complete undo: no copies.
"""

from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from controller.db.store import Conflict, StoreError
from controller.domain.cloud import CloudReport
from controller.domain.enrolment import Authority, JoinToken
from controller.domain.figures import Written
from controller.domain.incident import Incident
from controller.domain.model import (
    ApiToken,
    Attempt,
    AuditRow,
    Cluster,
    ControllerRow,
    Delivery,
    Effect,
    Event,
    Health,
    Host,
    Level,
    Notice,
    Pause,
    Pool,
    RoundRecord,
    SettingRow,
    Vm,
)
from controller.domain.sign_in import Session, User

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class Tables:
    """Everything that is kept. The simulation may look in here; only transactions write."""

    clusters: dict[str, Cluster] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    vms: dict[str, Vm] = field(default_factory=dict)
    disk_owner: dict[str, str] = field(default_factory=dict)
    settings: dict[tuple[Level, str, str], SettingRow] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    pauses: dict[str, Pause] = field(default_factory=dict)
    controllers: dict[str, ControllerRow] = field(default_factory=dict)
    identity: dict[int, tuple[str, str]] = field(default_factory=dict)
    """At most one: which database this is, and where it was when that was written."""
    place: str = "here"
    """Where it lies: a test changes it to have loaded a dump somewhere else."""
    incidents: dict[str, Incident] = field(default_factory=dict)
    open_of_host: dict[str, str] = field(default_factory=dict)
    """Host id -> its open incident's id."""
    leases: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Incident id -> (token, until)."""
    event_ids: dict[str, None] = field(default_factory=dict)
    events: dict[str, list[Event]] = field(default_factory=dict)
    rounds: dict[str, dict[int, RoundRecord]] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    effects: dict[str, Effect] = field(default_factory=dict)
    effects_waiting: dict[str, None] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    notice_keys: dict[str, str] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    deliveries_waiting: dict[str, None] = field(default_factory=dict)
    tokens: dict[str, ApiToken] = field(default_factory=dict)
    audit: dict[str, AuditRow] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    authority: dict[int, Authority] = field(default_factory=dict)
    """At most one."""
    join_tokens: dict[str, JoinToken] = field(default_factory=dict)
    cloud_report: dict[int, CloudReport] = field(default_factory=dict)
    """At most one."""
    writes: int = 0
    """Grows with every write, also with one that is taken back: who looks at every commit sees what changed nothing."""


def backup_of(tables: Tables) -> Tables:
    """What a dump holds: everything as it is now. What is kept is immutable, so only the containers are copied."""
    copied: dict[str, Any] = {}
    for one in fields(Tables):
        kept = getattr(tables, one.name)
        copied[one.name] = {key: copy(value) for key, value in kept.items()} if isinstance(kept, dict) else kept
    return Tables(**copied)


class TxBase:
    """One transaction's view of the tables: writes are logged, a broken or finished one refuses everything."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._undo: list[Callable[[], object]] = []
        self._refusal: Conflict | None = None
        self._over = False
        self.written: list[Written] = []

    @property
    def _t(self) -> Tables:
        if self._over:
            raise StoreError("the transaction is over")
        if self._refusal is not None:
            raise StoreError("the transaction was ended by an earlier conflict") from self._refusal
        return self._tables

    def _refuse(self, name: str, message: str) -> NoReturn:
        self._refusal = Conflict(name, message)
        raise self._refusal

    def _put(self, table: dict[K, V], key: K, value: V) -> None:
        self._tables.writes += 1
        if key in table:
            old = table[key]
            self._undo.append(lambda: table.__setitem__(key, old))
        else:
            self._undo.append(lambda: table.pop(key))
        table[key] = value

    def _drop(self, table: dict[K, V], key: K) -> None:
        if key in table:
            self._tables.writes += 1
            old = table.pop(key)
            self._undo.append(lambda: table.__setitem__(key, old))

    def _append(self, rows: list[V], value: V) -> None:
        rows.append(value)
        self._undo.append(rows.pop)

    def finish(self, *, commit: bool) -> None:
        """End the transaction; without ``commit`` every change is taken back, newest first."""
        self._over = True
        if not commit:
            while self._undo:
                self._undo.pop()()
        self._undo.clear()

    def check_unbroken(self) -> None:
        """Raise when an earlier conflict was swallowed: such a transaction must not look committed."""
        _ = self._t
