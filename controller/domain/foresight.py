"""What the judge would say if the host died now: today's answers of its neighbors, put as a round's reports. Pure.

No second opinion on evidence: :func:`controller.domain.judge.judge` itself says what each neighbor's view is worth.
What a look ahead cannot know is taken for well: disks on pools that can be read are there and unmoved, and images
of storage without heartbeats were held.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from controller.domain.evidence import (
    Beat,
    DiskList,
    FileState,
    Judgement,
    Memory,
    PoolView,
    Reading,
    Report,
    RoundFacts,
    takes_heartbeats,
)
from controller.domain.judge import judge
from controller.domain.model import Host
from controller.domain.policy import Policy
from controller.domain.reasons import Reason
from controller.domain.watch import BEATS_MISSED, PoolSeen, Seen
from shared.enums import Reach, ReadingCode

_UNMOVED = FileState(device="0", inode=1, size=1, blocks=1, mtime_ns=0, ctime_ns=0)


def as_if_dead(
    subject: Host,
    witnesses: Iterable[Host],
    seen: Mapping[str, Seen],
    disks: DiskList,
    policy: Policy,
    *,
    now: datetime,
    disconnect_at: datetime,
) -> Judgement:
    """The verdict of the first round that counts. ``seen``: the newest answers by host id; none is no answer."""
    reports = []
    memory = {}
    for witness in witnesses:
        report, remembered = _foreseen(subject, witness, seen.get(witness.id), disks, policy)
        reports.append(report)
        memory[witness.id] = remembered
    facts = RoundFacts(number=2, at=now, disks=disks, reports=tuple(reports), own_reach=Reach.NO_ANSWER)
    return judge(facts, memory=memory, policy=policy, disconnect_at=disconnect_at)


def _foreseen(
    subject: Host, witness: Host, seen: Seen | None, disks: DiskList, policy: Policy
) -> tuple[Report, Memory]:
    if seen is None or not seen.answered:
        detail = seen.detail if seen is not None else ""
        return Report(witness_id=witness.id, failure=Reason.WITNESS_SILENT, detail=detail), Memory()
    told = {pool.root: pool for pool in seen.pools}
    roots = [root for root in {*disks.roots_in_question, *disks.pool_roots} if takes_heartbeats(root)]
    views = {root: _view(told[root], subject.id) for root in roots if root in told}
    readings = tuple(_reading(target.path, views.get(target.pool_root)) for target in disks.targets)
    report = Report(
        witness_id=witness.id,
        boot_id=seen.boot_id,
        readings=readings,
        pools=tuple(views.values()),
        reach=Reach.NO_ANSWER,
    )
    return report, _remembered(report, policy)


def _view(pool: PoolSeen, subject_id: str) -> PoolView:
    code = None if pool.readable else pool.code or ReadingCode.OTHER
    return PoolView(root=pool.root, code=code, detail=pool.detail, own=pool.own, subject=pool.others.get(subject_id))


def _reading(path: str, view: PoolView | None) -> Reading:
    if view is not None and view.code is not None:
        return Reading(path=path, state=None, code=view.code, detail=view.detail)
    return Reading(path=path, state=_UNMOVED)


def _remembered(report: Report, policy: Policy) -> Memory:
    """What the witness would have read a round before: all of it the same, but its own heartbeat if that moves."""
    return Memory(
        files={reading.path: reading.state for reading in report.readings if reading.state is not None},
        beats={pool.root: _mark(pool.subject) for pool in report.pools if pool.subject and pool.subject.known},
        own_beats={pool.root: _earlier(pool.own, policy) for pool in report.pools if pool.own and pool.own.known},
        held=frozenset(reading.path for reading in report.readings),
    )


def _earlier(own: Beat, policy: Policy) -> tuple[str, int]:
    still_for = own.moved_age if own.moved_age is not None else float("inf")
    moves = still_for <= BEATS_MISSED * policy.heartbeat_interval.total_seconds()
    return (own.boot_id, own.counter - 1) if moves else _mark(own)


def _mark(beat: Beat) -> tuple[str, int]:
    return beat.boot_id, beat.counter
