"""Rules 3 and 12: ages come from the watcher's own clock, and a failed look is never silence."""

from typing import Any

import pytest

from probe_agent.pools import SeenNothingError
from probe_agent.sampling import Sample
from probe_agent.tracker import DISPUTED_FOR_S, FORGET_AFTER_S, PoolTrack
from shared.enums import ReadingCode, ReadingStatus
from shared.protocol import HeartbeatSight

OWN, OTHER = "own-host", "other-host"


def a_sample(at: float, counter: int = 1, *, name: str = OTHER, **fields: Any) -> Sample:
    sample = Sample(name, at, None, "", "boot-1", counter)
    return sample._replace(**fields)


class Watch:
    def __init__(self) -> None:
        self.pool = PoolTrack("/mnt/p", OWN, "boot-own", stale_after_s=8.0)

    def see(self, *samples: Sample) -> None:
        self.pool.add(samples)

    def sight(self, now: float) -> HeartbeatSight:
        return self.pool.sight(now=now).others[OTHER]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_the_first_sight_of_a_record_is_no_movement(watch: Watch) -> None:
    watch.see(a_sample(100.0))
    sight = watch.sight(101.0)
    assert sight.status is ReadingStatus.OK
    assert (sight.moved_age_s, sight.sampled_age_s, sight.watched_for_s) == (None, 1.0, 1.0)


@pytest.mark.parametrize(
    "changed",
    [{"counter": 2}, {"counter": 0}, {"boot_id": "boot-2"}, {"withdrawn": True}],
)
def test_any_difference_is_movement(watch: Watch, changed: dict[str, Any]) -> None:
    watch.see(a_sample(100.0))
    watch.see(a_sample(102.0)._replace(**changed))
    assert watch.sight(103.0).moved_age_s == 1.0


def test_an_unmoved_record_grows_old_while_it_is_sampled(watch: Watch) -> None:
    for at, counter in [(100.0, 1), (102.0, 2), (104.0, 2), (106.0, 2)]:
        watch.see(a_sample(at, counter))
    sight = watch.sight(107.0)
    assert (sight.moved_age_s, sight.sampled_age_s) == (5.0, 1.0)


def test_a_failed_look_is_unknown_and_changes_no_age(watch: Watch) -> None:
    watch.see(a_sample(100.0, 1))
    watch.see(a_sample(102.0, 2))
    watch.see(Sample(OTHER, 104.0, ReadingCode.MALFORMED, "torn"))
    sight = watch.sight(105.0)
    assert (sight.status, sight.code) == (ReadingStatus.UNKNOWN, ReadingCode.MALFORMED)
    assert (sight.moved_age_s, sight.sampled_age_s, sight.counter) == (3.0, 3.0, 2)


def test_movement_across_a_failed_look_is_seen(watch: Watch) -> None:
    watch.see(a_sample(100.0, 1))
    watch.see(Sample(OTHER, 102.0, ReadingCode.IO_ERROR))
    watch.see(a_sample(104.0, 2))
    assert watch.sight(104.0).moved_age_s == 0.0


def test_a_pool_that_fails_makes_all_its_heartbeats_unknown(watch: Watch) -> None:
    watch.see(a_sample(100.0), a_sample(100.0, name=OWN, boot_id="boot-own"))
    watch.pool.fail(SeenNothingError(ReadingCode.MOUNT_STUCK, "stuck"))
    seen = watch.pool.sight(now=101.0)
    assert seen.own is not None
    codes = {seen.code, seen.own.code, seen.others[OTHER].code}
    assert codes == {ReadingCode.MOUNT_STUCK}
    assert seen.own.status is ReadingStatus.UNKNOWN


def test_a_watch_that_stopped_looking_does_not_claim_to_know(watch: Watch) -> None:
    watch.see(a_sample(100.0))
    assert watch.sight(107.9).status is ReadingStatus.OK
    assert watch.sight(108.1).code is ReadingCode.TIMED_OUT


def test_before_the_first_look_nothing_is_known(watch: Watch) -> None:
    seen = watch.pool.sight(now=1.0)
    assert (seen.status, seen.own, seen.others) == (ReadingStatus.UNKNOWN, None, {})


def test_the_own_record_of_another_boot_is_no_positive_control(watch: Watch) -> None:
    watch.see(a_sample(100.0, name=OWN))
    own = watch.pool.sight(now=101.0).own
    assert own is not None
    assert own.code is ReadingCode.FOREIGN


def test_only_the_subject_is_told_when_asked_for(watch: Watch) -> None:
    watch.see(a_sample(100.0), a_sample(100.0, name="third-host"))
    assert list(watch.pool.sight(now=100.0, only=OTHER).others) == [OTHER]
    assert watch.pool.sight(now=100.0, only="nobody").others == {}


def test_a_missing_record_is_unknown_first_and_forgotten_much_later(watch: Watch) -> None:
    watch.see(a_sample(100.0))
    watch.see(Sample(OTHER, 102.0, ReadingCode.MISSING))
    assert watch.sight(103.0).code is ReadingCode.MISSING
    watch.see(Sample(OTHER, 101.0 + FORGET_AFTER_S, ReadingCode.MISSING))
    assert watch.pool.sight(now=5000.0).others == {}


def test_known_records_are_looked_at_by_name_the_own_one_first(watch: Watch) -> None:
    assert watch.pool.known == [OWN]
    watch.see(a_sample(1.0), a_sample(1.0, name=OWN))
    assert watch.pool.known == [OWN, OTHER]


# -- when nobody looked


def test_a_movement_that_nobody_saw_happen_is_as_old_as_the_look_before(watch: Watch) -> None:
    """A pool hung for an hour: this heartbeat may have stopped in its first minute."""
    watch.see(a_sample(100.0, 1))
    watch.see(a_sample(102.0, 2))
    watch.see(a_sample(3702.0, 3))
    assert watch.sight(3703.0).moved_age_s == 3601.0
    watch.see(a_sample(3704.0, 4))
    assert watch.sight(3705.0).moved_age_s == 1.0


# -- two hosts with one id


def test_a_boot_that_comes_back_after_another_one_says_that_two_hosts_write(watch: Watch) -> None:
    watch.see(a_sample(100.0, 1, boot_id="A"))
    watch.see(a_sample(102.0, 9, boot_id="B"))
    assert not watch.sight(102.0).disputed, "so far it is a reboot"
    watch.see(a_sample(104.0, 2, boot_id="A"))
    sight = watch.sight(105.0)
    assert sight.disputed
    assert (sight.status, sight.moved_age_s) == (ReadingStatus.OK, 1.0)  # one of them lives


def test_silence_does_not_settle_a_dispute(watch: Watch) -> None:
    for at, boot in [(100.0, "A"), (102.0, "B"), (104.0, "A")]:
        watch.see(a_sample(at, boot_id=boot))
    for at in range(106, 106 + int(2 * DISPUTED_FOR_S), 2):
        watch.see(a_sample(float(at), boot_id="A"))
    assert watch.sight(500.0).disputed


def test_a_dispute_is_over_when_one_host_alone_has_written_for_a_while(watch: Watch) -> None:
    for at, boot in [(100.0, "A"), (102.0, "B"), (104.0, "A")]:
        watch.see(a_sample(at, boot_id=boot))
    last = int(DISPUTED_FOR_S) // 2
    for beat in range(last + 1):
        assert watch.sight(0.0).disputed
        watch.see(a_sample(104.0 + 2 * beat, beat + 2, boot_id="A"))
    assert not watch.sight(0.0).disputed
    watch.see(a_sample(1000.0, 1, boot_id="B"))
    assert watch.sight(0.0).disputed, "and there it is again"


def test_reboots_one_after_the_other_are_no_dispute(watch: Watch) -> None:
    for number in range(20):
        watch.see(a_sample(100.0 + 2 * number, boot_id=f"boot-{number}"))
        assert not watch.sight(0.0).disputed
