"""From the wire's models to the domain's values; nothing is decided here.

A reading that was not asked for is dropped, one that was asked for and is missing stays missing (which the judge
counts as unknown).
"""

from controller.domain.addresses import canonical_address
from controller.domain.evidence import Beat, FileState, PoolView, Reading, Report
from controller.domain.reasons import Reason
from controller.domain.watch import PoolSeen, Seen
from controller.probing.base import Question
from shared.enums import Reach, ReadingCode, ReadingStatus
from shared.protocol import FileReading, HeartbeatSight, PoolSight, ProbeAnswer, WatchAnswer


def report_of(witness_id: str, question: Question, answer: ProbeAnswer, *, took_s: float) -> Report:
    """One witness's report."""
    if answer.host_id != witness_id:
        return Report(witness_id=witness_id, failure=Reason.WITNESS_INCOMPATIBLE, detail="another host answered")
    reach = answer.reach[0].outcome if answer.reach else Reach.UNKNOWN
    if reach is Reach.AGENT_ANSWERED and answer.reach[0].host_id != question.subject.id:
        reach = Reach.KERNEL_ANSWERS  # somebody lives at that address; it is not this host's agent
    asked = set(question.paths)
    return Report(
        witness_id=witness_id,
        boot_id=answer.boot_id,
        readings=tuple(_reading(r, question.subject.address) for r in answer.readings if r.path in asked),
        pools=tuple(_pool(p, question.subject.id) for p in answer.pools if p.root in question.pool_roots),
        reach=reach,
        took_s=took_s,
    )


_LONGEST_VERSION = 40


def seen_of(host_id: str, answer: WatchAnswer) -> Seen:
    """One agent's watch answer."""
    return Seen(
        host_id=host_id,
        reach=Reach.AGENT_ANSWERED,
        boot_id=answer.boot_id,
        pools=tuple(
            PoolSeen(
                root=pool.root,
                readable=pool.status is ReadingStatus.OK,
                own=_beat(pool.own),
                others={h: beat for h, sight in pool.others.items() if (beat := _beat(sight)) is not None},
                detail=pool.detail,
                code=_code(pool),
                fs_type=pool.fs_type,
                mount_options=pool.mount_options,
                mount_source=pool.mount_source,
            )
            for pool in answer.pools
        ),
        agent_version=answer.agent_version[:_LONGEST_VERSION],
    )


def _reading(reading: FileReading, subject_address: str) -> Reading:
    if reading.status is not ReadingStatus.OK:
        return Reading(path=reading.path, state=None, code=reading.code or ReadingCode.OTHER, detail=reading.detail)
    if reading.held_by:
        return _held(reading, subject_address)
    return Reading(
        path=reading.path,
        state=FileState(
            device=reading.device,
            inode=reading.inode,
            size=reading.size,
            blocks=reading.blocks,
            mtime_ns=reading.mtime_ns,
            ctime_ns=reading.ctime_ns,
        ),
    )


def _held(reading: FileReading, subject_address: str) -> Reading:
    """By the host itself, or by somebody else: then nothing is known of the host (it may have two addresses)."""
    if any(_is_same(holder, subject_address) for holder in reading.held_by):
        return Reading(path=reading.path, state=None, held=True)
    detail = f"open at {', '.join(reading.held_by)}, and the host's address is {subject_address}"
    return Reading(path=reading.path, state=None, code=ReadingCode.FOREIGN, detail=detail)


def _is_same(one: str, other: str) -> bool:
    try:
        return canonical_address(one) == canonical_address(other)
    except ValueError:
        return False


def _pool(pool: PoolSight, subject_id: str) -> PoolView:
    return PoolView(
        root=pool.root,
        code=_code(pool),
        detail=pool.detail,
        own=_beat(pool.own),
        subject=_beat(pool.others.get(subject_id)),
    )


def _code(pool: PoolSight) -> ReadingCode | None:
    """Why nothing in the pool is known; None where it is readable."""
    return None if pool.status is ReadingStatus.OK else pool.code or ReadingCode.OTHER


def _beat(sight: HeartbeatSight | None) -> Beat | None:
    if sight is None:
        return None
    known = sight.status is ReadingStatus.OK
    return Beat(
        known=known,
        code=None if known else sight.code or ReadingCode.OTHER,
        boot_id=sight.boot_id,
        counter=sight.counter,
        withdrawn=sight.withdrawn,
        disputed=sight.disputed,
        moved_age=sight.moved_age_s,
        sampled_age=sight.sampled_age_s,
    )
