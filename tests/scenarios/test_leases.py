"""The lease under a step: short, renewed while the step runs, and the step's end when it is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from controller.db.store import StoreUnavailable
from controller.domain.incident import CommandStatus, Incident, State
from controller.domain.power import BmcTarget, Outcome, PowerAction
from controller.engine import worker as worker_module
from controller.engine.step import LEASE, LeaseLost, Step
from controller.engine.worker import Worker
from tests.fixtures.house import House, a_house

LEASE_S = LEASE.total_seconds()


class SlowPower:
    """A device that does what it is told at once and takes as long over the answer as the test likes."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.bounds: list[tuple[float, float]] = []
        """(deadline, not_after) of each command."""
        self.given_up = asyncio.Event()

    async def status(self, target: BmcTarget, *, deadline_s: float, by_hand: bool = False) -> Any:
        return await self._house.power.status(target, deadline_s=deadline_s, by_hand=by_hand)

    async def test(self, target: BmcTarget, *, deadline_s: float) -> Any:
        return await self._house.power.test(target, deadline_s=deadline_s)

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        self.bounds.append((deadline_s, not_after))
        outcome = await self._house.power.act(target, action, deadline_s=deadline_s, not_after=not_after)
        self.asked.set()
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        return outcome


class FlakyStore:
    """The house's store with a switch."""

    def __init__(self, house: House) -> None:
        self._store = house.store
        self.answers = True

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        if not self.answers:
            raise StoreUnavailable("switched off")
        async with self._store.transaction() as tx:
            yield tx


@pytest.fixture(autouse=True)
def _quick_renewals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real time hardly passes here: what matters is what is renewed, not how often."""
    monkeypatch.setattr(worker_module, "RENEW_EVERY_S", 0.01)
    monkeypatch.setattr(worker_module, "RENEWAL_AGAIN_S", 0.01)


async def at_its_command() -> tuple[House, SlowPower, FlakyStore, Worker, Incident]:
    """A house whose dead host's power is being cut: the intent is stored, the device does not answer yet."""
    house = await a_house()
    power, store = SlowPower(house), FlakyStore(house)
    world = replace(house.world, power=power, store=store)
    worker = Worker(world)
    await house.dead()
    await house.until(State.FENCING)
    house.advance(7)  # the last look waits for a beat of each witness
    assert await worker.run_due() == 1
    await asyncio.wait_for(power.asked.wait(), 5)
    return house, power, store, worker, await house.incident()


async def renewals(times: int = 5) -> None:
    await asyncio.sleep(0.02 * times)


async def test_a_step_may_last_longer_than_its_lease_and_nobody_else_gets_the_incident() -> None:
    house, power, _, worker, _ = await at_its_command()
    other = Worker(house.world)

    for _ in range(3):
        house.advance(LEASE_S - 2)
        await renewals()
        assert await other.run_due() == 0
    power.answers.set()
    await worker.drain()

    found = await house.incident()
    assert (found.state, found.command.status) == (State.VERIFYING, CommandStatus.ANSWERED)


async def test_a_step_ends_when_its_lease_is_gone() -> None:
    """Rule 4: whoever has the incident now must find the device free."""
    house, power, _, worker, incident = await at_its_command()

    await house.change(incident, note="somebody took it")
    await asyncio.wait_for(worker.drain(), 5)

    assert power.given_up.is_set()
    assert (await house.incident()).command.status is CommandStatus.INTENDED


async def test_without_a_database_a_step_ends_with_the_stored_lease_and_the_command_is_read_after_never_repeated() -> (
    None
):
    """Rules 8 and 9: what became of the command could not be stored, so it is unknown."""
    house, power, store, worker, _ = await at_its_command()

    store.answers = False
    house.advance(LEASE_S - 1)
    await renewals()
    assert not power.given_up.is_set(), "the lease still holds"
    house.advance(2)
    await asyncio.wait_for(worker.drain(), 5)
    assert power.given_up.is_set()

    store.answers = True
    assert await worker.run_due() == 1
    await worker.drain()
    found = await house.incident()
    assert found.state is State.VERIFYING
    assert [a.accepted for a in await house.attempts()] == ["unknown"]
    assert len(power.bounds) == 1


async def test_an_outcome_that_could_not_be_stored_at_once_is_not_sent_again() -> None:
    house, power, store, worker, _ = await at_its_command()

    store.answers = False
    power.answers.set()
    await worker.drain()
    store.answers = True
    assert [entry.action for entry in house.power.commands()] == ["off"]
    house.advance(LEASE_S + 1)
    assert await worker.run_due() == 1
    await worker.drain()

    assert (await house.incident()).state is State.VERIFYING
    assert len(power.bounds) == 1


async def test_the_intent_renews_the_lease_and_the_command_ends_within_it() -> None:
    house, power, _, worker, _ = await at_its_command()

    ((deadline_s, not_after),) = power.bounds
    assert deadline_s < LEASE_S
    assert not_after <= house.clock.boottime() + LEASE_S

    power.answers.set()
    await worker.drain()


async def test_a_renewal_that_was_not_stored_does_not_count() -> None:
    """The send's deadline follows the lease that is stored, dated from before it was."""
    house, power, store, worker, incident = await at_its_command()
    step = Step(world=replace(house.world, store=store), incident=incident, token="mine", leased_at=100.0)

    store.answers = False
    with pytest.raises(StoreUnavailable):
        await step.renew(after=0)
    assert step.lease_ends() == 100.0 + LEASE_S

    store.answers = True
    with pytest.raises(LeaseLost):
        await step.renew(after=0)
    assert step.lease_ends() == 100.0 + LEASE_S

    power.answers.set()
    await worker.drain()
