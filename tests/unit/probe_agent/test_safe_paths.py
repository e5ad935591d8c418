"""Nothing outside a pool is ever looked at, and a pool that may lie is not believed."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe_agent import kernel, pools
from probe_agent.mounts import Mount, read_mounts
from probe_agent.pools import SeenNothingError, open_pool
from probe_agent.reach import _connect_failed
from shared.enums import Reach, ReadingCode


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "pool" / "a" / "b").mkdir(parents=True)
    (tmp_path / "pool" / "out").symlink_to(tmp_path)
    (tmp_path / "pool" / "a" / "in").symlink_to("b")
    fd = os.open(tmp_path / "pool", os.O_PATH)
    yield fd
    os.close(fd)


@pytest.fixture(params=[True, False], ids=["openat2", "step by step"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param and not kernel._HAS_OPENAT2:
        pytest.skip("this kernel has no openat2")
    monkeypatch.setattr(kernel, "_HAS_OPENAT2", request.param)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("relative", ["out", "out/pool", "a/in", "..", "a/../..", "a/none"])
def test_no_folder_is_reached_through_a_link_or_upwards(root: int, relative: str) -> None:
    with pytest.raises(OSError, match=r"\[Errno"):
        kernel.open_folder_beneath(root, relative)


@pytest.mark.usefixtures("either_way")
def test_a_plain_folder_is_reached(root: int, tmp_path: Path) -> None:
    fd = kernel.open_folder_beneath(root, "a/b")
    assert os.fstat(fd).st_ino == (tmp_path / "pool" / "a" / "b").stat().st_ino
    os.close(fd)


def test_nothing_stays_open_after_a_refused_way(root: int) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(OSError, match="Errno"):
            kernel._walk(root, "a/in")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


HERE, ELSEWHERE = 7, -5


def _nfs(mount_id: int, options: str) -> Mount:
    return Mount(mount_id, "", "nfs4", f"rw,{options}")


@pytest.mark.parametrize(
    ("mounts", "code"),
    [
        ([_nfs(HERE, "softerr")], ReadingCode.MOUNT_REFUSED),
        ([_nfs(ELSEWHERE, "softerr")], ReadingCode.MOUNT_REFUSED),
        ([_nfs(ELSEWHERE, "hard"), _nfs(HERE, "softerr")], ReadingCode.MOUNT_REFUSED),
        ([_nfs(HERE, "softerr"), _nfs(ELSEWHERE, "hard")], ReadingCode.MOUNT_REFUSED),
        ([_nfs(ELSEWHERE, "hard")], ReadingCode.NOT_MOUNTED),
    ],
    ids=["softerr", "before it is opened", "on a good one", "below a good one", "another than the table says"],
)
def test_a_mount_that_may_lie_is_not_believed(
    mounts: list[Mount], code: ReadingCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".hostfence").mkdir()
    monkeypatch.setattr(pools, "mounts_at", lambda _: mounts)
    monkeypatch.setattr(pools, "_mount_id", lambda _: HERE)
    with (
        pytest.raises(SeenNothingError) as caught,
        open_pool(str(tmp_path), plain_folders=True),
    ):
        pass
    assert caught.value.code is code


@pytest.mark.parametrize("options", [("hard", "hard"), ("hard", "softerr"), ("softerr", "hard")])
def test_of_two_mounts_at_one_point_the_one_that_was_opened_counts(
    options: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool that is mounted while a service runs is in its namespace twice, and nobody promises an order."""
    (tmp_path / ".hostfence").mkdir()
    ids = (HERE, ELSEWHERE) if options[0] == "hard" else (ELSEWHERE, HERE)
    monkeypatch.setattr(pools, "mounts_at", lambda _: list(map(_nfs, ids, options)))
    monkeypatch.setattr(pools, "_mount_id", lambda _: HERE)
    with open_pool(str(tmp_path), plain_folders=False) as pool:
        assert os.path.samestat(os.fstat(pool.folder), (tmp_path / ".hostfence").stat())


def test_the_kernel_knows_which_mount_a_folder_lies_on() -> None:
    fd = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    try:
        assert pools._mount_id(fd) == read_mounts()["/proc"].mount_id
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.ECONNREFUSED, Reach.KERNEL_ANSWERS),
        (errno.ECONNRESET, Reach.KERNEL_ANSWERS),
        (errno.EHOSTUNREACH, Reach.NO_ANSWER),
        (errno.ETIMEDOUT, Reach.NO_ANSWER),
        (errno.ENETUNREACH, Reach.UNKNOWN),
        (errno.ENETDOWN, Reach.UNKNOWN),
        (errno.EACCES, Reach.UNKNOWN),
        (errno.EMFILE, Reach.UNKNOWN),
        (errno.EADDRNOTAVAIL, Reach.UNKNOWN),
    ],
)
def test_only_host_unreachable_and_time_outs_are_silence(number: int, outcome: Reach) -> None:
    assert _connect_failed(OSError(number, os.strerror(number))).outcome is outcome
