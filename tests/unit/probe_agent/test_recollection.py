"""A witness that was restarted still knows what it saw; what it cannot read, it never knew."""

from pathlib import Path

import pytest

from probe_agent.recollection import Recollection
from probe_agent.sampling import Sample
from probe_agent.tracker import PoolTrack
from shared.enums import ReadingCode, ReadingStatus

OTHER = "other-host"
ROOT = "/mnt/p"


def a_pool(**fields: object) -> PoolTrack:
    pool = PoolTrack(ROOT, "own-host", "boot-own", stale_after_s=8.0)
    for name, value in fields.items():
        setattr(pool, name, value)
    return pool


def look(pool: PoolTrack, at: float, counter: int, boot_id: str = "boot-1") -> None:
    pool.add([Sample(OTHER, at, None, "", boot_id, counter)])


def restarted(folder: Path) -> PoolTrack:
    return a_pool(tracks=Recollection(folder).recall().get(ROOT, {}))


def a_kept_pool(folder: Path) -> PoolTrack:
    pool = a_pool()
    look(pool, 100.0, 1)
    look(pool, 102.0, 2)
    Recollection(folder).keep([pool])
    return pool


def test_a_heartbeat_that_did_not_move_meanwhile_is_as_old_as_it_was_seen(tmp_path: Path) -> None:
    a_kept_pool(tmp_path)
    again = restarted(tmp_path)
    look(again, 110.0, 2)
    sight = again.sight(now=111.0).others[OTHER]
    assert (sight.status, sight.moved_age_s, sight.watched_for_s) == (ReadingStatus.OK, 9.0, 11.0)


def test_what_was_kept_is_no_look_of_now(tmp_path: Path) -> None:
    a_kept_pool(tmp_path)
    again = restarted(tmp_path)
    assert again.sight(now=103.0).others[OTHER].status is ReadingStatus.UNKNOWN, "the pool was not looked at yet"
    again.add([])
    assert again.sight(now=111.0).others[OTHER].code is ReadingCode.TIMED_OUT


def test_a_movement_during_the_restart_is_not_younger_than_the_last_look_before_it(tmp_path: Path) -> None:
    a_kept_pool(tmp_path)
    again = restarted(tmp_path)
    look(again, 700.0, 3)
    assert again.sight(now=701.0).others[OTHER].moved_age_s == 599.0


def test_a_dispute_outlives_a_restart(tmp_path: Path) -> None:
    pool = a_pool()
    for at, boot in [(100.0, "A"), (102.0, "B"), (104.0, "A")]:
        look(pool, at, 1, boot)
    Recollection(tmp_path).keep([pool])
    again = restarted(tmp_path)
    look(again, 106.0, 1, "A")
    assert again.sight(now=106.0).others[OTHER].disputed


def test_a_record_that_could_never_be_read_is_not_kept(tmp_path: Path) -> None:
    pool = a_pool()
    pool.add([Sample(OTHER, 100.0, ReadingCode.MALFORMED, "torn")])
    Recollection(tmp_path).keep([pool])
    assert Recollection(tmp_path).recall() == {ROOT: {}}


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda text: text[:-20],
        lambda text: text.replace('"format":1', '"format":2'),
        lambda text: text.replace('"boot":"', '"boot":"earlier-'),
        lambda text: text.replace("102.0", '"x"'),
        lambda _: '{"format":1}',
        lambda _: "[]",
        lambda _: "\0",
    ],
    ids=["empty", "torn", "another-format", "another-boot", "wrong-kind", "half", "list", "nul"],
)
def test_anything_but_what_this_boot_kept_is_nothing(tmp_path: Path, damage: object) -> None:
    a_kept_pool(tmp_path)
    (file,) = tmp_path.iterdir()
    assert callable(damage)
    file.write_text(damage(file.read_text()))
    assert Recollection(tmp_path).recall() == {}


def test_a_folder_that_cannot_be_written_is_said_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recollection = Recollection(tmp_path / "none")
    for _ in range(3):
        recollection.keep([a_pool()])
    assert len(caplog.records) == 1
    assert recollection.recall() == {}


def test_without_a_folder_nothing_is_kept() -> None:
    Recollection(None).keep([a_pool()])
    assert Recollection(None).recall() == {}
