"""What a child passes on of its looks is, as JSON, what it would have said itself."""

import json
import os
import time
from pathlib import Path

import pytest

from probe_agent.fragments import fragment, json_of
from probe_agent.frames import pack, unpack
from probe_agent.kernel import STAT, WANTED
from probe_agent.prepare import prepare_pool
from probe_agent.probes.file import FileProbe
from probe_agent.probes.looks import Looks
from shared.enums import ReadingCode, ReadingMethod
from shared.protocol import FileReading


def passed_on(targets: list[str], looks: Looks) -> list[FileReading]:
    header, body = unpack(pack({"id": 1, **looks.header()}, looks.body())[4:])
    return [FileReading.model_validate_json(line) for line in json_of(targets, header, body)]


@pytest.mark.parametrize("use_statx", [True, False])
def test_readings_and_what_is_passed_on_say_the_same(tmp_path: Path, *, use_statx: bool) -> None:
    prepare_pool(str(tmp_path), uid=os.getuid(), plain_folders=True)
    disk, folder, fifo, link = (tmp_path / name for name in ('a "disk" é', "folder", "fifo", "link"))
    disk.write_bytes(b"x" * 5000)
    os.utime(disk, ns=(1, -1_500_000_001))  # before 1970
    folder.mkdir()
    os.mkfifo(fifo)
    link.symlink_to(disk)
    targets = [str(path) for path in (disk, tmp_path / "none", folder, fifo, link, link / "x", disk)]
    looks = FileProbe(use_statx=use_statx).look(str(tmp_path), targets, until=time.monotonic() + 60, plain_folders=True)
    found = passed_on(targets, looks)
    said = [FileReading.model_validate_json(fragment(*pair)) for pair in zip(targets, looks.readings(), strict=True)]
    took = [reading.took_s for reading in found]
    assert took == pytest.approx([reading.took_s for reading in said], abs=1e-6)
    assert [reading.model_copy(update={"took_s": 0}) for reading in found] == [
        reading.model_copy(update={"took_s": 0}) for reading in said
    ]
    assert [reading.code for reading in found] == [
        None,
        ReadingCode.MISSING,
        *[ReadingCode.NOT_A_REGULAR_FILE] * 3,
        found[5].code,
        None,
    ]
    assert found[5].code is not None
    assert found[0].mtime_ns == disk.stat().st_mtime_ns
    assert found[0].size == 5000


def test_a_field_that_was_kept_back_makes_it_unknown() -> None:
    looks = Looks(ReadingMethod.STATX_FORCE_SYNC)
    for mask in (WANTED, WANTED & ~0x40):
        looks.seen.append(STAT.pack(mask, 0o100644, *[1] * 9))
        looks.took_ns.append(5)
    assert [reading.code for reading in passed_on(["/a", "/b"], looks)] == [None, ReadingCode.OTHER]
    assert [reading.code for reading in looks.readings()] == [None, ReadingCode.OTHER]


def test_an_answer_about_other_targets_is_none() -> None:
    looks = Looks(ReadingMethod.STATX_FORCE_SYNC)
    looks.fail(ReadingCode.MISSING, "gone")
    header = json.loads(json.dumps(looks.header()))
    for targets, body in ((["/a", "/b"], looks.body()), (["/a"], looks.body()[:-1]), (["/a"], b"")):
        with pytest.raises(ValueError, match=r"other targets|multiple"):
            json_of(targets, header, body)
