"""What follows from a round: recover, go on, fence, tell only, or hold. A function of snapshots; time is an argument.

Carries rule 10 (life before the command ends the intention) and rule 11 (checking has a limit).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from controller.domain.evidence import CloudSays, DiskList, Judgement, Verdict
from controller.domain.incident import Incident
from controller.domain.policy import Action, Mode, Policy
from controller.domain.reasons import NEEDS_A_PERSON, Reason
from controller.domain.safeguards import waits
from controller.domain.tally import GAP_IN_INTERVALS, dead_enough

FENCES_BEFORE_STAYING_OFF = 3
"""The third fence of one host within a day leaves it off (design section 3, return)."""


class Verb(StrEnum):
    """What comes next."""

    RECOVER = "recover"
    GO_ON = "go_on"
    FENCE = "fence"
    NOTIFY = "notify"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What comes next and why."""

    verb: Verb
    reasons: tuple[Reason, ...] = ()
    action: Action | None = None


def is_back(judgement: Judgement, *, incident: Incident, cloud: CloudSays) -> tuple[Reason, ...]:
    """Why the host counts as back: its agent answers somebody, or the cloud's state changed from not-Up to Up."""
    why = []
    if Reason.AGENT_ANSWERS in judgement.reasons:
        why.append(Reason.AGENT_ANSWERS)
    if cloud is CloudSays.UP and incident.cloud_seen_down:
        why.append(Reason.CLOUD_SAW_RETURN)
    return tuple(why)


def decide(
    incident: Incident,
    judgement: Judgement,
    policy: Policy,
    *,
    disks: DiskList,
    back: tuple[Reason, ...],
    refused: tuple[Reason, ...],
    now: datetime,
) -> Decision:
    """After a counted round of CHECKING; ``incident.tally`` already has the round in it."""
    if back:
        return Decision(verb=Verb.RECOVER, reasons=back)
    if judgement.verdict is not Verdict.DEAD or not dead_enough(incident.tally, policy):
        return _go_on_or_hold(incident, judgement, policy, refused, now)
    if disks.known and not disks.vms and not incident.vms:
        return Decision(verb=Verb.NOTIFY, reasons=(Reason.HOST_DEAD, Reason.NOTHING_TO_RELEASE))
    return _found_dead(incident, policy, refused, now)


def _found_dead(incident: Incident, policy: Policy, refused: tuple[Reason, ...], now: datetime) -> Decision:
    match policy.action:
        case Action.NONE:
            return Decision(verb=Verb.NOTIFY, reasons=(Reason.HOST_DEAD, Reason.ACTION_NONE))
        case Action.BLINK:
            if policy.mode is Mode.OBSERVE:
                return Decision(verb=Verb.NOTIFY, reasons=(Reason.HOST_DEAD, Reason.OBSERVE_MODE))
            reasons = (Reason.HOST_DEAD, Reason.ACTION_BLINK)
            return Decision(verb=Verb.NOTIFY, reasons=reasons, action=Action.BLINK)
        case Action.OFF | Action.REBOOT:  # pragma: no branch - the last one; mypy checks that none is missing
            return _fence_or_not(incident, policy, refused, now)


def _go_on_or_hold(
    incident: Incident,
    judgement: Judgement,
    policy: Policy,
    refused: tuple[Reason, ...],
    now: datetime,
) -> Decision:
    sticky = tuple(r for r in refused if r in NEEDS_A_PERSON)
    if sticky:
        return Decision(verb=Verb.HOLD, reasons=(*sticky, *judgement.reasons))
    if judgement.verdict is Verdict.DEAD:
        verb = Verb.HOLD if _over_patience(incident, policy, now) else Verb.GO_ON
        return Decision(verb=verb, reasons=(Reason.NOT_SILENT_LONG_ENOUGH,))
    verb = Verb.HOLD if over_limit(incident, policy, now) else Verb.GO_ON
    return Decision(verb=verb, reasons=judgement.reasons)


def _fence_or_not(incident: Incident, policy: Policy, refused: tuple[Reason, ...], now: datetime) -> Decision:
    if Reason.OBSERVE_MODE in refused:
        return Decision(verb=Verb.NOTIFY, reasons=(Reason.HOST_DEAD, *refused))
    if not refused:
        return Decision(verb=Verb.FENCE, reasons=(Reason.HOST_DEAD,), action=policy.action)
    if waits(refused) and not over_limit(incident, policy, now):
        return Decision(verb=Verb.GO_ON, reasons=refused)
    return Decision(verb=Verb.HOLD, reasons=refused)


def _over_patience(incident: Incident, policy: Policy, now: datetime) -> bool:
    """Dead rounds may go on beyond the limit, but not for longer than they can take to be enough.

    They never are where each comes later than the gap allows after the one before (slow looks, a busy controller).
    """
    counting = policy.min_silence + GAP_IN_INTERVALS * policy.rounds_needed * policy.check_interval
    return _checking_for(incident, now) >= policy.checking_limit + counting


def over_limit(incident: Incident, policy: Policy, now: datetime) -> bool:
    """True when checking, with all its ways to FENCING and back, has lasted ``checking_limit``."""
    return _checking_for(incident, now) >= policy.checking_limit


def _checking_for(incident: Incident, now: datetime) -> timedelta:
    return now - (incident.checking_since or incident.entered_at)


def wants_quarantine(incident: Incident, policy: Policy, refused: tuple[Reason, ...], *, now_dead: bool) -> bool:
    """True at the first dead round of an armed host that hostfence may and can finish with.

    Quarantine also switches off the cloud's only other rescue: never where a refusal stands that time cannot cure.
    """
    return (
        now_dead
        and not incident.quarantined
        and policy.mode is Mode.ENFORCE
        and policy.action.takes_down
        and waits(refused)
    )


def action_after_fences(action: Action, fences_before: int) -> Action:
    """A host that had to be fenced again and again is not powered on any more."""
    if action is Action.REBOOT and fences_before + 1 >= FENCES_BEFORE_STAYING_OFF:
        return Action.OFF
    return action


REPEAT_WINDOW = timedelta(hours=24)
"""How far back earlier fences of the same host count."""
