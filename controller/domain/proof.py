"""Proof of off: consecutive *off* reads of a device that is known to tell the truth about this host.

Carries rules 1 and 6: only reads make a proof, a command's answer never does; anything but *off* starts again; an off
from a device that never read *on* while the host lived, or that was out of reach a moment ago, does not count.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.domain.policy import Policy
from controller.domain.power import PowerReading, PowerState
from controller.domain.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far the proof is. ``unreachable_at``: when the device last failed to answer in this incident."""

    reads: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    proven_at: datetime | None = None
    unreachable_at: datetime | None = None
    last_state: PowerState = PowerState.UNKNOWN
    last_said: str = ""
    voided: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of the device itself, kept by readiness while the host lived."""

    on_seen_alive: bool
    """It read *on* while the host's agent answered, and its identity has not changed since."""


def note_read(proof: Proof, reading: PowerReading, *, at: datetime, standing: Standing, policy: Policy) -> Proof:
    """The proof after one more status read at ``at``."""
    seen = replace(proof, last_state=reading.state, last_said=reading.said)
    match reading.state:
        case PowerState.UNKNOWN:
            return _void(replace(seen, unreachable_at=at))
        case PowerState.ON:
            return _void(seen)
        case PowerState.OFF:  # pragma: no branch - the last one; mypy checks that none is missing
            if why_off_does_not_count(seen, at=at, standing=standing, policy=policy):
                return _void(seen)
            return _one_more_off(seen, at=at, policy=policy)


def why_off_does_not_count(proof: Proof, *, at: datetime, standing: Standing, policy: Policy) -> tuple[Reason, ...]:
    """Reasons why an *off* read at ``at`` is no evidence; empty when it is."""
    why = []
    if not standing.on_seen_alive:
        why.append(Reason.BMC_UNPROVEN)
    if proof.unreachable_at is not None and not (at - proof.unreachable_at >= policy.bmc_settle):
        why.append(Reason.BMC_SETTLING)
    return tuple(why)


def fresh(proof: Proof, *, now: datetime, within: timedelta) -> bool:
    """True when the proof stands and the newest *off* read is at most ``within`` old."""
    return proof.proven_at is not None and proof.last_at is not None and timedelta(0) <= now - proof.last_at <= within


def _one_more_off(proof: Proof, *, at: datetime, policy: Policy) -> Proof:
    if proof.last_at is not None and at - proof.last_at < policy.read_spacing:
        return proof  # closer than the spacing: tells nothing new
    reads = proof.reads + 1
    first = proof.first_at or at
    done = proof.proven_at or (at if reads >= policy.off_reads else None)
    return replace(proof, reads=reads, first_at=first, last_at=at, proven_at=done)


def _void(proof: Proof) -> Proof:
    lost = 1 if proof.proven_at is not None else 0
    return replace(proof, reads=0, first_at=None, last_at=None, proven_at=None, voided=proof.voided + lost)
