"""The ipmi driver's processes: bounded, disposable, killed at the deadline, never left behind."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerCode, PowerState
from controller.power.drivers.ipmi import IpmiDriver
from demo.bmc import DemoBmc
from tests.contracts.rig import boottime, silent_port

SECRET = "s3cret pass"
LATER = 60.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def bmc() -> AsyncIterator[DemoBmc]:
    made = await DemoBmc(user="admin", password=SECRET).start()
    yield made
    made.close()


@pytest.fixture
async def driver() -> AsyncIterator[IpmiDriver]:
    made = IpmiDriver()
    yield made
    await made.aclose()


def target_at(port: int) -> BmcTarget:
    return BmcTarget(driver="ipmi", address="127.0.0.1", port=port, username="admin", password=SECRET)


def nursery_of(driver: IpmiDriver) -> int:
    assert driver._nursery is not None
    return driver._nursery.pid


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """A zombie is not alive: its memory and its sockets are gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until(true: Callable[[], object], *, limit_s: float = 5.0) -> None:
    async with asyncio.timeout(limit_s):
        while not true():
            await asyncio.sleep(0.005)


class TestManyAtOnce:
    async def test_of_two_hundred_a_hundred_dead_ones_do_not_delay_the_healthy_ones(self, driver: IpmiDriver) -> None:
        """pyghmi 1.6.19 in threads stands still for ever beyond some 64 of them, the healthy ones included."""
        bmcs = [await DemoBmc(user="admin", password=SECRET).start() for _ in range(100)]
        with ExitStack() as stack:
            ports = [stack.enter_context(silent_port()) for _ in range(100)]
            dead = [asyncio.create_task(driver.status(target_at(port), deadline_s=5)) for port in ports]
            await until(lambda: driver._nursery and len(children_of(nursery_of(driver))) == len(dead))
            healthy = [driver.status(target_at(bmc.port), deadline_s=5) for bmc in bmcs]
            readings = await asyncio.gather(*healthy)
            assert {reading.state for reading in readings} == {PowerState.ON}
            assert not any(task.done() for task in dead)
            lost = await asyncio.gather(*dead)
        assert {reading.code for reading in lost} == {PowerCode.NO_ANSWER}
        assert max(reading.took_s for reading in lost) < 5 + 1
        for bmc in bmcs:
            bmc.close()

    async def test_reads_that_wait_never_take_a_commands_place(self, bmc: DemoBmc) -> None:
        driver = IpmiDriver(read_workers=1)
        with silent_port() as port:
            stuck = asyncio.create_task(driver.status(target_at(port), deadline_s=1.0))
            await until(lambda: driver._nursery and children_of(nursery_of(driver)))
            crowded = await driver.status(target_at(bmc.port), deadline_s=0.2)
            assert (crowded.code, crowded.said) == (PowerCode.TIMED_OUT, "no free worker before the deadline")
            outcome = await driver.act(target_at(bmc.port), PowerAction.OFF, deadline_s=3, not_after=boottime() + LATER)
            assert outcome.accepted is Accepted.YES
            await stuck
        await driver.aclose()

    async def test_each_operation_logs_in_once_and_logs_out(self, driver: IpmiDriver, bmc: DemoBmc) -> None:
        await driver.status(target_at(bmc.port), deadline_s=3)
        await driver.act(target_at(bmc.port), PowerAction.OFF, deadline_s=3, not_after=boottime() + LATER)
        await until(lambda: bmc.open_sessions == 0)
        assert [entry.what for entry in bmc.entries if entry.peer != ":0"] == [
            *("login", "status", "logout"),
            *("login", "off", "logout"),
        ]

    async def test_a_wrong_password_is_tried_once(self, driver: IpmiDriver, bmc: DemoBmc) -> None:
        await driver.status(replace(target_at(bmc.port), password="wrong"), deadline_s=3)
        assert bmc.count("login") == 1


class TestRefusals:
    async def test_no_session_left(self, driver: IpmiDriver, bmc: DemoBmc) -> None:
        bmc.behaviour.max_sessions = 0
        reading = await driver.status(target_at(bmc.port), deadline_s=3)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.SESSIONS_EXHAUSTED)

    @pytest.mark.slow
    async def test_a_silent_device_that_pyghmi_gives_up_on_before_the_deadline(self, driver: IpmiDriver) -> None:
        with silent_port() as port:
            reading = await driver.status(target_at(port), deadline_s=30)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.NO_ANSWER)
        assert reading.took_s < 30

    async def test_a_name_that_does_not_resolve(self, driver: IpmiDriver) -> None:
        target = replace(target_at(623), address="bmc.invalid")
        reading = await driver.status(target, deadline_s=3)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.NO_ANSWER)

    @pytest.mark.parametrize(
        "impossible",
        [
            {"password": "x" * 21},
            {"username": "u" * 17},
            {"address": ""},
            {"options": (("privilege", "root"),)},
        ],
    )
    async def test_what_ipmi_cannot_carry_is_not_tried(
        self, driver: IpmiDriver, bmc: DemoBmc, impossible: dict[str, str]
    ) -> None:
        target = replace(target_at(bmc.port), **impossible)  # type: ignore[arg-type]  # parametrised
        outcome = await driver.act(target, PowerAction.OFF, deadline_s=3, not_after=boottime() + LATER)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.NOT_CONFIGURED)
        assert (await driver.status(target, deadline_s=3)).code is PowerCode.NOT_CONFIGURED
        assert bmc.entries == []

    async def test_not_after_is_checked_after_the_login(self, driver: IpmiDriver, bmc: DemoBmc) -> None:
        bmc.behaviour.login_delay_s = 0.2
        outcome = await driver.act(target_at(bmc.port), PowerAction.OFF, deadline_s=5, not_after=boottime() + 0.3)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.STALLED)
        assert bmc.count("login") >= 1
        assert bmc.commands() == []


class TestDeaths:
    async def test_a_worker_killed_before_the_command_has_sent_nothing(self, driver: IpmiDriver, bmc: DemoBmc) -> None:
        with silent_port() as port:
            call = asyncio.create_task(
                driver.act(target_at(port), PowerAction.OFF, deadline_s=5, not_after=boottime() + LATER)
            )
            await until(lambda: driver._nursery and children_of(nursery_of(driver)))
            os.kill(children_of(nursery_of(driver))[0], signal.SIGKILL)
            outcome = await call
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.DRIVER_FAILED)
        assert (await driver.status(target_at(bmc.port), deadline_s=3)).state is PowerState.ON

    async def test_a_worker_killed_after_the_command_leaves_it_unknown(self, driver: IpmiDriver, bmc: DemoBmc) -> None:
        bmc.behaviour.swallows_answers = True
        call = asyncio.create_task(
            driver.act(target_at(bmc.port), PowerAction.OFF, deadline_s=5, not_after=boottime() + LATER)
        )
        await until(bmc.commands)
        os.kill(children_of(nursery_of(driver))[0], signal.SIGKILL)
        outcome = await call
        assert (outcome.accepted, outcome.code) == (Accepted.UNKNOWN, PowerCode.DRIVER_FAILED)
        assert bmc.commands() == ["off"]

    async def test_a_killed_nursery_is_replaced(self, driver: IpmiDriver, bmc: DemoBmc) -> None:
        with silent_port() as port:
            call = asyncio.create_task(driver.status(target_at(port), deadline_s=5))
            await until(lambda: driver._nursery and children_of(nursery_of(driver)))
            first, workers = nursery_of(driver), children_of(nursery_of(driver))
            os.kill(first, signal.SIGKILL)
            assert (await call).code is PowerCode.DRIVER_FAILED
        assert (await driver.status(target_at(bmc.port), deadline_s=3)).state is PowerState.ON
        assert nursery_of(driver) != first
        await until(lambda: not any(map(alive, workers)))

    async def test_a_stopped_nursery_costs_the_deadline_and_sends_nothing_later(
        self, driver: IpmiDriver, bmc: DemoBmc
    ) -> None:
        await driver.status(target_at(bmc.port), deadline_s=3)
        stopped = nursery_of(driver)
        os.kill(stopped, signal.SIGSTOP)
        outcome = await driver.act(target_at(bmc.port), PowerAction.OFF, deadline_s=0.3, not_after=boottime() + LATER)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.DRIVER_FAILED)
        assert outcome.took_s < 0.3 + 1
        await until(lambda: not alive(stopped))
        assert (await driver.status(target_at(bmc.port), deadline_s=3)).state is PowerState.ON
        assert bmc.commands() == []

    async def test_a_cancelled_call_ends_its_worker(self, driver: IpmiDriver) -> None:
        with silent_port() as port:
            call = asyncio.create_task(driver.status(target_at(port), deadline_s=30))
            await until(lambda: driver._nursery and children_of(nursery_of(driver)))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await until(lambda: not children_of(nursery_of(driver)))

    async def test_nothing_is_left_after_aclose(self, driver: IpmiDriver) -> None:
        with silent_port() as port:
            call = asyncio.create_task(driver.status(target_at(port), deadline_s=30))
            await until(lambda: driver._nursery and children_of(nursery_of(driver)))
            pids = [nursery_of(driver), *children_of(nursery_of(driver))]
            await driver.aclose()
            assert (await call).code is PowerCode.DRIVER_FAILED
            await until(lambda: not any(map(alive, pids)))
            with pytest.raises(RuntimeError, match="closed"):
                await driver.status(target_at(port), deadline_s=1)

    async def test_nothing_is_left_after_kill_9_of_the_controller(self) -> None:
        story = (
            "import asyncio, sys\n"
            "from controller.domain.power import BmcTarget\n"
            "from controller.power.drivers.ipmi import IpmiDriver\n"
            "async def main():\n"
            "    port = int(sys.argv[1])\n"
            "    target = BmcTarget(driver='ipmi', address='127.0.0.1', port=port, username='a', password='b')\n"
            "    driver = IpmiDriver()\n"
            "    calls = [asyncio.create_task(driver.status(target, deadline_s=60)) for _ in range(3)]\n"
            "    while driver._nursery is None: await asyncio.sleep(0.01)\n"
            "    print(driver._nursery.pid, flush=True)\n"
            "    await asyncio.gather(*calls)\n"
            "asyncio.run(main())\n"
        )
        with silent_port() as port:
            controller = await asyncio.create_subprocess_exec(
                sys.executable, "-c", story, str(port), stdout=asyncio.subprocess.PIPE, cwd=ROOT
            )
            assert controller.stdout is not None
            nursery = int(await controller.stdout.readline())
            await until(lambda: len(children_of(nursery)) == 3)
            pids = [nursery, *children_of(nursery)]
            controller.kill()
            await controller.wait()
            await until(lambda: not any(map(alive, pids)), limit_s=2.0)


async def test_the_secret_is_in_no_argument_and_no_environment(
    driver: IpmiDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTFENCE_DATABASE_URL", "postgresql://someone:dbsecret@db/x")
    with silent_port() as port:
        call = asyncio.create_task(driver.status(target_at(port), deadline_s=1.0))
        await until(lambda: driver._nursery and children_of(nursery_of(driver)))
        pids = [nursery_of(driver), *children_of(nursery_of(driver))]
        shown = b"".join(Path(f"/proc/{pid}/{what}").read_bytes() for pid in pids for what in ("cmdline", "environ"))
        assert b"ipmi_worker" in shown
        assert SECRET.encode() not in shown
        assert b"dbsecret" not in shown
        await call


async def test_pyghmi_gets_bytes_so_that_one_failure_does_not_break_what_follows(bmc: DemoBmc) -> None:
    """With *str* credentials pyghmi 1.6.19 keeps the broken session and the third login here fails."""
    story = (
        "import json, sys, time\n"
        "from controller.power.drivers import ipmi_worker\n"
        "for password in ('wrong', sys.argv[2], sys.argv[2], sys.argv[2]):\n"
        "    job = dict(verb='status', address='127.0.0.1', port=int(sys.argv[1]), username='admin',\n"
        "               password=password, privilege='operator', until=time.monotonic() + 5)\n"
        "    print(json.dumps(ipmi_worker._answer(job, lambda step: None)['code']))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", story, str(bmc.port), SECRET, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    output, _ = await process.communicate()
    assert [json.loads(line) for line in output.splitlines()] == ["bad_credentials", "none", "none", "none"]


async def test_each_operation_has_a_process_of_its_own(driver: IpmiDriver, bmc: DemoBmc) -> None:
    """No session, thread or table of pyghmi's outlives an operation: ten of them, ten source ports, no child left."""
    began = time.monotonic()
    for _ in range(10):
        assert (await driver.status(target_at(bmc.port), deadline_s=3)).reachable
    assert time.monotonic() - began < 5.0
    assert len({entry.peer for entry in bmc.entries if entry.what == "status"}) == 10
    await until(lambda: not children_of(nursery_of(driver)))
