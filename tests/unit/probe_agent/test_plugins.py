import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from probe_agent import plugins
from probe_agent.fragments import fragment
from probe_agent.probes.base import Reading
from probe_agent.probes.rbd import RbdProbe
from shared.enums import ReadingCode, ReadingMethod
from shared.protocol import FileReading

GOOD = Reading(None, "", ReadingMethod.PLUG_IN, 0.1, "d", 1, 2, 3, 4, 5, ("192.0.2.7",))


class Gives:
    """A plug-in that answers this, whatever it is asked."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def read(self, root: str, targets: Sequence[str], *, until: float, plain_folders: bool) -> Any:
        del root, targets, until, plain_folders
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


def read(given: Any, *targets: str) -> list[Reading]:
    return plugins.read(Gives(given), "x:p", targets or ("x:p/a",), until=time.monotonic() + 5)


def test_a_sound_reading_is_taken_as_it_is() -> None:
    assert read([GOOD]) == [GOOD]


def test_any_iterable_of_readings_will_do() -> None:
    assert read(iter([GOOD, GOOD]), "x:p/a", "x:p/b") == [GOOD, GOOD]


def failing() -> Any:
    yield GOOD
    raise ValueError("half-way")


@pytest.mark.parametrize("given", [RuntimeError("no"), None, 7, [], [GOOD], [GOOD] * 3, failing()])
def test_a_plug_in_that_fails_as_a_whole_tells_nothing_of_any_target(given: Any) -> None:
    readings = read(given, "x:p/a", "x:p/b")
    assert [reading.code for reading in readings] == [ReadingCode.OTHER] * 2
    assert all(reading[4:] == Reading()[4:] for reading in readings)


def changed(**fields: Any) -> Reading:
    return GOOD._replace(**fields)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        GOOD[:],
        changed(code="missing-ish"),
        changed(how=None),
        changed(how="statx"),
        changed(took_s=-1.0),
        changed(took_s=float("nan")),
        changed(took_s="1"),
        changed(detail=None),
        changed(device=b"d"),
        changed(inode="1"),
        changed(size=1.5),
        changed(mtime_ns=2**63),
        changed(ctime_ns=True),
        changed(held_by=None),
        changed(held_by="192.0.2.7"),
        changed(held_by=(7,)),
    ],
)
def test_a_reading_of_a_wrong_shape_is_unknown_for_its_target_alone(bad: Any) -> None:
    good, other = read([GOOD, bad], "x:p/a", "x:p/b")
    assert good == GOOD
    assert other.code is ReadingCode.OTHER
    assert other[4:] == Reading()[4:]


def test_what_a_plug_in_says_cannot_spoil_the_answer() -> None:
    nasty = 'a","status":"ok"}\n"ü' + "x" * 5000
    odd = GOOD._replace(detail=nasty, device=nasty, held_by=tuple([nasty] * 500))
    (reading,) = read([odd])
    told = FileReading.model_validate_json(fragment("x:p/a", reading))
    assert told.device == nasty
    assert "\n" not in fragment("x:p/a", reading)
    assert len(told.held_by) <= 64
    unknown = read([Reading(ReadingCode.OTHER, nasty)])[0]
    assert len(FileReading.model_validate_json(fragment("x:p/a", unknown)).detail) <= 300


def test_schemes_and_pools_of_targets() -> None:
    assert [plugins.scheme_of(t) for t in ("rbd:vms/a", "/mnt/a:b", "a")] == ["rbd", "", ""]
    assert [plugins.pool_of(t) for t in ("rbd:vms/a", "rbd:vms/ns/a", "lvm:x")] == ["rbd:vms", "rbd:vms/ns", "lvm:"]


def test_rbd_comes_with_hostfence() -> None:
    assert "rbd" in plugins.installed_schemes()
    assert isinstance(plugins.load("rbd"), RbdProbe)


def test_a_scheme_that_nobody_brings_is_an_error() -> None:
    with pytest.raises(LookupError):
        plugins.load("no-such-scheme")


def test_the_settings_of_a_scheme_reach_its_probe(tmp_path: Path) -> None:
    file = tmp_path / "probes.toml"
    file.write_text('[rbd]\nuser = "looker"\n[other]\nx = 1\n')
    probe = plugins.load("rbd", file)
    assert isinstance(probe, RbdProbe)
    assert "looker" in probe._base


@pytest.mark.parametrize("text", ["[rbd]\nusr = 'x'", "rbd = 7", "[rbd", None])
def test_settings_that_cannot_be_read_are_an_error(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "probes.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises((OSError, ValueError)):
        plugins.load("rbd", file)
