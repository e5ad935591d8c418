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
from probe_agent.mounts import Mount, below, mounts_at, read_mounts
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
    return read_mounts(str(source))


def test_the_mount_on_top_counts(mounts: Mapping[str, Mount]) -> None:
    assert mounts["/mnt/b"].mount_id == 39
    assert mounts["/mnt/pool one"].options == "rw,relatime,rw,vers=4.2,soft"


def test_a_mount_says_from_where_it_is_in_letters_that_can_be_sent(mounts: Mapping[str, Mount], tmp_path: Path) -> None:
    assert (mounts["/mnt/pool one"].source, mounts["/mnt/b"].source) == ("nas:/a", "nas:/b")
    odd = tmp_path / "odd"
    odd.write_bytes(b"36 28 0:45 / /mnt/c rw - cifs //nas/gr\xfcn\\040one rw,user=\xfc\n")
    mount = read_mounts(str(odd))["/mnt/c"]
    assert (mount.source, mount.options) == ("//nas/gr?n one", "rw,rw,user=?")


def test_a_line_ends_where_the_kernel_ends_it(tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.write_text(
        "36 28 0:45 / /mnt/one\u2028two\x85\x0b rw - nfs nas:/a rw\n37 28 0:46 / /mnt/b rw - nfs nas:/b rw\n"
    )
    assert list(read_mounts(str(odd))) == ["/mnt/one\u2028two\x85\x0b", "/mnt/b"]


def test_all_mounts_at_one_point_and_no_others(tmp_path: Path) -> None:
    source = tmp_path / "mountinfo"
    # The last one is a folder of that name on another file system, mounted elsewhere.
    source.write_text(f"{MOUNTINFO}40 28 0:48 /mnt/b /mnt/elsewhere rw - nfs nas:/b rw,vers=3")
    at = {point: [m.mount_id for m in mounts_at(point, str(source))] for point in ("/mnt/b", "/mnt/pool one", "/mnt")}
    assert at == {"/mnt/b": [37, 39], "/mnt/pool one": [36], "/mnt": []}
    assert mounts_at("/mnt/elsewhere", str(source)) == [Mount(40, "/mnt/elsewhere", "nfs", "rw,rw,vers=3", "nas:/b")]
    assert [mount.point for mount in mounts_at("/proc")] == ["/proc"]


SANDBOXED = """\
20 1 254:0 / / rw - ext4 /dev/vda rw
21 20 254:1 / /data rw - ext4 /dev/vdb rw
31 20 254:0 /mnt /mnt rw - ext4 /dev/vda rw
32 31 0:45 / /mnt/pool rw - nfs4 nas:/a rw
33 31 254:0 /srv /mnt/bound rw - ext4 /dev/vda rw
41 20 0:46 / /primary rw - nfs4 nas:/b rw
42 41 0:46 / /primary rw - nfs4 nas:/b rw
51 20 254:1 /shared /secondary rw - ext4 /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("root", "pools"),
    [
        ("/mnt", ["/mnt/bound", "/mnt/pool"]),
        ("/primary", ["/primary"]),
        ("/secondary", ["/secondary"]),
        ("/data", ["/data"]),
    ],
    ids=["of the sandbox", "of the sandbox, on a pool", "a folder from elsewhere", "a file system"],
)
def test_an_allowed_root_that_only_a_sandbox_mounted_is_no_pool(root: str, pools: list[str], tmp_path: Path) -> None:
    """systemd mounts what ``ReadWritePaths=`` names onto itself."""
    source = tmp_path / "mountinfo"
    source.write_text(SANDBOXED)
    assert below(root, read_mounts(str(source))) == pools


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
