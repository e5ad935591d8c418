"""`make proof-nfs`: our agent on real kernel NFS, in three emulated machines. Not collected by `make test`.

What each test prints is what `docs/storage.md` says. Times are those of machines without hardware help on two shared
cores: bounds are generous where only speed is in them, and strict where an answer would be wrong.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shared.enums import ReadingCode, ReadingStatus
from shared.protocol import FileReading, HeartbeatSight
from tests.fixtures.agents import REPOSITORY, eventually
from tests.nfs.lab import ELSEWHERE, UID, Counts, Host, Lab, lab
from tests.nfs.watching import Outage, Seen

pytestmark = pytest.mark.debian("qemu-system-x86_64", "debootstrap")

IMAGE = Path(os.environ.get("NFS_GUEST_IMAGE", REPOSITORY / ".hostfence/proof-nfs/bookworm")).resolve()
PATIENCE_S = 30.0
BEAT_S = 5.0
MOVES_S = 12.0
"""A heartbeat whose last movement is younger goes on: its interval, a sampling interval, and slow machines."""
QUIET_S = 60.0
"""After so much silence a client asks again only every 48 s (it doubles from 3 s to 60 s)."""
OUTAGE_S = 75.0
NFS_POOLS = ("v4", "v3")
HARD_AND_SOFT = ("v4", "v3", "soft")
Tell = Callable[[str], None]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("nfs")
    with lab(IMAGE, folder, {"PATIENCE": f"{PATIENCE_S:g}"}) as made:
        yield made


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)  # noqa: T201

    return say


@pytest.fixture
def settled(running: Lab) -> Lab:
    """Both hosts see each other's heartbeat moving on every pool."""
    eventually(lambda: all(_sees_all_moving(running, host) for host in running.hosts), 120)
    return running


def test_the_lab_is_what_it_says(settled: Lab, tell: Tell) -> None:
    tell(f"kernel {settled.server.sh('uname -r')}, nfs-utils {settled.server.sh(_VERSION)}")
    for line in settled.witness.guest.sh("grep ' nfs' /proc/mounts").splitlines():
        source, point, kind, options, *_ = line.split(" ")
        tell(f"{point}: {kind} {options} from {source}")
    counts = settled.witness.counts()
    assert counts.on_one_mount == 1
    tell(f"the agent: {counts}")


def test_a_write_is_seen_by_the_next_look_while_plain_stat_is_stale(settled: Lab, tell: Tell) -> None:
    witness, paths = settled.witness, {}
    for pool in NFS_POOLS:
        for name in ("plain", "asked"):
            settled.server.sh(f"dd if=/dev/zero of=/srv/pool/{pool}/{name} bs=4096 count=16 status=none")
        paths[pool] = f"/mnt/{pool}/asked"
    begun = time.monotonic()
    while True:
        before = _read(witness, paths)
        stale = {pool: witness.guest.mtime_ns(f"/mnt/{pool}/plain") for pool in NFS_POOLS}
        if time.monotonic() - begun > QUIET_S:
            break
        time.sleep(0.5)
    written: dict[str, float] = {}
    still_stale: list[bool] = []
    for pool in NFS_POOLS:
        for name in ("plain", "asked"):
            settled.other.guest.sh(_DIRECT_WRITE.format(path=f"/mnt/{pool}/{name}"))
        written[pool] = begun = time.monotonic()
        after = _read(witness, {pool: paths[pool]})[pool]
        asked_s = time.monotonic() - begun
        assert after.mtime_ns != before[pool].mtime_ns, "the first look after the write must see it"
        still_stale.append(witness.guest.mtime_ns(f"/mnt/{pool}/plain") == stale[pool])
        tell(
            f"{pool}: the agent's first look saw it: {after.how}, {1000 * after.took_s:.0f} ms, asking {asked_s:.1f} s"
        )
    assert any(still_stale), "without caching this proves nothing"
    for pool in NFS_POOLS:
        eventually(lambda pool=pool: _mtime_ns_now_and_then(witness, pool) != stale[pool], 120)  # type: ignore[misc]
        tell(f"{pool}: os.stat on the same machine saw the write after {time.monotonic() - written[pool]:.0f} s")


def test_a_write_on_the_server_itself_is_seen_by_the_next_look(settled: Lab) -> None:
    for pool in NFS_POOLS:
        path = f"/mnt/{pool}/local"
        for number in range(5):
            settled.server.sh(f"echo {number} >>/srv/pool/{pool}/local")
            assert _read(settled.witness, {pool: path})[pool].size == 2 * (number + 1)


def test_a_mount_that_answers_from_memory_is_refused(settled: Lab, tell: Tell) -> None:
    witness = settled.witness
    witness.mount(settled.address_for(witness), "softreval", "vers=4.2,softreval", "/srv/pool/softerr")
    try:
        for name in ("softreval", "softerr"):
            options = eventually(lambda name=name: _refused(witness, name), 60)  # type: ignore[misc]
            (reading,) = witness.probe([f"/mnt/{name}/disk"]).readings
            assert (reading.status, reading.code) == (ReadingStatus.UNKNOWN, ReadingCode.MOUNT_REFUSED)
            tell(f"{name} ({options}): {reading.code}: {reading.detail}")
    finally:
        witness.guest.sh("umount /mnt/softreval")


@pytest.mark.parametrize("how", ["frozen", "stopped", "cut"])
def test_a_server_that_does_not_answer(settled: Lab, tell: Tell, how: str) -> None:
    begin, end = _outages(settled)[how]
    witness, disks = settled.witness, _disks(settled)
    before, pids = witness.counts(), _pids(settled)
    outage = Outage(witness, settled.other, disks)
    known = outage.look().readings
    assert {name: reading.code for name, reading in known.items()} == dict.fromkeys(disks)
    begin()
    outage.begin()
    while outage.lasts_s < OUTAGE_S:
        seen = outage.look()
        _check_nothing_invented(seen)
        assert seen.counts.on_one_mount == 1
        assert seen.counts.processes <= before.processes
        time.sleep(1)
    tell(f"{how}, {OUTAGE_S:.0f} s:")
    for line in outage.told():
        tell(f"    {line}")
    assert witness.counts().descriptors <= before.descriptors + 2
    end()
    outage.end()
    back = outage.watch_until_all_is_back(within_s=300)
    for line in outage.told_of_return():
        tell(f"    {line}")
    assert _identity(back.readings) == _identity(known), "nothing was written: nothing may have moved"
    assert _pids(settled) == pids, "nothing was started again"
    eventually(lambda: _all_back(witness.counts(), before), 30)


def test_a_host_that_freezes_is_silent_and_holds_nobody_up(settled: Lab, tell: Tell) -> None:
    witness, other = settled.witness, settled.other
    own, others = [], []
    other.guest.freeze()
    frozen = time.monotonic()
    try:
        while time.monotonic() - frozen < OUTAGE_S:
            for pool in NFS_POOLS:
                sight = witness.watch()[pool]
                assert sight.own is not None
                own.append(_age(sight.own))
                others.append(_age(sight.others[other.host_id]))
            time.sleep(1)
        held = settled.server.sh("cat /proc/fs/nfsd/clients/*/states | grep -c 'type: deleg' || true")
    finally:
        other.guest.thaw()
    assert max(own) < MOVES_S
    assert OUTAGE_S - MOVES_S < max(others) < OUTAGE_S + MOVES_S
    tell(f"its heartbeat: read all the time, last moved {max(others):.0f} s ago after {OUTAGE_S:.0f} s")
    tell(f"the witness's own: never older than {max(own):.1f} s; {held} delegations on the server")
    eventually(lambda: _sees_all_moving(settled, witness), 60)


def test_a_full_server(settled: Lab, tell: Tell) -> None:
    for host in settled.hosts:
        host.mount(settled.address_for(host), "small", "vers=4.2", "/srv/small")
        host.prepare("/mnt/small")
    witness, other = settled.witness, settled.other
    try:
        eventually(lambda: _moves(witness.heartbeat_of(other, "small")), 60)
        settled.server.sh("dd if=/dev/zero of=/srv/small/fill bs=4096 conv=fsync status=none; df /srv/small | tail -1")
        newcomer = witness.guest.sh(_NEW_RECORD.format(uid=UID))
        assert "No space left on device" in newcomer
        tell(f"a host that had no heartbeat there yet: {newcomer.splitlines()[0]}")
        ages = []
        until = time.monotonic() + 4 * BEAT_S
        while time.monotonic() < until:
            sight = witness.watch()["small"]
            assert sight.own is not None
            ages += [_age(sight.own), _age(sight.others[other.host_id])]
            time.sleep(1)
        assert max(ages) < MOVES_S
        tell(f"both heartbeats there go on: never older than {max(ages):.1f} s")
    finally:
        for host in settled.hosts:
            eventually(lambda host=host: _unmounted(host, "small"), 30)  # type: ignore[misc]


_VERSION = "dpkg-query -W -f '${Version}' nfs-kernel-server"
_HEARTBEAT = "/run/heartbeat.pid"
_DIRECT_WRITE = "dd if=/dev/urandom of={path} bs=4096 count=1 oflag=direct conv=notrunc status=none"
_NEW_RECORD = (
    "setpriv --reuid {uid} --regid {uid} --clear-groups "
    "dd if=/dev/zero of=/mnt/small/.hostfence/newcomer bs=4096 count=1 oflag=direct,dsync 2>&1 || true"
)


def _outages(running: Lab) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    server = running.server
    return {
        "frozen": (server.freeze, server.thaw),
        "stopped": (lambda: server.sh("rpc.nfsd 0"), lambda: server.sh("rpc.nfsd --no-udp 8")),
        "cut": (lambda: server.plug(0, on=False), lambda: server.plug(0, on=True)),
    }


def _disks(running: Lab) -> dict[str, str]:
    for pool in HARD_AND_SOFT:
        running.server.sh(f"dd if=/dev/zero of=/srv/pool/{pool}/disk bs=4096 count=16 status=none")
    running.witness.guest.sh(f"dd if=/dev/zero of={ELSEWHERE}/disk bs=4096 count=16 status=none")
    return {name: f"/mnt/{name}/disk" for name in (*HARD_AND_SOFT, "elsewhere")}


def _check_nothing_invented(seen: Seen) -> None:
    """Rule 3 while the server is gone: nothing read there is known, everything else is as always."""
    for name, reading in seen.readings.items():
        wanted = ReadingStatus.OK if name == "elsewhere" else ReadingStatus.UNKNOWN
        assert reading.status is wanted, f"{name}: {reading}"
    assert seen.probe_took_s < 6
    assert seen.health_took_s < 3
    for name in HARD_AND_SOFT:
        sight = seen.pools[name]
        for heartbeat in (sight.own, *sight.others.values()):
            assert heartbeat is not None
            assert not heartbeat.withdrawn
            # What was read before the outage may be told until it is stale, and then only as unknown.
            assert heartbeat.status is ReadingStatus.UNKNOWN or _age(heartbeat) < 2 * MOVES_S
    own = seen.pools["elsewhere"].own
    assert _moves(own), "another pool goes on"


def _sees_all_moving(running: Lab, host: Host) -> bool:
    time.sleep(1)  # asking without a pause would slow down what is asked
    (neighbor,) = [each for each in running.hosts if each is not host]
    pools = host.watch()
    return all(
        pools[name].code is None and _moves(pools[name].own) and _moves(pools[name].others.get(neighbor.host_id))
        for name in HARD_AND_SOFT
    )


def _moves(sight: HeartbeatSight | None) -> bool:
    return sight is not None and sight.status is ReadingStatus.OK and _age(sight) < MOVES_S


def _age(sight: HeartbeatSight) -> float:
    return float("inf") if sight.moved_age_s is None else sight.moved_age_s


def _refused(host: Host, name: str) -> str:
    """Its mount options, once the agent refuses it."""
    sight = host.watch().get(name)
    return sight.mount_options if sight is not None and sight.code is ReadingCode.MOUNT_REFUSED else ""


def _mtime_ns_now_and_then(host: Host, pool: str) -> int:
    time.sleep(0.5)
    return host.guest.mtime_ns(f"/mnt/{pool}/plain")


def _read(host: Host, paths: dict[str, str]) -> dict[str, FileReading]:
    readings = dict(zip(paths, host.probe(list(paths.values())).readings, strict=True))
    assert {reading.code for reading in readings.values()} == {None}, readings
    return readings


def _identity(readings: dict[str, FileReading]) -> dict[str, tuple[int, ...]]:
    return {name: (one.inode, one.size, one.blocks, one.mtime_ns, one.ctime_ns) for name, one in readings.items()}


def _pids(running: Lab) -> list[str]:
    """The agents' programs and their writers; a mount's looker may be another after its patience."""
    writers = "/^Pid:/ {pid = $2} /^PPid:/ && $2 == parent {print pid}"
    script = f"""cat /run/serve.pid {_HEARTBEAT}
    cat /proc/[0-9]*/status 2>/dev/null | awk -v parent=$(cat {_HEARTBEAT}) '{writers}'"""
    return [host.guest.sh(script) for host in running.hosts]


def _all_back(counts: Counts, before: Counts) -> bool:
    return counts.processes == before.processes and counts.descriptors <= before.descriptors + 1


def _unmounted(host: Host, name: str) -> bool:
    with suppress(AssertionError):  # somebody is looking right now
        host.guest.sh(f"umount /mnt/{name}")
        return True
    return False
