"""The units in `deploy/` under a real systemd: they work as closed in as they are, and bear what happens to them."""

import json
import re
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from probe_agent.config import DEFAULT_PORT, DEFAULT_UID
from probe_agent.records import FOLDER, RUNNING, WITHDRAWN, Record, decode
from shared.enums import ReadingCode, ReadingMethod, ReadingStatus
from shared.protocol import FileReading, PoolSight, ProbeAnswer, WatchAnswer
from tests.fixtures.agents import REPOSITORY, eventually
from tests.fixtures.machine import Machine

pytestmark = [pytest.mark.debian("systemd-analyze", "fusermount3"), pytest.mark.slow]

HEARTBEAT, SERVE, RENEW = "hostfence-agent-heartbeat", "hostfence-agent", "hostfence-agent-renew"
HOST_ID, TOKEN = str(uuid.uuid4()), uuid.uuid4().hex
CONFIG, POOL = Path("/etc/hostfence-agent/agent.conf"), Path("/mnt/one")
SETTINGS = f"""\
HOSTFENCE_AGENT_HOST_ID={HOST_ID}
HOSTFENCE_AGENT_TOKEN_FILE=/etc/hostfence-agent/token
HOSTFENCE_AGENT_HEARTBEAT_INTERVAL=0.2
HOSTFENCE_AGENT_SAMPLE_INTERVAL=0.2
"""
ASK = """
import sys, urllib.request
asked = urllib.request.Request(sys.argv[1], sys.argv[3].encode(), {"Authorization": "Bearer " + sys.argv[2]})
print(urllib.request.urlopen(asked, timeout=20).read().decode())
"""


@pytest.fixture(scope="module")
def host(machine: Machine) -> Iterator[Machine]:
    """The machine with the agent set up as deploy/README.md says, and one pool below `/mnt`."""
    put(machine, CONFIG, SETTINGS)
    put(machine, CONFIG.parent / "token", TOKEN)
    machine.run("chown", "hostfence-agent", "/etc/hostfence-agent/token")
    machine.run("chmod", "0600", "/etc/hostfence-agent/token")
    with pool(machine, POOL):
        machine.run("touch", str(POOL / "disk"))
        machine.run("systemctl", "start", HEARTBEAT, SERVE)
        eventually(lambda: watched(machine, POOL) is not None)
        yield machine


def put(machine: Machine, path: Path, text: str) -> None:
    machine.run("sh", "-c", 'printf %s "$2" >"$1"', "sh", str(path), text)


@contextmanager
def pool(machine: Machine, point: Path) -> Iterator[None]:
    """A storage that is mounted there and prepared by its unit, as an administrator does it."""
    machine.run("mkdir", "-p", str(point))
    machine.run("mount", "-t", "tmpfs", "storage", str(point))
    prepare(machine, point)
    yield
    machine.run("umount", "--lazy", str(point))


def prepare(machine: Machine, point: Path) -> None:
    name = machine.run("systemd-escape", "--path", str(point)).strip()
    machine.run("systemctl", "start", f"hostfence-agent-prepare@{name}.service")


def probed(machine: Machine, path: Path, *, deadline_s: float = 5.0) -> FileReading:
    question = {"nonce": uuid.uuid4().hex, "subject_host_id": "x", "paths": [str(path)], "deadline_s": deadline_s}
    return ProbeAnswer.model_validate_json(posted(machine, "/v1/probes", question)).readings[0]


def sights(machine: Machine) -> dict[str, PoolSight]:
    """What the agent sees; nothing while it does not answer."""
    said = posted(machine, "/v1/watch", {"nonce": uuid.uuid4().hex})
    return {pool.root: pool for pool in WatchAnswer.model_validate_json(said).pools} if said else {}


def watched(machine: Machine, point: Path) -> PoolSight | None:
    """A pool on which the agent has seen its own heartbeat move."""
    sight = sights(machine).get(str(point))
    return sight if sight and sight.own and sight.own.moved_age_s is not None and sight.own.code is None else None


def watched_for_s(machine: Machine) -> float:
    sight = watched(machine, POOL)
    return sight.own.watched_for_s if sight and sight.own else 0.0


def posted(machine: Machine, path: str, question: dict[str, object]) -> str:
    return machine.python(ASK, f"http://127.0.0.1:{DEFAULT_PORT}{path}", TOKEN, json.dumps(question))


def record(machine: Machine, point: Path) -> Record:
    return decode(machine.run("cat", str(point / FOLDER / HOST_ID)).encode())


def beats(machine: Machine, point: Path) -> bool:
    before = record(machine, point)
    time.sleep(0.5)
    now = record(machine, point)
    return now.state == RUNNING and now.counter != before.counter


def status_of(machine: Machine, pid: int) -> dict[str, str]:
    lines = machine.run("cat", f"/proc/{pid}/status").splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def test_they_do_their_work_as_a_user_without_rights_behind_a_filter(host: Machine) -> None:
    for unit in (HEARTBEAT, SERVE):
        status = status_of(host, host.main_pid(unit))
        assert status["Uid"].split() == [str(DEFAULT_UID)] * 4
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert host.run("stat", "-c", "%u %a", f"{POOL}/{FOLDER}", f"{POOL}/{FOLDER}/{HOST_ID}") == (
        f"{DEFAULT_UID} 755\n{DEFAULT_UID} 644\n"
    )
    reading = probed(host, POOL / "disk")
    assert (reading.status, reading.how) == (ReadingStatus.OK, ReadingMethod.STATX_FORCE_SYNC)
    assert probed(host, Path("/etc/passwd")).code is ReadingCode.OUTSIDE_ROOTS


def test_what_systemd_mounts_for_them_is_no_pool(host: Machine) -> None:
    """`ReadWritePaths=/mnt` makes a mount of it, for each of them."""
    mounts = host.run("cat", f"/proc/{host.main_pid(SERVE)}/mountinfo")
    assert re.search(r" /mnt /mnt ", mounts), "or nothing is shown here"
    assert list(sights(host)) == [str(POOL)]
    assert "no heartbeat on /mnt" not in host.said


def test_a_pool_that_is_mounted_later_is_watched_and_can_be_unmounted(host: Machine) -> None:
    later = Path("/mnt/later")
    with pool(host, later):
        eventually(lambda: watched(host, later))
        assert beats(host, later)
        eventually(lambda: host.run("sh", "-c", f"umount {later} && echo done", check=False) == "done\n")
        eventually(lambda: list(sights(host)) == [str(POOL)])
        assert host.run("ls", "-A", str(later)) == "", "nothing was written into the folder below"
        host.run("mount", "-t", "tmpfs", "storage", str(later))


def test_an_orderly_stop_withdraws_and_a_start_takes_it_back(host: Machine) -> None:
    host.run("systemctl", "stop", HEARTBEAT)
    assert record(host, POOL).state == WITHDRAWN
    assert host.shows(HEARTBEAT, "Result") == ["success"]
    host.run("systemctl", "start", HEARTBEAT)
    eventually(lambda: beats(host, POOL))


@pytest.mark.parametrize("unit", [HEARTBEAT, SERVE])
def test_one_that_is_killed_is_started_again_and_says_nothing_of_a_stop(host: Machine, unit: str) -> None:
    before = host.main_pid(unit)
    host.run("kill", "-KILL", str(before))
    began = time.monotonic()
    eventually(lambda: host.main_pid(unit) not in {0, before})
    assert record(host, POOL).state == RUNNING
    eventually(lambda: beats(host, POOL))
    assert time.monotonic() - began < 8.0
    eventually(lambda: watched(host, POOL))


def test_a_restart_keeps_what_was_seen_of_the_neighbors(host: Machine) -> None:
    eventually(lambda: watched_for_s(host) > 3.0)
    host.run("systemctl", "restart", SERVE)
    assert "heartbeats.json" in host.run("ls", "/run/hostfence-agent")
    began = time.monotonic()
    seen = eventually(lambda: watched_for_s(host))
    assert seen > 3.0 + time.monotonic() - began, "longer than this process lives"


def test_wrong_settings_are_a_failed_unit_that_is_not_tried_again(host: Machine) -> None:
    put(host, CONFIG, SETTINGS.replace("INTERVAL=0.2", "INTERVAL=soon"))
    try:
        host.run("systemctl", "restart", "--no-block", HEARTBEAT)
        eventually(lambda: host.shows(HEARTBEAT, "ActiveState") == ["failed"])
        assert host.shows(HEARTBEAT, "ExecMainStatus") == ["78"]
        assert "INTERVAL: 'soon' is not a number" in host.said
    finally:
        put(host, CONFIG, SETTINGS)
        host.run("systemctl", "start", HEARTBEAT)
    eventually(lambda: beats(host, POOL))


def test_a_renewal_without_an_enrolment_says_so(host: Machine) -> None:
    host.run("systemctl", "start", RENEW, check=False)
    assert host.shows(RENEW, "ExecMainStatus") == ["78"]
    assert "this host has not enrolled" in host.said


def test_a_pool_that_hangs_keeps_no_unit_from_starting_and_no_other_pool_waiting(host: Machine) -> None:
    bad, backing, control = Path("/mnt/bad"), Path("/srv/bad"), Path("/run/bad")
    host.run("mkdir", "-p", str(bad), str(backing), str(control))
    host.run("install", "--directory", "--owner=hostfence-agent", str(backing / FOLDER))  # the server knows no chown
    with serving_a_file_system(host, backing, bad, control):
        prepare(host, bad)
        eventually(lambda: watched(host, bad))
        put(host, control / "hang", "/")
        eventually(lambda: sights(host)[str(bad)].code is ReadingCode.MOUNT_STUCK)
        for unit in (HEARTBEAT, SERVE):
            began = time.monotonic()
            host.run("systemctl", "restart", unit)
            assert time.monotonic() - began < 15.0, "what a stuck process holds up, and a busy machine"
            eventually(lambda: beats(host, POOL))
            eventually(lambda: watched(host, POOL))
            assert sights(host)[str(bad)].code is ReadingCode.MOUNT_STUCK
        host.run("rm", str(control / "hang"))
        eventually(lambda: watched(host, bad))


@contextmanager
def serving_a_file_system(machine: Machine, backing: Path, point: Path, control: Path) -> Iterator[None]:
    """One that hangs on command, of the machine itself; the tests' own interpreter runs its server."""
    server = REPOSITORY / "tests/fixtures/fuse_server.py"
    with machine.running(sys.executable, str(server), *map(str, (backing, point, control))):
        eventually(lambda: f" {point} " in machine.run("cat", "/proc/mounts"))
        yield
        machine.run("rm", "-f", str(control / "hang"))
        machine.run("umount", "--lazy", str(point))
