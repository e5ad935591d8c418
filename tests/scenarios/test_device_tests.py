"""Power devices are tested in the background, rarely and a few at a time: what is broken is found and told once."""

from dataclasses import replace
from typing import Any

import pytest
from typing_extensions import override

from controller.domain.model import Level
from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerCode, PowerReading, PowerState
from controller.engine import readiness
from controller.engine.watcher import Watcher
from shared.enums import Reach
from tests.fakes.power import FakePower
from tests.fixtures import builders as a
from tests.fixtures.house import PASSWORD, House, a_house

HOUR = 3600


async def unproven(**health: Any) -> House:
    house = await a_house()
    now = await house.clock.now()
    for host_id in house.bmcs:
        fresh = {"bmc_identity": "", "bmc_on_seen_at": None, "bmc_checked_at": None, "seen_at": now, **health}
        await house.change_health(host_id, **(fresh if host_id == "h1" else {"seen_at": None}))
    return house


async def test_a_device_that_says_on_while_the_host_answers_is_learned() -> None:
    house = await unproven()
    assert await readiness.check_devices(house.world) == 1
    health = await house.health()
    assert health.bmc_identity == "ipmi://bmc-h1:623/"
    assert health.bmc_on_seen_at == await house.clock.now()
    assert await readiness.check_devices(house.world) == 0
    assert await house.told() == []


async def test_the_device_of_a_retired_host_is_not_read() -> None:
    house = await unproven()
    host = await house.host()
    async with house.store.transaction() as tx:
        await tx.save_host(replace(host, retired=True))
    assert await readiness.check_devices(house.world) == 0


async def test_a_device_is_not_read_while_a_command_is_on_its_way() -> None:
    house = await unproven()
    await house.add_attempt(host_id="h9", bmc_identity="ipmi://bmc-h1:623/")
    assert await readiness.check_devices(house.world) == 0


async def test_who_does_not_hear_a_host_leaves_its_device_to_a_controller_that_does() -> None:
    """Its look would teach nothing, and for half a minute nobody else would look."""
    house = await unproven()
    house.probing.hosts["h1"].reach = Reach.NO_ANSWER
    await Watcher(house.world).poll()
    assert await readiness.check_devices(house.world) == 0
    assert (await house.health()).bmc_checked_at is None
    house.probing.hosts["h1"].reach = Reach.AGENT_ANSWERED
    await Watcher(house.world).poll()
    assert await readiness.check_devices(house.world) == 1


async def test_on_without_an_answer_of_the_agent_teaches_nothing() -> None:
    house = await unproven()
    house.probing.die("h1")
    await readiness.check_devices(house.world)
    assert (await house.health()).bmc_on_seen_at is None


async def test_another_device_must_earn_its_word_again() -> None:
    house = await unproven(bmc_identity="ipmi://old:623/", bmc_on_seen_at=a.T0)
    house.bmcs["h1"].reads = PowerState.UNKNOWN
    await readiness.check_devices(house.world)
    health = await house.health()
    assert (health.bmc_identity, health.bmc_on_seen_at) == ("ipmi://bmc-h1:623/", None)


async def test_a_device_that_says_off_while_the_host_answers_is_another_machines() -> None:
    house = await unproven(bmc_identity="ipmi://bmc-h1:623/", bmc_on_seen_at=a.T0)
    house.bmcs["h1"].reads = PowerState.OFF
    await readiness.check_devices(house.world)
    assert (await house.health()).bmc_on_seen_at is None
    assert await house.told() == ["bmc_test_failed"]


async def test_a_device_that_fails_is_told_once_and_keeps_what_it_earned() -> None:
    house = await unproven(bmc_identity="ipmi://bmc-h1:623/", bmc_on_seen_at=a.T0)
    house.bmcs["h1"].users = {}
    for _ in range(5):
        await house.change_health(seen_at=await house.clock.now())
        assert await readiness.check_devices(house.world) == 1
        house.advance(7 * 3600)
    assert await house.told() == ["bmc_test_failed"]
    assert (await house.health()).bmc_on_seen_at == a.T0


@pytest.mark.parametrize("what", ["an incident is open", "it was fenced", "it was not seen lately"])
async def test_a_host_in_trouble_is_left_in_peace(what: str) -> None:
    house = await unproven()
    match what:
        case "an incident is open":
            await house.suspect()
        case "it was fenced":
            await house.change_health(fenced_by="i1")
        case _:
            house.advance(91)
    assert await readiness.check_devices(house.world) == 0
    assert house.power.entries == []


async def test_a_rotated_password_is_found_within_hours_and_told_once_for_days() -> None:
    house = await unproven()
    await readiness.check_devices(house.world)
    house.bmcs["h1"].users = {"fence": "rotated"}
    found_after = [hour for hour in range(3 * 24) if await _told_after_an_hour(house)]
    assert found_after[0] < 6
    assert (await house.told(), (await house.health()).bmc_code) == (["bmc_test_failed"], PowerCode.BAD_CREDENTIALS)
    [notice] = await house.notices()
    assert "bad credentials" in notice.what
    await house.settings(Level.HOST, "h1", ipmi__password="rotated")
    await _told_after_an_hour(house)
    assert (await house.health()).bmc_code is PowerCode.NONE, "that it was mended shows soon"
    house.bmcs["h1"].users = {"fence": "rotated again"}
    for _ in range(24):
        await _told_after_an_hour(house)
    assert await house.told() == ["bmc_test_failed"] * 2


async def _told_after_an_hour(house: House) -> bool:
    """Some of the loop's beats in an hour."""
    for _ in range(6):
        house.advance(600)
        await house.change_health(seen_at=await house.clock.now())
        await readiness.check_devices(house.world)
    return bool(await house.told())


async def test_devices_that_never_answer_keep_no_other_from_its_test() -> None:
    """Twenty of them come due again every half minute, and each takes ten seconds of somebody's patience."""
    house = await a_house(hosts=21)
    now = await house.clock.now()
    for host_id in house.bmcs:
        await house.change_health(host_id, seen_at=now, bmc_identity="", bmc_on_seen_at=None, bmc_checked_at=None)
        house.bmcs[host_id].unplug(at=0)
    last = "h21"
    house.bmcs[last].unreachable = []
    identity = f"ipmi://bmc-{last}:623/"
    await house.change_health(last, bmc_identity=identity, bmc_on_seen_at=now, bmc_checked_at=now)
    house.advance(6 * HOUR)
    house.bmcs[last].users = {}
    for _ in range(20):
        now = await house.clock.now()
        for host_id in house.bmcs:
            await house.change_health(host_id, seen_at=now)
        assert await readiness.check_devices(house.world) <= readiness.AT_ONCE
        house.advance(15)
    assert (await house.health(last)).bmc_code is PowerCode.BAD_CREDENTIALS
    tested = {entry.identity for entry in house.power.entries}
    assert len(tested) == 21


async def test_a_few_at_a_time_and_each_rarely() -> None:
    house = await a_house(hosts=30)
    house.advance(7 * HOUR)
    began = house.clock.boottime()
    for _ in range(13 * 6):  # thirteen hours, ten minutes apart
        now = await house.clock.now()
        for host_id in house.bmcs:
            await house.change_health(host_id, seen_at=now)
        before = len(house.power.entries)
        await readiness.check_devices(house.world)
        assert len(house.power.entries) - before <= readiness.AT_ONCE
        house.advance(600)
    each = dict.fromkeys({entry.identity for entry in house.power.entries}, 0)
    for entry in house.power.entries:
        each[entry.identity] += entry.at >= began
    assert len(each) == 30
    assert set(each.values()) <= {2, 3}, "every six hours"


async def test_two_controllers_test_a_device_once() -> None:
    house = await unproven()
    others = (house.world, house.another_process())
    for world in others:
        await readiness.check_devices(world)
    assert len(house.power.entries) == 1


async def test_a_persons_test_teaches_what_the_next_one_would_have_found_out() -> None:
    house = await unproven(bmc_identity="ipmi://bmc-h1:623/", bmc_on_seen_at=a.T0, bmc_checked_at=a.T0)
    house.bmcs["h1"].users = {"fence": "rotated"}
    attempt = await press_test(house)
    assert (attempt.accepted, (await house.health()).bmc_code) == (Accepted.NO, PowerCode.BAD_CREDENTIALS)
    assert await house.told() == [], "who pressed it sees it"
    house.bmcs["h1"].users = {"fence": PASSWORD}
    await press_test(house)
    health = await house.health()
    assert (health.bmc_code, health.bmc_on_seen_at) == (PowerCode.NONE, await house.clock.now())


async def test_a_persons_test_of_a_silent_host_earns_nothing() -> None:
    house = await unproven()
    house.probing.die("h1")
    await press_test(house)
    assert (await house.health()).bmc_on_seen_at is None


async def test_a_persons_test_does_what_the_device_has_for_that() -> None:
    house = await a_house()
    tested: list[BmcTarget] = []

    class Trying(FakePower):
        @override
        async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
            del deadline_s
            tested.append(target)
            return PowerReading(state=PowerState.ON, said="mc info")

    world = replace(house.world, power=Trying(clock=house.clock.boottime))
    attempt = await press_test(replace(house, operator=type(house.operator)(world)))
    assert [target.address for target in tested] == ["bmc-h1"]
    assert attempt.said == "power state on: mc info"


async def press_test(house: House) -> Any:
    return await house.operator.power("h1", action=PowerAction.TEST, reason="", actor="ada", force=False)
