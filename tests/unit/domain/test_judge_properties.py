"""Properties of the verdict over any evidence. *Towards dead* is the order alive < inconclusive < dead.

What a piece of evidence is worth is said here a second time, from the design and not from the code: `is_life`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from hypothesis import assume, given
from hypothesis import strategies as st

from controller.domain.evidence import Beat, DiskList, FileState, Memory, PoolView, Reading, Report, RoundFacts, Verdict
from controller.domain.judge import judge
from controller.domain.policy import Policy
from controller.domain.reasons import Reason
from shared.enums import Reach, ReadingCode
from tests.fixtures.builders import T0
from tests.fixtures.evidence import (
    COUNTER,
    MTIME_NS,
    OWN_COUNTER,
    SUBJECT_BOOT,
    WITNESS_BOOT,
    beat,
    disk_list,
    facts,
    file_state,
    own_beat,
    policy,
    reading,
    report,
    unread,
)

T = TypeVar("T")

ORDER = (Verdict.ALIVE, Verdict.INCONCLUSIVE, Verdict.DEAD)
ROOTS = ("/mnt/p1", "/mnt/p2")
DISKS = ("/mnt/p1/d1", "/mnt/p1/d2", "/mnt/p2/d3")
CLOUD_FILE = "/mnt/p1/KVMHA/hb-h1"
WITNESSES = ("w1", "w2", "w3", "w4")
FAILURES = (Reason.WITNESS_SILENT, Reason.WITNESS_INCOMPATIBLE)
UNREADABLE = tuple(code for code in ReadingCode if code is not ReadingCode.MISSING)


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that :func:`judge` is given."""

    facts: RoundFacts
    memory: dict[str, Memory]
    policy: Policy

    def verdict(self, **changes: object) -> Verdict:
        seen = replace(self.facts, **changes)  # type: ignore[arg-type]
        return judge(seen, memory=self.memory, policy=self.policy, disconnect_at=T0).verdict

    def rank(self, **changes: object) -> int:
        return ORDER.index(self.verdict(**changes))


def mostly(usual: T, *others: T) -> st.SearchStrategy[T]:
    """Mostly silence, so that *dead* is not a rare accident among the cases."""
    return st.sampled_from([usual] * (3 * len(others)) + list(others))


subject_beats = mostly(
    beat(),
    None,
    beat(counter=COUNTER + 1),
    beat(counter=COUNTER - 1),
    beat(boot_id="next boot"),
    beat(withdrawn=True),
    beat(counter=COUNTER + 1, withdrawn=True),
    beat(moved_age=None),
    beat(moved_age=500.0),
    beat(sampled_age=None),
    beat(sampled_age=500.0),
    beat(known=False, code=ReadingCode.MISSING),
    beat(known=False, code=ReadingCode.IO_ERROR),
)
own_beats = mostly(own_beat(), None, own_beat(counter=OWN_COUNTER), own_beat(sampled_age=500.0), own_beat(known=False))
reaches = mostly(Reach.NO_ANSWER, Reach.UNKNOWN, Reach.KERNEL_ANSWERS, Reach.AGENT_ANSWERED)


@st.composite
def readings(draw: st.DrawFn, path: str) -> Reading:
    changes: dict[str, int] = draw(
        mostly({}, {"mtime_ns": MTIME_NS + 1}, {"mtime_ns": 0}, {"size": 7}, {"blocks": 9}, {"inode": 5})
    )
    return draw(mostly(reading(path, **changes), unread(path), unread(path, ReadingCode.MISSING)))


@st.composite
def pool_views(draw: st.DrawFn, root: str) -> PoolView:
    return PoolView(
        root=root,
        code=draw(mostly(None, ReadingCode.MOUNT_STUCK)),
        own=draw(own_beats),
        subject=draw(subject_beats),
    )


@st.composite
def reports(draw: st.DrawFn, witness_id: str) -> Report:
    return Report(
        witness_id=witness_id,
        failure=draw(mostly(None, *FAILURES)),
        readings=tuple(draw(readings(path)) for path in (*DISKS, CLOUD_FILE) if draw(mostly(True, False))),
        pools=tuple(draw(pool_views(root)) for root in ROOTS if draw(mostly(True, False))),
        reach=draw(reaches),
    )


@st.composite
def memory_of_a_witness(draw: st.DrawFn) -> Memory:
    return Memory(
        files={path: file_state() for path in (*DISKS, CLOUD_FILE) if draw(mostly(True, False))},
        beats={root: (SUBJECT_BOOT, COUNTER) for root in ROOTS if draw(mostly(True, False))},
        own_beats={root: (WITNESS_BOOT, OWN_COUNTER) for root in ROOTS if draw(mostly(True, False))},
    )


disk_lists: st.SearchStrategy[DiskList] = mostly(
    disk_list(DISKS[0], pool_roots=ROOTS),
    disk_list(*DISKS),
    disk_list(*DISKS, cloud_heartbeats=(CLOUD_FILE,)),
    disk_list(DISKS[0], known=False),
    disk_list(DISKS[0], uncheckable=("db-1",)),
    disk_list(targets=(), machines=(), pool_roots=ROOTS),
    disk_list(targets=(), machines=(), pool_roots=()),
)

policies = st.builds(
    policy,
    witnesses_required=st.integers(0, 3),
    require_heartbeat=st.booleans(),
    accept_uncheckable_disks=st.booleans(),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    asked = draw(st.lists(st.sampled_from(WITNESSES), unique=True, max_size=4))
    seen = replace(
        facts(),
        reports=tuple(draw(reports(w)) for w in asked),
        own_reach=draw(reaches),
        disks=draw(disk_lists),
    )
    return Case(facts=seen, memory={w: draw(memory_of_a_witness()) for w in WITNESSES}, policy=draw(policies))


@st.composite
def nearly_dead(draw: st.DrawFn) -> Case:
    """A dead round, and up to two pieces of one report as they may come: the edge where a mistake kills."""
    asked = draw(st.integers(1, 3))
    silent = [
        report(
            w,
            readings=tuple(reading(p) for p in DISKS),
            pools=tuple(PoolView(root=r, own=own_beat(), subject=beat()) for r in ROOTS),
        )
        for w in WITNESSES[:asked]
    ]
    full = Memory(
        files={path: file_state() for path in DISKS},
        beats=dict.fromkeys(ROOTS, (SUBJECT_BOOT, COUNTER)),
        own_beats=dict.fromkeys(ROOTS, (WITNESS_BOOT, OWN_COUNTER)),
    )
    chosen = draw(st.integers(0, asked - 1))
    silent[chosen] = draw(mostly(silent[chosen], draw(reports(WITNESSES[chosen]))))
    under = policy(witnesses_required=draw(st.integers(1, asked)), require_heartbeat=draw(st.booleans()))
    seen = facts(*silent, disks=disk_list(*DISKS), own_reach=draw(reaches))
    return Case(facts=seen, memory=dict.fromkeys(WITNESSES, full), policy=under)


any_case = cases() | nearly_dead()


# -- what the design calls a sign of life -----------------------------------------------------------------------------


def file_is_life(seen: Reading, before: FileState | None) -> bool:
    """Different from the earlier reading of the same file."""
    if seen.state is None or before is None or seen.state.inode != before.inode:
        return False
    return seen.state != before


def beat_is_life(seen: Beat | None, before: tuple[str, int] | None) -> bool:
    """Different from the earlier reading, unless it only says goodbye."""
    if seen is None or not seen.known or before is None:
        return False
    return seen.boot_id != before[0] or (seen.counter != before[1] and not seen.withdrawn)


def is_life(seen: Report, case: Case) -> bool:
    if seen.failure is not None:
        return False
    known = case.memory.get(seen.witness_id, Memory())
    in_question = {t.path for t in case.facts.disks.targets} | set(case.facts.disks.cloud_heartbeats)
    return (
        seen.reach is Reach.AGENT_ANSWERED
        or any(file_is_life(r, known.files.get(r.path)) for r in seen.readings if r.path in in_question)
        or any(beat_is_life(p.subject, known.beats.get(p.root)) for p in seen.pools)
    )


def without(case: Case, index: int) -> tuple[Report, ...]:
    return case.facts.reports[:index] + case.facts.reports[index + 1 :]


def changed(case: Case, index: int, new: Report) -> tuple[Report, ...]:
    return (*case.facts.reports[:index], new, *case.facts.reports[index + 1 :])


def weaker_readings(seen: Report, case: Case) -> Iterator[Report]:
    """Each reading that is no sign of life, removed or turned into unknown."""
    known = case.memory[seen.witness_id]
    for i, one in enumerate(seen.readings):
        if not file_is_life(one, known.files.get(one.path)):
            rest = seen.readings[:i] + seen.readings[i + 1 :]
            yield replace(seen, readings=rest)
            yield from (replace(seen, readings=(*rest, unread(one.path, code))) for code in ReadingCode)


def weaker_beats(view: PoolView, before: tuple[str, int] | None, *, required: bool) -> Iterator[PoolView]:
    """The own heartbeat, and the host's where it is no sign of life, removed or turned into unknown.

    Without the requirement "no heartbeat there" is an answer and no unknown, unless there was one before.
    """
    yield replace(view, own=None)
    yield replace(view, own=own_beat(known=False, code=ReadingCode.IO_ERROR))
    if beat_is_life(view.subject, before):
        return
    if required or before is not None:
        yield replace(view, subject=None)
        yield replace(view, subject=beat(known=False, code=ReadingCode.MISSING))
    yield from (replace(view, subject=beat(known=False, code=code)) for code in UNREADABLE)


def weaker_pools(seen: Report, case: Case) -> Iterator[Report]:
    """Each pool removed, made unreadable, or with a heartbeat less; never where that hides life."""
    known = case.memory[seen.witness_id]
    for i, view in enumerate(seen.pools):
        before = known.beats.get(view.root)
        rest = seen.pools[:i] + seen.pools[i + 1 :]
        for one in weaker_beats(view, before, required=case.policy.require_heartbeat):
            yield replace(seen, pools=(*rest, one))
        yield replace(seen, pools=(*rest, replace(view, code=ReadingCode.NOT_MOUNTED)))
        if not beat_is_life(view.subject, before):
            yield replace(seen, pools=rest)
            yield replace(seen, pools=(*rest, PoolView(root=view.root, code=ReadingCode.TIMED_OUT)))


def weaker(seen: Report, case: Case) -> Iterator[Report]:
    if seen.reach is Reach.NO_ANSWER:
        yield replace(seen, reach=Reach.UNKNOWN)
    yield from weaker_readings(seen, case)
    yield from weaker_pools(seen, case)


# -- properties -------------------------------------------------------------------------------------------------------


@given(any_case)
def test_a_round_is_alive_if_and_only_if_somebody_saw_a_sign_of_life(case: Case) -> None:
    life = case.facts.own_reach is Reach.AGENT_ANSWERED or any(is_life(r, case) for r in case.facts.reports)
    assert (case.verdict() is Verdict.ALIVE) == life


@given(any_case, st.data())
def test_one_sign_of_life_wins_over_any_number_of_other_answers_in_any_order(case: Case, data: st.DataObject) -> None:
    lively = data.draw(
        st.sampled_from(
            [
                report("witness", reach=Reach.AGENT_ANSWERED),
                report("witness", readings=(reading(t.path, mtime_ns=1),))
                if (t := next(iter(case.facts.disks.targets), None))
                else report("witness", reach=Reach.AGENT_ANSWERED),
                report("witness", pools=(PoolView(root=ROOTS[1], subject=beat(counter=COUNTER + 9)),)),
            ]
        )
    )
    known = Memory(files=dict.fromkeys(DISKS, file_state()), beats=dict.fromkeys(ROOTS, (SUBJECT_BOOT, COUNTER)))
    everyone = data.draw(st.permutations([*case.facts.reports, lively]))
    with_life = replace(case, memory=case.memory | {"witness": known})
    assert with_life.verdict(reports=tuple(everyone)) is Verdict.ALIVE


@given(any_case, st.data())
def test_the_order_of_reports_readings_and_pools_never_matters(case: Case, data: st.DataObject) -> None:
    shuffled = tuple(
        replace(
            r,
            readings=tuple(data.draw(st.permutations(r.readings))),
            pools=tuple(data.draw(st.permutations(r.pools))),
        )
        for r in data.draw(st.permutations(case.facts.reports))
    )
    one = judge(case.facts, memory=case.memory, policy=case.policy, disconnect_at=T0)
    other = judge(replace(case.facts, reports=shuffled), memory=case.memory, policy=case.policy, disconnect_at=T0)
    assert (other.verdict, set(other.reasons), other.memory, other.subject_boot_id) == (
        one.verdict,
        set(one.reasons),
        one.memory,
        one.subject_boot_id,
    )


@given(any_case)
def test_removing_an_answer_that_is_no_life_and_no_kernel_never_moves_towards_dead(case: Case) -> None:
    for i, gone in enumerate(case.facts.reports):
        if not is_life(gone, case) and (gone.failure is not None or gone.reach is not Reach.KERNEL_ANSWERS):
            assert case.rank(reports=without(case, i)) <= case.rank()


@given(any_case, st.sampled_from(FAILURES))
def test_turning_a_whole_answer_into_unknown_never_moves_towards_dead(case: Case, failure: Reason) -> None:
    for i, old in enumerate(case.facts.reports):
        if not is_life(old, case) and (old.failure is not None or old.reach is not Reach.KERNEL_ANSWERS):
            failed = changed(case, i, replace(old, failure=failure))
            assert case.rank(reports=failed) <= case.rank()


@given(any_case)
def test_turning_any_piece_of_an_answer_into_unknown_never_moves_towards_dead(case: Case) -> None:
    before = case.rank()
    for i, old in enumerate(case.facts.reports):
        for new in weaker(old, case):
            assert case.rank(reports=changed(case, i, new)) <= before


@given(any_case)
def test_turning_the_controllers_own_look_into_unknown_never_moves_towards_dead(case: Case) -> None:
    assume(case.facts.own_reach is not Reach.AGENT_ANSWERED)
    assert case.rank(own_reach=Reach.UNKNOWN) <= case.rank()
    assert case.verdict(own_reach=Reach.UNKNOWN) is not Verdict.DEAD


@given(any_case)
def test_turning_the_disk_list_into_unknown_never_moves_towards_dead(case: Case) -> None:
    assert case.verdict(disks=replace(case.facts.disks, known=False)) is not Verdict.DEAD
    assert case.rank(disks=replace(case.facts.disks, known=False)) <= case.rank()


@given(any_case, st.integers(1, 5), st.sampled_from(FAILURES))
def test_unknown_answers_never_count_however_many(case: Case, number: int, failure: Reason) -> None:
    nothing = tuple(report(f"x{i}", failure=failure) for i in range(number))
    assert case.verdict(reports=(*case.facts.reports, *nothing)) is case.verdict()


@given(any_case, st.sampled_from(ReadingCode))
def test_a_round_of_nothing_but_unknown_is_inconclusive(case: Case, code: ReadingCode) -> None:
    blind = tuple(
        replace(
            r,
            readings=tuple(unread(x.path, code) for x in r.readings),
            pools=tuple(PoolView(root=p.root, code=code) for p in r.pools),
            reach=Reach.UNKNOWN,
        )
        for r in case.facts.reports
    )
    assert case.verdict(reports=blind, own_reach=Reach.UNKNOWN) is Verdict.INCONCLUSIVE


@given(any_case)
def test_witnesses_without_memory_never_make_dead(case: Case) -> None:
    assert replace(case, memory={}).verdict() is not Verdict.DEAD


@given(any_case)
def test_dead_takes_as_many_conclusively_silent_witnesses_as_required_and_no_kernel(case: Case) -> None:
    judgement = judge(case.facts, memory=case.memory, policy=case.policy, disconnect_at=T0)
    if judgement.verdict is not Verdict.DEAD:
        assert judgement.reasons
        return
    silent = {f.witness_id for f in judgement.findings if f.verdict is Verdict.DEAD}
    assert len(silent) >= max(1, case.policy.witnesses_required)
    assert case.facts.own_reach is Reach.NO_ANSWER
    assert all(r.reach is not Reach.KERNEL_ANSWERS for r in case.facts.reports if r.failure is None)
    for seen in case.facts.reports:
        if seen.witness_id in silent:
            assert_conclusively_silent(seen, case)


def assert_conclusively_silent(seen: Report, case: Case) -> None:
    """Section 4, written out: every target was read and unmoved, with the positive control, on every pool."""
    known = case.memory[seen.witness_id]
    states = {r.path: r.state for r in seen.readings}
    views = {p.root: p for p in seen.pools}
    assert seen.reach is Reach.NO_ANSWER or seen.reach is Reach.KERNEL_ANSWERS
    for target in case.facts.disks.targets:
        assert states[target.path] is not None
        assert states[target.path] == known.files[target.path]
    for root in case.facts.disks.roots_in_question:
        assert views[root].code is None
        own = views[root].own
        assert own is not None
        assert own.known
        assert (own.boot_id, own.counter) != known.own_beats[root]
        if case.policy.require_heartbeat:
            subject = views[root].subject
            assert subject is not None
            assert subject.known
            assert not subject.withdrawn
            assert (subject.boot_id, subject.counter) == known.beats[root]


@given(any_case, st.integers(-(10**7), 10**7))
def test_shifting_hostfence_time_changes_nothing(case: Case, seconds: int) -> None:
    by = timedelta(seconds=seconds)
    shifted = judge(
        replace(case.facts, at=case.facts.at + by),
        memory=case.memory,
        policy=case.policy,
        disconnect_at=T0 + by,
    )
    assert shifted == judge(case.facts, memory=case.memory, policy=case.policy, disconnect_at=T0)


@given(any_case, st.integers(-(10**15), 10**15))
def test_shifting_the_storage_servers_clock_changes_nothing(case: Case, nanoseconds: int) -> None:
    def later(state: FileState) -> FileState:
        return replace(state, mtime_ns=state.mtime_ns + nanoseconds, ctime_ns=state.ctime_ns + nanoseconds)

    seen = tuple(
        replace(r, readings=tuple(replace(x, state=x.state and later(x.state)) for x in r.readings))
        for r in case.facts.reports
    )
    known = {w: replace(m, files={p: later(s) for p, s in m.files.items()}) for w, m in case.memory.items()}
    assert replace(case, memory=known).verdict(reports=seen) is case.verdict()


@given(st.integers(1, 10**12), st.sampled_from(["mtime_ns", "ctime_ns"]))
def test_a_time_that_jumps_back_is_life(nanoseconds: int, name: str) -> None:
    jumped = report("w3", readings=(reading(DISKS[0], **{name: MTIME_NS - nanoseconds}),))
    known = Memory(files={DISKS[0]: file_state()})
    case = Case(facts=facts(report("w1"), report("w2"), jumped), memory={"w3": known}, policy=policy())
    assert case.verdict() is Verdict.ALIVE


@given(nearly_dead())
def test_the_cases_at_the_edge_do_reach_every_verdict(case: Case) -> None:
    """Guards the guards: were no case ever dead, the properties above would hold by saying nothing."""
    assume(all(r.failure is None for r in case.facts.reports))
    silent = tuple(
        replace(
            r,
            readings=tuple(reading(p) for p in DISKS),
            pools=tuple(PoolView(root=root, own=own_beat(), subject=beat()) for root in ROOTS),
            reach=Reach.NO_ANSWER,
        )
        for r in case.facts.reports
    )
    assert case.verdict(reports=silent, own_reach=Reach.NO_ANSWER) is Verdict.DEAD
