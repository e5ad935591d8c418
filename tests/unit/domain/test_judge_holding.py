"""Storage that tells who holds what (`rbd`): a watcher is life, none is silence, everything else is unknown."""

from dataclasses import replace

import pytest

from controller.domain.evidence import DiskTarget, FileState, Judgement, Memory, Reading, Report, Verdict
from controller.domain.policy import Policy
from controller.domain.reasons import Reason
from shared.enums import ReadingCode
from tests.fixtures.evidence import (
    disk_list,
    facts,
    file_state,
    judged,
    memory,
    own_beat,
    policy,
    pool_view,
    reading,
    report,
    unknown_beat,
    unread,
)

POOL = "rbd:vms"
IMAGE, OTHER = f"{POOL}/disk-1", f"{POOL}/disk-2"
HELD = Reading(path=IMAGE, state=None, held=True)
KNOWN = Memory(files={IMAGE: file_state(), OTHER: file_state()}, held=frozenset({IMAGE, OTHER}))


def judged_images(
    *readings: Reading,
    before: Memory = KNOWN,
    under: Policy | None = None,
    says: Report | None = None,
) -> Judgement:
    """Two witnesses that both saw this of the host's image; no folder takes heartbeats unless `says` has one."""
    base = says or report(pools=())
    reports = [replace(base, witness_id=w, readings=readings) for w in ("w1", "w2")]
    paths = dict.fromkeys([IMAGE, *(r.path for r in readings)])
    targets = tuple(DiskTarget(vm_id="v1", vm_name="web-1", path=path, pool_root=POOL) for path in paths)
    seen = replace(facts(*reports), disks=disk_list(targets=targets, pool_roots=()))
    return judged(seen, before={"w1": before, "w2": before}, under=under)


def test_an_image_that_the_host_holds_is_life_at_the_first_look() -> None:
    judgement = judged_images(HELD, before=Memory())
    assert judgement.verdict is Verdict.ALIVE
    assert Reason.DISKS_MOVE in judgement.reasons
    assert judgement.memory["w1"].held == {IMAGE}


def test_one_held_image_of_many_is_life() -> None:
    assert judged_images(reading(OTHER), HELD).verdict is Verdict.ALIVE


def test_an_image_that_was_held_and_is_held_no_more_is_dead_once_it_was_read_twice() -> None:
    first = judged_images(reading(IMAGE), before=Memory(held=frozenset({IMAGE})))
    assert (first.verdict, Reason.NO_BASELINE in first.reasons) == (Verdict.INCONCLUSIVE, True)
    assert first.memory["w1"].held == {IMAGE}, "what was seen once stays known"
    assert judged_images(reading(IMAGE), before=first.memory["w1"]).verdict is Verdict.DEAD


@pytest.mark.parametrize("code", ReadingCode)
def test_an_image_that_could_not_be_read_is_unknown_whatever_the_cause(code: ReadingCode) -> None:
    judgement = judged_images(reading(OTHER), unread(IMAGE, code))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert Reason.STORAGE_UNREADABLE in judgement.reasons


def test_an_image_that_was_not_answered_is_unknown() -> None:
    assert judged_images().verdict is Verdict.INCONCLUSIVE


def test_a_pool_of_images_in_question_that_holds_no_disk_is_never_covered() -> None:
    seen = replace(facts(report(pools=(), readings=())), disks=disk_list(targets=(), pool_roots=(POOL,)))
    judgement = judged(seen, before={"w1": KNOWN}, under=policy(witnesses_required=1))
    assert judgement.verdict is Verdict.INCONCLUSIVE


def test_a_write_by_nobody_that_is_known_is_life() -> None:
    judgement = judged_images(Reading(path=IMAGE, state=replace(file_state(), mtime_ns=1)))
    assert judgement.verdict is Verdict.ALIVE


def test_another_image_under_the_same_name_is_unknown_once() -> None:
    other: FileState = replace(file_state(), inode=12)
    judgement = judged_images(Reading(path=IMAGE, state=other))
    assert (judgement.verdict, Reason.INODE_CHANGED in judgement.reasons) == (Verdict.INCONCLUSIVE, True)


def test_two_witnesses_that_see_different_images_under_one_name_ask_different_clusters() -> None:
    here, there = reading(IMAGE), Reading(path=IMAGE, state=replace(file_state(), inode=12))
    reports = [report("w1", pools=(), readings=(here,)), report("w2", pools=(), readings=(there,))]
    disks = disk_list(targets=(DiskTarget(vm_id="v1", vm_name="web-1", path=IMAGE, pool_root=POOL),), pool_roots=())
    before = {"w1": KNOWN, "w2": replace(KNOWN, files={IMAGE: replace(file_state(), inode=12)})}
    for required in (1, 2):
        under = policy(witnesses_required=required)
        judgement = judged(replace(facts(*reports), disks=disks), before=before, under=under)
        assert judgement.verdict is Verdict.INCONCLUSIVE
        assert judgement.reasons == (Reason.INODE_CHANGED,)


def test_a_host_that_was_never_seen_holding_the_image_makes_no_silence() -> None:
    judgement = judged_images(reading(IMAGE), before=replace(KNOWN, held=frozenset({OTHER})))
    assert (judgement.verdict, Reason.NO_HEARTBEAT in judgement.reasons) == (Verdict.INCONCLUSIVE, True)


def test_but_does_where_the_policy_takes_that_risk() -> None:
    never = replace(KNOWN, held=frozenset())
    assert judged_images(reading(IMAGE), before=never, under=policy(require_heartbeat=False)).verdict is Verdict.DEAD


def test_or_where_its_heartbeat_on_a_folder_stopped_as_a_dead_hosts_does() -> None:
    before = replace(memory(), files=KNOWN.files)
    assert judged_images(reading(IMAGE), before=before, says=report()).verdict is Verdict.DEAD


@pytest.mark.parametrize(
    "pool",
    [
        pool_view(code=ReadingCode.MOUNT_STUCK),
        pool_view(own=own_beat(counter=40)),
        pool_view(subject=None),
        pool_view(subject=unknown_beat()),
    ],
    ids=["pool stuck", "no positive control", "no heartbeat", "heartbeat not read"],
)
def test_a_heartbeat_on_a_folder_that_tells_nothing_does_not_help(pool: object) -> None:
    before = replace(memory(), files=KNOWN.files)
    assert judged_images(reading(IMAGE), before=before, says=report(pools=(pool,))).verdict is Verdict.INCONCLUSIVE


def test_a_heartbeat_on_a_folder_that_moves_is_life_although_no_image_is_held() -> None:
    moved = replace(memory(), files=KNOWN.files, beats={"/mnt/p1": ("boot-of-h1", 699)})
    assert judged_images(reading(IMAGE), before=moved, says=report()).verdict is Verdict.ALIVE
