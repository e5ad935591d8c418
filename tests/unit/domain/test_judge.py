from dataclasses import replace
from typing import Any

import pytest

from controller.domain.evidence import Judgement, Memory, Report, Verdict
from controller.domain.judge import judge, moved, remember, written_since_disconnect
from controller.domain.policy import Policy
from controller.domain.reasons import Reason
from shared.enums import Reach, ReadingCode
from tests.fixtures.builders import T0, at
from tests.fixtures.evidence import (
    COUNTER,
    DISK,
    MTIME_NS,
    OWN_COUNTER,
    ROOT,
    SUBJECT_BOOT,
    WITNESS_BOOT,
    beat,
    disk_list,
    facts,
    file_state,
    judged,
    memories,
    memory,
    own_beat,
    policy,
    pool_view,
    reading,
    report,
    target,
    unknown_beat,
    unread,
)

OTHER_ROOT = "/mnt/p2"


def seen_by_both(**changes: object) -> list[Report]:
    return [report("w1", **changes), report("w2", **changes)]


def test_two_conclusively_silent_witnesses_make_a_dead_round() -> None:
    judgement = judged([report("w1"), report("w2")])
    assert judgement.verdict is Verdict.DEAD
    assert judgement.reasons == ()
    assert [f.verdict for f in judgement.findings] == [Verdict.DEAD, Verdict.DEAD]
    assert judgement.subject_boot_id == SUBJECT_BOOT


def test_one_witness_is_enough_where_the_policy_says_so() -> None:
    assert judged([report()], under=policy(witnesses_required=1)).verdict is Verdict.DEAD


def test_one_silent_witness_of_two_required_is_inconclusive() -> None:
    judgement = judged([report("w1"), report("w2", failure=Reason.WITNESS_SILENT)])
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert set(judgement.reasons) == {Reason.TOO_FEW_WITNESSES, Reason.WITNESS_SILENT}


def test_the_same_witness_twice_is_one_witness() -> None:
    assert judged([report("w1"), report("w1")]).verdict is Verdict.INCONCLUSIVE


def test_no_witness_at_all_is_never_dead_even_if_none_were_required() -> None:
    judgement = judge(replace(facts(), reports=()), memory={}, policy=policy(witnesses_required=0), disconnect_at=T0)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.TOO_FEW_WITNESSES in judgement.reasons


# -- the host's own address -------------------------------------------------------------------------------------------


def test_an_answer_of_the_hosts_agent_to_the_controller_is_life_whatever_the_witnesses_saw() -> None:
    judgement = judged(facts(own_reach=Reach.AGENT_ANSWERED))
    assert judgement.verdict is Verdict.ALIVE
    assert judgement.reasons == (Reason.AGENT_ANSWERS,)


def test_an_answer_of_the_hosts_agent_to_one_witness_is_life() -> None:
    judgement = judged([report("w1"), report("w2"), report("w3", reach=Reach.AGENT_ANSWERED)])
    assert judgement.verdict is Verdict.ALIVE


def test_a_kernel_that_answers_the_controller_is_neither_life_nor_death() -> None:
    judgement = judged(facts(own_reach=Reach.KERNEL_ANSWERS))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reasons == (Reason.KERNEL_ANSWERS,)


def test_a_kernel_that_answers_one_witness_of_many_is_neither_life_nor_death() -> None:
    judgement = judged([report("w1"), report("w2"), report("w3", reach=Reach.KERNEL_ANSWERS)])
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reasons == (Reason.KERNEL_ANSWERS,)


def test_a_controller_that_could_not_ask_the_address_cannot_call_it_silent() -> None:
    assert judged(facts(own_reach=Reach.UNKNOWN)).reasons == (Reason.REACH_UNKNOWN,)


def test_a_witness_that_could_not_ask_the_address_is_not_conclusive() -> None:
    judgement = judged([report("w1"), report("w2", reach=Reach.UNKNOWN)])
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.REACH_UNKNOWN in judgement.reasons


# -- disks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        {"mtime_ns": MTIME_NS + 1},
        {"mtime_ns": MTIME_NS - 90_000_000_000},
        {"ctime_ns": MTIME_NS + 1},
        {"size": (1 << 30) + 1},
        {"blocks": 4097},
    ],
    ids=["newer", "jumped-back", "ctime", "grown", "blocks"],
)
def test_any_difference_of_a_disk_seen_by_one_witness_is_life(written: dict[str, Any]) -> None:
    judgement = judged([report("w1"), report("w2"), report("w3", readings=(reading(**written),))])
    assert judgement.verdict is Verdict.ALIVE
    assert judgement.reasons == (Reason.DISK_MOVES_WITHOUT_HEARTBEAT, Reason.DISKS_MOVE)


@pytest.mark.parametrize("code", list(ReadingCode))
def test_a_disk_that_could_not_be_read_is_unknown_whatever_the_cause(code: ReadingCode) -> None:
    judgement = judged(seen_by_both(readings=(unread(code=code),)))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.STORAGE_UNREADABLE in judgement.reasons
    assert judgement.findings[0].detail == code


def test_a_disk_that_was_asked_for_and_not_answered_is_unknown() -> None:
    judgement = judged(seen_by_both(readings=()))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.STORAGE_UNREADABLE in judgement.reasons


def test_one_unread_disk_of_many_leaves_the_whole_report_inconclusive() -> None:
    other = f"{ROOT}/d2"
    before = memories("w1", "w2", files={DISK: file_state(), other: file_state()})
    half = facts(report("w1", readings=(reading(), unread(other))), report("w2"), disks=disk_list(DISK, other))
    assert judged(half, before=before).verdict is Verdict.INCONCLUSIVE


def test_the_first_reading_is_a_baseline_and_no_silence() -> None:
    judgement = judged([report("w1"), report("w2")], before={})
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.NO_BASELINE in judgement.reasons
    assert judgement.memory["w1"].files[DISK] == file_state()


def test_one_disk_without_an_earlier_reading_is_no_silence() -> None:
    judgement = judged([report("w1"), report("w2")], before=memories("w1", "w2", files={}))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.NO_BASELINE in judgement.reasons


def test_another_inode_is_unknown_once_and_then_the_new_baseline() -> None:
    replaced = seen_by_both(readings=(reading(inode=12, mtime_ns=MTIME_NS + 5),))
    first = judged(replaced)
    assert first.verdict is Verdict.INCONCLUSIVE
    assert Reason.INODE_CHANGED in first.reasons
    again = [replace(r, pools=(pool_view(own=own_beat(counter=OWN_COUNTER + 2)),)) for r in replaced]
    assert judged(again, before=first.memory).verdict is Verdict.DEAD


def test_the_same_inode_number_on_another_device_is_another_file() -> None:
    assert Reason.INODE_CHANGED in judged(seen_by_both(readings=(reading(device="0:99"),))).reasons


def test_atime_is_not_even_looked_at() -> None:
    assert not any("atime" in name for name in file_state().__slots__)


def test_a_reading_of_a_disk_that_left_the_evidence_is_neither_life_nor_silence() -> None:
    gone = f"{ROOT}/migrated"
    before = memories("w1", "w2", files={DISK: file_state(), gone: file_state()})
    moving = seen_by_both(readings=(reading(), reading(gone, mtime_ns=MTIME_NS + 1)))
    assert judged(moving, before=before).verdict is Verdict.DEAD


def test_a_disk_list_that_could_not_be_read_is_never_dead() -> None:
    judgement = judged(facts(disks=disk_list(known=False)))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reasons == (Reason.DISKS_UNKNOWN,)


def test_disks_no_neighbor_can_see_hold() -> None:
    local = facts(disks=disk_list(uncheckable=("db-1",)))
    judgement = judged(local)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reasons == (Reason.UNCHECKABLE_DISKS,)
    assert judged(local, under=policy(accept_uncheckable_disks=True)).verdict is Verdict.DEAD


# -- the cloud's own heartbeat file -----------------------------------------------------------------------------------

CLOUD_FILE = f"{ROOT}/KVMHA/hb-10.0.0.1"


def with_cloud_file(*, mtime_ns: int | None) -> Verdict:
    seen = unread(CLOUD_FILE) if mtime_ns is None else reading(CLOUD_FILE, mtime_ns=mtime_ns)
    before = memories("w1", "w2", files={DISK: file_state(), CLOUD_FILE: file_state()})
    return judged(
        facts(*seen_by_both(readings=(reading(), seen)), disks=disk_list(cloud_heartbeats=(CLOUD_FILE,))),
        before=before,
    ).verdict


def test_the_clouds_own_heartbeat_file_is_life_when_it_moves_and_nothing_when_it_does_not() -> None:
    assert with_cloud_file(mtime_ns=MTIME_NS + 1) is Verdict.ALIVE
    assert with_cloud_file(mtime_ns=MTIME_NS) is Verdict.DEAD
    assert with_cloud_file(mtime_ns=None) is Verdict.DEAD


def test_the_first_sight_of_the_clouds_heartbeat_file_is_nothing() -> None:
    seen = seen_by_both(readings=(reading(), reading(CLOUD_FILE, mtime_ns=MTIME_NS + 1)))
    judgement = judged(facts(*seen, disks=disk_list(cloud_heartbeats=(CLOUD_FILE,))))
    assert judgement.verdict is Verdict.DEAD


# -- the host's heartbeat ---------------------------------------------------------------------------------------------


def with_subject(subject: object, *, before: dict[str, Memory] | None = None, under: Policy | None = None) -> Judgement:
    return judged(seen_by_both(pools=(pool_view(subject=subject),)), before=before, under=under)


@pytest.mark.parametrize(
    "moving",
    [{"counter": COUNTER + 1}, {"counter": COUNTER - 3}, {"boot_id": "next boot", "counter": COUNTER}],
    ids=["on", "back", "another-boot"],
)
def test_any_difference_of_the_heartbeat_is_life(moving: dict[str, object]) -> None:
    judgement = with_subject(beat(**moving))
    assert judgement.verdict is Verdict.ALIVE
    assert judgement.reasons == (Reason.AGENT_ONLY, Reason.HEARTBEAT_MOVES)


def test_a_moving_heartbeat_is_life_although_its_sample_is_old() -> None:
    assert with_subject(beat(counter=COUNTER + 1, sampled_age=500.0)).verdict is Verdict.ALIVE


def test_a_moving_heartbeat_is_life_although_the_pool_can_not_be_read_any_more() -> None:
    stuck = pool_view(code=ReadingCode.MOUNT_STUCK, subject=beat(counter=COUNTER + 1))
    assert judged([report("w1"), report("w2"), report("w3", pools=(stuck,))]).verdict is Verdict.ALIVE


def test_a_heartbeat_on_a_pool_that_holds_no_disk_is_life_too() -> None:
    before = memories("w1", "w2", beats={ROOT: (SUBJECT_BOOT, COUNTER), OTHER_ROOT: (SUBJECT_BOOT, 3)})
    moving = pool_view(OTHER_ROOT, subject=beat(counter=4))
    judgement = judged(seen_by_both(pools=(pool_view(), moving)), before=before)
    assert judgement.verdict is Verdict.ALIVE
    still = pool_view(OTHER_ROOT, subject=beat(counter=3))
    assert judged(seen_by_both(pools=(pool_view(), still)), before=before).verdict is Verdict.DEAD


def test_what_was_last_good_beside_unknown_is_not_life() -> None:
    """An agent that cannot read a heartbeat tells what it read last; that may be news, but it is no look."""
    judgement = with_subject(replace(unknown_beat(), counter=COUNTER + 1))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.memory["w1"].beats == {ROOT: (SUBJECT_BOOT, COUNTER)}


def test_an_orderly_stop_is_neither_life_nor_death() -> None:
    judgement = with_subject(beat(counter=COUNTER + 1, withdrawn=True))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.HEARTBEAT_WITHDRAWN in judgement.reasons


@pytest.mark.parametrize("required", [True, False])
def test_silence_after_a_withdrawn_heartbeat_stays_unknown(required: bool) -> None:  # noqa: FBT001
    judgement = with_subject(beat(withdrawn=True), under=policy(require_heartbeat=required))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.HEARTBEAT_WITHDRAWN in judgement.reasons


@pytest.mark.parametrize("required", [True, False])
def test_the_silence_of_a_record_that_two_hosts_wrote_is_nobodys(required: bool) -> None:  # noqa: FBT001
    judgement = with_subject(beat(disputed=True), under=policy(require_heartbeat=required))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.HEARTBEAT_DISPUTED in judgement.reasons
    assert with_subject(beat(disputed=True, counter=COUNTER + 1)).verdict is Verdict.ALIVE


def test_a_heartbeat_withdrawn_by_another_boot_shows_that_the_host_came_back_meanwhile() -> None:
    assert with_subject(beat(boot_id="next boot", withdrawn=True)).verdict is Verdict.ALIVE


@pytest.mark.parametrize("age", [None, 90.5], ids=["never", "too-long-before"])
def test_a_heartbeat_that_was_not_moving_shortly_before_the_disconnect_makes_no_silence(age: float | None) -> None:
    judgement = with_subject(beat(moved_age=age))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.NO_HEARTBEAT in judgement.reasons


def test_a_heartbeat_that_moved_a_minute_before_the_disconnect_is_good_enough() -> None:
    assert with_subject(beat(moved_age=90.0)).verdict is Verdict.DEAD


def test_a_disconnect_still_to_come_is_taken_for_now() -> None:
    silent = facts(*seen_by_both(pools=(pool_view(subject=beat(moved_age=60.0)),)))
    assert judged(silent, disconnect_at=at(3600)).verdict is Verdict.DEAD
    older = facts(*seen_by_both(pools=(pool_view(subject=beat(moved_age=61.0)),)))
    assert judged(older, disconnect_at=at(3600)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("absent", [None, unknown_beat(ReadingCode.MISSING)], ids=["never-seen", "file-missing"])
def test_without_a_heartbeat_disk_silence_is_dead_only_if_the_policy_takes_that_risk(absent: object) -> None:
    before = memories("w1", "w2", beats={})
    judgement = with_subject(absent, before=before)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.NO_HEARTBEAT in judgement.reasons
    assert with_subject(absent, before=before, under=policy(require_heartbeat=False)).verdict is Verdict.DEAD


@pytest.mark.parametrize("absent", [None, unknown_beat(ReadingCode.MISSING)], ids=["not-told", "file-missing"])
def test_a_heartbeat_that_was_there_and_is_gone_is_unknown_even_without_the_requirement(absent: object) -> None:
    judgement = with_subject(absent, under=policy(require_heartbeat=False))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.STORAGE_UNREADABLE in judgement.reasons


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(
    "doubtful",
    [unknown_beat(ReadingCode.IO_ERROR), beat(sampled_age=None), beat(sampled_age=15.5)],
    ids=["unreadable", "never-sampled", "old-sample"],
)
def test_a_heartbeat_that_was_not_read_lately_is_unknown(doubtful: object, required: bool) -> None:  # noqa: FBT001
    judgement = with_subject(doubtful, under=policy(require_heartbeat=required))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.STORAGE_UNREADABLE in judgement.reasons


def test_a_heartbeat_without_an_earlier_reading_is_a_baseline() -> None:
    judgement = with_subject(beat(), before=memories("w1", "w2", beats={}))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.NO_BASELINE in judgement.reasons


# -- positive control -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "own",
    [
        None,
        own_beat(known=False, code=ReadingCode.FOREIGN),
        own_beat(counter=OWN_COUNTER),
        own_beat(sampled_age=15.5),
        own_beat(sampled_age=None),
    ],
    ids=["none", "unknown", "stands-still", "old-sample", "never-sampled"],
)
def test_silence_counts_only_where_the_witness_saw_its_own_heartbeat_move(own: object) -> None:
    judgement = judged(seen_by_both(pools=(pool_view(own=own),)))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.NO_POSITIVE_CONTROL in judgement.reasons


def test_a_witness_that_did_not_know_its_own_heartbeat_before_has_no_control() -> None:
    judgement = judged([report("w1"), report("w2")], before=memories("w1", "w2", own_beats={}))
    assert Reason.NO_POSITIVE_CONTROL in judgement.reasons


def test_the_control_must_hold_in_the_very_interval_that_is_judged() -> None:
    """The own heartbeat may have moved before the files were read last, and not since."""
    lost = [replace(r, pools=(pool_view(own=own_beat(known=False)),)) for r in (report("w1"), report("w2"))]
    between = judged(lost)
    after = judged([report("w1"), report("w2")], before=between.memory)
    assert after.verdict is Verdict.INCONCLUSIVE
    assert Reason.NO_POSITIVE_CONTROL in after.reasons


@pytest.mark.parametrize("code", list(ReadingCode))
def test_a_pool_that_could_not_be_looked_at_is_unknown(code: ReadingCode) -> None:
    judgement = judged(seen_by_both(pools=(pool_view(code=code, detail="stuck"),)))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.STORAGE_UNREADABLE in judgement.reasons
    assert judgement.findings[0].detail == "stuck"


def test_a_pool_that_was_left_out_of_the_answer_is_unknown() -> None:
    judgement = judged(seen_by_both(pools=()))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.STORAGE_UNREADABLE in judgement.reasons


# -- which pools ------------------------------------------------------------------------------------------------------


def test_every_pool_that_holds_a_disk_must_be_covered() -> None:
    other = f"{OTHER_ROOT}/d2"
    both = disk_list(DISK, other)
    judgement = judged(facts(disks=both))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.POOL_NOT_COVERED in judgement.reasons


def test_a_report_names_the_pools_it_found_conclusively_silent_and_no_others() -> None:
    other = f"{OTHER_ROOT}/d2"
    half = report("w1", pools=(pool_view(), pool_view(OTHER_ROOT)), readings=(reading(), unread(other)))
    [finding] = judged(facts(half, disks=disk_list(DISK, other))).findings
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.covers == (ROOT,)


def test_a_host_without_disks_is_judged_by_its_heartbeat_on_all_checkable_pools() -> None:
    empty = disk_list(targets=(), machines=(), pool_roots=(ROOT,))
    assert judged(facts(disks=empty)).verdict is Verdict.DEAD
    two = replace(empty, pool_roots=(ROOT, OTHER_ROOT))
    assert judged(facts(disks=two)).verdict is Verdict.INCONCLUSIVE


def test_where_there_is_no_pool_to_look_at_nothing_is_dead() -> None:
    nothing = disk_list(targets=(), machines=(), pool_roots=())
    judgement = judged(facts(disks=nothing), under=policy(require_heartbeat=False))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.POOL_NOT_COVERED in judgement.reasons


def test_two_disks_on_one_path_prefix_belong_to_their_own_pools() -> None:
    assert disk_list(DISK, f"{OTHER_ROOT}/d2").roots_in_question == (ROOT, OTHER_ROOT)
    assert target(DISK).pool_root == ROOT


# -- memory -----------------------------------------------------------------------------------------------------------


def test_what_was_not_read_stays_as_it_was_remembered() -> None:
    after = remember(memories("w1"), (report("w1", readings=(unread(),), pools=(pool_view(subject=unknown_beat()),)),))
    assert after["w1"].files == {DISK: file_state()}
    assert after["w1"].beats == {ROOT: (SUBJECT_BOOT, COUNTER)}


def test_a_witness_that_did_not_answer_changes_nothing() -> None:
    before = memories("w1")
    assert remember(before, (report("w1", failure=Reason.WITNESS_SILENT),)) == before


def test_what_was_read_replaces_what_was_remembered_for_that_witness_only() -> None:
    written = file_state(mtime_ns=MTIME_NS + 1)
    after = remember(memories("w1", "w2"), (report("w1", readings=(reading(mtime_ns=MTIME_NS + 1),)),))
    assert after["w1"] == memory(files={DISK: written}, own_beats={ROOT: (WITNESS_BOOT, OWN_COUNTER + 1)})
    assert after["w2"] == memory()


def test_a_disk_written_while_one_round_failed_is_seen_in_the_next() -> None:
    kept = judged(seen_by_both(readings=(unread(),)))
    judgement = judged(seen_by_both(readings=(reading(mtime_ns=MTIME_NS + 1),)), before=kept.memory)
    assert judgement.verdict is Verdict.ALIVE


def test_the_boot_id_told_is_that_of_the_heartbeat_that_moved_last_in_any_order() -> None:
    old = report("w1", pools=(pool_view(subject=beat(boot_id="old", moved_age=None)),))
    new = report("w2", pools=(pool_view(subject=beat(boot_id="new", moved_age=9.0)),))
    none = report("w3", pools=(pool_view(subject=None), pool_view(OTHER_ROOT, subject=unknown_beat())))
    for order in ([old, new, none], [none, new, old]):
        assert judged(order).subject_boot_id == "new"
    assert judged([none]).subject_boot_id == ""


# -- the request's own comparison -------------------------------------------------------------------------------------


def test_the_comparison_with_the_disconnect_is_made_on_the_storage_servers_clock_alone() -> None:
    wrong_by_an_hour = 3600 * 10**9
    own = file_state(mtime_ns=MTIME_NS + wrong_by_an_hour)
    fresh = file_state(mtime_ns=own.mtime_ns - 5 * 10**9)
    old = file_state(mtime_ns=own.mtime_ns - 60 * 10**9)
    assert written_since_disconnect(fresh, own, since_disconnect=30, slack=10)
    assert not written_since_disconnect(old, own, since_disconnect=30, slack=10)
    edge = file_state(mtime_ns=own.mtime_ns - 20 * 10**9)
    assert not written_since_disconnect(edge, own, since_disconnect=30, slack=10)


def test_moved_means_different_not_greater() -> None:
    assert not moved(file_state(), file_state())
    assert moved(file_state(), file_state(mtime_ns=MTIME_NS - 1))
    assert not moved(file_state(), file_state(inode=99))
