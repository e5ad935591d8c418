"""One rig per implementation of the power driver: the driver, a device it can reach, and a way to see the truth.

A new driver adds a rig here and thereby promises everything in `test_power_driver.py`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.power import BmcTarget
from controller.power.drivers.ipmi import IpmiDriver
from tests.contracts.demo_bmc_rig import on_demo_bmc
from tests.contracts.exec_rigs import (
    exec_script,
    fence_agent_on_ipmi_sim,
    ipmitool_on_demo_bmc,
    ipmitool_on_ipmi_sim,
    sim_action,
)
from tests.contracts.redfish_rig import redfish_on_service
from tests.contracts.rig import SECRET, Rig, boottime, silent_port
from tests.fakes.power import FakeBmc, FakeMachine, FakePower
from tests.fixtures.ipmi_sim import PASSWORD, USER, ipmi_sim


@asynccontextmanager
async def ipmi_on_demo_bmc(folder: Path) -> AsyncIterator[Rig]:
    def target_at(port: int) -> BmcTarget:
        return BmcTarget(driver="ipmi", address="127.0.0.1", port=port, username="admin", password=SECRET)

    async with on_demo_bmc(folder, IpmiDriver(), target_at) as rig:
        yield rig


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
                commands=lambda: [sim_action(line) for line in sim.commands()],
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


MISBEHAVING = [
    pytest.param(ipmi_on_demo_bmc, id="ipmi/demo"),
    pytest.param(redfish_on_service, id="redfish/service"),
    pytest.param(exec_script, id="exec/script"),
    pytest.param(ipmitool_on_demo_bmc, id="exec/ipmitool/demo", marks=pytest.mark.debian("ipmitool")),
    pytest.param(fake, id="fake"),
]
EVERY = [
    *MISBEHAVING,
    pytest.param(ipmi_on_ipmi_sim, id="ipmi/ipmi_sim", marks=pytest.mark.debian("ipmi_sim")),
    pytest.param(ipmitool_on_ipmi_sim, id="exec/ipmitool/ipmi_sim", marks=pytest.mark.debian("ipmi_sim", "ipmitool")),
    pytest.param(
        fence_agent_on_ipmi_sim,
        id="exec/fence-agent/ipmi_sim",
        marks=pytest.mark.debian("ipmi_sim", "ipmitool", "fence_ipmilan"),
    ),
]
