"""Plug-ins in a real agent: what one does wrong is unknown for its own targets, and nobody else notices."""

import os
import time
from pathlib import Path

import pytest

from probe_agent.runner import _BATCH
from shared.enums import ReadingCode, ReadingStatus
from tests.fixtures.agents import REPOSITORY, AgentFactory, AgentProcess, eventually, lookers_of
from tests.fixtures.replayed_rbd import ReplayedRbd

PLUG_IN = """\
import os, sys, time
from probe_agent.probes.base import Reading
from shared.enums import ReadingMethod

GOOD = Reading(None, "", ReadingMethod.PLUG_IN, 0.1, "d", 1, 2, 3, 4, 5)

class Probe:
    def __init__(self, settings):
        if settings.get("broken"):
            raise RuntimeError("cannot be set up")

    def read(self, root, targets, *, until, plain_folders):
        if root == "odd:raises":
            raise RuntimeError("no luck")
        if root == "odd:hangs":
            time.sleep(600)
        if root == "odd:slow":
            time.sleep(max(0.0, until - time.monotonic()))
        if root == "odd:exits":
            os._exit(3)
        if root == "odd:leaves":
            sys.exit(0)
        if root == "odd:few":
            return []
        if root == "odd:prints":
            print("a great deal " * 1000, flush=True)
            sys.stdin.read()
        return [GOOD] * len(targets)
"""
RAISES, FEW = "odd:raises/a", "odd:few/a"


@pytest.fixture
def distribution(tmp_path: Path) -> Path:
    """What `pip install` of a plug-in leaves: a module, and its entry point."""
    packages = tmp_path / "packages"
    (packages / "odd-1.dist-info").mkdir(parents=True)
    (packages / "odd.py").write_text(PLUG_IN)
    (packages / "odd-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
    (packages / "odd-1.dist-info" / "entry_points.txt").write_text(
        "[hostfence.storage_probes]\nodd = odd:Probe\ntwice = odd:Probe\n"
    )
    (packages / "other-1.dist-info").mkdir()
    (packages / "other-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
    (packages / "other-1.dist-info" / "entry_points.txt").write_text("[hostfence.storage_probes]\ntwice = odd:Probe\n")
    return packages


@pytest.fixture
def agent(agents: AgentFactory, pool: Path, distribution: Path, tmp_path: Path) -> AgentProcess:
    (pool / "disk").touch()
    settings = tmp_path / "probes.toml"
    settings.write_text(f'[rbd]\ncommand = "{ReplayedRbd(tmp_path / "ceph").command}"\n')
    agent = agents(
        "b",
        pools=[pool],
        launcher=("env", f"PYTHONPATH={REPOSITORY}{os.pathsep}{distribution}"),
        extra={"PROBE_SETTINGS": str(settings), "PATIENCE": "2"},
    )
    agent.start_serve()
    return agent


def codes(agent: AgentProcess, *targets: Path | str, deadline_s: float = 10.0) -> list[ReadingCode | None]:
    answer = agent.probe(targets, deadline_s=deadline_s)
    assert [reading.path for reading in answer.readings] == list(map(str, targets))
    return [reading.code for reading in answer.readings]


def test_a_plug_ins_targets_are_read_beside_files(agent: AgentProcess, pool: Path) -> None:
    odd, disk = agent.probe(["odd:pool/a", pool / "disk"], deadline_s=10).readings
    assert (odd.status, odd.how, odd.inode) == (ReadingStatus.OK, "plug_in", 1)
    assert disk.status is ReadingStatus.OK


@pytest.mark.parametrize("what", ["raises", "few", "exits", "leaves"])
def test_one_that_fails_is_unknown_for_its_own_targets_and_is_asked_again(
    agent: AgentProcess, pool: Path, what: str
) -> None:
    for _ in range(2):
        bad, good, file = codes(agent, f"odd:{what}/a", "odd:pool/a", pool / "disk")
        assert (bad, good, file) == (ReadingCode.OTHER, None, None)


def test_what_one_prints_goes_to_the_log_and_spoils_no_answer(agent: AgentProcess) -> None:
    assert codes(agent, "odd:prints/a") == [None]
    assert codes(agent, "odd:prints/a") == [None]
    assert "a great deal" in agent.log


def test_one_that_hangs_is_unknown_in_time_and_never_runs_twice(agent: AgentProcess, pool: Path) -> None:
    assert agent.serve is not None
    begun = time.monotonic()
    assert codes(agent, "odd:hangs/a", "odd:pool/a", pool / "disk", deadline_s=1.0)[0] is ReadingCode.TIMED_OUT
    assert time.monotonic() - begun < 2
    children = lookers_of(agent.serve.pid)
    for _ in range(5):
        assert codes(agent, "odd:hangs/a", deadline_s=1.0) == [ReadingCode.MOUNT_STUCK]
    assert lookers_of(agent.serve.pid) == children
    assert codes(agent, "odd:pool/a", pool / "disk") == [None, None]


def test_what_waited_for_its_turn_has_only_the_time_that_is_left(agent: AgentProcess) -> None:
    codes(agent, "odd:slow/a", deadline_s=1.0)  # its process has been started
    many = [f"odd:slow/{number}" for number in range(3 * _BATCH)]
    codes(agent, *many, deadline_s=1.5)
    time.sleep(0.2)
    assert codes(agent, "odd:slow/a", deadline_s=1.0) != [ReadingCode.MOUNT_STUCK], (
        "it looks on though nobody waits for it"
    )


def test_a_hanging_command_is_ended_by_its_probe_at_the_deadline(agent: AgentProcess, tmp_path: Path) -> None:
    rbd = ReplayedRbd(tmp_path / "ceph")
    rbd.hangs("disk-1")
    assert codes(agent, "rbd:vms/disk-1", deadline_s=1.0) == [ReadingCode.TIMED_OUT]
    eventually(lambda: rbd.running == [])


def test_a_hanging_command_ends_with_the_process_that_the_agent_kills(agent: AgentProcess, tmp_path: Path) -> None:
    rbd = ReplayedRbd(tmp_path / "ceph")
    rbd.hangs("disk-1")
    # The agent's patience (2 s here) is over before the probe's own deadline.
    assert codes(agent, "rbd:vms/disk-1", deadline_s=20.0) == [ReadingCode.MOUNT_STUCK]
    assert rbd.calls
    eventually(lambda: rbd.running == [])
    rbd.says("disk-1", status="status-watched")
    (reading,) = agent.probe(["rbd:vms/disk-1"], deadline_s=10).readings
    assert reading.held_by == ("127.0.0.1",)


def test_more_pools_than_any_site_has_leave_files_alone(agent: AgentProcess, pool: Path) -> None:
    targets = [f"odd:pool-{number}/a" for number in range(20)]
    *odd, file = codes(agent, *targets, pool / "disk", deadline_s=60.0)
    assert file is None
    assert odd.count(ReadingCode.OTHER) == 4


def test_a_scheme_that_two_distributions_bring_is_neither(agent: AgentProcess) -> None:
    assert codes(agent, "twice:pool/a", "nobody:pool/a") == [ReadingCode.OTHER, ReadingCode.OUTSIDE_ROOTS]


def test_settings_that_are_wrong_are_unknown_for_that_scheme_only(agent: AgentProcess, tmp_path: Path) -> None:
    (tmp_path / "probes.toml").write_text("[odd]\nbroken = true\n")
    assert codes(agent, "odd:pool/a", "rbd:v@/a") == [ReadingCode.OTHER, ReadingCode.BAD_PATH]
