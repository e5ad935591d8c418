"""The written contract of storage probes (docs/storage-probes.md), on each: `file`, `rbd` and the docs' example.

`rbd` replays what a real Ceph said; `make test-ceph` asks a real one.
"""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from probe_agent import plugins
from probe_agent.fragments import fragment
from probe_agent.probes.base import Reading, StorageProbe
from probe_agent.probes.file import FileProbe
from probe_agent.probes.rbd import RbdProbe
from probe_agent.records import FOLDER
from shared.enums import ReadingCode, ReadingStatus
from shared.protocol import FileReading
from tests.fixtures.replayed_rbd import ReplayedRbd, info_with

DOCS = Path(__file__).parents[2] / "docs" / "storage-probes.md"


class Rig(Protocol):
    """Some storage, and the probe that looks at it."""

    probe: StorageProbe
    root: str
    bad_names: Sequence[str]

    def target(self, name: str) -> str: ...
    def make(self, name: str) -> None: ...
    def write(self, name: str) -> None: ...
    def remove(self, name: str) -> None: ...


class FileRig:
    bad_names = ("a-folder", "a-link", "no-folder/x")

    def __init__(self, folder: Path) -> None:
        (folder / FOLDER).mkdir()
        (folder / "a-folder").mkdir()
        (folder / "a-link").symlink_to("/etc/hostname")
        self.probe: StorageProbe = FileProbe()
        self.root = str(folder)

    def target(self, name: str) -> str:
        return f"{self.root}/{name}"

    def make(self, name: str) -> None:
        Path(self.target(name)).write_text("data")

    def write(self, name: str) -> None:
        with Path(self.target(name)).open("a") as disk:
            disk.write("more")

    def remove(self, name: str) -> None:
        Path(self.target(name)).unlink()


class RbdRig:
    bad_names = ("a/b/c", "disk@snapshot", "")

    def __init__(self, folder: Path) -> None:
        self._rbd = ReplayedRbd(folder)
        self.probe: StorageProbe = RbdProbe({"command": str(self._rbd.command)})
        self.root = "rbd:vms"

    def target(self, name: str) -> str:
        return f"rbd:vms/{name}"

    def make(self, name: str) -> None:
        self._rbd.says(name, status="status-unwatched")

    def write(self, name: str) -> None:
        written = info_with(modify_timestamp="Tue Nov 24 09:00:00 2026")
        self._rbd.says(name, status="status-unwatched", info=written)

    def remove(self, name: str) -> None:
        self._rbd.forget(name)


class ExampleRig:
    """What the documentation shows, word by word."""

    bad_names = ("", "a/b", "..")

    def __init__(self, folder: Path) -> None:
        (folder / "pool").mkdir()
        self._folder = folder / "pool"
        code = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
        assert code is not None
        module: dict[str, Any] = {}
        exec(compile(code[1], "hostfence_lease.py", "exec"), module)  # noqa: S102  the documentation's own code
        make: Any = module["LeaseProbe"]
        settings: Mapping[str, Any] = {"folder": str(folder)}
        self.probe: StorageProbe = make(settings)
        self.root = "lease:pool"

    def target(self, name: str) -> str:
        return f"lease:pool/{name}"

    def make(self, name: str) -> None:
        (self._folder / name).write_text("holder 1 lease 1")

    def write(self, name: str) -> None:
        (self._folder / name).write_text("holder 1 lease 2")

    def remove(self, name: str) -> None:
        (self._folder / name).unlink()


@pytest.fixture(params=[FileRig, RbdRig, ExampleRig], ids=["file", "rbd", "example"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    made: Rig = request.param(tmp_path)
    for name in ("one", "two"):
        made.make(name)
    return made


def look(rig: Rig, *names: str, within_s: float = 20.0) -> list[Reading]:
    targets = [rig.target(name) for name in names]
    return list(rig.probe.read(rig.root, targets, until=time.monotonic() + within_s, plain_folders=True))


def numbers(reading: Reading) -> tuple[object, ...]:
    assert reading.code is None, reading.detail
    return reading[4:]


def test_one_reading_per_target_in_the_order_asked_duplicates_too(rig: Rig) -> None:
    rig.write("two")
    one, two, gone, again = look(rig, "one", "two", "gone", "one")
    assert numbers(one) == numbers(again) != numbers(two)
    assert gone.code is ReadingCode.MISSING


def test_no_target_no_reading(rig: Rig) -> None:
    assert look(rig) == []


def test_a_reading_says_how_it_was_read_and_how_long_it_took(rig: Rig) -> None:
    begun = time.monotonic()
    (one,) = look(rig, "one")
    assert one.how is not None
    assert 0 < one.took_s <= time.monotonic() - begun


def test_looking_changes_nothing(rig: Rig) -> None:
    assert numbers(look(rig, "one")[0]) == numbers(look(rig, "one")[0])


def test_what_is_written_changes_its_reading_and_no_other(rig: Rig) -> None:
    before = look(rig, "one", "two")
    rig.write("one")
    after = look(rig, "one", "two")
    assert numbers(before[0]) != numbers(after[0])
    assert numbers(before[1]) == numbers(after[1])


def test_what_is_gone_is_unknown_and_says_nothing_else(rig: Rig) -> None:
    rig.remove("one")
    gone, there = look(rig, "one", "two")
    assert gone.code is ReadingCode.MISSING
    assert gone[4:] == Reading()[4:]
    assert numbers(there)


def test_a_target_that_none_can_be_is_unknown_for_itself_alone(rig: Rig) -> None:
    *bad, there = look(rig, *rig.bad_names, "one")
    assert all(reading.code for reading in bad)
    assert numbers(there)


def test_after_the_deadline_the_rest_is_timed_out_at_once(rig: Rig) -> None:
    begun = time.monotonic()
    readings = look(rig, "one", "two", within_s=-0.1)
    assert time.monotonic() - begun < 1
    assert [reading.code for reading in readings] == [ReadingCode.TIMED_OUT] * 2


def test_the_agent_believes_it_and_tells_it_in_the_protocols_words(rig: Rig) -> None:
    targets = [rig.target(name) for name in ("one", "gone")]
    if rig.root.startswith("/"):
        readings = look(rig, "one", "gone")
    else:
        readings = plugins.read(rig.probe, rig.root, targets, until=time.monotonic() + 20)
    told = [FileReading.model_validate_json(fragment(*pair)) for pair in zip(targets, readings, strict=True)]
    assert [one.status for one in told] == [ReadingStatus.OK, ReadingStatus.UNKNOWN]
    assert told[1].code is ReadingCode.MISSING
