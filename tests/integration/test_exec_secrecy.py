"""Rule 7 for the exec driver: every command line on the machine is read while real programs run, 20 times each."""

import logging
import secrets
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerCode
from controller.power.drivers.exec import ExecDriver
from demo.bmc import DemoBmc
from tests.contracts.exec_rigs import exec_target, write_program
from tests.contracts.rig import boottime
from tests.fixtures.command_lines import watching
from tests.fixtures.counterparts import debian_program

RUNS = 20
LITERAL = "$IPMI_EXEC --username $IPMI_Username --password  $IPMI_password   --command $IPMI_ACTION --host $IPMI_HOST"


pytestmark = pytest.mark.slow


@pytest.fixture
def secret() -> str:
    """Unlike any other test's, which may run at the same time."""
    return f"s3-{secrets.token_hex(6)}"


@pytest.fixture
async def bmc(secret: str) -> AsyncIterator[DemoBmc]:
    made = await DemoBmc(user="admin", password=secret).start()
    yield made
    made.close()


async def run_it(program: Path, target: BmcTarget, caplog: pytest.LogCaptureFixture) -> str:
    """Reads, commands and failures, 20 of each; all that can be seen of them."""
    caplog.set_level(logging.DEBUG)
    driver = ExecDriver(allowed=[program])
    seen = []
    for _ in range(RUNS):
        reading = await driver.status(target, deadline_s=10)
        outcome = await driver.act(target, PowerAction.ON, deadline_s=10, not_after=boottime() + 10)
        seen.append(f"{reading!r} {outcome!r}")
    broken = replace(target, options=(*target.options, ("exec", "/bin/nothing")))
    seen.append(repr(await driver.status(broken, deadline_s=1)))
    try:
        await driver.act(target, PowerAction.TEST, deadline_s=1, not_after=boottime() + 10)
    except ValueError:
        seen.append(traceback.format_exc())
    shown = repr((driver, vars(driver), target)) + caplog.text + "".join(seen)
    await driver.aclose()
    return shown


def target_with(secret: str, port: int, **options: str | dict[str, str]) -> BmcTarget:
    return replace(exec_target(port, **options), password=secret)


@pytest.mark.debian("ipmitool")
async def test_ipmitool(bmc: DemoBmc, secret: str, caplog: pytest.LogCaptureFixture) -> None:
    program = debian_program("ipmitool")
    assert program is not None
    bmc.behaviour.login_delay_s = 0.02
    with watching(secret) as watch:
        shown = await run_it(program, target_with(secret, bmc.port, preset="ipmitool"), caplog)
    assert watch.seen == {}
    assert watch.programs["ipmitool"] >= RUNS
    assert secret not in shown
    assert len(bmc.commands()) == RUNS


@pytest.mark.debian("fence_dummy")
async def test_a_fence_agent(secret: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It takes no password and complains, repeating it: what it says must not be passed on either."""
    program = debian_program("fence_dummy")
    assert program is not None
    syntax = f"secret=$IPMI_PASSWORD status_file={tmp_path}/status"
    target = target_with(secret, 623, preset="fence-agent", exec="fence_dummy", syntax=syntax)
    with watching(secret) as watch:
        shown = await run_it(program, target, caplog)
    assert watch.seen == {}
    assert watch.programs["fence_dummy"] >= RUNS
    assert secret not in shown
    assert (tmp_path / "status").read_text() == "on"


@pytest.mark.parametrize("via", ["env", "stdin", "file"])
async def test_a_script(secret: str, via: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    body = 'p="$IPMI_PASSWORD"; [ "$p" ] || read -r p || read -r p <"$IPMI_PASSWORD_FILE"; echo "I was told: $p"'
    program = write_program(tmp_path / "power", f'#!/bin/sh\n{body}\necho "$p" >>{tmp_path}/got; sleep 0.02\n')
    target = target_with(secret, 623, preset="script", exec="power", secret_via=via)
    with watching(secret) as watch:
        shown = await run_it(program, target, caplog)
    assert watch.seen == {}
    assert watch.programs["power"] >= RUNS
    assert secret not in shown
    assert (tmp_path / "got").read_text().split() == [secret] * RUNS * 3  # a command reads the state first


async def test_the_requests_own_line_shows_it_which_is_why_that_is_called_unsafe(
    secret: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also shows that this test would see a leak: one for each run."""
    program = write_program(tmp_path / "power", f'#!/bin/sh\necho "$@" >>{tmp_path}/got; sleep 0.1; exit 0\n')
    words: dict[str, str | dict[str, str]] = {
        "unsafe_password_in_argv": "true",
        "action_start": "power on",
        "action_status": "power status",
        "state_map": {"0": "on", "2": "off"},
    }
    target = target_with(secret, 623, exec="power", syntax=LITERAL, **words)
    with watching(secret) as watch, capture_logs() as logs:
        shown = await run_it(program, target, caplog)
    assert len(watch.seen) >= RUNS * 3
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert "unsafe" in logs[0]["event"]
    assert secret not in repr(logs)
    assert secret not in shown
    lines = (tmp_path / "got").read_text().splitlines()
    assert lines[0] == f"--username admin --password {secret} --command power status --host 127.0.0.1"


@pytest.mark.debian("ipmitool", "fence_ipmilan")
async def test_fence_ipmilan_shows_it_which_is_why_it_needs_the_unsafe_setting(bmc: DemoBmc, secret: str) -> None:
    program = debian_program("fence_ipmilan")
    assert program is not None
    syntax = "lanplus=1 cipher=3 power_wait=0"
    unsafe = {"syntax": syntax, "unsafe_password_in_argv": "true"}
    target = target_with(secret, bmc.port, preset="fence-agent", exec="fence_ipmilan", **unsafe)
    driver = ExecDriver(allowed=[program])
    bmc.behaviour.login_delay_s = 0.05
    with watching(secret) as watch:
        for _ in range(RUNS):
            await driver.status(target, deadline_s=10)
    assert "ipmitool" in watch.seen.values()
    assert not any("python" in name for name in watch.seen.values())  # hostfence and the agent itself are clean
    await driver.aclose()


async def test_without_the_unsafe_setting_nothing_is_run(secret: str, tmp_path: Path) -> None:
    """Refused when saved; and once more here, for settings that came in some other way."""
    program = write_program(tmp_path / "power", f"#!/bin/sh\necho ran >>{tmp_path}/got\n")
    target = target_with(secret, 623, exec="power", syntax=LITERAL, action_start="on", action_status="status")
    driver = ExecDriver(allowed=[program])
    outcome = await driver.act(target, PowerAction.ON, deadline_s=5, not_after=boottime() + 5)
    assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.NOT_CONFIGURED)
    assert "ipmi.unsafe_password_in_argv" in (await driver.status(target, deadline_s=5)).said
    assert not (tmp_path / "got").exists()
