"""What a controller keeps outside of the database outlives it, is never half written, and stops nobody."""

import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog

from controller.db.keepsake import FILE, FileKeepsake
from controller.domain.restored import Remembered
from tests.fakes.clock import START

KEPT = Remembered(database_id="db1", controller_id="ctl1", alive_at=START)


async def test_the_next_process_remembers(tmp_path: Path) -> None:
    assert await FileKeepsake(tmp_path).recall() is None
    await FileKeepsake(tmp_path / "made").keep(KEPT)
    later = replace(KEPT, alive_at=START + timedelta(microseconds=7))
    await FileKeepsake(tmp_path / "made").keep(later)
    assert await FileKeepsake(tmp_path / "made").recall() == later
    assert [path.name for path in (tmp_path / "made").iterdir()] == [FILE]


async def test_a_process_believes_itself_rather_than_a_file_that_another_wrote(tmp_path: Path) -> None:
    mine = FileKeepsake(tmp_path)
    await mine.keep(KEPT)
    await FileKeepsake(tmp_path).keep(replace(KEPT, controller_id="ctl2"))
    assert await mine.recall() == KEPT


async def test_a_spoilt_file_is_no_memory(tmp_path: Path) -> None:
    for spoilt in ("", "{", "[]", '{"database_id": "db1"}', '{"database_id": 1, "controller_id": 2, "alive_at": "x"}'):
        (tmp_path / FILE).write_text(spoilt)
        with structlog.testing.capture_logs() as logs:
            assert await FileKeepsake(tmp_path).recall() is None
        assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_a_folder_that_takes_no_files_costs_the_memory_over_restarts_and_says_so_once(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    keepsake = FileKeepsake(tmp_path / "in the way")
    with structlog.testing.capture_logs() as logs:
        await keepsake.keep(KEPT)
        await keepsake.keep(KEPT)
    assert await keepsake.recall() == KEPT
    assert len(logs) == 1
    assert "HOSTFENCE_DATA_DIR" in str(logs[0]["event"])


async def test_it_gives_away_nothing_and_is_readable(tmp_path: Path) -> None:
    """No secret stands in it: an operator may look, and copy it."""
    await FileKeepsake(tmp_path).keep(KEPT)
    assert stat.S_ISREG((tmp_path / FILE).stat().st_mode)
    assert "db1" in (tmp_path / FILE).read_text()
