"""One process's engine as a whole: what it does first, and what it does no more."""

import asyncio

from controller.engine.supervisor import Supervisor
from controller.engine.worker import Worker
from tests.fixtures.house import a_house


async def test_a_newcomer_takes_up_no_incident_before_it_knows_whether_it_is_isolated() -> None:
    """It counts as isolated until its first poll, and a round applied while isolated voids the others' evidence."""
    house = await a_house()
    await house.dead()
    supervisor = Supervisor(house.world)
    await supervisor._work()
    assert (await house.incident()).rounds == 0
    await supervisor.watcher.poll()
    await supervisor._work()
    await supervisor.worker.drain()
    assert (await house.incident()).rounds == 1


async def test_a_closed_worker_claims_nothing_more() -> None:
    house = await a_house()
    await house.dead()
    worker = Worker(house.world)
    worker.close()
    await asyncio.wait_for(worker.keep_up(), 5)
    await worker.drain()
    assert (await house.incident()).rounds == 0
