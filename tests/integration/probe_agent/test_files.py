"""The `file` probe through a real agent."""

import os
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from probe_agent.probes.file import FileProbe
from probe_agent.records import FOLDER
from shared.enums import ReadingCode, ReadingMethod, ReadingStatus
from shared.protocol import FileReading, ProbeAnswer
from tests.fixtures.agents import AgentFactory, AgentProcess


@pytest.fixture
def agent(agents: AgentFactory, pool: Path) -> AgentProcess:
    agent = agents("b", pools=[pool])
    agent.start_serve()
    return agent


def codes(answer: ProbeAnswer) -> list[ReadingCode | None]:
    return [reading.code for reading in answer.readings]


def values(reading: FileReading) -> tuple[int, ...]:
    assert reading.status is ReadingStatus.OK, reading
    return (reading.inode, reading.size, reading.blocks, reading.mtime_ns, reading.ctime_ns)


def test_a_file_reads_the_same_until_it_is_written(agent: AgentProcess, pool: Path) -> None:
    disk = pool / "disk.qcow2"
    disk.write_bytes(b"x" * 5000)
    first, again = (agent.probe([disk]).readings[0] for _ in range(2))
    assert values(first) == values(again)
    seen = disk.stat()
    assert values(first) == (
        seen.st_ino,
        seen.st_size,
        seen.st_blocks,
        seen.st_mtime_ns,
        seen.st_ctime_ns,
    )
    assert first.how is ReadingMethod.STATX_FORCE_SYNC
    assert first.device == f"{os.major(seen.st_dev)}:{os.minor(seen.st_dev)}"
    disk.write_bytes(b"y" * 5000)
    assert values(agent.probe([disk]).readings[0]) != values(first)


def test_each_path_gets_its_own_answer_in_the_order_asked(agent: AgentProcess, pool: Path) -> None:
    (pool / "a").mkdir()
    good = pool / "a" / 'disk "ü".raw'
    good.touch()
    asked: list[Path | str] = [good, pool / "none", "/etc/passwd", good, f"{pool}/a/../x", "relative", good]
    answer = agent.probe(asked)
    assert [reading.path for reading in answer.readings] == list(map(str, asked))
    assert codes(answer) == [
        None,
        ReadingCode.MISSING,
        ReadingCode.OUTSIDE_ROOTS,
        None,
        ReadingCode.BAD_PATH,
        ReadingCode.BAD_PATH,
        None,
    ]


def test_it_gives_nothing_away(agent: AgentProcess, pool: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch()
    (pool / "link").symlink_to(secret)
    (pool / "folder-link").symlink_to(tmp_path)
    (pool / "inside-link").symlink_to(pool / "disk")
    (pool / "disk").touch()
    os.mkfifo(pool / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(pool / "s"))
        names = ["link", "folder-link/secret", "inside-link", "fifo", "s", FOLDER]
        answer = agent.probe([pool / name for name in names])
    assert set(codes(answer)[:1] + codes(answer)[2:]) == {ReadingCode.NOT_A_REGULAR_FILE}
    assert answer.readings[1].status is ReadingStatus.UNKNOWN
    assert "secret" not in agent.probe([pool / "link"]).readings[0].detail


def test_a_device_node_is_not_looked_at(agent: AgentProcess, pool: Path) -> None:
    try:
        os.mknod(pool / "null", 0o20666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root can make a device node")
    assert codes(agent.probe([pool / "null"])) == [ReadingCode.NOT_A_REGULAR_FILE]


def test_a_file_in_place_of_a_folder_is_unknown(agent: AgentProcess, pool: Path) -> None:
    (pool / "file").touch()
    reading = agent.probe([pool / "file" / "disk"]).readings[0]
    assert reading.status is ReadingStatus.UNKNOWN


def test_a_pool_without_its_folder_is_not_mounted(agent: AgentProcess, pool: Path) -> None:
    (pool / "disk").touch()
    assert codes(agent.probe([pool / "disk"])) == [None]
    (pool / FOLDER).rmdir()
    assert codes(agent.probe([pool / "disk"])) == [ReadingCode.NOT_MOUNTED]


def test_a_plain_folder_is_not_mounted_outside_a_lab(agents: AgentFactory, pool: Path) -> None:
    agent = agents("b", pools=[pool], extra={"LAB_PLAIN_FOLDERS": "0"})
    agent.start_serve()
    (pool / "disk").touch()
    answer = agent.probe([pool / "disk"], pool_roots=[str(pool)])
    assert codes(answer) == [ReadingCode.NOT_MOUNTED]
    assert answer.pools[0].status is ReadingStatus.UNKNOWN


def test_more_paths_than_one_batch_holds(agent: AgentProcess, pool: Path) -> None:
    disks = [pool / f"disk-{number}" for number in range(50)]
    for disk in disks:
        disk.touch()
    answer = agent.probe(disks * 100, deadline_s=30)
    assert [reading.path for reading in answer.readings] == list(map(str, disks)) * 100
    assert set(codes(answer)) == {None}


def test_without_statx_a_file_is_opened_and_says_so(pool: Path, agent: AgentProcess) -> None:
    disk = pool / "disk"
    disk.write_bytes(b"x")
    os.mkfifo(pool / "fifo")
    targets = [str(disk), str(pool / "fifo"), str(pool / "none")]
    fallback = FileProbe(use_statx=False)
    good, fifo, none = fallback.read(str(pool), targets, until=1e12, plain_folders=True)
    assert good.how is ReadingMethod.OPEN_FSTAT
    assert good[4:10] == FileReadingValues.of(agent.probe([disk]).readings[0])
    assert (fifo.code, none.code) == (ReadingCode.NOT_A_REGULAR_FILE, ReadingCode.MISSING)


def test_after_its_deadline_the_rest_of_a_batch_is_unknown(pool: Path, agent: AgentProcess) -> None:
    assert agent.pools == [pool]
    (pool / "disk").touch()
    targets = [str(pool / "disk")] * 3
    readings = list(FileProbe().read(str(pool), targets, until=0.0, plain_folders=True))
    assert [reading.code for reading in readings] == [ReadingCode.TIMED_OUT] * 3


def test_a_real_mount_is_read_without_the_lab_flag(agents: AgentFactory, pool: Path) -> None:
    done = subprocess.run(["mount", "-t", "tmpfs", "none", str(pool)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("only root can mount")
    try:
        agent = agents("b", pools=[pool], extra={"LAB_PLAIN_FOLDERS": "0"})
        agent.start()
        (pool / "disk").touch()
        assert codes(agent.probe([pool / "disk"])) == [None]
        agent.stop()
    finally:
        subprocess.run(["umount", str(pool)], check=True)


def test_prepare_pool_refuses_what_is_no_mount_with_one_line(pool: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "probe_agent", "prepare-pool", str(pool)],
        capture_output=True,
        check=False,
        env={"HOSTFENCE_AGENT_HOST_ID": str(uuid.uuid4())},
    )
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1
    assert b"nothing is mounted there" in done.stderr


class FileReadingValues:
    @staticmethod
    def of(reading: FileReading) -> tuple[object, ...]:
        inode, size, blocks, mtime_ns, ctime_ns = values(reading)
        return (reading.device, inode, size, blocks, mtime_ns, ctime_ns)
