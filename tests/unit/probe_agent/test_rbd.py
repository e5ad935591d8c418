import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from probe_agent.probes.base import Reading
from probe_agent.probes.commands import Finished
from probe_agent.probes.rbd import RbdProbe, image_in, watchers_in
from shared.enums import ReadingCode, ReadingMethod
from tests.fixtures.replayed_rbd import ReplayedRbd, info_with, recorded

WITHIN_S = 20.0


@pytest.fixture
def rbd(tmp_path: Path) -> ReplayedRbd:
    return ReplayedRbd(tmp_path / "ceph")


def probe_of(rbd: ReplayedRbd, **settings: Any) -> RbdProbe:
    return RbdProbe({"command": str(rbd.command), **settings})


def look(probe: RbdProbe, *targets: str, within_s: float = WITHIN_S) -> list[Reading]:
    return list(probe.read("rbd:vms", targets, until=time.monotonic() + within_s, plain_folders=False))


def said(answer: dict[str, Any]) -> Finished:
    return Finished(answer["status"], answer["stdout"], answer["stderr"], 0.05)


def status_of(*addresses: str) -> Finished:
    return Finished(0, json.dumps({"watchers": [{"address": a, "client": 1, "cookie": 2} for a in addresses]}))


def test_an_image_that_is_open_is_held_by_its_watchers_address(rbd: ReplayedRbd) -> None:
    rbd.says("disk-1", status="status-watched")
    (reading,) = look(probe_of(rbd), "rbd:vms/disk-1")
    assert (reading.code, reading.how, reading.held_by) == (None, ReadingMethod.RBD_COMMAND, ("127.0.0.1",))
    assert len(rbd.calls) == 1, "of an image that is held nothing more is asked"


def test_an_image_that_nobody_holds_shows_its_identity_size_and_time(rbd: ReplayedRbd) -> None:
    rbd.says("disk-1", status="status-unwatched", info=info_with(id="1014c78151d0", size=5))
    (reading,) = look(probe_of(rbd), "rbd:vms/disk-1")
    assert (reading.code, reading.held_by) == (None, ())
    assert (reading.inode, reading.size) == (0x1014C78151D0, 5)
    changed = json.loads(recorded("info")["stdout"])["modify_timestamp"]
    assert time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(reading.mtime_ns // 10**9)) == changed


@pytest.mark.parametrize(
    ("recording", "code"),
    [
        ("status-no-image", ReadingCode.MISSING),
        ("status-no-pool", ReadingCode.MISSING),
        ("status-no-namespace", ReadingCode.MISSING),
        ("status-no-key", ReadingCode.NOT_PERMITTED),
        ("status-no-conf", ReadingCode.OTHER),
    ],
)
def test_what_a_real_ceph_refused_is_unknown_with_what_it_said(recording: str, code: ReadingCode) -> None:
    answer = recorded(recording)
    for reading in (watchers_in(said(answer)), image_in(said(answer))):
        assert reading.code is code
        assert answer["stderr"].splitlines()[-1] in reading.detail
        assert (reading.held_by, reading.size) == ((), 0)


def test_an_info_that_fails_after_a_status_is_unknown_too(rbd: ReplayedRbd) -> None:
    rbd.says("disk-1", status="status-unwatched", info="status-no-key")
    assert look(probe_of(rbd), "rbd:vms/disk-1")[0].code is ReadingCode.NOT_PERMITTED


@pytest.mark.parametrize(
    "out",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"watchers":null}',
        '{"watchers":[{}]}',
        '{"watchers":[null]}',
        '{"watchers":[{"address":7}]}',
        '{"watchers":[{"address":"somewhere"}]}',
        '{"watchers":[]',
        "Watchers: none",
    ],
)
def test_an_answer_that_is_not_understood_is_never_nobody(out: str) -> None:
    assert watchers_in(Finished(0, out)).code is ReadingCode.MALFORMED


@pytest.mark.parametrize("change", [{"id": "x"}, {"size": None}, {"modify_timestamp": "today"}, {"id": None}])
def test_an_info_that_is_not_understood_is_unknown(change: dict[str, Any]) -> None:
    assert image_in(said(info_with(**change))).code is ReadingCode.MALFORMED


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("192.0.2.7:0/123", "192.0.2.7"),
        ("[2001:db8::7]:0/123", "2001:db8::7"),
        ("v2:192.0.2.7:0/123", "192.0.2.7"),
        ("v1:[2001:db8::7]:6800/123", "2001:db8::7"),
    ],
)
def test_addresses_of_both_kinds(address: str, plain: str) -> None:
    assert watchers_in(status_of(address, address)).held_by == (plain,)


def test_every_holder_is_told() -> None:
    assert watchers_in(status_of("192.0.2.7:0/1", "192.0.2.8:0/1")).held_by == ("192.0.2.7", "192.0.2.8")


def test_names_are_arguments_of_their_options_and_never_options_themselves(rbd: ReplayedRbd) -> None:
    probe = probe_of(rbd, conf="/etc/ceph/b.conf", keyring="/etc/ceph/k", user="looker")
    look(probe, "rbd:--id=admin/kvm/--conf=x")
    (call,) = rbd.calls
    assert call == [
        *("--id", "looker", "--conf", "/etc/ceph/b.conf", "--keyring", "/etc/ceph/k"),
        *("status", "--format", "json", "--pool=--id=admin", "--namespace=kvm", "--image=--conf=x"),
    ]


@pytest.mark.parametrize("target", ["rbd:", "rbd:vms", "rbd:vms/", "rbd:/x", "rbd:a/b/c/d", "rbd:vms/x@y", "lvm:a/b"])
def test_what_names_no_image_reaches_no_command(rbd: ReplayedRbd, target: str) -> None:
    assert look(probe_of(rbd), target)[0].code is ReadingCode.BAD_PATH
    assert rbd.calls == []


def test_a_cluster_that_does_not_answer_is_unknown_at_the_deadline_and_nothing_of_it_is_left(rbd: ReplayedRbd) -> None:
    rbd.says("there", status="status-watched")
    for number in range(6):
        rbd.hangs(f"hung-{number}")
    begun = time.monotonic()
    there, *hung = look(probe_of(rbd), "rbd:vms/there", *(f"rbd:vms/hung-{n}" for n in range(6)), within_s=1.0)
    assert time.monotonic() - begun < 2.5
    assert there.held_by
    assert [reading.code for reading in hung] == [ReadingCode.TIMED_OUT] * 6
    assert all("deadline" in reading.detail for reading in hung)
    assert rbd.running == []


def test_never_more_commands_at_once_than_set(rbd: ReplayedRbd) -> None:
    for number in range(6):
        rbd.hangs(f"hung-{number}")
    look(probe_of(rbd, at_once=2), *(f"rbd:vms/hung-{n}" for n in range(6)), within_s=0.5)
    assert len(rbd.calls) <= 2


def test_while_a_killed_command_lingers_no_other_one_is_started(rbd: ReplayedRbd) -> None:
    probe = probe_of(rbd, at_once=1)
    with subprocess.Popen(["sleep", "600"]) as immortal:  # stands in for one that SIGKILL has not ended yet
        probe._commands._left.append(immortal)
        (reading,) = look(probe, "rbd:vms/disk-1")
        immortal.kill()
    assert reading.code is ReadingCode.MOUNT_STUCK
    assert rbd.calls == []
    assert look(probe, "rbd:vms/disk-1")[0].code is ReadingCode.MISSING


def test_a_command_that_is_not_there_is_unknown_and_named(tmp_path: Path) -> None:
    (reading,) = look(RbdProbe({"command": str(tmp_path / "rbd")}), "rbd:vms/disk-1")
    assert reading.code is ReadingCode.OTHER
    assert "No such file" in reading.detail


def test_no_descriptor_is_left_behind(rbd: ReplayedRbd) -> None:
    rbd.hangs("hung")
    probe = probe_of(rbd)
    before = len(list(Path("/proc/self/fd").iterdir()))
    look(probe, "rbd:vms/a", "rbd:vms/hung", within_s=0.5)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_much_output_is_cut_and_blocks_nothing(rbd: ReplayedRbd) -> None:
    rbd.says("disk-1", status={"status": 0, "stdout": "x" * 3_000_000, "stderr": "y" * 3_000_000})
    assert look(probe_of(rbd), "rbd:vms/disk-1")[0].code is ReadingCode.MALFORMED


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"pool": "x"}, "rbd.pool"),
        ({"user": 7}, "rbd.user"),
        ({"at_once": 0}, "rbd.at_once"),
        ({"conf": "\0"}, "rbd.conf"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        RbdProbe(settings)
