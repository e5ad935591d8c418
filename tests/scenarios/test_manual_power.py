"""A person's own power command: kept like any other, refused against life unless forced, never a release."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.incident import State
from controller.domain.model import Attempt, Level
from controller.domain.power import Accepted, PowerAction, PowerCode, PowerState
from controller.domain.reasons import Reason
from controller.services.errors import BadInput, Refused
from controller.services.operator import Operator
from shared.enums import Reach
from tests.fixtures.house import House, a_house
from tests.fixtures.stores import raising


async def press(house: House, action: PowerAction, *, force: bool = False, host_id: str = "h1") -> Attempt:
    return await house.operator.power(host_id, action=action, reason="maintenance", actor="ada", force=force)


async def a_silent_host() -> House:
    house = await a_house()
    house.probing.die("h1")
    house.advance(60)
    return house


@pytest.mark.parametrize("action", [PowerAction.OFF, PowerAction.REBOOT])
async def test_against_life_it_takes_force_and_shows_what_runs_there(action: PowerAction) -> None:
    """Rule 2."""
    house = await a_house()
    with raising(Refused) as refused:
        await press(house, action)
    assert (refused.error.code, Reason.AGENT_ANSWERS in refused.error.reasons) == ("signs_of_life", True)
    assert "vm-of-h1" in refused.error.detail
    assert house.power.commands() == []
    assert await house.attempts() == []
    assert (await press(house, action, force=True)).accepted is Accepted.YES
    assert [c.machine for c in house.power.commands()] == ["h1"]


async def test_a_heartbeat_that_moves_is_life_too() -> None:
    """Only the agent's HTTP service has died: the machines run."""
    house = await a_house()
    house.probing.lose_agent("h1", Reach.NO_ANSWER)
    with raising(Refused) as refused:
        await press(house, PowerAction.OFF)
    assert refused.error.reasons == (Reason.HEARTBEAT_MOVES,)
    assert house.power.commands() == []


async def test_a_silent_host_is_cut_without_force_and_the_intent_comes_first() -> None:
    """Rule 8."""
    house = await a_silent_host()
    seen: list[Attempt] = []
    act = house.power.act

    async def watched(*args: Any, **kwargs: Any) -> Any:
        seen.extend(await house.attempts())
        return await act(*args, **kwargs)

    house.power.act = watched  # type: ignore[method-assign]
    done = await press(house, PowerAction.OFF)
    assert [(s.id, s.finished_at) for s in seen] == [(done.id, None)]
    assert (done.accepted, done.actor, done.automatic, done.incident_id) == (Accepted.YES, "ada", False, None)
    assert done.takes_slot  # a person's commands count in the caps
    assert [(r.action, r.actor, r.data["reason"]) for r in await house.audit()] == [("power_off", "ada", "maintenance")]
    assert house.cloud.calls == []


async def test_a_full_cap_does_not_stop_a_person() -> None:
    house = await a_silent_host()
    for number in range(5):
        await house.add_attempt(id=f"a{number}", host_id="h9", finished_at=await house.clock.now())
    assert (await press(house, PowerAction.OFF)).accepted is Accepted.YES


@pytest.mark.parametrize("same", [{"host_id": "h1", "bmc_identity": "other"}, {"host_id": "h9"}])
async def test_only_one_operation_is_in_flight_for_a_host_or_a_device(same: dict[str, Any]) -> None:
    """Rule 4."""
    house = await a_silent_host()
    await house.add_attempt(**{"bmc_identity": "ipmi://bmc-h1:623/", **same})
    with raising(Refused) as refused:
        await press(house, PowerAction.OFF)
    assert refused.error.code == "operation_in_flight"
    assert house.power.commands() == []


async def test_a_second_off_within_a_minute_of_a_proven_one_returns_the_first() -> None:
    house = await a_house()
    await house.dead()
    await house.until(State.FENCED)
    (first,) = await house.attempts()
    assert await press(house, PowerAction.OFF) == first
    assert len(house.power.commands()) == 1
    house.advance(61)
    assert (await press(house, PowerAction.OFF)).id != first.id
    assert len(house.power.commands()) == 2


async def test_an_off_after_somebody_gave_power_again_is_no_repetition() -> None:
    house = await a_house()
    await house.dead()
    await house.until(State.FENCED)
    await press(house, PowerAction.ON)
    await press(house, PowerAction.OFF)
    assert [c.action for c in house.power.commands()] == [PowerAction.OFF, PowerAction.ON, PowerAction.OFF]


@pytest.mark.parametrize("action", [PowerAction.ON, PowerAction.REBOOT])
@pytest.mark.parametrize("state", [State.VERIFYING, State.RELEASING])
async def test_nobody_gives_power_in_the_middle_of_a_proof(state: State, action: PowerAction) -> None:
    house = await a_house()
    await house.dead()
    await house.until(state)
    sent = len(house.power.commands())
    with raising(Refused) as refused:
        await press(house, action, force=True)
    assert refused.error.code == "being_fenced"
    assert len(house.power.commands()) == sent


@pytest.mark.parametrize(("state", "accepted"), [(PowerState.ON, Accepted.YES), (PowerState.UNKNOWN, Accepted.YES)])
async def test_a_test_reads_and_never_changes_anything(state: PowerState, accepted: Accepted) -> None:
    house = await a_house()
    house.bmcs["h1"].reads = state
    attempt = await press(house, PowerAction.TEST)
    assert (attempt.accepted, attempt.takes_slot) == (accepted, False)
    assert f"power state {state}" in attempt.said
    assert house.power.commands() == []


async def test_blinking_needs_no_force() -> None:
    house = await a_house()
    assert (await press(house, PowerAction.BLINK)).accepted is Accepted.YES
    assert house.bmcs["h1"].identify


async def test_what_the_device_answered_is_kept() -> None:
    house = await a_silent_host()
    house.bmcs["h1"].rejects_off = True
    attempt = await press(house, PowerAction.OFF)
    assert (attempt.accepted, attempt.code) == (Accepted.NO, PowerCode.REFUSED)
    assert (await house.attempts())[-1] == attempt


async def test_the_state_is_read_once() -> None:
    house = await a_house()
    assert (await house.operator.power_status("h1")).state is PowerState.ON
    assert len(house.power.entries) == 1


async def test_without_a_power_device_it_says_what_to_set() -> None:
    house = await a_house()
    await house.settings(Level.HOST, "h1", ipmi__host="")
    for ask in (press(house, PowerAction.TEST), house.operator.power_status("h1")):
        with raising(BadInput) as refused:
            await ask
        assert refused.error.field == "ipmi.host"


async def test_an_address_no_device_can_have_is_refused() -> None:
    house = await a_house()
    guarded = Operator(replace(house.world, bmc_address_refused=lambda address: address == "bmc-h1"))
    with raising(BadInput) as refused:
        await guarded.power_status("h1")
    assert refused.error.code == Reason.BMC_ADDRESS_REFUSED
    assert house.power.entries == []


async def test_it_never_releases_anything() -> None:
    house = await a_silent_host()
    await press(house, PowerAction.OFF)
    await house.run(120, with_effects=True)
    assert house.cloud.calls == []
    assert await house.clock.now() > (await house.attempts())[0].intended_at + timedelta(seconds=100)
