"""What is shown before a person vouches that a host is off: the look just made, in plain words, the worst first."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.domain.evidence import CloudSays, Verdict
from controller.domain.power import PowerState
from controller.domain.reasons import LIFE, Reason
from controller.services.errors import Refused
from controller.services.live_evidence import DISKS_MOVE, LiveEvidence
from controller.web.views.look import Look
from shared.enums import Reach

_REACH = {
    Reach.AGENT_ANSWERED: Look("bad", "pulse", "its agent answers: the host lives"),
    Reach.KERNEL_ANSWERS: Look("bad", "pulse", "a kernel answers at its address"),
    Reach.NO_ANSWER: Look("ok", "check", "nobody answers"),
    Reach.UNKNOWN: Look("warn", "question", "could not be asked"),
}
_POWER = {
    PowerState.ON: Look("bad", "power", "on: the host has power"),
    PowerState.OFF: Look("ok", "check", "off"),
    PowerState.UNKNOWN: Look("warn", "question", "unknown"),
}
_CLOUD = {
    CloudSays.UP: Look("warn", "alert", "the cloud says Up"),
    CloudSays.NOT_UP: Look("ok", "check", "the cloud does not say Up"),
    CloudSays.UNREACHABLE: Look("warn", "question", "the cloud does not answer"),
}
_NO_DEVICE = Look("warn", "question", "no power device is set up: nothing can be read")
_WITNESS = {
    Verdict.ALIVE: Look("bad", "pulse", "sees life"),
    Verdict.DEAD: Look("ok", "check", "sees silence"),
    Verdict.INCONCLUSIVE: Look("warn", "question", "cannot tell"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that was looked at."""

    what: str
    look: Look
    reasons: tuple[Reason, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceView:
    """``refused``: what stands against vouching now. ``needs_second``: only another admin may, against moving disks.

    ``offers_second``: this person may be that one, as somebody else was refused before.
    """

    facts: tuple[Fact, ...]
    refused: str
    reasons: tuple[Reason, ...]
    needs_second: bool
    offers_second: bool
    refused_to: tuple[str, ...]

    @property
    def impossible(self) -> bool:
        """Nobody at all may vouch."""
        return bool(self.refused) and not self.needs_second


def evidence_view(seen: LiveEvidence, names: Mapping[str, str], *, actor: str, admin: bool) -> EvidenceView:
    """For one person."""
    against = seen.against(second_admin=False)
    needs_second = against is not None and against.code == DISKS_MOVE
    return EvidenceView(
        facts=tuple(sorted(_facts(seen, names), key=lambda fact: ("bad", "warn", "ok").index(fact.look.tone))),
        refused=_sentence(against),
        reasons=against.reasons if against is not None else (),
        needs_second=needs_second,
        offers_second=needs_second and admin and seen.second_for(actor),
        refused_to=tuple(dict.fromkeys(seen.refused_to)),
    )


def _facts(seen: LiveEvidence, names: Mapping[str, str]) -> list[Fact]:
    facts = [Fact(what="Its address", look=_REACH[seen.facts.own_reach], detail=seen.facts.reach_detail)]
    for number, reading in enumerate(seen.devices, start=1):
        what = "Power" if len(seen.devices) == 1 else f"Power device {number}"
        if reading is None:
            facts.append(Fact(what=what, look=_NO_DEVICE))
        else:
            facts.append(Fact(what=what, look=_POWER[reading.state], detail=reading.said))
    details = {one.witness_id: one.detail for one in seen.facts.reports}
    for finding in seen.judgement.findings:
        look = _WITNESS[finding.verdict]
        if Reason.DISKS_MOVE in finding.reasons and len(LIFE & set(finding.reasons)) == 1:
            look = Look("bad", "pulse", "sees disks being written")
        detail = finding.detail or details.get(finding.witness_id, "")
        what = f"Witness {names.get(finding.witness_id, finding.witness_id)}"
        facts.append(Fact(what=what, look=look, reasons=finding.reasons, detail=detail))
    if not seen.judgement.findings:
        facts.append(Fact(what="Witnesses", look=Look("warn", "question", "there is none to ask")))
    if seen.facts.cloud in _CLOUD:
        facts.append(Fact(what="Cloud", look=_CLOUD[seen.facts.cloud]))
    return facts


def _sentence(against: Refused | None) -> str:
    return "" if against is None else f"{against.detail[:1].upper()}{against.detail[1:]}."
