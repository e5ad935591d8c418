"""The `exec` driver's rigs: a script of its own protocol, ipmitool on two BMCs, a fence agent on one of them."""

import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from controller.domain.power import BmcTarget, PowerAction
from controller.power.drivers.exec import ExecDriver
from tests.contracts.demo_bmc_rig import on_demo_bmc
from tests.contracts.rig import SECRET, Rig, boottime, silent_port
from tests.fixtures.counterparts import debian_program
from tests.fixtures.ipmi_sim import PASSWORD, USER, IpmiSim, ipmi_sim

SIM_WORDS = {"power 0": PowerAction.OFF, "power 1": PowerAction.ON, "reset 1": PowerAction.REBOOT}

_SCRIPT = """\
#!/bin/sh
cd "{folder}" || exit 1
mode=$(cat mode)
[ "$2" = silent ] && sleep 60
[ "$mode" = busy ] && exit 4
[ "$IPMI_USERNAME" = admin ] && [ "$IPMI_PASSWORD" = "$(cat password)" ] || {{ echo "who are you?" >&2; exit 5; }}
if [ "$1" = status ]; then
    [ "$(cat power)" = 1 ] && exit 0
    exit 2
fi
[ "$mode" = reject ] && {{ echo "not now" >&2; exit 3; }}
echo "$1" >>commands
[ "$mode" = ignore ] && exit 0
case $1 in
    off) echo 0 >power ;;
    on) echo 1 >power ;;
esac
[ "$mode" = lose_answers ] && sleep 60
exit 0
"""


def write_program(path: Path, text: str) -> Path:
    """A program made for one test."""
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def exec_target(port: int, **options: str | dict[str, str]) -> BmcTarget:
    """A device on this machine, reached by a command; `options` are the settings below `ipmi.`."""
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}
    return BmcTarget(
        driver="exec",
        address="127.0.0.1",
        port=port,
        username="admin",
        password=SECRET,
        options=tuple(sorted(written.items())),
    )


@asynccontextmanager
async def exec_script(folder: Path) -> AsyncIterator[Rig]:
    program = write_program(folder / "power.sh", _SCRIPT.format(folder=folder))
    for name, content in (("mode", ""), ("password", SECRET), ("power", "1"), ("commands", "")):
        (folder / name).write_text(content)
    driver = ExecDriver(allowed=[program])
    target = exec_target(623, preset="script", exec="power.sh")
    yield Rig(
        driver=driver,
        target=target,
        silent=replace(target, address="silent"),
        is_on=lambda: (folder / "power").read_text().strip() == "1",
        commands=lambda: [PowerAction(word) for word in (folder / "commands").read_text().split()],
        now=boottime,
        misbehave=lambda how: _write(folder / "mode", how),
    )
    await driver.aclose()


@asynccontextmanager
async def ipmitool_on_demo_bmc(folder: Path) -> AsyncIterator[Rig]:
    driver = ExecDriver(allowed=[_program("ipmitool")])
    async with on_demo_bmc(folder, driver, lambda port: exec_target(port, preset="ipmitool")) as rig:
        yield rig


@asynccontextmanager
async def ipmitool_on_ipmi_sim(folder: Path) -> AsyncIterator[Rig]:
    driver = ExecDriver(allowed=[_program("ipmitool")])
    async with ipmi_sim(folder) as sim:
        with silent_port() as port:
            yield _sim_rig(driver, sim, exec_target(sim.port, preset="ipmitool"), silent=port)
        await driver.aclose()


@asynccontextmanager
async def fence_agent_on_ipmi_sim(folder: Path) -> AsyncIterator[Rig]:
    driver = ExecDriver(allowed=[_program("fence_ipmilan")])
    async with ipmi_sim(folder) as sim:
        target = exec_target(
            sim.port,
            preset="fence-agent",
            exec="fence_ipmilan",
            syntax="lanplus=1 cipher=3 power_wait=0",
            unsafe_password_in_argv="true",
        )
        lacks = frozenset({PowerAction.REBOOT, PowerAction.BLINK, PowerAction.BLINK_OFF})
        with silent_port() as port:
            yield replace(_sim_rig(driver, sim, target, silent=port), lacks=lacks)
        await driver.aclose()


def sim_action(line: str) -> PowerAction:
    """What a line of the simulator's own list means."""
    if line.startswith("identify"):
        return PowerAction.BLINK_OFF if line.startswith("identify 0 0") else PowerAction.BLINK
    return SIM_WORDS[line]


def _sim_rig(driver: ExecDriver, sim: IpmiSim, target: BmcTarget, *, silent: int) -> Rig:
    target = replace(target, username=USER, password=PASSWORD)
    return Rig(
        driver=driver,
        target=target,
        silent=replace(target, port=silent),
        is_on=lambda: sim.is_on,
        commands=lambda: [sim_action(line) for line in sim.commands()],
        now=boottime,
    )


def _program(name: str) -> Path:
    program = debian_program(name)
    assert program is not None
    return program


def _write(path: Path, text: str) -> None:
    path.write_text(text)
