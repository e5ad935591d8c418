"""While a device still says *on* after its command it is read often, so that the proof can begin soon; politely."""

from itertools import pairwise

from controller.domain.incident import State
from controller.domain.power import PowerAction, PowerState
from controller.engine.steps.verifying import OFTEN_FOR, READ_AGAIN_S
from tests.fakes.power import Entry, FakePower
from tests.fixtures.house import House, a_house


async def told_off(**bmc: object) -> House:
    """h1 was told *off* a moment ago."""
    house = await a_house()
    for name, value in bmc.items():
        setattr(house.bmcs["h1"], name, value)
    await house.dead()
    await house.until(State.VERIFYING)
    return house


def reads_since_off(house: House) -> list[Entry]:
    entries = house.power.entries
    (off,) = (number for number, entry in enumerate(entries) if entry.action is PowerAction.OFF)
    return entries[off + 1 :]


async def test_the_first_off_is_seen_within_a_second_and_the_proof_keeps_its_distance() -> None:
    house = await told_off(off_delay_s=3.3)
    (off,) = house.power.commands()
    while (await house.incident()).state is State.VERIFYING:
        house.advance(0.25)
        await house.worker.run_due()
        await house.worker.drain()
    reads = reads_since_off(house)
    while_on = [entry.at for entry in reads if entry.state is PowerState.ON]
    counted = [entry.at for entry in reads if entry.state is PowerState.OFF][:3]
    assert min(later - earlier for earlier, later in pairwise(while_on)) >= READ_AGAIN_S
    assert counted[0] - (off.at + 3.3) < 1.0
    assert min(later - earlier for earlier, later in pairwise(counted)) >= 2.0
    assert (await house.incident()).proof.reads >= 3
    events = [e.data for e in await house.events() if e.kind == "power_read"]
    assert sum(data["reads"] for data in events if data["state"] == "on") == len(while_on)


async def test_what_has_not_switched_by_then_is_read_at_the_distance_of_a_proof() -> None:
    house = await told_off(ignores_off=True)
    (off,) = house.power.commands()
    while house.clock.boottime() < off.at + 40:
        house.advance(0.25)
        await house.worker.run_due()
        await house.worker.drain()
    at = [entry.at - off.at for entry in reads_since_off(house)]
    often = [one for one in at if one <= OFTEN_FOR.total_seconds()]
    later = [one for one in at if one > OFTEN_FOR.total_seconds() + 2]
    assert len(often) > 15
    assert min(b - a for a, b in pairwise(later)) >= 2.0


async def test_a_slow_device_is_left_alone_for_as_long_as_a_read_takes() -> None:
    house = await told_off(ignores_off=True, takes_s=0.9)
    power = house.power
    assert isinstance(power, FakePower)
    power._sleep = house.clock.sleep
    before = len(power.entries)
    for _ in range(40):
        house.advance(0.25)
        await house.worker.run_due()
        await house.worker.drain()
    ends = [entry.at for entry in power.entries[before:]]
    assert len(ends) > 3
    assert min(later - earlier for earlier, later in pairwise(ends)) >= 2 * 0.9


async def test_an_on_between_two_off_in_one_step_starts_the_proof_again() -> None:
    house = await told_off()
    await house.step(await house.incident())
    assert (await house.incident()).proof.reads == 1
    house.advance(5)  # a busy controller comes late
    now, machine = house.clock.boottime(), house.bmcs["h1"].machine
    machine.switch(on=True, at=now)
    machine.switch(on=False, at=now + 0.3)
    incident = await house.step(await house.incident())
    assert [entry.state for entry in reads_since_off(house)] == [PowerState.OFF, PowerState.ON, PowerState.OFF]
    assert incident.proof.reads == 1
    kept = [e.data for e in await house.events() if e.kind == "power_read"]
    assert [(data["state"], data["off_reads"]) for data in kept] == [("off", 1), ("on", 0), ("off", 1)]
