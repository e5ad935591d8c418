"""`make test-ceph`: our `rbd` probe, in a real agent, against a real Ceph of one node.

Not collected by `make test`: it installs 100 MB of Debian packages and takes two minutes, most of it waiting for Ceph
to notice that a client died. The same answers are replayed in `tests/unit/probe_agent/test_rbd.py`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.evidence import DiskList, DiskTarget, Judgement, Machine, Memory, RoundFacts, Verdict
from controller.domain.judge import judge
from controller.domain.reasons import Reason
from controller.probing.base import Question
from controller.probing.translate import report_of
from shared.enums import Reach, ReadingCode
from shared.protocol import FileReading, ProbeAnswer
from tests.fixtures import builders as a
from tests.fixtures.agents import (
    REPOSITORY,
    AgentFactory,
    AgentProcess,
    agents,
    children_of,
    eventually,
    lookers_of,
    pool,
)
from tests.fixtures.builders import T0, at
from tests.fixtures.evidence import policy

__all__ = ["agents", "pool"]

pytestmark = pytest.mark.debian("ceph-mon", "ceph-mgr", "ceph-osd", "rbd")

HOST = "127.0.0.1"
GONE_WITHIN_S = 90.0


@dataclass
class Ceph:
    conf: str
    pool: str
    user: str
    pids: dict[str, int]

    def rbd(self, *arguments: str) -> str:
        command = ["rbd", "--conf", self.conf, "--pool", self.pool, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def image(self, name: str) -> str:
        self.rbd("create", "--size", "64M", "--image", name)
        return f"rbd:{self.pool}/{name}"

    @contextmanager
    def opened(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """A client of the cluster that holds the image open, as qemu does."""
        command = ["rbd", "--conf", self.conf, "--pool", self.pool, "watch", "--image", name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as client:
            eventually(lambda: json.loads(self.rbd("status", "--format", "json", "--image", name))["watchers"])
            yield client
            client.kill()

    @contextmanager
    def stopped(self, daemon: str) -> Iterator[None]:
        """As if the machine that it runs on hung."""
        os.kill(self.pids[daemon], signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pids[daemon], signal.SIGCONT)


@pytest.fixture(scope="module")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    with one_node(tmp_path_factory.mktemp("ceph")) as node:
        yield node


@contextmanager
def one_node(folder: Path) -> Iterator[Ceph]:
    command = [REPOSITORY / "scripts" / "ceph-one-node", folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        yield Ceph(**json.loads(node.stdout.readline()))
        node.stdin.close()
        node.wait(30)


@pytest.fixture
def agent(ceph: Ceph, agents: AgentFactory, pool: Path) -> AgentProcess:
    return agent_on(ceph, agents, pool)


def agent_on(ceph: Ceph, agents: AgentFactory, pool: Path) -> AgentProcess:
    (pool / "disk").touch()
    settings = pool.parent / "probes.toml"
    settings.write_text(f'[rbd]\nconf = "{ceph.conf}"\nuser = "{ceph.user}"\n')
    agent = agents("w", pools=[pool], extra={"PROBE_SETTINGS": str(settings), "PATIENCE": "6"})
    agent.start_serve()
    return agent


def look(agent: AgentProcess, image: str, deadline_s: float = 10.0) -> FileReading:
    (reading,) = agent.probe([image], deadline_s=deadline_s).readings
    return reading


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Any:
    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n    {text}")

    return say


def judged(answer: ProbeAnswer, image: str, memory: dict[str, Memory], address: str = HOST) -> Judgement:
    """What the controller makes of this answer: one witness is enough, and no file pool exists."""
    question = Question(subject=a.host("h1", address=address), paths=(image,), pool_roots=())
    report = replace(report_of(answer.host_id, question, answer, took_s=0.1), reach=Reach.NO_ANSWER)
    target = DiskTarget(vm_id="v1", vm_name="web", path=image, pool_root=image.rpartition("/")[0])
    disks = DiskList(known=True, targets=(target,), machines=(Machine(id="web", name="web"),))
    facts = RoundFacts(number=1, at=at(60), disks=disks, reports=(report,), own_reach=Reach.NO_ANSWER)
    return judge(facts, memory=memory, policy=policy(witnesses_required=1), disconnect_at=T0)


def test_from_a_client_that_holds_its_disk_to_one_that_died(ceph: Ceph, agent: AgentProcess, tell: Any) -> None:
    image = ceph.image("story")

    def rounds(memory: dict[str, Memory]) -> Judgement:
        return judged(agent.probe([image], deadline_s=10), image, memory)

    with ceph.opened("story") as client:
        held = look(agent, image)
        assert held.held_by == (HOST,)
        tell(f"open:    held by {', '.join(held.held_by)}, read in {held.took_s:.2f} s")
        alive = rounds({})
        assert (alive.verdict, Reason.DISKS_MOVE in alive.reasons) == (Verdict.ALIVE, True)
        elsewhere = judged(agent.probe([image], deadline_s=10), image, {}, address="127.0.0.9")
        assert elsewhere.verdict is Verdict.INCONCLUSIVE
        tell(f"         verdict {alive.verdict}; for a host at another address {elsewhere.verdict}")
        client.kill()
        died = time.monotonic()
        eventually(lambda: not look(agent, image).held_by, GONE_WITHIN_S)
        tell(f"killed:  no watcher any more after {time.monotonic() - died:.0f} s")
    baseline = rounds(alive.memory)
    silent = rounds(baseline.memory)
    assert (baseline.verdict, silent.verdict) == (Verdict.INCONCLUSIVE, Verdict.DEAD)
    assert rounds({}).verdict is Verdict.INCONCLUSIVE, "of a host never seen holding it nothing is concluded"
    tell(f"silent:  baseline {baseline.verdict}, then {silent.verdict}")


def test_an_orderly_close_takes_the_watcher_away_at_once(ceph: Ceph, agent: AgentProcess) -> None:
    image = ceph.image("closed")
    with ceph.opened("closed") as client:
        assert look(agent, image).held_by
        client.communicate(b"\n")
        assert look(agent, image).held_by == ()


def test_looks_of_several_witnesses_at_once_are_no_watchers(ceph: Ceph, agent: AgentProcess) -> None:
    images = [ceph.image(f"seen-{number}") for number in range(4)]
    seen = [reading for _ in range(5) for reading in agent.probe(images * 2, deadline_s=20).readings]
    assert [reading.code for reading in seen] == [None] * len(seen)
    assert {reading.held_by for reading in seen} == {()}


def test_a_write_and_a_recreated_image_differ(ceph: Ceph, agent: AgentProcess) -> None:
    image = ceph.image("written")
    before = look(agent, image)
    time.sleep(1.1)  # the cluster's modification times have whole seconds
    ceph.rbd("bench", "--rbd_mtime_update_interval=1", "--io-type=write", "--io-total=64K", "--image", "written")
    after = look(agent, image)
    assert (before.inode, before.size) == (after.inode, after.size)
    assert before.mtime_ns != after.mtime_ns
    ceph.rbd("rm", "--no-progress", "--image", "written")
    assert look(agent, image).code is ReadingCode.MISSING
    ceph.image("written")
    assert look(agent, image).inode != before.inode


@pytest.mark.parametrize("daemon", ["osd", "mon"])
def test_a_cluster_that_hangs_is_unknown_within_the_deadline(
    ceph: Ceph, agent: AgentProcess, pool: Path, tell: Any, daemon: str
) -> None:
    image = ceph.image(f"hung-{daemon}")
    assert agent.serve is not None
    with ceph.opened(f"hung-{daemon}"):
        known = judged(agent.probe([image], deadline_s=10), image, {})
        children = lookers_of(agent.serve.pid)
        with ceph.stopped(daemon):
            for number in range(3):
                begun = time.monotonic()
                answer = agent.probe([image, pool / "disk"], deadline_s=3.0)
                took = time.monotonic() - begun
                hung, file = answer.readings
                assert took < 3.5
                assert (hung.code, file.code) == (ReadingCode.TIMED_OUT, None)
                assert judged(answer, image, known.memory).verdict is Verdict.INCONCLUSIVE
                assert agent.answers()
                if number == 0:
                    tell(f"{daemon} hung: {hung.code} ({hung.detail}) after {took:.1f} s, the file beside it read")
            assert lookers_of(agent.serve.pid) == children
            assert rbd_commands_of(children) == []
        eventually(lambda: look(agent, image).held_by == (HOST,), 60)
        tell(f"{daemon} back: held by {HOST} again")


def test_a_look_that_outlasts_the_agents_patience_is_ended_with_its_command(
    ceph: Ceph, agent: AgentProcess, tell: Any
) -> None:
    image = ceph.image("patience")
    assert agent.serve is not None
    assert look(agent, image).code is None
    (child,) = [pid for pid in lookers_of(agent.serve.pid) if f"rbd:{ceph.pool}" in command_line(pid)]
    with ceph.stopped("osd"):
        begun = time.monotonic()
        stuck = look(agent, image, deadline_s=30.0)
        tell(f"patience (6 s): {stuck.code} ({stuck.detail}) after {time.monotonic() - begun:.1f} s")
        assert stuck.code is ReadingCode.MOUNT_STUCK
        assert child not in lookers_of(agent.serve.pid)
        eventually(lambda: rbd_commands_of([child]) == [])
        assert not [line for line in all_command_lines() if "--image=patience" in line]
    eventually(lambda: look(agent, image).code is None, 60)


def test_what_looking_costs(ceph: Ceph, agent: AgentProcess, tell: Any) -> None:
    images = [ceph.image(f"many-{number}") for number in range(30)]
    look(agent, images[0])
    begun = time.monotonic()
    readings = agent.probe(images, deadline_s=60).readings
    took = time.monotonic() - begun
    assert [reading.code for reading in readings] == [None] * len(images)
    tell(f"30 images that nobody holds: {took:.1f} s, {1000 * took / 30:.0f} ms each")


def test_a_dead_cluster_is_unknown(agents: AgentFactory, pool: Path, tmp_path: Path, tell: Any) -> None:
    (tmp_path / "ceph").mkdir()
    with one_node(tmp_path / "ceph") as ceph:
        agent = agent_on(ceph, agents, pool)
        image = ceph.image("last")
        assert look(agent, image).code is None
        for daemon in ("osd", "mon"):
            os.kill(ceph.pids[daemon], signal.SIGKILL)
            reading = look(agent, image, deadline_s=4.0)
            assert reading.code is ReadingCode.TIMED_OUT
            assert reading.held_by == ()
            tell(f"{daemon} killed: {reading.code}")


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def all_command_lines() -> list[str]:
    return [command_line(int(process.name)) for process in Path("/proc").glob("[0-9]*")]


def rbd_commands_of(children: list[int]) -> list[int]:
    return [pid for child in children for pid in children_of(child)]
