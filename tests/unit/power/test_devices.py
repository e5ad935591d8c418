"""All devices behind one gate: waiting for a turn has a deadline, and what was not sent says so."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from typing_extensions import override

from controller.domain.power import Accepted, BmcTarget, Outcome, PowerAction, PowerCode, PowerReading, PowerState
from controller.power.devices import REFUSED_FOR_S, REFUSED_LONGEST_S, GatedDevices
from controller.power.gate import Gate
from controller.power.names import look_up, place_refused
from controller.power.registry import PowerRegistry

TARGET = BmcTarget(driver="slow", address="bmc", port=623, username="u", password="p")
OTHER = BmcTarget(driver="slow", address="bmc-2", port=623, username="u", password="p")


class Slow:
    """A driver that answers when told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.calls: list[PowerAction] = []
        self.raises: Exception | None = None

    async def status(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        del target, deadline_s
        self.calls.append(PowerAction.STATUS)
        await self.go.wait()
        return PowerReading(state=PowerState.ON)

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        return await self.status(target, deadline_s=deadline_s)

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        del target, deadline_s, not_after
        self.calls.append(action)
        await self.go.wait()
        if self.raises is not None:
            raise self.raises
        return Outcome(accepted=Accepted.YES)

    async def aclose(self) -> None:
        self.go.set()


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    driver = Slow()
    yield driver
    await driver.aclose()


@pytest.fixture
def devices(slow: Slow) -> GatedDevices:
    return GatedDevices(PowerRegistry({"slow": slow}), Gate(spacing_s=0))


async def occupied(devices: GatedDevices, slow: Slow) -> "asyncio.Task[Outcome]":
    task = asyncio.create_task(devices.act(TARGET, PowerAction.BLINK, deadline_s=10, not_after=1e18))
    while not slow.calls:
        await asyncio.sleep(0)
    return task


async def test_a_command_whose_turn_does_not_come_was_not_sent(devices: GatedDevices, slow: Slow) -> None:
    first = await occupied(devices, slow)
    outcome = await devices.act(TARGET, PowerAction.OFF, deadline_s=0.05, not_after=1e18)
    assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.BUSY)
    slow.go.set()
    assert (await first).accepted is Accepted.YES
    assert slow.calls == [PowerAction.BLINK]


async def test_a_read_whose_turn_does_not_come_is_unknown(devices: GatedDevices, slow: Slow) -> None:
    first = await occupied(devices, slow)
    began = time.monotonic()
    reading = await devices.status(TARGET, deadline_s=0.05)
    assert time.monotonic() - began < 1.5
    assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.BUSY)
    slow.go.set()
    await first
    assert slow.calls == [PowerAction.BLINK]


async def test_another_device_does_not_wait(devices: GatedDevices, slow: Slow) -> None:
    first = await occupied(devices, slow)
    second = asyncio.create_task(devices.act(OTHER, PowerAction.OFF, deadline_s=1, not_after=1e18))
    while len(slow.calls) < 2:
        await asyncio.sleep(0)
    slow.go.set()
    assert (await first).accepted is (await second).accepted is Accepted.YES


async def test_a_command_under_way_is_never_cut_off_here(devices: GatedDevices, slow: Slow) -> None:
    """The driver keeps its own deadline: cut off from outside, nobody would know whether it was sent."""
    task = asyncio.create_task(devices.act(TARGET, PowerAction.OFF, deadline_s=0.02, not_after=1e18))
    await asyncio.sleep(0.1)
    assert not task.done()
    slow.go.set()
    assert (await task).accepted is Accepted.YES


async def test_a_drivers_own_time_out_is_not_taken_for_waiting(devices: GatedDevices, slow: Slow) -> None:
    """It may have sent: that must not read as *not sent*."""
    slow.raises = TimeoutError("the driver's own")
    slow.go.set()
    with pytest.raises(TimeoutError):
        await devices.act(TARGET, PowerAction.OFF, deadline_s=1, not_after=1e18)


async def test_a_driver_nobody_has_sends_nothing(devices: GatedDevices) -> None:
    unknown = BmcTarget(driver="gone", address="bmc", port=623, username="u", password="p")
    assert (await devices.status(unknown, deadline_s=1)).code is PowerCode.NOT_CONFIGURED
    assert (await devices.act(unknown, PowerAction.OFF, deadline_s=1, not_after=1e18)).accepted is Accepted.NOT_SENT


class Locked(Slow):
    """A device whose password was changed."""

    def __init__(self) -> None:
        super().__init__()
        self.password = "new"

    @override
    async def status(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        del deadline_s
        self.calls.append(PowerAction.STATUS)
        if target.password != self.password:
            return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.BAD_CREDENTIALS, said="invalid name")
        return PowerReading(state=PowerState.ON)

    @override
    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        del deadline_s, not_after
        self.calls.append(action)
        if target.password != self.password:
            return Outcome(accepted=Accepted.NOT_SENT, code=PowerCode.BAD_CREDENTIALS)
        return Outcome(accepted=Accepted.YES)


class TestRefusedCredentials:
    """BMCs lock accounts: a look every few seconds must not be a failed login every few seconds."""

    def setup_method(self) -> None:
        self.now = 100.0
        self.device = Locked()
        registry = PowerRegistry({"slow": self.device})
        self.devices = GatedDevices(registry, Gate(spacing_s=0), monotonic=lambda: self.now)

    async def read(self, target: BmcTarget = TARGET, *, by_hand: bool = False) -> PowerReading:
        return await self.devices.status(target, deadline_s=1, by_hand=by_hand)

    async def test_are_tried_once_in_ten_minutes(self) -> None:
        readings = [await self.read() for _ in range(5)]
        assert {reading.code for reading in readings} == {PowerCode.BAD_CREDENTIALS}
        assert len(self.device.calls) == 1
        assert "press Test" in readings[-1].said
        self.now += REFUSED_FOR_S
        await self.read()
        assert len(self.device.calls) == 2

    async def test_are_tried_ever_more_rarely_while_they_stay_refused(self) -> None:
        pauses: list[float] = []
        for _ in range(8):
            await self.read()
            tried = self.now
            while len(self.device.calls) == len(pauses) + 1:
                self.now += 60
                await self.read()
            pauses.append(self.now - tried)
        assert pauses[:3] == [REFUSED_FOR_S, 2 * REFUSED_FOR_S, 4 * REFUSED_FOR_S]
        assert pauses[-1] == REFUSED_LONGEST_S

    async def test_that_a_command_met_are_not_tried_by_the_read_after_it(self) -> None:
        outcome = await self.devices.act(TARGET, PowerAction.OFF, deadline_s=1, not_after=1e18)
        assert outcome.code is PowerCode.BAD_CREDENTIALS
        assert (await self.read()).code is PowerCode.BAD_CREDENTIALS
        assert self.device.calls == [PowerAction.OFF]

    async def test_are_tried_at_once_by_a_persons_test(self) -> None:
        await self.read()
        self.device.password = TARGET.password
        assert (await self.devices.test(TARGET, deadline_s=1)).state is PowerState.ON
        assert (await self.read()).state is PowerState.ON

    async def test_are_tried_at_once_when_they_were_corrected(self) -> None:
        await self.read()
        assert (await self.read(replace(TARGET, password="new"))).state is PowerState.ON

    async def test_are_tried_at_once_when_a_person_asks(self) -> None:
        await self.read()
        self.device.password = TARGET.password
        assert (await self.read(by_hand=True)).state is PowerState.ON
        assert (await self.read()).state is PowerState.ON

    async def test_of_one_device_are_not_anothers(self) -> None:
        await self.read()
        await self.read(OTHER)
        assert len(self.device.calls) == 2


class TestPlaces:
    """A name leads where its server says now: it may have been saved when it led elsewhere."""

    def setup_method(self) -> None:
        self.device = Slow()
        self.device.go.set()
        self.leads_to = ""
        self.devices = GatedDevices(PowerRegistry({"slow": self.device}), Gate(spacing_s=0), place_refused=self.refused)

    async def refused(self, host: str) -> str:
        return f"{host} resolves to {self.leads_to}, which is the controller itself" if self.leads_to else ""

    async def test_that_no_device_can_have_get_neither_reads_nor_commands(self) -> None:
        self.leads_to = "127.0.0.1"
        reading = await self.devices.status(TARGET, deadline_s=1)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.NOT_CONFIGURED)
        assert "bmc resolves to 127.0.0.1" in reading.said
        assert (await self.devices.test(TARGET, deadline_s=1)).code is PowerCode.NOT_CONFIGURED
        outcome = await self.devices.act(TARGET, PowerAction.OFF, deadline_s=1, not_after=1e18)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.NOT_CONFIGURED)
        assert self.device.calls == []

    async def test_of_a_device_are_fine(self) -> None:
        assert (await self.devices.status(TARGET, deadline_s=1)).state is PowerState.ON
        assert (await self.devices.act(TARGET, PowerAction.OFF, deadline_s=1, not_after=1e18)).accepted is Accepted.YES

    async def test_are_looked_up_as_the_drivers_will(self) -> None:
        assert await look_up("localhost") & {"127.0.0.1", "::1"}
        assert await look_up("10.0.0.7") == {"10.0.0.7"}
        assert await look_up("bmc.invalid") == frozenset()
        assert "resolves to" in await place_refused("localhost")
        assert await place_refused("127.0.0.1") == "127.0.0.1 is the controller itself"
        assert await place_refused("10.0.0.7") == ""
        assert await place_refused("bmc.invalid") == ""
