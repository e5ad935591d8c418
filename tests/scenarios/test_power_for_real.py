"""Proof of off against devices that speak their protocols for real, one story for each thing a device may do.

The engine's clock is virtual; every read and command goes through the product's drivers to a server on loopback. Each
story ends in the same questions, asked of the devices' own accounts: what reached them, was *off* read often enough and
far enough apart before anything was released, and does a password stand anywhere.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from structlog.typing import EventDict

from controller.domain.evidence import Verdict
from controller.domain.incident import State
from controller.domain.model import Level
from controller.domain.power import Accepted, PowerCode, PowerState
from controller.domain.reasons import Reason
from controller.services.errors import Refused
from tests.fixtures import real_devices as real
from tests.fixtures.real_devices import Device, Fault, identity_of
from tests.fixtures.real_power import READS, SETTLE, SPACING, WRONG, Story, no_password_shows, told, why_unlawful

MakeDevice = Callable[[Path], AbstractAsyncContextManager[Device]]
TellStory = Callable[..., AbstractAsyncContextManager[Story]]

_TOOL = pytest.mark.debian("ipmitool")
_SIM = pytest.mark.debian("ipmi_sim")
IPMI = pytest.param(real.ipmi, id="ipmi")
IPMI_SIM = pytest.param(real.ipmi_on_simulator, id="ipmi/ipmi_sim", marks=_SIM)
IPMITOOL = pytest.param(real.ipmitool, id="ipmitool", marks=_TOOL)
IPMITOOL_SIM = pytest.param(real.ipmitool_on_simulator, id="ipmitool/ipmi_sim", marks=[_TOOL, _SIM])
_AGENT = [_TOOL, pytest.mark.debian("fence_ipmilan"), pytest.mark.slow]
AGENT = pytest.param(real.fence_agent, id="fence_ipmilan", marks=_AGENT)
AGENT_SIM = pytest.param(real.fence_agent_on_simulator, id="fence_ipmilan/ipmi_sim", marks=[*_AGENT, _SIM])
REDFISH = pytest.param(real.redfish, id="redfish")

BUT_AGENTS = [IPMI, IPMI_SIM, IPMITOOL, IPMITOOL_SIM, REDFISH]
EVERY = [*BUT_AGENTS, AGENT_SIM]
TELLING = [IPMI, IPMITOOL, REDFISH]
"""Those that can be silent, and keep an account of logins."""


@pytest.fixture
async def device(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Device]:
    make: MakeDevice = request.param
    async with make(tmp_path) as made:
        yield made


@pytest.fixture
def a_story(logged: list[EventDict], caplog: pytest.LogCaptureFixture) -> TellStory:
    """Begins a story; at its end no password may stand anywhere."""
    caplog.set_level(logging.DEBUG)

    @contextlib.asynccontextmanager
    async def begin(*devices: Device, **options: Any) -> AsyncIterator[Story]:
        async with told(*devices, **options) as story:
            yield story
            await no_password_shows(story.house, logged, caplog)

    return begin


@pytest.fixture
async def story(device: Device, a_story: TellStory) -> AsyncIterator[Story]:
    async with a_story(device) as made:
        yield made


@pytest.mark.parametrize("device", EVERY, indirect=True)
class TestEveryWay:
    async def test_a_host_that_is_off_already_is_proven_off_without_a_command(self, story: Story) -> None:
        story.device.says(on=False)
        await story.house.dead()
        incident = await story.fenced()
        assert story.device.commands() == []
        assert await story.house.attempts() == [], "and no slot of the cap is taken"
        assert Reason.ALREADY_OFF in [r for e in await story.house.events() for r in e.reasons]
        assert incident.command.count == 0

    async def test_an_off_that_takes_ten_seconds_is_sent_once_and_proven_after_them(self, story: Story) -> None:
        story.device.does(Fault.IGNORES)
        await story.off_was_sent()
        await story.house.run(10)
        assert {one.state for one in story.power.sights} == {PowerState.ON}
        assert set(await story.off_reads()) == {0}
        story.device.says(on=False)
        await story.fenced()
        assert story.device.commands() == ["off"]


@pytest.mark.parametrize("device", BUT_AGENTS, indirect=True)
class TestWhatADeviceMayDo:
    async def test_an_off_that_was_refused_is_fine_once_the_state_is_off(self, story: Story) -> None:
        story.device.does(Fault.REJECTS)
        await story.off_was_sent()
        story.device.says(on=False)
        await story.fenced()
        assert [a.accepted for a in await story.house.attempts()] == [story.device.refusal]
        assert story.device.commands() == ["off"]

    async def test_an_off_that_is_accepted_and_never_done_spends_the_budget_and_holds(self, story: Story) -> None:
        story.device.does(Fault.IGNORES)
        await story.off_was_sent()
        await story.held(Reason.OFF_NOT_PROVEN, Reason.COMMAND_BUDGET)
        assert story.device.commands() == ["off", "off"]
        assert [a.accepted for a in await story.house.attempts()] == [Accepted.YES] * 2, "which proves nothing"
        assert "intent" in [e.kind for e in await story.house.events()]

    async def test_off_on_off_off_is_no_proof(self, story: Story) -> None:
        await story.off_was_sent()
        story.from_now_on(False, True, False, False, False)
        await story.fenced()
        assert await story.off_reads() == [1, 0, 1, 2, 3]
        assert story.device.commands() == ["off"]

    async def test_an_error_between_reads_starts_the_proof_again_once_the_device_has_settled(
        self, story: Story
    ) -> None:
        await story.off_was_sent()
        story.from_now_on(False, False, Fault.BREAKS, False)
        await story.fenced()
        reads = await story.off_reads()
        assert (reads[:4], reads[-3:], max(reads)) == ([1, 2, 0, 0], [1, 2, 3], 3)
        assert story.device.commands() == ["off"]

    async def test_reads_in_quick_succession_tell_nothing_new(self, story: Story) -> None:
        await story.off_was_sent()
        began = story.house.clock.boottime()
        for _ in range(READS + 1):
            await story.house.step(await story.house.incident())
        reads = await story.off_reads()
        assert len(reads) == READS + 1
        assert reads[:2] == [1, 1], "the second came too soon"
        assert max(reads) <= 1 + (story.house.clock.boottime() - began) // SPACING.total_seconds()
        await story.house.until(State.FENCED)
        assert why_unlawful(story.released[0]) == ""


@pytest.mark.parametrize("device", TELLING, indirect=True)
class TestSilenceAndStrangers:
    async def test_a_silent_device_holds_and_once_it_answers_its_off_counts_when_it_has_settled(
        self, story: Story
    ) -> None:
        story.falls_silent(story.device)
        await story.house.dead()
        await story.held(Reason.BMC_UNREACHABLE, lasting=60)
        assert story.device.commands() == []
        assert {one.code for one in story.power.sights} == {PowerCode.NO_ANSWER}
        story.answers_again(story.device)
        await story.fenced()
        assert story.device.commands() == ["off"]

    async def test_a_device_wired_to_another_host_stops_everything(self, story: Story) -> None:
        await story.off_was_sent()
        story.house.probing.die("h2")
        incident = await story.held(Reason.OTHER_HOST_VANISHED, Reason.CONTRADICTION)
        assert Reason.OTHER_HOST_VANISHED in incident.sticky
        assert [(p.level, p.reason) for p in await story.house.pauses()] == [(Level.GLOBAL, Reason.OTHER_HOST_VANISHED)]
        assert story.device.commands() == ["off"]


@pytest.mark.parametrize("device", TELLING, indirect=True)
async def test_a_host_that_lost_both_power_supplies_waits_for_a_person_and_then_goes_on(story: Story) -> None:
    """Its BMC is as dead as the host: nothing can prove it off, and nothing is released until somebody vouches."""
    story.falls_silent(story.device)
    await story.house.dead()
    incident = await story.held(Reason.BMC_UNREACHABLE, lasting=120)
    [held] = [notice for notice in await story.house.notices() if notice.kind == "held"]
    assert held.why == (Reason.BMC_UNREACHABLE,)
    async with story.house.store.transaction() as tx:
        evidence = (await tx.rounds(incident.id))[-1].evidence
    assert evidence["power"] == {"state": "unknown", "code": "no_answer", "said": evidence["power"]["said"]}
    assert {one["verdict"] for one in evidence["witnesses"]} == {Verdict.DEAD}, (
        "what the neighbors saw stands beside it"
    )
    vouched = await story.house.operator.acknowledge(
        incident.id, host_name="host h1", reason="both supplies burnt, I pulled the cables", actor="ada"
    )
    assert vouched.state is State.RELEASING
    released = await story.house.until(State.FENCED)
    assert released.acknowledged is not None
    assert (released.acknowledged.by, released.command.count) == ("ada", 0)
    assert story.house.cloud.did("release") == 1
    assert story.device.commands() == []


@pytest.mark.parametrize("device", TELLING, indirect=True)
async def test_nobody_vouches_for_a_host_whose_device_answers_again_and_says_on(story: Story) -> None:
    story.falls_silent(story.device)
    await story.house.dead()
    incident = await story.held(Reason.BMC_UNREACHABLE, lasting=30)
    story.answers_again(story.device)
    with pytest.raises(Refused) as refused:
        await story.house.operator.acknowledge(incident.id, host_name="host h1", reason="it is dark", actor="ada")
    assert refused.value.code == "power_is_on"
    assert story.released == []


@pytest.mark.parametrize("device", [*TELLING, AGENT], indirect=True)
async def test_a_wrong_password_sends_nothing_and_knocks_once_and_the_right_one_goes_on(story: Story) -> None:
    await story.house.settings(Level.HOST, "h1", ipmi__password=WRONG)
    logins = story.device.logins()
    await story.house.dead()
    await story.held(Reason.BMC_UNREACHABLE, lasting=60)
    assert story.device.commands() == []
    assert {one.code for one in story.power.sights} == {PowerCode.BAD_CREDENTIALS}
    assert len(story.power.sights) > 1
    assert story.device.logins() - logins == 1, "a device locks out who tries again and again"
    await story.house.settings(Level.HOST, "h1", ipmi__password=real.SECRET)
    await story.fenced()
    assert story.device.commands() == ["off"]


@pytest.mark.parametrize("device", TELLING, indirect=True)
async def test_a_device_that_said_off_while_the_host_lived_is_never_believed(
    device: Device, a_story: TellStory
) -> None:
    device.says(on=False)
    async with a_story(device, trusted=False) as story:
        assert await story.house.told() == ["bmc_test_failed"]
        await story.house.dead()
        await story.held(Reason.BMC_UNPROVEN)
        assert {one.state for one in story.power.sights} == {PowerState.OFF}
        assert device.commands() == []


@pytest.mark.parametrize("device", TELLING, indirect=True)
async def test_a_bmc_that_reboots_and_says_off_for_a_while_is_not_believed(story: Story) -> None:
    """Its first answers are *off* while the machine runs: they end before they could count, and off is sent again."""
    story.device.does(Fault.IGNORES)
    await story.off_was_sent()
    await story.device.reboots()
    story.power.silent = frozenset({identity_of(story.device)})
    await story.house.run(4)
    assert story.last_told() is PowerState.UNKNOWN
    story.power.silent = frozenset()
    await story.device.boots()
    story.device.says(on=False)
    await story.house.run(SETTLE.seconds - 6)
    assert story.last_told() is PowerState.OFF
    assert set(await story.off_reads()) == {0}
    story.device.does(Fault.NONE)
    story.device.says(on=True)
    await story.fenced()
    assert story.device.commands() == ["off", "off"]


@pytest.mark.parametrize("second", [REDFISH, IPMITOOL_SIM, AGENT_SIM])
async def test_a_dead_first_device_leaves_the_work_to_the_second(
    second: MakeDevice, tmp_path: Path, a_story: TellStory
) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    async with real.ipmi(tmp_path) as first, second(folder) as other, a_story(first, other) as story:
        story.falls_silent(first)
        await story.house.dead()
        incident = await story.fenced()
        assert incident.method == 1
        assert first.commands() == []
        assert other.commands() == ["off"]
        assert {one.identity for one in story.released[0][-READS:]} == {identity_of(other)}


async def test_a_first_device_that_never_obeys_spends_its_own_budget_before_the_second_is_told(
    tmp_path: Path, a_story: TellStory
) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    async with real.ipmi(tmp_path) as first, real.redfish(folder) as other, a_story(first, other) as story:
        first.does(Fault.IGNORES)
        await story.house.dead()
        await story.fenced()
        assert (first.commands(), other.commands()) == (["off", "off"], ["off"])


@pytest.mark.slow
async def test_openstacks_emulator_takes_its_time_over_an_off(tmp_path: Path, a_story: TellStory) -> None:
    """It switches 1 to 11 real seconds after it was told: the virtual ones pass as quickly as it is read."""
    async with real.redfish_on_emulator(tmp_path) as device, a_story(device, off_deadline=3600) as story:
        await story.off_was_sent()
        await story.fenced(within=7200)
        assert device.commands() == ["off"]
