"""The contract of `controller.power.base`, run on every power driver and on the fake."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.power import Accepted, BmcTarget, Outcome, PowerAction, PowerCode, PowerState
from tests.contracts.power_rigs import EVERY, MISBEHAVING
from tests.contracts.rig import Rig

DEADLINE_S = 5.0
MakeRig = Callable[[Path], AbstractAsyncContextManager[Rig]]


@pytest.fixture
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    make: MakeRig = request.param
    async with make(tmp_path) as made:
        yield made


async def act(
    rig: Rig, action: PowerAction, *, target: BmcTarget | None = None, deadline_s: float = DEADLINE_S
) -> Outcome:
    return await rig.driver.act(
        target or rig.target, action, deadline_s=deadline_s, not_after=rig.now() + 2 * deadline_s
    )


@pytest.mark.parametrize("rig", EVERY, indirect=True)
class TestEveryDriver:
    async def test_reads_the_state_and_changes_nothing(self, rig: Rig) -> None:
        reading = await rig.driver.status(rig.target, deadline_s=DEADLINE_S)
        assert (reading.state, reading.code) == (PowerState.ON, PowerCode.NONE)
        assert rig.commands() == []

    async def test_a_test_tells_the_state_and_changes_nothing(self, rig: Rig) -> None:
        reading = await rig.driver.test(rig.target, deadline_s=DEADLINE_S)
        assert (reading.state, reading.code) == (PowerState.ON, PowerCode.NONE)
        assert rig.commands() == []
        lost = await rig.driver.test(rig.silent, deadline_s=0.6)
        assert (lost.state, lost.code) == (PowerState.UNKNOWN, PowerCode.NO_ANSWER)

    async def test_off_and_on_reach_the_device_once_each(self, rig: Rig) -> None:
        off = await act(rig, PowerAction.OFF)
        assert (off.accepted, off.code) == (Accepted.YES, PowerCode.NONE)
        assert not rig.is_on()
        assert (await rig.driver.status(rig.target, deadline_s=DEADLINE_S)).state is PowerState.OFF
        on = await act(rig, PowerAction.ON)
        assert (on.accepted, on.code) == (Accepted.YES, PowerCode.NONE)
        assert rig.is_on()
        assert rig.commands() == [PowerAction.OFF, PowerAction.ON]

    @pytest.mark.parametrize("action", [PowerAction.REBOOT, PowerAction.BLINK, PowerAction.BLINK_OFF])
    async def test_other_commands_leave_the_power_on(self, rig: Rig, action: PowerAction) -> None:
        outcome = await act(rig, action)
        if action in rig.lacks:
            assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.UNSUPPORTED)
            assert rig.commands() == []
        else:
            assert outcome.accepted is Accepted.YES
            assert rig.commands() == [action]
        assert rig.is_on()

    async def test_a_wrong_password_is_told_as_such_and_sends_nothing(self, rig: Rig) -> None:
        target = replace(rig.target, password="quite wrong")
        outcome = await act(rig, PowerAction.OFF, target=target)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.BAD_CREDENTIALS)
        reading = await rig.driver.status(target, deadline_s=DEADLINE_S)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.BAD_CREDENTIALS)
        assert rig.commands() == []
        assert rig.is_on()

    async def test_an_unknown_user_is_told_as_such(self, rig: Rig) -> None:
        reading = await rig.driver.status(replace(rig.target, username="nobody"), deadline_s=DEADLINE_S)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.BAD_CREDENTIALS)

    async def test_a_silent_device_is_no_answer_within_the_deadline(self, rig: Rig) -> None:
        began = time.monotonic()
        reading = await rig.driver.status(rig.silent, deadline_s=0.6)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.NO_ANSWER)
        outcome = await act(rig, PowerAction.OFF, target=rig.silent, deadline_s=0.6)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.NO_ANSWER)
        assert time.monotonic() - began < 2 * (0.6 + 1.0)

    async def test_nothing_is_sent_once_not_after_has_passed(self, rig: Rig) -> None:
        outcome = await rig.driver.act(rig.target, PowerAction.OFF, deadline_s=DEADLINE_S, not_after=rig.now() - 0.001)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.STALLED)
        assert rig.commands() == []
        assert rig.is_on()

    @pytest.mark.parametrize("action", [PowerAction.STATUS, PowerAction.TEST])
    async def test_reads_are_no_commands(self, rig: Rig, action: PowerAction) -> None:
        with pytest.raises(ValueError, match="read"):
            await act(rig, action)

    async def test_the_password_shows_nowhere(self, rig: Rig) -> None:
        outcomes = [await act(rig, PowerAction.OFF), await act(rig, PowerAction.OFF, target=_wrong(rig.target))]
        reading = await rig.driver.status(rig.target, deadline_s=DEADLINE_S)
        shown = repr((rig.target, rig.driver, vars(rig.driver), outcomes, reading))
        assert rig.target.password not in shown

    async def test_closing_twice_is_harmless(self, rig: Rig) -> None:
        await rig.driver.status(rig.target, deadline_s=DEADLINE_S)
        await rig.driver.aclose()
        await rig.driver.aclose()


@pytest.mark.parametrize("rig", MISBEHAVING, indirect=True)
class TestMisbehavingDevices:
    async def test_a_rejected_off_was_not_accepted(self, rig: Rig) -> None:
        _misbehave(rig, "reject")
        outcome = await act(rig, PowerAction.OFF)
        assert (outcome.accepted, outcome.code) == (Accepted.NO, PowerCode.REFUSED)
        assert rig.is_on()

    async def test_an_accepted_off_proves_nothing(self, rig: Rig) -> None:
        _misbehave(rig, "ignore")
        assert (await act(rig, PowerAction.OFF)).accepted is Accepted.YES
        assert (await rig.driver.status(rig.target, deadline_s=DEADLINE_S)).state is PowerState.ON

    async def test_a_lost_answer_is_unknown_and_the_command_is_not_repeated(self, rig: Rig) -> None:
        _misbehave(rig, "lose_answers")
        outcome = await act(rig, PowerAction.OFF, deadline_s=3.0)  # long enough for a client that would retransmit
        assert (outcome.accepted, outcome.code) == (Accepted.UNKNOWN, PowerCode.TIMED_OUT)
        assert rig.commands() == [PowerAction.OFF]
        assert not rig.is_on()

    async def test_a_busy_device_says_no(self, rig: Rig) -> None:
        _misbehave(rig, "busy")
        outcome = await act(rig, PowerAction.OFF)
        assert (outcome.accepted, outcome.code) == (Accepted.NO, PowerCode.BUSY)
        reading = await rig.driver.status(rig.target, deadline_s=DEADLINE_S)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.BUSY)
        assert rig.is_on()


def _misbehave(rig: Rig, how: str) -> None:
    assert rig.misbehave is not None
    rig.misbehave(how)


def _wrong(target: BmcTarget) -> BmcTarget:
    return replace(target, password=target.password[::-1])
