"""Incidents with timeline and evidence, reports and power on the wire."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import StrictBool

from controller.api.schemas.base import Answer, Body, Name, Reason, Text, Time
from controller.domain.evidence import Verdict
from controller.domain.incident import CommandStatus, Source, State
from controller.domain.model import EffectKind, EffectStatus
from controller.domain.policy import Action
from controller.domain.power import Accepted, PowerAction, PowerCode, PowerState
from controller.domain.reasons import Reason as ReasonCode


class TallyOut(Answer):
    """How many dead rounds were counted, over how many seconds."""

    dead: int
    silence: timedelta


class NewestRoundOut(Answer):
    """The newest check round."""

    number: int
    at: datetime
    verdict: Verdict
    reasons: list[ReasonCode]


class CommandOut(Answer):
    """The power-down commands of the incident."""

    status: CommandStatus
    count: int
    first_at: datetime | None
    last_at: datetime | None


class ProofOut(Answer):
    """How far the proof of off is."""

    reads: int
    last_at: datetime | None
    proven_at: datetime | None
    last_state: PowerState
    last_said: str


class AcknowledgementOut(Answer):
    """Who vouched that the host is off."""

    by: str
    at: datetime
    reason: str


class IncidentOut(Answer):
    """One silence of one host."""

    id: str
    host_id: str
    cluster_id: str
    state: State
    open: bool
    source: Source
    opened_at: datetime
    disconnect_at: datetime
    entered_at: datetime
    next_step_at: datetime | None
    note: str
    vms: list[str]
    reasons: list[ReasonCode]
    rounds: int
    newest: NewestRoundOut | None
    tally: TallyOut
    life_at: datetime | None
    action: Action | None
    command: CommandOut
    proof: ProofOut
    acknowledged: AcknowledgementOut | None
    quarantined: bool
    released_at: datetime | None
    held_since: datetime | None
    closed_at: datetime | None


class IncidentPage(Answer):
    """Newest first; ``next_cursor`` is the way to the next page."""

    items: list[IncidentOut]
    next_cursor: str | None


class EventOut(Answer):
    """One line of the timeline."""

    id: str
    at: datetime
    kind: str
    text: str
    actor: str
    from_state: str
    to_state: str
    reasons: list[ReasonCode]
    data: dict[str, Any]


class RoundOut(Answer):
    """One check round with the evidence behind its verdict."""

    number: int
    at: datetime
    verdict: str
    reasons: list[ReasonCode]
    counted: int
    evidence: dict[str, Any]


class AttemptOut(Answer):
    """One power command. Accepted or not, it proves nothing about the power state."""

    id: str
    host_id: str
    incident_id: str | None
    action: PowerAction
    bmc_identity: str
    actor: str
    automatic: bool
    takes_slot: bool
    intended_at: datetime
    finished_at: datetime | None
    accepted: Accepted | None
    code: PowerCode
    said: str


class EffectOut(Answer):
    """One side effect other than a power-down."""

    id: str
    kind: EffectKind
    status: EffectStatus
    intended_at: datetime
    next_try_at: datetime | None
    tries: int
    finished_at: datetime | None
    said: str


class DisconnectIn(Body):
    """Somebody says a host is gone. ``at`` left out: now."""

    at: Time | None = None
    note: Text = ""


class ReportOut(Answer):
    """The incident the report led to, or why there is none."""

    incident: IncidentOut | None
    opened: bool
    why_not: ReasonCode | None


class ReconnectOut(Answer):
    """The incident that is open for the host, if there is one."""

    incident: IncidentOut | None


class Because(Body):
    """A person's reason, for the timeline and the audit."""

    reason: Reason


class AcknowledgeIn(Because):
    """A person vouches that this host is off. ``second_admin``: an admin overrules disks that still move."""

    host_name: Name
    second_admin: StrictBool = False


class PowerIn(Because):
    """A person's own power command. ``force``: in spite of signs of life."""

    force: StrictBool = False


class BlinkIn(Body):
    """Light or put out the host's LED."""

    on: StrictBool


class PowerReadingOut(Answer):
    """One read of the power state."""

    state: PowerState
    code: PowerCode
    said: str
    took_s: float
