"""The redfish driver against OpenStack's emulator: delayed power changes, basic authentication, TLS."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerCode, PowerReading, PowerState
from controller.power.drivers.redfish import RedfishDriver
from tests.fixtures.authority import Authority
from tests.fixtures.redfish_emulator import (
    PASSWORD,
    SLOWEST_CHANGE_S,
    USER,
    Emulator,
    redfish_emulator,
    uuid_of,
)

DEADLINE_S = 10.0


@pytest.fixture
async def driver() -> AsyncIterator[RedfishDriver]:
    made = RedfishDriver(allow_plain=True)
    yield made
    await made.aclose()


def target_at(emulator: Emulator, *, plug: str = "", options: tuple[tuple[str, str], ...] = ()) -> BmcTarget:
    return BmcTarget(
        driver="redfish",
        address="127.0.0.1",
        port=emulator.port,
        username=USER,
        password=PASSWORD,
        plug=plug,
        options=options or (("tls", "plain"),),
    )


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def read_until(driver: RedfishDriver, target: BmcTarget, wanted: PowerState) -> list[PowerReading]:
    """Every reading until the state is there."""
    readings = []
    async with asyncio.timeout(SLOWEST_CHANGE_S + 3):
        while True:
            readings.append(await driver.status(target, deadline_s=DEADLINE_S))
            if readings[-1].state is wanted:
                return readings
            await asyncio.sleep(0.2)


@pytest.mark.slow
async def test_an_accepted_off_is_followed_by_off_seconds_later_and_on_brings_it_back(
    driver: RedfishDriver, tmp_path: Path
) -> None:
    async with redfish_emulator(tmp_path) as emulator:
        target = target_at(emulator)
        off = await driver.act(target, PowerAction.OFF, deadline_s=DEADLINE_S, not_after=boottime() + 60)
        assert (off.accepted, off.code) == (Accepted.YES, PowerCode.NONE)
        readings = await read_until(driver, target, PowerState.OFF)
        # Usually on for seconds, rarely for so short that no reading falls into it; never anything else.
        assert {reading.state for reading in readings} <= {PowerState.ON, PowerState.OFF}
        assert {reading.code for reading in readings} == {PowerCode.NONE}
        on = await driver.act(target, PowerAction.ON, deadline_s=DEADLINE_S, not_after=boottime() + 60)
        assert on.accepted is Accepted.YES
        await read_until(driver, target, PowerState.ON)
        assert len(emulator.commands()) == 2


@pytest.mark.slow
async def test_reboot_and_blink_go_to_the_system_that_the_plug_names(driver: RedfishDriver, tmp_path: Path) -> None:
    async with redfish_emulator(tmp_path, names=("one", "two")) as emulator:
        target = target_at(emulator, plug=uuid_of("two"))
        for action in (PowerAction.BLINK, PowerAction.BLINK_OFF, PowerAction.REBOOT):
            outcome = await driver.act(target, action, deadline_s=DEADLINE_S, not_after=boottime() + 60)
            assert (outcome.accepted, outcome.code) == (Accepted.YES, PowerCode.NONE), outcome.said
        assert [line.split()[0] for line in emulator.commands()] == ["PATCH", "PATCH", "POST"]
        assert all(uuid_of("two") in line for line in emulator.commands())
        assert (await driver.status(replace(target, plug=uuid_of("one")), deadline_s=5)).state is PowerState.ON
        await read_until(driver, target, PowerState.ON)


async def test_several_systems_need_an_id(driver: RedfishDriver, tmp_path: Path) -> None:
    async with redfish_emulator(tmp_path, names=("one", "two")) as emulator:
        outcome = await driver.act(
            target_at(emulator), PowerAction.OFF, deadline_s=DEADLINE_S, not_after=boottime() + 60
        )
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.NOT_CONFIGURED)
        assert uuid_of("one") in outcome.said
        assert uuid_of("two") in outcome.said
        assert "ipmi.plug" in outcome.said
        reading = await driver.status(target_at(emulator, plug="three"), deadline_s=DEADLINE_S)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.NOT_CONFIGURED)
        assert emulator.commands() == []


async def test_a_wrong_password_is_tried_once(driver: RedfishDriver, tmp_path: Path) -> None:
    async with redfish_emulator(tmp_path) as emulator:
        target = replace(target_at(emulator), password="wrong")
        outcome = await driver.act(target, PowerAction.OFF, deadline_s=DEADLINE_S, not_after=boottime() + 60)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.BAD_CREDENTIALS)
        assert [line.split()[1] for line in emulator.asked()] == ["/redfish/v1/", "/redfish/v1/Systems"]


async def test_its_certificate_is_checked_against_the_given_authority(driver: RedfishDriver, tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "somebody else")
    async with redfish_emulator(tmp_path, tls=authority) as emulator:
        known = target_at(emulator, options=(("tls", "verify"), ("tls_ca", authority.pem)))
        assert (await driver.status(known, deadline_s=DEADLINE_S)).state is PowerState.ON
        for options in [(("tls", "verify"), ("tls_ca", other.pem)), (("tls", "verify"),)]:
            reading = await driver.status(target_at(emulator, options=options), deadline_s=DEADLINE_S)
            assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.DRIVER_FAILED)
            assert "certificate verify failed" in reading.said
            assert "ipmi.tls_ca" in reading.said
        unchecked = target_at(emulator, options=(("tls", "insecure"),))
        assert (await driver.status(unchecked, deadline_s=DEADLINE_S)).state is PowerState.ON
