"""One rig per implementation of the power driver: the driver, a device it can reach, and a way to see the truth.

A new driver adds a rig here and thereby promises everything in `test_power_driver.py`.
"""

import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from controller.domain.power import BmcTarget, PowerAction
from controller.power.base import PowerDriver
from controller.power.drivers.ipmi import IpmiDriver
from demo.bmc import DemoBmc
from tests.fakes.power import FakeBmc, FakeMachine, FakePower
from tests.fixtures.ipmi_sim import PASSWORD, USER, ipmi_sim

SECRET = "s3cret pass"
_IDENTIFY = {"identify": PowerAction.BLINK, "identify_off": PowerAction.BLINK_OFF}
_DEMO_WORDS = {"off": PowerAction.OFF, "on": PowerAction.ON, "reset": PowerAction.REBOOT, **_IDENTIFY}
_SIM_WORDS = {"power 0": PowerAction.OFF, "power 1": PowerAction.ON, "reset 1": PowerAction.REBOOT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """What the contract needs to know about one implementation."""

    driver: PowerDriver
    target: BmcTarget
    silent: BmcTarget
    """A device that answers nothing."""
    is_on: Callable[[], bool]
    """The truth, not by way of the driver."""
    commands: Callable[[], list[PowerAction]]
    """What reached the device, by its own account."""
    now: Callable[[], float]
    """The clock `not_after` is compared with."""
    misbehave: Callable[[str], None] | None = None
    """Make the device `reject`, `ignore`, `lose_answers` or be `busy`; `None` where a device has no such switch."""


@asynccontextmanager
async def ipmi_on_demo_bmc(folder: Path) -> AsyncIterator[Rig]:
    bmc = await DemoBmc(user="admin", password=SECRET, log=folder / "log").start()
    driver = IpmiDriver()
    target = BmcTarget(driver="ipmi", address="127.0.0.1", port=bmc.port, username="admin", password=SECRET)
    switches = {"reject": "rejects_off", "ignore": "ignores_off", "lose_answers": "swallows_answers", "busy": "busy"}
    with silent_port() as port:
        yield Rig(
            driver=driver,
            target=target,
            silent=replace(target, port=port),
            is_on=lambda: bmc.power == "on",
            commands=lambda: [_DEMO_WORDS[word] for word in bmc.commands()],
            now=boottime,
            misbehave=lambda how: setattr(bmc.behaviour, switches[how], True),
        )
    await driver.aclose()
    bmc.close()


@asynccontextmanager
async def ipmi_on_ipmi_sim(folder: Path) -> AsyncIterator[Rig]:
    driver = IpmiDriver()
    async with ipmi_sim(folder) as sim:
        target = BmcTarget(driver="ipmi", address="127.0.0.1", port=sim.port, username=USER, password=PASSWORD)
        with silent_port() as port:
            yield Rig(
                driver=driver,
                target=target,
                silent=replace(target, port=port),
                is_on=lambda: sim.is_on,
                commands=lambda: [_sim_action(line) for line in sim.commands()],
                now=boottime,
            )
        await driver.aclose()


@asynccontextmanager
async def fake(folder: Path) -> AsyncIterator[Rig]:
    del folder
    clock = [1000.0]

    async def sleep(seconds: float) -> None:
        clock[0] += seconds

    driver = FakePower(clock=lambda: clock[0], sleep=sleep)
    target = BmcTarget(driver="fake", address="10.0.0.1", port=623, username="admin", password=SECRET)
    machine = FakeMachine("a")
    bmc = driver.put(target, FakeBmc(machine=machine, users={"admin": SECRET}))
    switches = {"reject": "rejects_off", "ignore": "ignores_off", "lose_answers": "loses_answers", "busy": "busy"}
    yield Rig(
        driver=driver,
        target=target,
        silent=replace(target, address="10.0.0.99"),
        is_on=lambda: machine.is_on(clock[0]),
        commands=lambda: [entry.action for entry in driver.commands()],
        now=lambda: clock[0],
        misbehave=lambda how: setattr(bmc, switches[how], True),
    )
    await driver.aclose()


MISBEHAVING = [pytest.param(ipmi_on_demo_bmc, id="ipmi/demo"), pytest.param(fake, id="fake")]
EVERY = [*MISBEHAVING, pytest.param(ipmi_on_ipmi_sim, id="ipmi/ipmi_sim", marks=pytest.mark.debian("ipmi_sim"))]


@contextmanager
def silent_port() -> Iterator[int]:
    """A UDP port that takes everything and answers nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        yield hole.getsockname()[1]


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _sim_action(line: str) -> PowerAction:
    if line.startswith("identify"):
        return PowerAction.BLINK_OFF if line.startswith("identify 0 0") else PowerAction.BLINK
    return _SIM_WORDS[line]
