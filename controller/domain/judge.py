"""From what was seen to a verdict: alive, dead or inconclusive. The heart of hostfence; pure.

Carries rule 3 (unknown is never dead): *dead* needs enough reports in which every single thing asked was read and
unmoved, with the positive control held, on every pool in question; any sign of life from anyone wins, in any order.
"""

import math
from datetime import datetime

from controller.domain.evidence import (
    Beat,
    DiskList,
    FileState,
    Finding,
    Judgement,
    Memory,
    PoolView,
    Reading,
    Report,
    RoundFacts,
    Verdict,
    takes_heartbeats,
)
from controller.domain.policy import Policy
from controller.domain.reasons import LIFE, Reason
from shared.enums import Reach, ReadingCode

HEARTBEAT_SEEN_WITHIN_S = 60.0
"""The heartbeat must have been seen moving at most this long before the disconnect (design section 4)."""

HEARTBEATS_TO_SAMPLE = 3
"""A heartbeat sample older than this many heartbeat intervals is not fresh."""


def judge(
    facts: RoundFacts,
    *,
    memory: dict[str, Memory],
    policy: Policy,
    disconnect_at: datetime,
) -> Judgement:
    """Judge one round against what each witness read before.

    A witness without memory of a target gives a baseline, not a silence. ``disconnect_at`` is hostfence time.
    """
    since_disconnect = max(0.0, (facts.at - disconnect_at).total_seconds())
    findings = tuple(
        _judge_report(
            report,
            facts.disks,
            memory.get(report.witness_id, Memory()),
            policy,
            since_disconnect,
        )
        for report in facts.reports
    )
    life = _signs_of_life(facts, findings)
    doubts = _doubts(facts, findings, policy)
    if life:
        verdict, reasons = Verdict.ALIVE, _unique((*_life_pattern(life), *life))
    elif doubts:
        verdict, reasons = Verdict.INCONCLUSIVE, doubts
    else:
        verdict, reasons = Verdict.DEAD, ()
    return Judgement(
        verdict=verdict,
        reasons=reasons,
        findings=findings,
        memory=remember(memory, facts.reports),
        subject_boot_id=_subject_boot_id(facts.reports),
    )


def remember(memory: dict[str, Memory], reports: tuple[Report, ...]) -> dict[str, Memory]:
    """The memories after these reports: what was read replaces what was known, what was not stays.

    But the witness's own heartbeat: an older one would prove that the pool took writes before these readings, which
    says nothing of the time after them.
    """
    result = dict(memory)
    for report in reports:
        if report.failure is not None:
            continue
        old = result.get(report.witness_id, Memory())
        files = {r.path: r.state for r in report.readings if r.state is not None}
        beats = {p.root: _mark(p.subject) for p in report.pools if p.subject and p.subject.known}
        own = {p.root: _mark(p.own) for p in report.pools if p.own and p.own.known}
        held = old.held | {r.path for r in report.readings if r.held}
        result[report.witness_id] = Memory(files=old.files | files, beats=old.beats | beats, own_beats=own, held=held)
    return result


def moved(before: FileState, now: FileState) -> bool:
    """True for *different* in anything a write changes; times can jump back (storage.md), so greater would be wrong."""
    return (before.size, before.blocks, before.mtime_ns, before.ctime_ns) != (
        now.size,
        now.blocks,
        now.mtime_ns,
        now.ctime_ns,
    )


def written_since_disconnect(
    reading: FileState, server_now: FileState, *, since_disconnect: float, slack: float
) -> bool:
    """The request's own question for the baseline: is this file newer than the disconnect? Seconds.

    Both times are the storage server's: ``server_now`` is the witness's own heartbeat file on the same pool, written
    within ``slack``. Can only ever say *alive*.
    """
    age = (server_now.mtime_ns - reading.mtime_ns) / 1e9
    return age < since_disconnect - slack


def _judge_report(report: Report, disks: DiskList, memory: Memory, policy: Policy, since_disconnect: float) -> Finding:
    if report.failure is not None:
        return Finding(
            witness_id=report.witness_id,
            verdict=Verdict.INCONCLUSIVE,
            reasons=(report.failure,),
            detail=report.detail,
        )
    life: list[Reason] = []
    doubts: list[Reason] = []
    covers: list[str] = []
    if report.reach is Reach.AGENT_ANSWERED:
        life.append(Reason.AGENT_ANSWERS)
    elif report.reach is Reach.UNKNOWN:
        doubts.append(Reason.REACH_UNKNOWN)
    cloud_beats = set(disks.cloud_heartbeats)
    readings = {r.path: r for r in report.readings}
    if any(_says_life(readings.get(path), memory) for path in cloud_beats):
        life.append(Reason.CLOUD_HEARTBEAT_MOVES)
    for root in disks.roots_in_question:
        told = {t.path: readings.get(t.path) for t in disks.targets if t.pool_root == root}
        pool_life, pool_doubts = _judge_root(root, told, report, memory, policy, since_disconnect)
        life += pool_life
        doubts += pool_doubts
        if not pool_life and not pool_doubts:
            covers.append(root)
    # Heartbeats on pools that hold no disk can still show life.
    for pool in report.pools:
        if pool.root not in disks.roots_in_question and _beat_moved(pool.subject, memory.beats.get(pool.root)):
            life.append(Reason.HEARTBEAT_MOVES)
    if life:
        return Finding(witness_id=report.witness_id, verdict=Verdict.ALIVE, reasons=_unique(tuple(life)))
    verdict = Verdict.DEAD if covers and not doubts else Verdict.INCONCLUSIVE
    return Finding(
        witness_id=report.witness_id,
        verdict=verdict,
        reasons=_unique(tuple(doubts)),
        covers=tuple(covers),
        detail=_first_detail(report),
    )


def _judge_root(
    root: str,
    readings: dict[str, Reading | None],
    report: Report,
    memory: Memory,
    policy: Policy,
    since_disconnect: float,
) -> tuple[list[Reason], list[Reason]]:
    if not takes_heartbeats(root):
        return _judge_holding(readings, report, memory, policy, since_disconnect)
    pools = {p.root: p for p in report.pools}
    return _judge_pool(pools.get(root), [*readings.values()], memory, policy, since_disconnect)


def _judge_pool(
    pool: PoolView | None,
    readings: list[Reading | None],
    memory: Memory,
    policy: Policy,
    since_disconnect: float,
) -> tuple[list[Reason], list[Reason]]:
    """Signs of life, and doubts, on one pool."""
    life, doubts = _judge_files(readings, memory)
    if pool is None:
        return life, [*doubts, Reason.STORAGE_UNREADABLE]
    root = pool.root
    if _beat_moved(pool.subject, memory.beats.get(root)):
        life.append(Reason.HEARTBEAT_MOVES)
    if pool.code is not None:
        return life, [*doubts, Reason.STORAGE_UNREADABLE]
    if not _own_beat_moved(pool.own, memory.own_beats.get(root), policy):
        doubts.append(Reason.NO_POSITIVE_CONTROL)
    doubts += _heartbeat_doubts(pool.subject, memory.beats.get(root), policy, since_disconnect)
    return life, doubts


def _judge_holding(
    readings: dict[str, Reading | None],
    report: Report,
    memory: Memory,
    policy: Policy,
    since_disconnect: float,
) -> tuple[list[Reason], list[Reason]]:
    """Signs of life, and doubts, on storage that tells who holds what (an image's watchers).

    That the host holds its disks is its heartbeat there, and a fresh answer is the positive control. Holding nothing
    means something only of a host that was seen alive before, by either kind of heartbeat.
    """
    life, doubts = _judge_files([*readings.values()], memory)
    if not readings:
        doubts.append(Reason.STORAGE_UNREADABLE)
    if policy.require_heartbeat and not (
        memory.held.issuperset(readings) or _heartbeat_known(report, memory, policy, since_disconnect)
    ):
        doubts.append(Reason.NO_HEARTBEAT)
    return life, doubts


def _heartbeat_known(report: Report, memory: Memory, policy: Policy, since_disconnect: float) -> bool:
    return any(
        pool.code is None
        and _own_beat_moved(pool.own, memory.own_beats.get(pool.root), policy)
        and not _heartbeat_doubts(pool.subject, memory.beats.get(pool.root), policy, since_disconnect)
        for pool in report.pools
    )


def _judge_files(readings: list[Reading | None], memory: Memory) -> tuple[list[Reason], list[Reason]]:
    judged = [_judge_file(reading, memory) for reading in readings]
    return [sign for sign, _ in judged if sign], [doubt for _, doubt in judged if doubt]


def _judge_file(reading: Reading | None, memory: Memory) -> tuple[Reason | None, Reason | None]:
    if reading is not None and reading.held:
        return Reason.DISKS_MOVE, None  # open for writing: no guest is so idle that this ends
    if reading is None or reading.state is None:
        return None, Reason.STORAGE_UNREADABLE
    before = memory.files.get(reading.path)
    if before is None:
        return None, Reason.NO_BASELINE
    if (before.device, before.inode) != (reading.state.device, reading.state.inode):
        return None, Reason.INODE_CHANGED
    if moved(before, reading.state):
        return Reason.DISKS_MOVE, None
    return None, None


def _says_life(reading: Reading | None, memory: Memory) -> bool:
    """For files whose silence means nothing (the cloud's own heartbeat): moving is life."""
    if reading is None or reading.state is None:
        return False
    before = memory.files.get(reading.path)
    return before is not None and moved(before, reading.state)


def _own_beat_moved(own: Beat | None, before: tuple[str, int] | None, policy: Policy) -> bool:
    """The positive control.

    Since the reading that this one is compared with, the witness's own heartbeat moved here.
    """
    return own is not None and before is not None and _read_lately(own, policy) and _mark(own) != before


def _beat_moved(beat: Beat | None, before: tuple[str, int] | None) -> bool:
    """A heartbeat that moved since the earlier reading is life. Withdrawing is not beating."""
    if beat is None or not beat.known or before is None or _mark(beat) == before:
        return False
    return not beat.withdrawn or beat.boot_id != before[0]


def _heartbeat_doubts(
    beat: Beat | None, before: tuple[str, int] | None, policy: Policy, since_disconnect: float
) -> list[Reason]:
    doubts: list[Reason] = []
    if beat is not None and beat.known and beat.withdrawn:
        doubts.append(Reason.HEARTBEAT_WITHDRAWN)
    if beat is not None and beat.known and beat.disputed:
        doubts.append(Reason.HEARTBEAT_DISPUTED)
    if not policy.require_heartbeat:
        # No heartbeat there at all is accepted then; one that exists or existed but cannot be read is not.
        none = _absent(beat) and before is None
        return doubts if none or _read_lately(beat, policy) else [*doubts, Reason.STORAGE_UNREADABLE]
    if _absent(beat):
        return [*doubts, Reason.NO_HEARTBEAT]
    if beat is None or not _read_lately(beat, policy):
        return [*doubts, Reason.STORAGE_UNREADABLE]
    if before is None:
        doubts.append(Reason.NO_BASELINE)
    if beat.moved_age is None or beat.moved_age - since_disconnect > HEARTBEAT_SEEN_WITHIN_S:
        doubts.append(Reason.NO_HEARTBEAT)
    return doubts


def _absent(beat: Beat | None) -> bool:
    return beat is None or (not beat.known and beat.code is ReadingCode.MISSING)


def _read_lately(beat: Beat | None, policy: Policy) -> bool:
    if beat is None or not beat.known:
        return False
    limit = HEARTBEATS_TO_SAMPLE * policy.heartbeat_interval.total_seconds()
    return beat.sampled_age is not None and beat.sampled_age <= limit


def _mark(beat: Beat) -> tuple[str, int]:
    return beat.boot_id, beat.counter


def _signs_of_life(facts: RoundFacts, findings: tuple[Finding, ...]) -> tuple[Reason, ...]:
    own = (Reason.AGENT_ANSWERS,) if facts.own_reach is Reach.AGENT_ANSWERED else ()
    told = tuple(r for f in findings if f.verdict is Verdict.ALIVE for r in f.reasons if r in LIFE)
    return _unique((*own, *told))


def _life_pattern(life: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """What the mix of signs looks like to a person: only the agent is gone; or only the disks still move."""
    if Reason.AGENT_ANSWERS in life:
        return ()
    if Reason.HEARTBEAT_MOVES in life:
        return (Reason.AGENT_ONLY,)
    if Reason.DISKS_MOVE in life:
        return (Reason.DISK_MOVES_WITHOUT_HEARTBEAT,)
    return ()


def _doubts(facts: RoundFacts, findings: tuple[Finding, ...], policy: Policy) -> tuple[Reason, ...]:
    """Everything that stands between this round and *dead*; empty means dead (when there is no life)."""
    doubts: list[Reason] = []
    reaches = [facts.own_reach, *(r.reach for r in facts.reports if r.failure is None)]
    if Reach.KERNEL_ANSWERS in reaches:
        doubts.append(Reason.KERNEL_ANSWERS)
    if facts.own_reach is Reach.UNKNOWN:
        doubts.append(Reason.REACH_UNKNOWN)
    if not facts.disks.known:
        doubts.append(Reason.DISKS_UNKNOWN)
    if facts.disks.uncheckable and not policy.accept_uncheckable_disks:
        doubts.append(Reason.UNCHECKABLE_DISKS)
    silent = [f for f in findings if f.verdict is Verdict.DEAD]
    if len({f.witness_id for f in silent}) < max(1, policy.witnesses_required):
        doubts.append(Reason.TOO_FEW_WITNESSES)
        doubts += [r for f in findings for r in f.reasons if r not in LIFE]
    if _saw_different_storage(facts):
        doubts.append(Reason.INODE_CHANGED)
    covered = {root for f in silent for root in f.covers}
    needed = set(facts.disks.roots_in_question)
    if not needed or not needed <= covered:
        doubts.append(Reason.POOL_NOT_COVERED)
    return _unique(tuple(doubts))


def _saw_different_storage(facts: RoundFacts) -> bool:
    """Whether two witnesses read different things under one name: one of them asks another cluster.

    A folder's device differs from host to host, and shows by the heartbeats in it that it is the same one.
    """
    seen: dict[str, tuple[str, int]] = {}
    roots = {t.path: t.pool_root for t in facts.disks.targets}
    return any(
        seen.setdefault(reading.path, (reading.state.device, reading.state.inode))
        != (reading.state.device, reading.state.inode)
        for report in facts.reports
        for reading in report.readings
        if reading.state is not None and not takes_heartbeats(roots.get(reading.path, "/"))
    )


def _subject_boot_id(reports: tuple[Report, ...]) -> str:
    """That of the heartbeat that moved last: on a pool it lost, a host may have left a record of an earlier boot."""
    beats = [p.subject for r in reports for p in r.pools if p.subject is not None and p.subject.known]
    return min(beats, key=_moved_order).boot_id if beats else ""


def _moved_order(beat: Beat) -> tuple[float, str]:
    return (math.inf if beat.moved_age is None else beat.moved_age, beat.boot_id)


def _first_detail(report: Report) -> str:
    details = [r.detail or str(r.code) for r in report.readings if r.state is None]
    details += [p.detail or str(p.code) for p in report.pools if p.code is not None]
    return details[0] if details else ""


def _unique(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))
