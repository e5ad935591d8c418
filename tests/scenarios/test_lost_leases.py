"""A controller that was stopped past its lease wakes up: whatever it found is dropped (rule 9)."""

import pytest

from controller.domain.incident import Incident, State
from controller.engine.step import LEASE, LeaseLost, Step
from controller.engine.steps import checking, fencing
from tests.fixtures.house import House, a_house


async def claimed(house: House, token: str) -> Incident:
    now = await house.world.clock.now()
    async with house.store.transaction() as tx:
        (incident,) = await tx.claim_due(now=now, lease_until=now + LEASE, token=token, limit=1)
    return incident


@pytest.mark.parametrize("state", [State.CHECKING, State.FENCING])
async def test_what_was_found_under_a_lost_lease_is_dropped(state: State) -> None:
    house = await a_house()
    await house.dead()
    await house.until(state)
    house.advance(20)
    mine = Step(
        world=house.world,
        incident=await claimed(house, "mine"),
        token="mine",
        leased_at=house.world.clock.boottime(),
    )
    house.advance(LEASE.total_seconds() + 1)
    taken_over = await claimed(house, "another's")

    with pytest.raises(LeaseLost):
        await {State.CHECKING: checking, State.FENCING: fencing}[state].run(mine)

    assert await house.incident() == taken_over
    assert house.power.commands() == []
