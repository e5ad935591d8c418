"""Every example of docs/power that is a device's settings: run as it stands there against a device that answers."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controller.domain.policy import Policy
from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerCode, PowerState
from controller.power.base import PowerDriver
from controller.power.drivers.exec import ExecDriver
from controller.power.drivers.ipmi import IpmiDriver
from controller.power.drivers.redfish import RedfishDriver
from controller.services.scene import bmc_target
from tests.contracts.exec_rigs import write_program
from tests.contracts.rig import boottime
from tests.fakes.redfish_service import RedfishService
from tests.fixtures import builders
from tests.fixtures.authority import Authority
from tests.fixtures.counterparts import debian_program
from tests.fixtures.ipmi_sim import PASSWORD, USER, IpmiSim, ipmi_sim
from tests.integration.test_power_docs import DOCS, blocks, policy_of, settings_in, strip

RUN_ELSEWHERE = {"hp-ilo.md": 2, "script.md": 1}
"""By test_power_docs.py: both of the iLO's, and the script's own."""
RUN_HERE = {"ipmi.md": 1, "ipmitool.md": 1, "fence-agent.md": 2, "script.md": 1, "redfish.md": 2, "README.md": 1}


def test_no_example_is_run_nowhere() -> None:
    written = {page.name: len(settings_in(page.name)) for page in DOCS.glob("*.md")}
    run = {page: RUN_HERE.get(page, 0) + RUN_ELSEWHERE.get(page, 0) for page in written}
    assert run == written


def on_simulator(page: str, sim: IpmiSim, number: int = 0) -> BmcTarget:
    """The page's settings, with what each host has of its own: here the simulator's."""
    own = {"ipmi.host": "127.0.0.1", "ipmi.port": sim.port, "ipmi.password": PASSWORD, "ipmi.username": USER}
    return bmc_target(builders.host(), policy_of({**settings_in(page)[number], **own}))


async def cuts_and_gives_power(driver: PowerDriver, target: BmcTarget) -> None:
    """On, off, off as read, on again, on as read; and a wrong password is told as such."""
    try:
        assert (await driver.test(target, deadline_s=10)).state is PowerState.ON
        for action, state in ((PowerAction.OFF, PowerState.OFF), (PowerAction.ON, PowerState.ON)):
            outcome = await driver.act(target, action, deadline_s=15, not_after=boottime() + 15)
            assert (outcome.accepted, outcome.code) == (Accepted.YES, PowerCode.NONE)
            assert (await driver.status(target, deadline_s=10)).state is state
    finally:
        await driver.aclose()


@pytest.mark.debian("ipmi_sim")
async def test_ipmi(tmp_path: Path) -> None:
    async with ipmi_sim(tmp_path) as sim:
        await cuts_and_gives_power(IpmiDriver(), on_simulator("ipmi.md", sim))
        assert sim.commands() == ["power 0", "power 1"]


@pytest.mark.debian("ipmi_sim", "ipmitool")
async def test_ipmitool_and_what_runs_is_what_the_page_says(tmp_path: Path) -> None:
    real = debian_program("ipmitool")
    wrapper = write_program(
        tmp_path / "ipmitool", f'#!/bin/sh\necho "ipmitool $*" >>{tmp_path}/ran\nexec {real} "$@"\n'
    )
    (tmp_path / "sim").mkdir()
    async with ipmi_sim(tmp_path / "sim") as sim:
        await cuts_and_gives_power(ExecDriver(allowed=[wrapper]), on_simulator("ipmitool.md", sim))
    [line] = [line for line in (DOCS / "ipmitool.md").read_text().splitlines() if line.startswith("ipmitool ")]
    values = {"HOST": "127.0.0.1", "PORT": str(sim.port), "USER": USER, "CIPHER": "3"}
    written = re.sub(r"\b(HOST|PORT|USER|CIPHER)\b", lambda match: values[match[0]], line)
    assert written in (tmp_path / "ran").read_text().splitlines()


@pytest.mark.debian("ipmi_sim", "ipmitool", "fence_ipmilan")
async def test_fence_ipmilan(tmp_path: Path) -> None:
    agent = debian_program("fence_ipmilan")
    assert agent is not None
    async with ipmi_sim(tmp_path) as sim:
        await cuts_and_gives_power(ExecDriver(allowed=[agent]), on_simulator("fence-agent.md", sim, 1))


@dataclass
class Blades:
    """A UCS manager, as far as the agent asks it: a login, where a profile's blade is, and its power."""

    user: str = "fencer"
    password: str = "s3cret"
    power: dict[str, str] = field(default_factory=lambda: {"kvm3": "on", "kvm4": "on"})
    logins: int = 0
    open: int = 0
    port: int = 0

    def answer(self, asked: str) -> str:
        if "<aaaLogin " in asked:
            self.logins += 1
            known = (self.user, self.password) == (_of(asked, "inName"), _of(asked, "inPassword"))
            self.open += known
            return '<aaaLogin response="yes" outCookie="c1"/>' if known else '<aaaLogin errorCode="551"/>'
        if "<aaaLogout " in asked:
            self.open -= 1
            return "<aaaLogout/>"
        if change := re.search(r'dn="org-root/ls-(\w+)/power" state="admin-(\w+)"', asked):
            self.power[change[1]] = {"up": "on", "down": "off"}[change[2]]
            return "<configConfMos/>"
        dn = _of(asked, "dn")
        if dn.startswith("org-root/ls-"):
            return f'<lsServer pnDn="sys/blade-{dn.removeprefix("org-root/ls-")}"/>'
        return f'<computeBlade presence="equipped" operPower="{self.power[dn.removeprefix("sys/blade-")]}"/>'


def _of(asked: str, name: str) -> str:
    found = re.search(rf' {name}="([^"]*)"', asked)
    return found[1] if found else ""


@asynccontextmanager
async def blades(folder: Path) -> AsyncIterator[Blades]:
    made = Blades()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)content-length: (\d+)", head)
        answer = made.answer((await reader.readexactly(int(length[1]) if length else 0)).decode())
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n{answer}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=Authority(folder).server_context())
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.debian("fence_cisco_ucs")
class TestTheBlades:
    def target(self, port: int) -> tuple[ExecDriver, BmcTarget]:
        """The manager's certificate comes from this test: the agent, which knows the system's authorities alone, may
        not check it."""
        agent = debian_program("fence_cisco_ucs")
        assert agent is not None
        page: dict[str, Any] = settings_in("fence-agent.md")[0]
        assert page["ipmi.syntax"] == "ssl_secure=1"
        own = {"ipmi.host": "127.0.0.1", "ipmi.port": port, "ipmi.plug": "kvm3", "ipmi.password": "s3cret"}
        policy = policy_of({**page, **own, "ipmi.syntax": "ssl_insecure=1"})
        return ExecDriver(allowed=[agent]), bmc_target(builders.host(), policy)

    async def test_one_is_cut_and_given_power_and_sessions_are_closed(self, tmp_path: Path) -> None:
        async with blades(tmp_path) as manager:
            driver, target = self.target(manager.port)
            outcome = await driver.act(target, PowerAction.OFF, deadline_s=15, not_after=boottime() + 15)
            assert outcome.accepted is Accepted.YES
            assert manager.power == {"kvm3": "off", "kvm4": "on"}
            assert (await driver.status(target, deadline_s=10)).state is PowerState.OFF
            manager.power["kvm3"] = "on"
            assert (await driver.status(target, deadline_s=10)).state is PowerState.ON
            assert manager.open == 0
            await driver.aclose()

    async def test_a_wrong_password_cuts_nothing(self, tmp_path: Path) -> None:
        async with blades(tmp_path) as manager:
            driver, target = self.target(manager.port)
            manager.password = "rotated"
            outcome = await driver.act(target, PowerAction.OFF, deadline_s=15, not_after=boottime() + 15)
            assert outcome.accepted is Accepted.NOT_SENT
            assert "s3cret" not in outcome.said
            assert manager.power["kvm3"] == "on"
            await driver.aclose()


async def test_the_scripts_other_words(tmp_path: Path) -> None:
    """The second example of script.md: an outlet in a word of its own, the password in a file, a text as the state."""
    program = write_program(
        tmp_path / "strip-power",
        f"""#!/bin/sh
[ "$1 $3" = "--outlet --user-file" ] && [ "$2" = "10.0.0.9/7" ] && [ "$(cat "$4")" = s3cret ] || exit 64
case $5 in
  cut) echo off >{tmp_path}/power ;;
  on) echo on >{tmp_path}/power ;;
  status) echo "Outlet 7 is $(cat {tmp_path}/power)" ;;
esac
""",
    )
    (tmp_path / "power").write_text("on\n")
    own = {"ipmi__host": "10.0.0.9", "ipmi__plug": "7", "ipmi__password": "s3cret"}
    target = bmc_target(builders.host(), policy_of(settings_in("script.md")[1], **own))
    await cuts_and_gives_power(ExecDriver(allowed=[program]), target)
    assert (tmp_path / "power").read_text() == "on\n"


async def test_redfish(tmp_path: Path) -> None:
    """Both blocks of the page together: what the cluster's hosts have in common, and what one has of its own."""
    authority = Authority(tmp_path)
    common, own = settings_in("redfish.md")
    assert "CERTIFICATE" in common["ipmi.tls_ca"]
    service = RedfishService(user=common["ipmi.username"], password="s3cret", ids=(own["ipmi.plug"], "Other.1"))
    async with service.running(authority.server_context()):
        real = {"ipmi.host": "127.0.0.1", "ipmi.port": service.port, "ipmi.password": "s3cret"}
        policy = policy_of({**common, **own, **real, "ipmi.tls_ca": authority.pem})
        await cuts_and_gives_power(RedfishDriver(), bmc_target(builders.host(), policy))
    assert [service.truth[one] for one in (own["ipmi.plug"], "Other.1")] == [True, True]
    assert [change for _, change in service.changes] == ["ForceOff", "On"]


async def test_the_second_device_is_the_strip(tmp_path: Path) -> None:
    """README's two devices: the first is IPMI, the second the script's strip, with settings of its own."""
    (text,) = blocks("script.md", "python")
    program = write_program(tmp_path / "strip-power", text)
    async with strip() as device:
        policy: Policy = policy_of(
            {**settings_in("README.md")[0], "second.host": "127.0.0.1", "second.port": device.port},
            second__password="s3cret pass",
        )
        first, second = policy.methods
        assert (first.driver, first.host) == ("ipmi", "10.0.8.11")
        assert second.plug == "7"
        await cuts_and_gives_power(ExecDriver(allowed=[program]), bmc_target(builders.host(), policy.using(1)))
        assert device.power == {"1": "on", "7": "on"}
