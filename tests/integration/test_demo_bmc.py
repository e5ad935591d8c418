"""The demo BMC, seen by a client that is not ours (Debian's ipmitool) and as the process the demo runs."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.power import BmcTarget, PowerAction, PowerState
from controller.power.drivers.ipmi import IpmiDriver
from demo.bmc import Behaviour, DemoBmc
from tests.contracts.rig import boottime

SECRET = "s3cret pass"
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def driver() -> AsyncIterator[IpmiDriver]:
    made = IpmiDriver()
    yield made
    await made.aclose()


def target_at(port: int) -> BmcTarget:
    return BmcTarget(driver="ipmi", address="127.0.0.1", port=port, username="admin", password=SECRET)


async def ipmitool(port: int, *words: str, password: str = SECRET) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        "ipmitool",
        *("-I", "lanplus", "-H", "127.0.0.1", "-p", str(port), "-U", "admin", "-L", "OPERATOR"),
        *("-C", "3", "-N", "1", "-R", "2", "-E", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.defpath, "IPMITOOL_PASSWORD": password},
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode().strip()


@pytest.mark.debian("ipmitool")
class TestIpmitool:
    async def test_understands_it(self) -> None:
        bmc = await DemoBmc(user="admin", password=SECRET).start()
        assert await ipmitool(bmc.port, "chassis", "power", "status") == (0, "Chassis Power is on")
        assert await ipmitool(bmc.port, "chassis", "power", "off") == (0, "Chassis Power Control: Down/Off")
        assert await ipmitool(bmc.port, "chassis", "power", "status") == (0, "Chassis Power is off")
        assert (await ipmitool(bmc.port, "chassis", "identify", "force"))[0] == 0
        assert bmc.identify
        assert bmc.commands() == ["off", "identify"]
        bmc.close()

    async def test_is_turned_away_with_a_wrong_password(self) -> None:
        bmc = await DemoBmc(user="admin", password=SECRET).start()
        code, _ = await ipmitool(bmc.port, "chassis", "power", "off", password="wrong")
        assert code == 1
        assert bmc.commands() == []
        bmc.close()


async def test_several_live_in_one_process_and_keep_apart(driver: IpmiDriver) -> None:
    first, second = [await DemoBmc(user="admin", password=SECRET, name=name).start() for name in ("a", "b")]
    await driver.act(target_at(first.port), PowerAction.OFF, deadline_s=3, not_after=boottime() + 60)
    states = await asyncio.gather(*(driver.status(target_at(bmc.port), deadline_s=3) for bmc in (first, second)))
    assert [reading.state for reading in states] == [PowerState.OFF, PowerState.ON]
    first.close()
    second.close()


async def test_a_late_off_reads_on_until_then_and_tells_the_demo(driver: IpmiDriver) -> None:
    switched = asyncio.Event()
    told: list[str] = []

    def on_power(state: str) -> None:
        told.append(state)
        switched.set()

    behaviour = Behaviour(off_delay_s=0.3)
    bmc = await DemoBmc(user="admin", password=SECRET, behaviour=behaviour, on_power=on_power).start()
    await driver.act(target_at(bmc.port), PowerAction.OFF, deadline_s=3, not_after=boottime() + 60)
    assert (await driver.status(target_at(bmc.port), deadline_s=3)).state is PowerState.ON
    async with asyncio.timeout(5):
        await switched.wait()
    assert told == ["off"]
    assert (await driver.status(target_at(bmc.port), deadline_s=3)).state is PowerState.OFF
    bmc.close()


async def test_runs_as_a_process_and_writes_down_what_it_was_told(driver: IpmiDriver, tmp_path: Path) -> None:
    password, log = tmp_path / "password", tmp_path / "log"
    password.write_text(SECRET + "\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo.bmc", "--listen", "127.0.0.1:0", "--user", "admin"),
        *("--password-file", str(password), "--log", str(log), "--name", "host-a"),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    hello = (await process.stdout.readline()).decode()
    port = int(hello.rsplit(":", 1)[1])
    await driver.act(target_at(port), PowerAction.OFF, deadline_s=3, not_after=boottime() + 60)
    process.kill()
    await process.communicate()
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [entry["what"] for entry in entries][:3] == ["login", "power_off", "off"]
    assert {entry["bmc"] for entry in entries} == {"host-a"}
    assert SECRET not in log.read_text()
