"""Real mounts on bad days: a FUSE file system that hangs or fails, a `tmpfs` that is full, read-only or gone."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from probe_agent.leftovers import Kind, left_over
from probe_agent.prepare import prepare_pool
from probe_agent.probes.file import FileProbe
from probe_agent.records import FOLDER
from shared.enums import ReadingCode, ReadingStatus
from shared.protocol import FileReading, HeartbeatSight, PoolSight
from tests.fixtures.agents import AgentFactory, AgentProcess, child_for, children_of, eventually, is_alive, lookers_of
from tests.fixtures.counterparts import counterparts_required
from tests.fixtures.fuse import Obedient, ObedientFactory, descriptors_of, tmpfs

pytestmark = pytest.mark.debian("fusermount3")

_REAL = {"LAB_PLAIN_FOLDERS": "0"}
_NOBODY = 65534
_SWAP = """
import ctypes, sys
exchange = ctypes.CDLL(None, use_errno=True).renameat2
here, both = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
pairs = [name.encode() for name in sys.argv[1:]]
while True:
    for name in pairs:
        assert exchange(here, name, here, name + b".link", both) == 0, ctypes.get_errno()
"""


@pytest.fixture(autouse=True)
def _may_mount() -> None:
    if os.geteuid() != 0:
        if counterparts_required():
            pytest.fail("mounting needs root")
        pytest.skip("mounting needs root")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A pool on a `tmpfs` of its own, with a disk."""
    with tmpfs(tmp_path / "mnt", "size=256k") as pool:
        (pool / "disk").write_bytes(b"x")
        yield pool


class TestHanging:
    """A stat that never returns: the process in it outlives SIGKILL."""

    @pytest.fixture
    def bad(self, obedient: ObedientFactory) -> Obedient:
        bad = obedient("bad")
        (bad.backing / "disk").touch()
        return bad

    @pytest.fixture
    def good(self, pool: Path) -> Path:
        (pool / "disk").touch()
        return pool

    @pytest.fixture
    def agent(self, agents: AgentFactory, bad: Obedient, good: Path) -> AgentProcess:
        agent = agents("b", pools=[bad.mount_point, good])
        agent.start()
        settled(agent)
        return agent

    def test_ten_probes_later_there_is_one_child_and_afterwards_all_is_as_before(
        self, agent: AgentProcess, bad: Obedient, good: Path
    ) -> None:
        before = counts(agent)
        bad.hang()
        for _ in range(10):
            began = time.monotonic()
            lost, read = agent.probe([bad.mount_point / "disk", good / "disk"], deadline_s=0.5).readings
            assert time.monotonic() - began < 2.0
            assert lost.code in {ReadingCode.TIMED_OUT, ReadingCode.MOUNT_STUCK}
            assert read.status is ReadingStatus.OK
            assert agent.answers()
            assert agent.watch().pools
        assert counts(agent)[0] == before[0] == 2
        bad.obey()
        eventually(lambda: agent.probe([bad.mount_point / "disk"]).readings[0].code is None)
        assert counts(agent) == before

    def test_a_child_that_outlives_sigkill_gets_no_second_one_and_goes_when_it_can(
        self, agents: AgentFactory, bad: Obedient, good: Path
    ) -> None:
        agent = agents("b", pools=[bad.mount_point, good], extra={"PATIENCE": "1"})
        agent.start()
        settled(agent)
        before, children = counts(agent), lookers_of(_pid(agent))
        bad.hang()
        eventually(lambda: "ending its process" in agent.log)
        for _ in range(10):
            assert probed(agent, bad.mount_point / "disk").code is ReadingCode.MOUNT_STUCK
            assert probed(agent, good / "disk").code is None
        assert lookers_of(_pid(agent)) == children
        bad.lose_server()  # the kernel ends the call; nothing answers there any more
        eventually(lambda: probed(agent, bad.mount_point / "disk").code is ReadingCode.IO_ERROR)
        assert counts(agent) == before
        assert sum(pid in lookers_of(_pid(agent)) for pid in children) == 1, "the stuck one is gone"

    def test_a_stuck_child_whose_nursery_died_still_gets_no_second_one(
        self, agent: AgentProcess, bad: Obedient, good: Path
    ) -> None:
        stuck = child_for(_pid(agent), bad.mount_point)
        bad.hang()
        eventually(lambda: probed(agent, bad.mount_point / "disk").code is ReadingCode.MOUNT_STUCK)
        (nursery,) = set(children_of(_pid(agent))) - set(lookers_of(_pid(agent)))
        os.kill(nursery, signal.SIGKILL)
        eventually(lambda: probed(agent, good / "disk").code is None)
        for _ in range(5):
            assert probed(agent, bad.mount_point / "disk").code is ReadingCode.MOUNT_STUCK
        assert is_alive(stuck)
        assert lookers_of(_pid(agent)) == [child_for(_pid(agent), good)]
        bad.obey()
        eventually(lambda: probed(agent, bad.mount_point / "disk").code is None)
        assert not is_alive(stuck)

    def test_no_restart_adds_a_process_and_each_is_prompt(self, agent: AgentProcess, bad: Obedient, good: Path) -> None:
        bad.hang()
        assert probed(agent, bad.mount_point / "disk").code
        for _ in range(3):
            began = time.monotonic()
            agent.stop_serve()
            agent.start_serve()
            assert time.monotonic() - began < 8.0
            assert probed(agent, bad.mount_point / "disk").code is ReadingCode.MOUNT_STUCK
            assert probed(agent, good / "disk").code is None
            assert len(left_over(Kind.LOOKER, str(bad.mount_point))) == 1
            assert len(lookers_of(_pid(agent))) == 1
        bad.obey()
        eventually(lambda: probed(agent, bad.mount_point / "disk").code is None)
        assert left_over(Kind.LOOKER, str(bad.mount_point)) == []

    def test_a_restart_while_it_hangs_still_says_what_is_mounted(self, agent: AgentProcess, bad: Obedient) -> None:
        bad.hang()
        assert probed(agent, bad.mount_point / "disk").code
        agent.stop_serve()
        agent.start_serve()

        def stuck() -> list[PoolSight]:
            return [pool for pool in agent.watch().pools if pool.code is ReadingCode.MOUNT_STUCK]

        (sight,) = eventually(stuck)
        assert sight.root == str(bad.mount_point)
        assert sight.fs_type == "fuse"
        assert "rw" in sight.mount_options.split(",")

    def test_the_other_pools_heartbeat_goes_on_over_restarts_and_writers_do_not_pile_up(
        self, agent: AgentProcess, bad: Obedient, good: Path
    ) -> None:
        bad.hang()
        beats_again(agent, good)
        for _ in range(5):
            began = time.monotonic()
            agent.stop_heartbeat()
            agent.start_heartbeat(wait=False)
            beats_again(agent, good)
            assert time.monotonic() - began < 10.0
        assert len(left_over(Kind.WRITER, str(bad.mount_point))) <= 3
        bad.obey()
        beats_again(agent, bad.backing)
        eventually(lambda: left_over(Kind.WRITER, str(bad.mount_point)) == [])

    def test_an_answer_that_comes_after_the_deadline_is_unknown(self, bad: Obedient) -> None:
        prepare_pool(str(bad.mount_point), uid=os.getuid(), plain_folders=False)
        targets = [str(bad.mount_point / "disk")] * 2
        bad.hang("/disk")
        freeing = threading.Timer(0.5, bad.obey)
        freeing.start()
        readings = FileProbe().read(str(bad.mount_point), targets, until=time.monotonic() + 0.3, plain_folders=False)
        freeing.join()
        assert [reading.code for reading in readings] == [ReadingCode.TIMED_OUT] * 2
        assert "after the deadline" in readings[0].detail


class TestErrors:
    """Each way of not seeing has its own code."""

    @pytest.mark.parametrize(
        ("number", "code"),
        [
            (errno.ESTALE, ReadingCode.STALE_HANDLE),
            (errno.EIO, ReadingCode.IO_ERROR),
            (errno.EACCES, ReadingCode.NOT_PERMITTED),
            (errno.ENOENT, ReadingCode.MISSING),
            (errno.ETIMEDOUT, ReadingCode.TIMED_OUT),
        ],
    )
    def test_what_the_storage_says(
        self, agents: AgentFactory, obedient: ObedientFactory, number: int, code: ReadingCode
    ) -> None:
        storage = obedient("mnt")
        for name in ("disk", "other"):
            (storage.backing / name).touch()
        agent = serving(agents, storage.mount_point)
        storage.fail("/disk", errno.errorcode[number])
        disk, other = agent.probe([storage.mount_point / name for name in ("disk", "other")]).readings
        assert (disk.status, disk.code) == (ReadingStatus.UNKNOWN, code)
        assert other.code is None
        storage.fail(f"/{FOLDER}", errno.errorcode[number])
        at_root = ReadingCode.NOT_MOUNTED if number == errno.ENOENT else code
        assert agent.probe([storage.mount_point / "other"]).readings[0].code is at_root
        storage.obey()
        assert agent.probe([storage.mount_point / "disk"]).readings[0].code is None

    def test_a_mount_point_without_its_mount(self, agents: AgentFactory, mounted: Path) -> None:
        agent = serving(agents, mounted)
        agent.start_heartbeat()
        eventually(lambda: agent.watch().pools[0].code is None)

        def unmounted() -> bool:  # busy for the moment of a look: nothing is held open in between
            return subprocess.run(["umount", str(mounted)], capture_output=True, check=False).returncode == 0

        eventually(unmounted)
        assert probed(agent, mounted / "disk").code is ReadingCode.NOT_MOUNTED
        eventually(lambda: agent.watch().pools[0].code is ReadingCode.NOT_MOUNTED)
        eventually(lambda: "no heartbeat on" in agent.log)
        assert list(mounted.iterdir()) == [], "nothing is written into the folder below"
        with tmpfs(mounted):
            prepare_pool(str(mounted), uid=os.getuid(), plain_folders=False)
            (mounted / "disk").touch()
            eventually(lambda: probed(agent, mounted / "disk").code is None)
            beats_again(agent, mounted)

    def test_a_replaced_file_is_another_inode(self, agents: AgentFactory, mounted: Path) -> None:
        agent = serving(agents, mounted)
        before = probed(agent, mounted / "disk")
        shutil.copy2(mounted / "disk", mounted / "copy")
        (mounted / "copy").rename(mounted / "disk")
        after = probed(agent, mounted / "disk")
        assert (before.status, after.status) == (ReadingStatus.OK, ReadingStatus.OK)
        assert before.inode != after.inode
        assert (before.device, before.mtime_ns, before.size) == (after.device, after.mtime_ns, after.size)

    def test_what_a_squashed_root_may_not_see(self, agents: AgentFactory, mounted: Path) -> None:
        """Root without capabilities: what is another's is as closed to it as a squashed root's on NFS."""
        (mounted / "closed").mkdir(mode=0o700)
        (mounted / "closed" / "disk").touch()
        os.chown(mounted / "closed", _NOBODY, _NOBODY)
        agent = agents("b", pools=[mounted], extra=_REAL, launcher=("setpriv", "--bounding-set", "-all"))
        agent.start()
        eventually(lambda: moving(agent))
        closed, disk = agent.probe([mounted / "closed" / "disk", mounted / "disk"]).readings
        assert closed.code is ReadingCode.NOT_PERMITTED
        assert disk.code is None
        record = mounted / FOLDER / agent.host_id
        record.unlink()  # and the folder is another's from now on
        os.chown(mounted / FOLDER, _NOBODY, _NOBODY)
        record.unlink(missing_ok=True)
        eventually(lambda: own(agent).code is ReadingCode.MISSING)
        eventually(lambda: f"no heartbeat on {mounted}: Permission denied" in agent.log)
        assert probed(agent, mounted / "disk").code is None

    def test_a_fifo_is_neither_opened_nor_waited_for(self, agents: AgentFactory, mounted: Path) -> None:
        os.mkfifo(mounted / "fifo")
        agent = serving(agents, mounted)
        began = time.monotonic()
        assert probed(agent, mounted / "fifo", deadline_s=10).code is ReadingCode.NOT_A_REGULAR_FILE
        assert time.monotonic() - began < 2.0


class TestWriting:
    """A pool that takes no heartbeat is still looked at, and its silence is seen as such."""

    def test_a_full_pool(self, agents: AgentFactory, mounted: Path) -> None:
        agent = agents("b", pools=[mounted], extra=_REAL)
        fill(mounted)
        agent.start_heartbeat(wait=False)
        eventually(lambda: f"no heartbeat on {mounted}: No space left on device" in agent.log)
        agent.start_serve()
        eventually(lambda: own(agent).code in {ReadingCode.MALFORMED, ReadingCode.MISSING})
        assert own(agent).status is ReadingStatus.UNKNOWN
        assert probed(agent, mounted / "disk").code is None
        (mounted / "filler").unlink()
        eventually(lambda: moving(agent))

    def test_a_pool_that_fills_up_later_keeps_the_heartbeat_that_has_its_place(
        self, agents: AgentFactory, mounted: Path
    ) -> None:
        agent = serving(agents, mounted)
        agent.start_heartbeat()
        fill(mounted)
        before = agent.record(mounted).counter
        eventually(lambda: agent.record(mounted).counter > before + 2)
        assert moving(agent)

    def test_a_pool_that_becomes_read_only(self, agents: AgentFactory, mounted: Path) -> None:
        agent = serving(agents, mounted)
        agent.start_heartbeat()
        eventually(lambda: moving(agent))

        def read_only() -> bool:  # busy while a record is being written
            command = ["mount", "-o", "remount,ro", str(mounted)]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0

        eventually(read_only)
        eventually(lambda: f"no heartbeat on {mounted}: Read-only file system" in agent.log)
        eventually(lambda: (own(agent).moved_age_s or 0.0) > 1.0)
        assert (own(agent).status, probed(agent, mounted / "disk").code) == (ReadingStatus.OK, None)
        assert "ro" in agent.watch().pools[0].mount_options.split(",")
        subprocess.run(["mount", "-o", "remount,rw", str(mounted)], check=True)
        eventually(lambda: moving(agent))

    @pytest.mark.parametrize("errno_name", ["EDQUOT", "EIO", "ESTALE"])
    def test_a_pool_that_refuses_writes(self, agents: AgentFactory, obedient: ObedientFactory, errno_name: str) -> None:
        storage = obedient("mnt")
        (storage.backing / "disk").touch()
        agent = serving(agents, storage.mount_point)
        agent.start_heartbeat()
        eventually(lambda: moving(agent))
        storage.fail_writes(errno_name)
        eventually(lambda: (own(agent).moved_age_s or 0.0) > 1.0)
        assert f"no heartbeat on {storage.mount_point}" in agent.log
        assert probed(agent, storage.mount_point / "disk").code is None
        storage.obey()
        eventually(lambda: moving(agent))

    def test_a_slow_pool_beats_slowly_and_slows_no_other_one_down(
        self, agents: AgentFactory, obedient: ObedientFactory, pool: Path
    ) -> None:
        storage = obedient("slow")
        for folder in (storage.backing, pool):
            (folder / "disk").touch()
        agent = agents("b", pools=[storage.mount_point, pool])
        agent.start()
        eventually(lambda: all(p.own and p.own.moved_age_s is not None for p in agent.watch().pools))
        storage.slow(0.25)
        began, before = time.monotonic(), agent.record(pool).counter
        slow = [agent.record(storage.backing).counter]
        while len(slow) < 4:
            sight, quick = agent.watch().pools
            assert quick.own is not None
            assert quick.own.moved_age_s is not None
            assert quick.own.moved_age_s < 2.0
            assert sight.code in {None, ReadingCode.TIMED_OUT, ReadingCode.MOUNT_STUCK}
            if (counter := agent.record(storage.backing).counter) != slow[-1]:
                slow.append(counter)
            assert time.monotonic() - began < 30.0
        assert time.monotonic() - began > 3 * 0.25, "it is slow"
        assert agent.record(pool).counter > before + len(slow), "and the other one is not"
        late = eventually(lambda: [r for r in [probed(agent, storage.mount_point / "disk", deadline_s=9)] if r.how])
        assert late[0].took_s > 0.2
        assert probed(agent, storage.mount_point / "disk", deadline_s=0.3).code in {
            ReadingCode.TIMED_OUT,
            ReadingCode.MOUNT_STUCK,
        }
        assert probed(agent, pool / "disk").code is None


class TestSwapping:
    """Someone on the pool exchanges a folder, or a disk, for a link to elsewhere while it is being looked at."""

    def test_the_target_outside_is_never_read(self, agents: AgentFactory, mounted: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "disk").write_bytes(b"secret")
        (mounted / "folder").mkdir()
        (mounted / "folder" / "disk").write_bytes(b"x")
        (mounted / "alone").write_bytes(b"x")
        secret = (outside / "disk").stat().st_ino
        asked = [mounted / "folder" / "disk", mounted / "alone"]
        agent = serving(agents, mounted)
        with swapping({mounted / "folder": outside, mounted / "alone": outside / "disk"}):
            eventually(lambda: {secret} & {path.stat().st_ino for path in asked if path.exists()})  # it is a race
            readings = [reading for _ in range(60) for reading in agent.probe(asked * 40, deadline_s=10).readings]
        seen = {reading.inode for reading in readings if reading.status is ReadingStatus.OK}
        codes = {reading.code for reading in readings} - {None}
        assert secret not in seen
        assert len(seen) == 2, "the real ones were seen in between"
        assert ReadingCode.NOT_A_REGULAR_FILE in codes
        assert not any("secret" in reading.detail for reading in readings)


def settled(agent: AgentProcess) -> None:
    eventually(lambda: {pool.code for pool in agent.watch().pools} == {None})


def serving(agents: AgentFactory, pool: Path) -> AgentProcess:
    agent = agents("b", pools=[pool], extra=_REAL)
    agent.start_serve()
    return agent


def counts(agent: AgentProcess) -> tuple[int, int]:
    """Children and descriptors of the service, once no request is open any more."""

    seen = [(-1, -1)]

    def quiet() -> bool:
        seen.append((len(lookers_of(_pid(agent))), descriptors_of(_pid(agent))))
        return seen[-1] == seen[-2]

    eventually(quiet)
    return seen[-1]


def _pid(agent: AgentProcess) -> int:
    assert agent.serve is not None
    return agent.serve.pid


def probed(agent: AgentProcess, path: Path, *, deadline_s: float = 0.5) -> FileReading:
    return agent.probe([path], deadline_s=deadline_s).readings[0]


def own(agent: AgentProcess) -> HeartbeatSight:
    return eventually(lambda: [pool.own for pool in agent.watch().pools if pool.own is not None])[0]


def moving(agent: AgentProcess) -> bool:
    sight = own(agent)
    return sight.status is ReadingStatus.OK and sight.moved_age_s is not None and sight.moved_age_s < 0.8


def beats_again(agent: AgentProcess, pool: Path) -> None:
    """Its record on the pool moves; looked at directly, so never below a mount that hangs."""
    eventually((pool / FOLDER / agent.host_id).exists)
    before = agent.record(pool).counter
    eventually(lambda: agent.record(pool).counter > before + 2)


def fill(pool: Path) -> None:
    done = subprocess.run(["dd", "if=/dev/zero", f"of={pool / 'filler'}", "bs=4k"], capture_output=True, check=False)
    assert b"No space left on device" in done.stderr


@contextmanager
def swapping(targets: dict[Path, Path]) -> Iterator[None]:
    """Exchange each path, as fast as it goes, for a link to its target and back."""
    for path, target in targets.items():
        Path(f"{path}.link").symlink_to(target)
    with subprocess.Popen([sys.executable, "-c", _SWAP, *map(str, targets)]) as swapper:
        try:
            yield
            assert swapper.poll() is None
        finally:
            swapper.kill()
