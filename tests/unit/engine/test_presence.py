"""The quiet after a start, and how long it lasts."""

from datetime import timedelta

from controller.domain.model import Pause
from controller.domain.reasons import Reason
from controller.engine import presence
from controller.services.pauses import lift_pause
from tests.fixtures.house import House, a_house


async def quiet_of(house: House) -> Pause:
    async with house.store.transaction() as tx:
        (pause,) = [one for one in await tx.pauses() if one.reason == Reason.STARTUP_QUIET]
        return pause


async def test_a_first_start_is_quiet_for_as_long_as_the_setting_says() -> None:
    house = await a_house(startup_quiet=40)
    await presence.begin(house.world)
    pause = await quiet_of(house)
    assert pause.until == pause.created_at + timedelta(seconds=40)


async def test_a_quiet_that_is_on_follows_a_changed_setting() -> None:
    house = await a_house()
    await presence.begin(house.world)
    house.advance(5)
    await house.settings(startup_quiet=10)
    await presence.alive(house.world)
    pause = await quiet_of(house)
    assert pause.until == pause.created_at + timedelta(seconds=10)


async def test_a_quiet_that_is_over_is_not_begun_again_by_a_longer_setting() -> None:
    house = await a_house(startup_quiet=10)
    await presence.begin(house.world)
    house.advance(11)
    await house.settings(startup_quiet=600)
    await presence.alive(house.world)
    assert not (await quiet_of(house)).active(await house.clock.now())


async def test_a_quiet_that_a_person_lifted_stays_lifted() -> None:
    house = await a_house()
    await presence.begin(house.world)
    await lift_pause(house.store, house.clock, (await quiet_of(house)).id, reason="I know", actor="ann")
    await house.settings(startup_quiet=600)
    await presence.alive(house.world)
    async with house.store.transaction() as tx:
        assert await tx.pauses() == []
