"""Without a cloud: commands and webhooks that succeed, fail, hang, fork, flood; what an inventory means."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.cloud.standalone import LONGEST_S, Hooks, Standalone, disk_list
from controller.domain.evidence import CloudSays
from controller.domain.model import Host, Pool, PoolKind, Vm
from controller.engine.worker import LONGEST_STEP_S
from controller.services.look import LONGEST_ROUND_S
from tests.fixtures import builders as a
from tests.fixtures.agents import eventually, free_port, is_alive
from tests.fixtures.evidence import machines

HOST = a.host(external_id="uuid-of-h1")
LONGEST = 1.0
SAID = {"said": True}
"""What a release's first call leaves: the machines have been named."""

Make = Callable[..., Standalone]


async def no_inventory(host: Host) -> tuple[list[Vm], list[Pool]] | None:
    del host
    return None


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Standalone] = []

    def one(script: str = "", *, webhook: str = "", longest_s: float = LONGEST, command: tuple[str, ...] = ()) -> Any:
        run = command or ("/bin/sh", "-c", script)
        commands = {"release": run, "quarantine": run} if script or command else {}
        made.append(Standalone(no_inventory, Hooks(commands=commands, webhook=webhook), longest_s=longest_s))
        return made[-1]

    yield one
    for cloud in made:
        await cloud.aclose()


@pytest.fixture
def no_descriptor_stays() -> Iterator[None]:
    before = _descriptors()
    yield
    eventually(lambda: _descriptors() <= before)


# -- commands


async def test_without_a_hook_there_is_nothing_to_do_and_it_is_done(make: Make) -> None:
    cloud = make()
    assert (await cloud.quarantine(HOST, "")).done
    assert (await cloud.unquarantine(HOST, "")).done
    assert (await cloud.release(HOST, machines("vm"), {})).done
    assert await cloud.says(HOST) is CloudSays.NONE


@pytest.mark.parametrize("how", ["command", "webhook"])
async def test_which_machines_a_hook_may_start_is_said_before_it_is_called(
    make: Make, tmp_path: Path, how: str
) -> None:
    """A hook that fails after it has started one: what that one writes is no life of the old host."""
    told = tmp_path / "told"
    cloud = make(f"touch {told}") if how == "command" else make(webhook=f"http://127.0.0.1:{free_port()}/")
    first = await cloud.release(HOST, machines("db", "web"), {})
    assert (first.done, first.pending, first.begun) == (False, True, ("db", "web"))
    assert not told.exists()
    second = await cloud.release(HOST, machines("db", "web"), first.progress)
    assert (second.done, told.exists()) == ((True, True) if how == "command" else (False, False))


async def test_a_command_is_told_everything_and_answers_in_json(make: Make, tmp_path: Path) -> None:
    told = tmp_path / "told"
    cloud = make(f'cat > {told}; echo warning >&2; echo \'{{"not_started": ["db"], "earlier": "Enabled"}}\'')
    result = await cloud.release(HOST, machines("db", "web"), SAID)
    assert (result.done, result.not_started, result.earlier) == (True, ("db",), "Enabled")
    assert json.loads(told.read_text()) == {
        "effect": "release",
        "host": "host h1",
        "host_id": "h1",
        "address": "h1.example",
        "external_id": "uuid-of-h1",
        "vms": ["db", "web"],
        "earlier": "",
    }


async def test_ten_thousand_machines_can_be_told(make: Make, tmp_path: Path) -> None:
    vms = machines(*(f"machine-{number:05}" for number in range(10_000)))
    told = tmp_path / "told"
    assert (await make(f"cat > {told}").release(HOST, vms, SAID)).done
    assert json.loads(told.read_text())["vms"] == [vm.name for vm in vms]


async def test_a_command_that_reads_nothing_is_no_failure(make: Make) -> None:
    vms = machines(*(f"machine-{number:05}" for number in range(10_000)))
    assert (await make("exit 0").release(HOST, vms, SAID)).done


@pytest.mark.parametrize("printed", ["", "not json", "[1]", '{"not_started": "db"}', '{"not_started": null}'])
async def test_words_that_are_no_answer_are_only_words(make: Make, printed: str) -> None:
    result = await make(f"printf '%s' '{printed}'").release(HOST, machines("db"), SAID)
    assert (result.done, result.not_started, result.earlier) == (True, (), "")


async def test_a_command_that_fails_says_why(make: Make) -> None:
    result = await make("echo no such host >&2; exit 3").release(HOST, (), {})
    assert not result.done
    assert "exit 3" in result.said
    assert "no such host" in result.said


async def test_a_killed_command_failed(make: Make) -> None:
    assert not (await make("kill -9 $$").release(HOST, (), {})).done


@pytest.mark.usefixtures("no_descriptor_stays")
@pytest.mark.parametrize("command", [("/no/such/program",), ("/etc/hostname",), ("/",)])
async def test_a_command_that_cannot_be_run_says_so(make: Make, command: tuple[str, ...]) -> None:
    result = await make(command=command).release(HOST, (), {})
    assert not result.done
    assert command[0] in result.said


async def test_a_command_sees_nothing_of_the_controllers_environment(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTFENCE_ENCRYPTION_KEY", "secret")
    out = tmp_path / "env"
    assert (await make(f"env > {out}").release(HOST, (), {})).done
    assert "HOSTFENCE" not in out.read_text()


@pytest.mark.usefixtures("no_descriptor_stays")
async def test_a_command_that_hangs_ends_at_the_deadline_with_all_its_children(make: Make, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    cloud = make(f"trap '' TERM; sleep 60 & echo $! $$ > {pids}; (sleep 60; sleep 60); sleep 60")
    began = time.monotonic()
    result = await cloud.release(HOST, (), {})
    assert not result.done
    assert "in time" in result.said
    assert time.monotonic() - began < LONGEST + 1
    eventually(lambda: not any(map(is_alive, map(int, pids.read_text().split()))), within_s=2)


@pytest.mark.usefixtures("no_descriptor_stays")
async def test_a_child_left_behind_holds_nothing_up(make: Make, tmp_path: Path) -> None:
    """It keeps the pipe open; what the command itself did and said counts, and the child ends with it."""
    pids = tmp_path / "pids"
    cloud = make(f'sleep 60 & echo $! > {pids}; echo \'{{"earlier": "Enabled"}}\'', longest_s=30)
    began = time.monotonic()
    result = await cloud.quarantine(HOST, "")
    assert (result.done, result.earlier) == (True, "Enabled")
    assert time.monotonic() - began < 5
    eventually(lambda: not is_alive(int(pids.read_text())), within_s=2)


@pytest.mark.usefixtures("no_descriptor_stays")
async def test_a_child_in_a_session_of_its_own_holds_nothing_up_either(make: Make, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    cloud = make(f"setsid sleep 60 & echo $! > {pid}; sleep 0.2; exit 0", longest_s=30)
    began = time.monotonic()
    assert (await cloud.quarantine(HOST, "")).done
    assert time.monotonic() - began < 5
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid.read_text()), 9)


@pytest.mark.usefixtures("no_descriptor_stays")
async def test_a_flood_is_read_and_dropped(make: Make) -> None:
    before = _memory_kib()
    result = await make("yes flooding; yes").release(HOST, (), {})
    assert not result.done
    assert _memory_kib() - before < 50_000
    assert (await make("yes | head -c 3000000", longest_s=5).release(HOST, (), {})).done


@pytest.mark.usefixtures("no_descriptor_stays")
async def test_who_stops_waiting_leaves_no_command_behind(make: Make, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    task = asyncio.create_task(make(f"echo $$ > {pid}; exec sleep 60", longest_s=30).release(HOST, (), {}))
    while not pid.exists() or not pid.read_text():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    eventually(lambda: not is_alive(int(pid.read_text())), within_s=2)


def test_a_release_fits_into_its_step() -> None:
    """The look, the look at the others, the hook: a longer one would be cut off and begun again for ever."""
    assert LONGEST_STEP_S > LONGEST_ROUND_S + 2 + LONGEST_S + 1


# -- webhooks


async def test_a_webhook_is_told_the_same(make: Make) -> None:
    heard: list[dict[str, Any]] = []
    async with a_webhook("200 OK", heard=heard) as url:
        assert (await make(webhook=url).release(HOST, machines("db"), SAID)).done
    (told,) = heard
    assert (told["effect"], told["host"], told["vms"]) == ("release", "host h1", ["db"])


@pytest.mark.parametrize("status", ["500 Oops", "404 Not Found", "302 Found"])
async def test_anything_but_2xx_is_not_done(make: Make, status: str) -> None:
    async with a_webhook(status) as url:
        result = await make(webhook=url).release(HOST, (), {})
    assert not result.done
    assert status[:3] in result.said


async def test_a_webhook_that_refuses_is_not_done(make: Make) -> None:
    result = await make(webhook=f"http://127.0.0.1:{free_port()}/").release(HOST, (), {})
    assert not result.done
    assert "ConnectError" in result.said


async def test_a_webhook_that_trickles_ends_at_the_deadline(make: Make) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.2)

    async with a_webhook("200 OK", before=trickle) as url:
        began = time.monotonic()
        result = await make(webhook=url).release(HOST, (), {})
    assert not result.done
    assert time.monotonic() - began < LONGEST + 1


async def test_a_failed_command_keeps_the_webhook_from_being_called(make: Make) -> None:
    heard: list[dict[str, Any]] = []
    async with a_webhook("200 OK", heard=heard) as url:
        assert not (await make("exit 1", webhook=url).release(HOST, (), {})).done
    assert heard == []


async def test_command_and_webhook_share_one_deadline(make: Make) -> None:
    async def slow(writer: asyncio.StreamWriter) -> None:
        del writer
        await asyncio.sleep(5)

    async with a_webhook("200 OK", before=slow) as url:
        began = time.monotonic()
        assert not (await make("sleep 0.7", webhook=url).release(HOST, (), {})).done
        assert time.monotonic() - began < LONGEST + 1


# -- the inventory


async def test_an_inventory_that_cannot_be_read_is_unknown() -> None:
    assert not (await Standalone(no_inventory, Hooks()).disks(HOST)).known


async def test_an_empty_inventory_is_known_to_be_empty() -> None:
    async def empty(host: Host) -> tuple[list[Vm], list[Pool]] | None:
        del host
        return [], [a.pool()]

    disks = await Standalone(empty, Hooks()).disks(HOST)
    assert (disks.known, disks.vms, disks.targets, disks.roots_in_question) == (True, (), (), ("/mnt/p1",))


@pytest.mark.parametrize("kind", [PoolKind.LOCAL, PoolKind.BLOCK])
def test_disks_no_neighbor_can_see_are_uncheckable(kind: PoolKind) -> None:
    pools = [a.pool(), a.pool("p2", kind=kind)]
    both = a.vm(name="db", disks=(a.disk(), a.disk("d2", pool_id="p2"), a.disk("d3", pool_id="p2")))
    disks = disk_list([both], pools)
    assert disks.uncheckable == ("db",)
    assert [t.path for t in disks.targets] == ["/mnt/p1/d1"]
    assert disks.pool_roots == ("/mnt/p1",)


def test_images_of_ceph_are_looked_at_under_their_pools_name() -> None:
    pools = [a.pool(), a.pool("p2", kind=PoolKind.RBD, root="rbd:vms/kvm")]
    disks = disk_list([a.vm(name="db", disks=(a.disk(), a.disk("d2", pool_id="p2", path="disk-1")))], pools)
    assert [(t.path, t.pool_root) for t in disks.targets] == [
        ("/mnt/p1/d1", "/mnt/p1"),
        ("rbd:vms/kvm/disk-1", "rbd:vms/kvm"),
    ]
    assert disks.uncheckable == ()
    assert disks.pool_roots == ("/mnt/p1",), "no heartbeat is written to images, so none is asked for there"


def test_a_disk_on_a_pool_nobody_knows_is_uncheckable() -> None:
    assert disk_list([a.vm(name="db", disks=(a.disk(),))], []).uncheckable == ("db",)


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _memory_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


@asynccontextmanager
async def a_webhook(
    status: str,
    *,
    heard: list[dict[str, Any]] | None = None,
    before: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None,
) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            if heard is not None:
                heard.append(json.loads(body))
            if before is not None:
                await before(writer)
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    finally:
        server.close()
