"""Keeping a round: the judgement of what was seen, the new tally and memory, the record people can read."""

from dataclasses import asdict, replace
from typing import Any

from controller.domain.evidence import (
    CloudSays,
    DiskList,
    FileState,
    Judgement,
    Machine,
    Memory,
    RoundFacts,
    Verdict,
)
from controller.domain.incident import Incident, NewestRound
from controller.domain.judge import judge, written_since_disconnect
from controller.domain.model import RoundRecord
from controller.domain.policy import Policy
from controller.domain.power import PowerReading
from controller.domain.proof import Proof
from controller.domain.reasons import LIFE, Reason
from controller.domain.tally import Tally, count
from controller.services.transition import Change

KEPT_DETAIL = 20
"""Unreadable paths kept per witness in a round's record."""


def judged(incident: Incident, facts: RoundFacts, policy: Policy) -> Judgement:
    """The verdict on the incident as it is now."""
    return judge(facts, memory=incident.memory, policy=policy, disconnect_at=incident.disconnect_at)


async def keep_round(
    change: Change, incident: Incident, facts: RoundFacts, judgement: Judgement, *, counts: bool
) -> Incident:
    """Record the round and return the incident with it. Evidence from isolation is void: it empties the tally."""
    tally = incident.tally
    if change.world.isolation.isolated:
        tally = Tally()
    elif counts:
        tally = count(tally, judgement.verdict, at=facts.at, interval=change.policy.check_interval)
    alive = judgement.verdict is Verdict.ALIVE
    number = incident.rounds + 1
    kept = replace(
        incident,
        tally=tally,
        memory=judgement.memory,
        rounds=number,
        newest=NewestRound(number=number, at=facts.at, verdict=judgement.verdict, reasons=judgement.reasons),
        life_at=change.now if alive else incident.life_at,
        boot_id=incident.boot_id or judgement.subject_boot_id,
        machines=_all_machines(incident, facts.disks),
        cloud_seen_down=incident.cloud_seen_down or facts.cloud is CloudSays.NOT_UP,
        proof=_note_reach(incident.proof, facts.power, change),
    )
    await change.tx.add_round(
        RoundRecord(
            incident_id=incident.id,
            number=number,
            at=facts.at,
            verdict=judgement.verdict,
            reasons=judgement.reasons,
            counted=tally.dead,
            evidence=_evidence(facts, judgement),
        )
    )
    return kept


def baseline_life(facts: RoundFacts, judgement: Judgement, incident: Incident, policy: Policy) -> bool:
    """The request's question, asked once.

    Was a disk written since the disconnect, by the storage server's own clock?
    """
    slack = 2 * policy.heartbeat_interval.total_seconds()
    since = (facts.at - incident.disconnect_at).total_seconds()
    return any(
        written_since_disconnect(state, own, since_disconnect=since, slack=slack)
        for report in facts.reports
        for root, own in _own_files(report.witness_id, judgement.memory).items()
        for target in facts.disks.targets
        if target.pool_root == root
        and (state := judgement.memory[report.witness_id].files.get(target.path)) is not None
    )


def _own_files(witness_id: str, memory: dict[str, Memory]) -> dict[str, FileState]:
    suffix = f"/.hostfence/{witness_id}"
    known = memory.get(witness_id, Memory()).files
    return {p.removesuffix(suffix): s for p, s in known.items() if p.endswith(suffix)}


def _all_machines(incident: Incident, disks: DiskList) -> tuple[Machine, ...]:
    """Whatever was seen on the host since first suspicion; of one seen again, what is known now."""
    return tuple(({m.id: m for m in incident.machines} | {m.id: m for m in disks.machines}).values())


def _note_reach(proof: Proof, power: PowerReading | None, change: Change) -> Proof:
    """A device that did not answer during the incident must settle before its *off* counts."""
    if power is None or power.reachable:
        return proof
    return replace(proof, unreachable_at=change.now)


def _evidence(facts: RoundFacts, judgement: Judgement) -> dict[str, Any]:
    findings = {f.witness_id: f for f in judgement.findings}
    return {
        "address": {"reach": facts.own_reach, "detail": facts.reach_detail},
        "power": None
        if facts.power is None
        else {"state": facts.power.state, "code": facts.power.code, "said": facts.power.said},
        "cloud": facts.cloud,
        "disks": {
            "known": facts.disks.known,
            "targets": len(facts.disks.targets),
            "uncheckable": list(facts.disks.uncheckable),
            "elsewhere": list(facts.disks.elsewhere),
        },
        "not_asked": [{"host_id": h, "reason": r} for h, r in facts.not_asked],
        "witnesses": [
            {
                "host_id": report.witness_id,
                "verdict": findings[report.witness_id].verdict,
                "reasons": list(findings[report.witness_id].reasons),
                "detail": findings[report.witness_id].detail or report.detail,
                "reach": report.reach,
                "took_s": round(report.took_s, 3),
                "pools": [asdict(pool) for pool in report.pools],
                "files_read": sum(1 for r in report.readings if r.state is not None),
                "files_held": sum(1 for r in report.readings if r.held),
                "files_unknown": [
                    {"path": r.path, "code": r.code, "detail": r.detail}
                    for r in report.readings
                    if r.state is None and not r.held
                ][:KEPT_DETAIL],
            }
            for report in facts.reports
        ],
    }


def life_in(judgement: Judgement) -> tuple[Reason, ...]:
    """The signs of life of a round."""
    return tuple(r for r in judgement.reasons if r in LIFE)
