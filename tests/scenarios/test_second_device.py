"""A host with two power devices: the second is tried when the first fails, with its own proof; budgets add up."""

from dataclasses import dataclass
from typing import Any

import pytest

from controller.domain.incident import State
from controller.domain.model import DeviceHealth, Level
from controller.domain.power import Accepted, BmcTarget, PowerAction
from controller.domain.reasons import Reason
from controller.engine import readiness
from controller.services.errors import BadInput, Refused
from tests.fakes.power import FakeBmc, FakeMachine
from tests.fixtures.house import House, a_house

SECOND = BmcTarget(driver="ipmi", address="pdu-h1", port=623, username="", password="")


@dataclass(slots=True)
class Two:
    """The house, and both devices of h1."""

    house: House
    first: FakeBmc
    second: FakeBmc

    def commands(self) -> list[tuple[str, PowerAction]]:
        return [(entry.identity, entry.action) for entry in self.house.power.commands()]


async def two_devices(*, seen: bool = True, **settings: Any) -> Two:
    """h1 has a second device, which was seen *on* while the host lived, and dies."""
    house = await a_house(off_deadline=10, **settings)
    await house.settings(Level.HOST, "h1", second__host="pdu-h1")
    first = house.bmcs["h1"]
    second = house.power.put(SECOND, FakeBmc(machine=first.machine))
    if seen:
        now = await house.clock.now()
        await house.change_health(second=DeviceHealth(identity=SECOND.identity, on_seen_at=now, checked_at=now))
    await house.dead()
    return Two(house, first, second)


FIRST_ID = "ipmi://bmc-h1:623/"


async def test_a_first_device_that_is_silent_makes_room_for_the_second() -> None:
    two = await two_devices()
    two.first.unplug(at=0)
    incident = await two.house.until(State.FENCED)
    assert two.commands() == [(SECOND.identity, PowerAction.OFF)]
    assert incident.method == 1
    assert "goes on with power device 2" in " ".join(e.text for e in await two.house.events())


async def test_a_first_device_that_works_is_the_only_one_used() -> None:
    two = await two_devices()
    incident = await two.house.until(State.FENCED)
    assert two.commands() == [(FIRST_ID, PowerAction.OFF)]
    assert incident.method == 0


async def test_a_first_device_that_never_obeys_spends_its_budget_and_the_second_has_its_own() -> None:
    two = await two_devices(max_commands_per_incident=2)
    two.first.ignores_off = True
    incident = await two.house.until(State.FENCED)
    assert [identity for identity, _ in two.commands()] == [FIRST_ID, FIRST_ID, SECOND.identity]
    assert incident.command.count == 3
    looks = [e for e in await two.house.events() if e.kind == "intent"]
    assert len(looks) == 3, "each command has an intent, and so a last look, of its own"


async def test_the_second_proves_with_its_own_reads_alone() -> None:
    """The first said off twice and fell silent: that counts for nothing."""
    two = await two_devices(off_reads=3)
    await two.house.until(State.VERIFYING)
    while (await two.house.incident()).proof.reads < 2:
        await two.house.run(1)
    two.first.unplug(at=0)
    await two.house.until(State.FENCING)
    assert (await two.house.incident()).proof.reads == 0
    incident = await two.house.until(State.FENCED)
    assert incident.proof.reads >= 3
    assert two.commands() == [(FIRST_ID, PowerAction.OFF)], "the second read off: no command was needed"


async def test_a_first_device_that_never_earned_trust_is_passed_over_before_anything_is_sent() -> None:
    two = await two_devices()
    await two.house.change_health(bmc_on_seen_at=None)
    await two.house.until(State.FENCED)
    assert two.commands() == [(SECOND.identity, PowerAction.OFF)]


async def test_a_second_device_that_was_never_seen_on_cuts_nothing() -> None:
    two = await two_devices(seen=False)
    two.first.unplug(at=0)
    incident = await two.house.until(State.HELD)
    assert Reason.BMC_UNPROVEN in incident.reasons
    await two.house.run(600)
    assert two.commands() == []


async def test_both_silent_hold_and_whichever_answers_again_ends_the_hold() -> None:
    two = await two_devices()
    two.first.unplug(at=0)
    two.second.unplug(at=0, until=two.house.clock.boottime() + 400)
    incident = await two.house.until(State.HELD)
    assert incident.reasons == (Reason.BMC_UNREACHABLE,)
    assert two.commands() == []
    await two.house.until(State.FENCED, within=1500)
    assert two.commands() == [(SECOND.identity, PowerAction.OFF)]


async def test_what_is_not_the_devices_fault_holds_and_switches_nothing() -> None:
    two = await two_devices()
    two.first.unplug(at=0)
    await two.house.settings(Level.CLUSTER, "c1", max_actions=0)
    incident = await two.house.until(State.HELD)
    assert (incident.method, Reason.CAP_REACHED in incident.reasons) == (0, True)


async def test_a_reboot_gives_the_power_back_through_the_device_that_took_it() -> None:
    two = await two_devices(action="reboot")
    two.first.unplug(at=0)
    await two.house.until(State.FENCED)
    await two.house.run(30, with_effects=True)
    assert two.commands() == [(SECOND.identity, PowerAction.OFF), (SECOND.identity, PowerAction.ON)]


async def test_a_retry_begins_with_the_first_device() -> None:
    two = await two_devices()
    two.first.unplug(at=0)
    two.second.unplug(at=0)
    incident = await two.house.until(State.HELD)
    retried = await two.house.operator.retry(incident.id, reason="the BMC is mended", actor="ada")
    assert retried.method == 0


async def test_nobody_vouches_against_either_device() -> None:
    two = await two_devices(seen=False)
    two.first.unplug(at=0)
    incident = await two.house.change(await two.house.until(State.HELD), method=0)  # the mute one is in use
    with pytest.raises(Refused) as refused:
        await two.house.operator.acknowledge(
            incident.id, host_name=(await two.house.host()).name, reason="it is off", actor="ada"
        )
    assert refused.value.code == "power_is_on"
    two.first.machine.switch(on=False, at=two.house.clock.boottime())
    vouched = await two.house.operator.acknowledge(
        incident.id, host_name=(await two.house.host()).name, reason="it is off", actor="ada"
    )
    assert vouched.state is State.RELEASING


async def test_both_devices_are_tested_while_the_host_lives() -> None:
    house = await a_house()
    await house.settings(Level.HOST, "h1", second__host="pdu-h1")
    second = house.power.put(SECOND, FakeBmc(machine=house.bmcs["h1"].machine))
    while await readiness.check_devices(house.world):
        pass
    health = await house.health()
    assert (health.second.identity, health.second.on_seen_at) == (SECOND.identity, await house.clock.now())
    second.unplug(at=0)
    house.advance(7 * 3600)
    await house.change_health(seen_at=await house.clock.now())
    while await readiness.check_devices(house.world):
        pass
    assert await house.told() == ["bmc_test_failed"]
    assert (await house.health()).second.on_seen_at == health.second.on_seen_at


async def test_another_hosts_device_is_no_second_device() -> None:
    two = await two_devices()
    two.first.unplug(at=0)
    await two.house.settings(Level.HOST, "h2", second__host="pdu-h1")
    incident = await two.house.until(State.HELD)
    assert Reason.BMC_SHARED in incident.reasons
    assert two.commands() == []


async def test_a_machine_behind_the_wrong_second_device_stops_everything() -> None:
    """The second device is wired to h2, which lives: the release waits long enough to see it vanish."""
    two = await two_devices()
    two.first.unplug(at=0)
    other = two.house.bmcs["h2"].machine
    assert isinstance(other, FakeMachine)
    two.second.machine = other
    await two.house.until(State.VERIFYING)
    two.house.probing.die("h2")
    incident = await two.house.until(State.HELD)
    assert Reason.OTHER_HOST_VANISHED in incident.reasons


async def test_a_person_can_try_either_device_and_is_told_when_there_is_none() -> None:
    two = await two_devices()
    two.second.unplug(at=0)
    first = await two.house.operator.power("h1", action=PowerAction.TEST, reason="t", actor="ada", force=False)
    second = await two.house.operator.power(
        "h1", action=PowerAction.TEST, reason="t", actor="ada", force=False, device=2
    )
    assert (first.bmc_identity, first.accepted) == (FIRST_ID, Accepted.YES)
    assert (second.bmc_identity, second.accepted) == (SECOND.identity, Accepted.NO)
    with pytest.raises(BadInput, match="host h2 has no power device 2"):
        await two.house.operator.power_status("h2", device=2)
