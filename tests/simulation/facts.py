"""What the referee knows: the truth, the store's tables, what every process was told, when things were committed."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from typing_extensions import override

from controller.domain.evidence import Verdict
from controller.domain.incident import Incident
from controller.domain.model import Attempt
from controller.domain.policy import Policy
from controller.domain.reasons import Reason
from controller.services.policies import Policies
from shared.enums import Reach
from tests.simulation.memory_store import MemoryStore
from tests.simulation.memory_tables import Tables
from tests.simulation.ports import Heard
from tests.simulation.process import CURRENT, Process
from tests.simulation.universe import Universe

COUNTS_AFTER_S = 3.0
"""What a process heard must be in the store by then: a poll has two seconds, its transaction none."""


@dataclass(frozen=True, slots=True)
class RoundAt:
    """A check round as it was committed: when (true seconds), by whom."""

    at: float
    number: int
    verdict: Verdict
    process: Process | None


@dataclass(slots=True)
class Coverage:
    """What the schedules reached: for the table at the end."""

    states: set[str] = field(default_factory=set)
    edges: set[tuple[str, str]] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)
    """Said anywhere: by a witness, in the timeline, in a notice."""
    refusals: set[str] = field(default_factory=set)
    """What alone or with others stood against a power-down of a host that was dead enough, or about to be cut."""
    holds: set[str] = field(default_factory=set)
    """What an incident was held for."""
    points: set[str] = field(default_factory=set)
    """At which a controller could have died."""
    deaths: set[str] = field(default_factory=set)
    """At which one did."""
    notices: set[str] = field(default_factory=set)
    marks: set[str] = field(default_factory=set)
    """Situations worth knowing that they came up."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that was broken."""

    rule: str
    at: float
    said: str

    @override
    def __str__(self) -> str:
        return f"rule {self.rule} at {self.at:.3f} s: {self.said}"


@dataclass(slots=True)
class Facts:
    """Shared by all rules of one schedule."""

    universe: Universe
    store: MemoryStore
    heard: list[Heard]
    coverage: Coverage = field(default_factory=Coverage)
    breaches: list[Breach] = field(default_factory=list)
    known: dict[str, Incident] = field(default_factory=dict)
    rounds: dict[str, list[RoundAt]] = field(default_factory=dict)
    intents: dict[str, float] = field(default_factory=dict)
    """Attempt id -> when it was committed (true seconds)."""
    armed_by: dict[str, Policy] = field(default_factory=dict)
    """Attempt id -> the policy in force at that moment."""
    sent: list[tuple[float, Attempt]] = field(default_factory=list)
    """Power-downs at the instant they took effect, with the intent they belong to."""
    replaced_at: float | None = None
    """When any backup took the place of the database: what was on its way then has lost its intent."""
    restored_at: float | None = None
    """When an old backup took the place of the database (true seconds)."""
    waits: Counter[tuple[str, Reason]] = field(default_factory=Counter)
    """(incident, refusal) -> rounds that went by while it was waited for."""
    _policies: dict[str, Policy] = field(default_factory=dict)
    _settings: int = -1

    @property
    def tables(self) -> Tables:
        return self.store.tables

    def breach(self, rule: str, said: str) -> None:
        """Break off: this must never happen."""
        breach = Breach(rule, self.universe.now(), said)
        self.breaches.append(breach)
        self.universe.note("REFEREE", f"rule {rule} broken", said)

    def restored(self, before: Tables) -> None:
        """The database is an older one now; what truly happened stays true.

        A backup in which neither a command nor a sign of life is missing is as good as the database it replaces.
        """
        t = self.tables
        self.replaced_at = self.universe.now()
        if (t.controllers, list(t.attempts)) != (before.controllers, list(before.attempts)):
            self.restored_at = self.universe.now()
        self.known = dict(t.incidents)
        self.intents = {attempt_id: self.intents[attempt_id] for attempt_id in t.attempts}
        self.rounds = {i: [r for r in rounds if r.number in t.rounds.get(i, {})] for i, rounds in self.rounds.items()}

    def time(self) -> datetime:
        """As the process that acts now would be told it: a step of the wall clock that none has seen yet is no time."""
        process = CURRENT.get()
        return (process.expected() if process is not None else None) or self.universe.time()

    def nobody_has_looked(self) -> bool:
        """True from a restore until a person lifts its pause."""
        looked = (p for p in self.tables.pauses.values() if p.reason == Reason.DATABASE_RESTORED and p.lifted_at)
        return self.restored_at is not None and not any(looked)

    def policy(self, host_id: str) -> Policy:
        """The policy in force, resolved anew only when a setting was written."""
        rows = tuple(self.tables.settings.values())
        version = hash(tuple(map(id, rows)))
        if version != self._settings:
            self._policies, self._settings = {}, version
        if host_id not in self._policies:
            hosts = tuple(self.tables.hosts.values())
            self._policies[host_id] = Policies(rows, (), hosts).of_host(self.tables.hosts[host_id])
        return self._policies[host_id]

    def incident_of(self, host_id: str) -> Incident | None:
        incident_id = self.tables.open_of_host.get(host_id)
        return self.tables.incidents.get(incident_id) if incident_id else None

    def answered(self, host_id: str, *, after: float, by: str) -> Heard | None:
        """An answer of the host's own agent that the engine must have known of: heard after ``after``, stored since.

        ``by``: the process that acts now. What another one heard counts when it went on to commit something.
        """
        now = self.universe.now()
        for heard in reversed(self.heard):
            if heard.at <= after:
                return None
            if (
                heard.subject_id != host_id
                or heard.reach is not Reach.AGENT_ANSWERED
                or now - heard.at < COUNTS_AFTER_S
            ):
                continue
            if heard.process.name == by or heard.process.last_commit_at > heard.at + COUNTS_AFTER_S:
                return heard
        return None

    def asked(self, host_id: str, *, by: str, since: float, until: float) -> list[Heard]:
        """Witnesses' answers about the host that this process got in (since, until]."""
        found = []
        for heard in reversed(self.heard):
            if heard.at <= since:
                break
            if heard.at <= until and heard.witness_id and heard.subject_id == host_id and heard.process.name == by:
                found.append(heard)
        return found
