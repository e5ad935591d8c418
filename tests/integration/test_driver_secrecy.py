"""Rule 7 for the drivers that run nobody else's program: every command line is read while they work, 20 times each."""

import asyncio
import logging
import secrets
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.power import BmcTarget, PowerAction, PowerCode, PowerState
from controller.power.base import PowerDriver
from controller.power.drivers.ipmi import IpmiDriver
from controller.power.drivers.redfish import RedfishDriver
from demo.bmc import Behaviour, DemoBmc
from tests.contracts.rig import boottime
from tests.fakes.redfish_service import RedfishService
from tests.fixtures.authority import Authority
from tests.fixtures.command_lines import watching

RUNS = 20


@pytest.fixture
def secret() -> str:
    """Unlike any other test's, which may run at the same time."""
    return f"s3-{secrets.token_hex(6)}"


@asynccontextmanager
async def on_ipmi(folder: Path, secret: str) -> AsyncIterator[tuple[PowerDriver, BmcTarget]]:
    del folder
    bmc = await DemoBmc(user="admin", password=secret, behaviour=Behaviour(login_delay_s=0.01)).start()
    bmc.behaviour.max_sessions = 1000
    yield IpmiDriver(), BmcTarget(driver="ipmi", address="127.0.0.1", port=bmc.port, username="admin", password=secret)
    bmc.close()


@asynccontextmanager
async def on_redfish(folder: Path, secret: str) -> AsyncIterator[tuple[PowerDriver, BmcTarget]]:
    authority = Authority(folder)
    service = RedfishService(user="admin", password=secret)
    async with service.running(authority.server_context()):
        yield (
            RedfishDriver(),
            BmcTarget(
                driver="redfish",
                address="127.0.0.1",
                port=service.port,
                username="admin",
                password=secret,
                options=(("tls_ca", authority.pem),),
            ),
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "program"), [(on_ipmi, "ipmi_worker.py"), (on_redfish, "")], ids=["ipmi", "redfish"]
)
async def test_the_secret_stands_in_no_command_line_log_text_or_repr(
    device: object, program: str, secret: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    with watching(secret) as watch:
        async with device(tmp_path, secret) as (driver, target):  # type: ignore[operator]  # parametrised
            wrong = replace(target, password=secret[::-1])
            for number in range(RUNS):
                reading = await driver.status(target, deadline_s=5)
                assert reading.state is PowerState.ON
                outcome = await driver.act(target, PowerAction.BLINK, deadline_s=5, not_after=boottime() + 5)
                refused = await driver.status(wrong if number % 2 else replace(target, username="nobody"), deadline_s=5)
                assert refused.code is PowerCode.BAD_CREDENTIALS
                seen.append(repr((reading, outcome, refused, driver, vars(driver), target, wrong)))
            with pytest.raises(ValueError, match="read") as caught:
                await driver.act(target, PowerAction.STATUS, deadline_s=1, not_after=boottime() + 5)
            seen += traceback.format_exception(caught.value)
            await driver.aclose()
            with pytest.raises(RuntimeError) as closed:
                await driver.status(target, deadline_s=1)
            seen += traceback.format_exception(closed.value)
    assert watch.seen == {}
    assert watch.programs, "else nothing was read"
    assert not program or watch.programs.get(program, 0) >= 1
    shown = "".join(seen) + caplog.text
    assert [one for one in (secret, secret[::-1]) if one in shown] == []


async def test_a_leak_would_be_seen(secret: str) -> None:
    """The same eyes, on a program that is told the secret as an argument."""
    with watching(secret) as watch:
        leaking = await asyncio.create_subprocess_exec("sh", "-c", "sleep 0.3; :", secret)
        await leaking.wait()
    assert "sh" in watch.seen.values()
