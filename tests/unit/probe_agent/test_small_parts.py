import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from probe_agent.auth import Nonces, check_bearer
from probe_agent.clock import irregular
from probe_agent.errors import ReplayedNonceError, UnauthorizedError
from probe_agent.fragments import fragment
from probe_agent.mounts import Mount, below, read_mounts
from probe_agent.probes.base import Reading
from shared.enums import ReadingCode, ReadingMethod, ReadingStatus
from shared.protocol import FileReading

MOUNTINFO = """\
22 28 0:21 / /proc rw,nosuid - proc proc rw
36 28 0:45 / /mnt/pool\\040one rw,relatime shared:1 - nfs4 nas:/a rw,vers=4.2,soft
37 28 0:46 / /mnt/b rw,relatime - nfs nas:/b rw,vers=3,softerr
38 28 0:47 / /mnt/auto rw - autofs auto rw
39 36 0:48 / /mnt/b rw,relatime - nfs nas:/b rw,vers=3,hard
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Mapping[str, Mount]:
    source = tmp_path / "mountinfo"
    source.write_text(MOUNTINFO)
    return read_mounts(source)


def test_the_mount_on_top_counts(mounts: Mapping[str, Mount]) -> None:
    assert mounts["/mnt/b"].mount_id == 39
    assert mounts["/mnt/pool one"].options == "rw,relatime,rw,vers=4.2,soft"


def test_a_mount_says_from_where_it_is_in_letters_that_can_be_sent(mounts: Mapping[str, Mount], tmp_path: Path) -> None:
    assert (mounts["/mnt/pool one"].source, mounts["/mnt/b"].source) == ("nas:/a", "nas:/b")
    odd = tmp_path / "odd"
    odd.write_bytes(b"36 28 0:45 / /mnt/c rw - cifs //nas/gr\xfcn\\040one rw,user=\xfc\n")
    mount = read_mounts(odd)["/mnt/c"]
    assert (mount.source, mount.options) == ("//nas/gr?n one", "rw,rw,user=?")


def test_mounts_below_a_root_without_triggers(mounts: Mapping[str, Mount]) -> None:
    assert below("/mnt", mounts) == ["/mnt/b", "/mnt/pool one"]
    assert below("/mnt/b", mounts) == ["/mnt/b"]
    assert below("/mn", mounts) == []


@pytest.mark.parametrize("fs_type", ["nfs", "nfs4"])
@pytest.mark.parametrize("options", ["softerr", "softreval", "soft,softreval"])
def test_a_mount_that_answers_from_old_memory_is_refused_by_name(fs_type: str, options: str) -> None:
    refused = Mount(1, "/m", fs_type, f"rw,{options},vers=4.2").refused_because
    assert options.rpartition(",")[2] in refused


def test_other_mounts_are_not_refused() -> None:
    assert not Mount(1, "/m", "nfs4", "rw,soft,vers=4.2").refused_because
    assert not Mount(1, "/m", "ext4", "softerr").refused_because


@pytest.mark.parametrize("path", ["/mnt/a", '/mnt/"\\\n', "/mnt/ü"])
def test_fragments_are_what_the_protocol_says(path: str) -> None:
    how = ReadingMethod.STATX_FORCE_SYNC
    reading = Reading(None, "", how, 0.25, "0:45", 11, 12, 13, 14, 15)
    assert FileReading.model_validate_json(fragment(path, reading)) == FileReading(
        path=path,
        status=ReadingStatus.OK,
        how=how,
        took_s=0.25,
        device="0:45",
        inode=11,
        size=12,
        blocks=13,
        mtime_ns=14,
        ctime_ns=15,
    )
    failed = json.loads(fragment(path, Reading(ReadingCode.MISSING, 'no "such"', inode=9)))
    assert failed == {
        "path": path,
        "status": "unknown",
        "code": "missing",
        "detail": 'no "such"',
        "took_s": 0.0,
    }


def test_a_nonce_is_good_once_and_the_memory_is_bounded() -> None:
    nonces = Nonces(limit=2)
    for nonce in ["a", "b"]:
        nonces.use(nonce)
    with pytest.raises(ReplayedNonceError):
        nonces.use("a")
    nonces.use("c")
    nonces.use("a")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Basic secret", "secret"])
def test_another_token_is_refused(header: str | None) -> None:
    with pytest.raises(UnauthorizedError):
        check_bearer(header, "secret")


def test_no_token_at_all_lets_nobody_in() -> None:
    with pytest.raises(UnauthorizedError):
        check_bearer("Bearer ", "")


def test_the_token_is_accepted() -> None:
    check_bearer("bearer secret", "secret")


@pytest.mark.parametrize("module", ["probe_agent.child", "probe_agent.beat"])
def test_children_stay_small(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(done.stdout.decode().split())
    assert not loaded & {"fastapi", "pydantic", "uvicorn", "asyncio", "importlib.metadata"}


def test_no_two_beats_keep_step_and_none_is_late() -> None:
    beats = [irregular(5.0) for _ in range(100)]
    assert 4.0 <= min(beats) < max(beats) <= 5.0
    assert len(set(beats)) > 90
