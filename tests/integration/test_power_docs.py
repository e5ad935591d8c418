"""The examples of docs/power are run as they stand there: settings, scripts and all."""

import asyncio
import base64
import json
import re
import textwrap
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.inheritance import check_combination, resolve
from controller.domain.model import Level, SettingRow
from controller.domain.policy import Action, Policy
from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerCode, PowerState
from controller.power.drivers.exec import ExecDriver
from controller.power.drivers.fence_agent import AgentShelf
from controller.services.exec_rules import look_at, unusable_command
from controller.services.scene import bmc_target
from tests.contracts.exec_rigs import sim_action, write_program
from tests.contracts.rig import boottime
from tests.fixtures import builders
from tests.fixtures.counterparts import debian_program
from tests.fixtures.ipmi_sim import PASSWORD, USER, ipmi_sim

DOCS = Path(__file__).parents[2] / "docs" / "power"
PAGES = ("README.md", "fence-agent.md", "hp-ilo.md", "ipmi.md", "ipmitool.md", "script.md")
"""Those of redfish.md are two halves of one: test_power_docs_devices.py."""
AGENTS = ("fence_cisco_ucs", "fence_ipmilan")


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


def settings_in(page: str) -> list[dict[str, Any]]:
    return [json.loads(block) for block in blocks(page, "json")]


def policy_of(settings: Mapping[str, Any], **more: Any) -> Policy:
    written = {**settings, **{name.replace("__", "."): value for name, value in more.items()}}
    rows = [SettingRow(level=Level.HOST, owner_id="h", field=name, value=value) for name, value in written.items()]
    return resolve(rows, cluster_id="c", host_id="h", other_hosts_in_cluster=2)


def _all_settings() -> list[Any]:
    return [
        pytest.param(one, id=f"{page}-{number}") for page in PAGES for number, one in enumerate(settings_in(page), 1)
    ]


@pytest.mark.debian("fence_cisco_ucs", "fence_ipmilan", "ipmitool")
@pytest.mark.parametrize("settings", _all_settings())
async def test_the_settings_can_be_saved(settings: dict[str, Any], tmp_path: Path) -> None:
    own = [write_program(tmp_path / name, "#!/bin/sh\n") for name in ("ilo-power", "strip-power")]
    installed = [debian_program(name) for name in (*AGENTS, "ipmitool")]
    shelf = AgentShelf()
    policy = replace(policy_of(settings, ipmi__host="10.0.0.9", ipmi__password="s3cret"), action=Action.REBOOT)
    assert check_combination(policy) == ()
    names = [value for name, value in settings.items() if name == "ipmi.exec"]
    allowed = (*own, *(path for path in installed if path is not None))
    programs = await look_at(names, allowed=allowed, read_agent=shelf.agent, lab=False)
    assert unusable_command(policy, programs) is None


@dataclass
class Strip:
    """The power strip of the example: two outlets behind a login."""

    power: dict[str, str] = field(default_factory=lambda: {"1": "on", "7": "on"})
    port: int = 0
    says: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)content-length: (\d+)", head)
        body = await reader.readexactly(int(length.group(1))) if length else b""
        status, answer = self._answer(head, body)
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n{answer}".encode()
        )
        await writer.drain()
        writer.close()

    def _answer(self, head: str, body: bytes) -> tuple[str, str]:
        outlet = head.split()[1].rpartition("/")[2]
        if base64.b64encode(b"fencer:s3cret pass").decode() not in head:
            return "401 No", ""
        if self.says:
            return self.says, ""
        if body:
            self.power[outlet] = json.loads(body)["power"]
        return "200 OK", json.dumps({"power": self.power[outlet]})


@asynccontextmanager
async def strip() -> AsyncIterator[Strip]:
    made = Strip()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


class TestTheScript:
    def example(self, folder: Path, port: int) -> tuple[ExecDriver, BmcTarget]:
        (text,) = blocks("script.md", "python")
        driver = ExecDriver(allowed=[write_program(folder / "strip-power", text)])
        policy = policy_of(
            settings_in("script.md")[0],
            ipmi__host="127.0.0.1",
            ipmi__port=port,
            ipmi__plug="7",
            ipmi__password="s3cret pass",
        )
        return driver, bmc_target(builders.host(), policy)

    async def test_it_cuts_one_outlet(self, tmp_path: Path) -> None:
        async with strip() as device:
            driver, target = self.example(tmp_path, device.port)
            assert (await driver.status(target, deadline_s=10)).state is PowerState.ON
            outcome = await driver.act(target, PowerAction.OFF, deadline_s=10, not_after=boottime() + 10)
            assert outcome.accepted is Accepted.YES
            assert device.power == {"1": "on", "7": "off"}
            assert (await driver.status(target, deadline_s=10)).state is PowerState.OFF
            device.power["7"] = "turning"
            assert (await driver.status(target, deadline_s=10)).state is PowerState.UNKNOWN

    @pytest.mark.parametrize(
        ("says", "accepted", "code"),
        [
            ("409 Conflict", Accepted.NO, PowerCode.REFUSED),
            ("503 Busy", Accepted.NO, PowerCode.BUSY),
            ("500 Oops", Accepted.NOT_SENT, PowerCode.DRIVER_FAILED),
        ],
    )
    async def test_what_it_says_when_it_fails(
        self, tmp_path: Path, says: str, accepted: Accepted, code: PowerCode
    ) -> None:
        async with strip() as device:
            device.says = says
            driver, target = self.example(tmp_path, device.port)
            outcome = await driver.act(target, PowerAction.OFF, deadline_s=10, not_after=boottime() + 10)
            assert (outcome.accepted, outcome.code) == (accepted, code)
            assert device.power["7"] == "on"

    async def test_a_wrong_password_and_a_strip_that_is_gone(self, tmp_path: Path) -> None:
        async with strip() as device:
            driver, target = self.example(tmp_path, device.port)
            reading = await driver.status(replace(target, password="wrong"), deadline_s=10)
            assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.BAD_CREDENTIALS)
        assert (await driver.status(target, deadline_s=10)).code is PowerCode.NO_ANSWER


@pytest.mark.debian("ipmitool", "ipmi_sim")
@pytest.mark.parametrize("number", [0, 1], ids=["the literal line", "the safe way"])
async def test_the_ilo_example(number: int, tmp_path: Path) -> None:
    (text,) = blocks("hp-ilo.md", "sh")
    driver = ExecDriver(allowed=[write_program(tmp_path / "ilo-power", text)])
    (tmp_path / "sim").mkdir()
    async with ipmi_sim(tmp_path / "sim") as sim:
        given = {"ipmi.host": "127.0.0.1", "ipmi.port": sim.port, "ipmi.password": PASSWORD, "ipmi.username": USER}
        target = bmc_target(builders.host(), policy_of({**settings_in("hp-ilo.md")[number], **given}))
        for action in (PowerAction.OFF, PowerAction.ON, PowerAction.REBOOT, PowerAction.BLINK):
            outcome = await driver.act(target, action, deadline_s=10, not_after=boottime() + 10)
            assert (outcome.accepted, outcome.code) == (Accepted.YES, PowerCode.NONE)
        assert [sim_action(line) for line in sim.commands()] == [
            *(PowerAction.OFF, PowerAction.ON, PowerAction.REBOOT, PowerAction.BLINK)
        ]
        assert (await driver.status(target, deadline_s=10)).state is PowerState.ON
        wrong = replace(target, password="wrong")
        outcome = await driver.act(wrong, PowerAction.OFF, deadline_s=10, not_after=boottime() + 10)
        assert outcome.accepted is Accepted.NOT_SENT
        assert sim.is_on
    await driver.aclose()


def test_the_literal_line_is_the_requests_own() -> None:
    asked_for = (
        "$IPMI_EXEC --username $IPMI_Username --password  $IPMI_password   --command $IPMI_ACTION --host $IPMI_HOST"
    )
    assert settings_in("hp-ilo.md")[0]["ipmi.syntax"] == asked_for
    assert f"`{asked_for}`" in (DOCS / "hp-ilo.md").read_text()
