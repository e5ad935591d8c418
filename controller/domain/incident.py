"""An incident (one silence of one host) and its states. Transitions are data; everything else reads them.

Carries rule 11: every open state has an entry in :data:`TRANSITIONS` with a way out, and every :class:`Incident` in an
open state has ``next_step_at``.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.domain.evidence import Machine, Memory, Verdict
from controller.domain.policy import Action
from controller.domain.proof import Proof
from controller.domain.reasons import Reason
from controller.domain.tally import Tally


class State(StrEnum):
    """Where an incident stands."""

    SUSPECT = "suspect"
    CHECKING = "checking"
    FENCING = "fencing"
    VERIFYING = "verifying"
    RELEASING = "releasing"
    HELD = "held"
    FENCED = "fenced"
    RECOVERED = "recovered"
    NOTIFIED = "notified"
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        """False for the four ends."""
        return bool(TRANSITIONS[self])


TRANSITIONS: dict[State, frozenset[State]] = {
    State.SUSPECT: frozenset({State.CHECKING, State.RECOVERED, State.HELD, State.CANCELLED}),
    State.CHECKING: frozenset({State.FENCING, State.NOTIFIED, State.RECOVERED, State.HELD, State.CANCELLED}),
    State.FENCING: frozenset({State.VERIFYING, State.CHECKING, State.RECOVERED, State.HELD, State.CANCELLED}),
    State.VERIFYING: frozenset({State.RELEASING, State.FENCING, State.HELD}),
    State.RELEASING: frozenset({State.FENCED, State.VERIFYING, State.HELD}),
    State.HELD: frozenset({State.CHECKING, State.VERIFYING, State.RELEASING, State.RECOVERED, State.CANCELLED}),
    State.FENCED: frozenset(),
    State.RECOVERED: frozenset(),
    State.NOTIFIED: frozenset(),
    State.CANCELLED: frozenset(),
}
"""state -> states it may go to. ``docs/incident-states.md`` is generated from this."""


class Source(StrEnum):
    """Who opened the incident."""

    REPORT = "report"
    CLOUD = "cloud"
    WATCH = "watch"


class CommandStatus(StrEnum):
    """What is known of the last power-down command of the incident.

    ``intended``: committed, and nobody has said yet what became of it (after a crash: unknown whether it was sent).
    """

    NONE = "none"
    INTENDED = "intended"
    ANSWERED = "answered"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """The power-down commands of one incident. ``count`` includes intents whose fate is unknown."""

    status: CommandStatus = CommandStatus.NONE
    count: int = 0
    attempt_id: str = ""
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def may_have_been_sent(self) -> bool:
        """True from the first intent on, unless every intent is known not to have reached the device."""
        return self.count > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestRound:
    """What the newest check round said, for the freshness guard of the intent (rule 2)."""

    number: int
    at: datetime
    verdict: Verdict
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A person vouches that the host is off."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentBrief:
    """What the safeguards of one incident need to know of the others: no evidence, which is most of an incident."""

    id: str
    host_id: str
    cluster_id: str
    state: State
    opened_at: datetime
    sticky: frozenset[Reason] = frozenset()
    closed_at: datetime | None = None

    @property
    def open(self) -> bool:
        """True until one of the four ends is reached."""
        return self.state.open


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(IncidentBrief):
    """One silence of one host. Immutable: a step makes the next one with ``dataclasses.replace``.

    All times are hostfence time (see :mod:`controller.domain.steady`), never another machine's clock.
    """

    source: Source
    disconnect_at: datetime
    entered_at: datetime
    next_step_at: datetime | None
    checking_since: datetime | None = None
    """When checking began, after suspicion or a hold: coming back from FENCING does not begin it again (rule 11)."""
    note: str = ""
    reasons: tuple[Reason, ...] = ()
    waived: frozenset[Reason] = frozenset()
    """Holds that a person has decided against with a retry: they do not come back for the same cause."""
    tally: Tally = field(default_factory=Tally)
    memory: dict[str, Memory] = field(default_factory=dict)
    """What each witness read last, by the witness's host id."""
    rounds: int = 0
    newest: NewestRound | None = None
    life_at: datetime | None = None
    cloud_seen_down: bool = False
    machines: tuple[Machine, ...] = ()
    """The VMs since first suspicion: the cloud may forget where they ran once it calls them stopped."""
    boot_id: str = ""
    """The host's boot id before the silence, where a heartbeat told it."""
    action: Action | None = None
    method: int = 0
    """Which of the host's power devices is in use (:mod:`controller.domain.methods`)."""
    command: Command = field(default_factory=Command)
    proof: Proof = field(default_factory=Proof)
    acknowledged: Acknowledgement | None = None
    quarantined: bool = False
    released_at: datetime | None = None
    begun: frozenset[str] = frozenset()
    """VMs that a release has begun to start elsewhere: what writes to their disks is no life of the old host."""
    sent_on: bool = False
    told: frozenset[Reason] = frozenset()
    """Hold reasons people were already told of in this incident."""
    held_since: datetime | None = None
    reminders: int = 0
    failures: int = 0
    """Steps in a row that ended in an unexpected error."""

    @property
    def vms(self) -> tuple[str, ...]:
        """The names of its VMs."""
        return tuple(machine.name for machine in self.machines)


class TransitionError(ValueError):
    """A step asked for an edge that :data:`TRANSITIONS` does not have: a bug, never an operator's mistake."""


def check_transition(old: State, new: State) -> None:
    """Raise :class:`TransitionError` unless ``old`` may become ``new`` (staying is always allowed while open)."""
    if new is old and old.open:
        return
    if new not in TRANSITIONS[old]:
        msg = f"no edge from {old} to {new}"
        raise TransitionError(msg)
