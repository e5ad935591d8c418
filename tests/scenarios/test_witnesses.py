"""Who is believed about a silent host: too few, against each other, suspected, late, of another version, forgetful."""

from dataclasses import replace

import pytest

from controller.domain.evidence import Verdict
from controller.domain.incident import Incident, State
from controller.domain.model import Level
from controller.domain.reasons import Reason
from controller.engine.watcher import Watcher
from controller.services.world import Isolation
from shared.enums import Reach, ReadingCode
from tests.fixtures.house import House, a_house

DISK = "/mnt/p1/vm-of-h1.qcow2"


async def checked(house: House, incident: Incident, *, rounds: int = 1) -> Incident:
    """So many rounds later."""
    for _ in range(rounds):
        house.advance(15)
        incident = await house.step(incident)
    return incident


async def a_dead_host(house: House) -> Incident:
    """Dead, reported, and its baseline read."""
    return await house.step(await house.dead())


def fail(house: House, *witness_ids: str, why: Reason = Reason.WITNESS_SILENT) -> None:
    for witness_id in witness_ids:
        house.probing.hosts[witness_id].failure = why


def forget(house: House, *witness_ids: str) -> None:
    """Their agents are restarted, and what they had seen is gone."""
    for witness_id in witness_ids:
        house.probing.hosts[witness_id].watching_since = house.clock.boottime()


# -- how many


async def test_two_of_five_are_enough_whatever_became_of_the_others() -> None:
    house = await a_house(hosts=6)
    await house.dead()
    fail(house, "h2", "h3", "h4")
    assert (await house.until(State.FENCED)).state is State.FENCED


async def test_one_of_five_is_not_enough_though_nobody_else_is_left() -> None:
    house = await a_house(hosts=6, checking_limit=120)
    await house.dead()
    fail(house, "h2", "h3", "h4", "h5")
    held = await house.until(State.HELD)
    assert {Reason.TOO_FEW_WITNESSES, Reason.WITNESS_SILENT} <= set(held.reasons)
    assert house.power.commands() == []


async def test_how_many_are_needed_follows_membership_and_not_who_is_up() -> None:
    """Three hosts, one of them in maintenance and off: still two, not the one that is left."""
    house = await a_house(checking_limit=120)
    assert (await house.policy()).witnesses_required == 2
    house.probing.die("h3")
    await house.change_host("h3", maintenance=True)
    await house.dead()
    held = await house.until(State.HELD)
    assert Reason.TOO_FEW_WITNESSES in held.reasons
    assert (await house.policy()).witnesses_required == 2


async def test_of_two_hosts_the_other_one_is_enough() -> None:
    house = await a_house(hosts=2)
    assert (await house.policy()).witnesses_required == 1
    await house.dead()
    assert (await house.until(State.FENCED)).state is State.FENCED


async def test_an_operator_who_asks_for_more_gets_more() -> None:
    house = await a_house(hosts=6, checking_limit=120)
    await house.settings(Level.CLUSTER, "c1", witnesses_required=5)
    await house.dead()
    fail(house, "h2")
    held = await house.until(State.HELD)
    assert Reason.TOO_FEW_WITNESSES in held.reasons
    house.probing.hosts["h2"].failure = None
    assert (await house.until(State.FENCED)).state is State.FENCED


# -- against each other


@pytest.mark.parametrize("silent", [1, 2, 8])
async def test_one_who_saw_a_write_outweighs_all_who_saw_none(silent: int) -> None:
    house = await a_house(hosts=silent + 2)
    incident = await checked(house, await a_dead_host(house), rounds=3)
    assert incident.tally.dead == 3
    house.probing.hosts[f"h{silent + 2}"].sees[DISK] = 1
    incident = await checked(house, incident)
    assert incident.newest is not None
    assert incident.newest.verdict is Verdict.ALIVE
    assert Reason.DISKS_MOVE in incident.newest.reasons
    assert incident.tally.dead == 0
    assert incident.life_at is not None


async def test_one_whom_a_kernel_answers_keeps_all_others_waiting_until_it_is_gone() -> None:
    """A host that refuses connections to one neighbor only, as a firewall makes it: nobody may say it has no power."""
    house = await a_house(checking_limit=120)
    await house.dead()
    house.probing.hosts["h1"].reach_of_neighbors = Reach.KERNEL_ANSWERS
    held = await house.until(State.HELD)
    assert Reason.KERNEL_ANSWERS in held.reasons
    assert house.power.commands() == []
    house.probing.hosts["h1"].reach_of_neighbors = None
    assert (await house.until(State.FENCED)).state is State.FENCED
    assert len(house.power.commands()) == 1


# -- suspected itself


async def test_a_witness_under_suspicion_is_not_asked_until_it_is_cleared() -> None:
    house = await a_house(checking_limit=300)
    house.probing.lose_agent("h2")
    await house.suspect("h2")
    incident = await checked(house, await a_dead_host(house), rounds=2)
    assert {witness for witness, question in house.probing.asked if question.subject.id == "h1"} == {"h3"}
    assert incident.tally.dead == 0
    assert Reason.TOO_FEW_WITNESSES in incident.reasons
    async with house.store.transaction() as tx:
        record = (await tx.rounds(incident.id))[-1]
    assert record.evidence["not_asked"] == [{"host_id": "h2", "reason": Reason.WITNESS_SUSPECTED}]
    house.probing.live("h2")
    await house.until(State.RECOVERED, host_id="h2")
    assert (await house.until(State.FENCED)).state is State.FENCED


# -- late, and of another version


async def test_what_comes_late_is_unknown_and_a_late_sign_of_life_is_one() -> None:
    house = await a_house()
    incident = await checked(house, await a_dead_host(house), rounds=2)

    async def takes_long() -> None:
        house.advance(20)

    house.probing.meanwhile = takes_long
    incident = await checked(house, incident)
    assert incident.newest is not None
    assert incident.newest.verdict is Verdict.INCONCLUSIVE
    assert Reason.WITNESS_SILENT in incident.newest.reasons
    assert incident.tally.dead == 2
    house.probing.meanwhile = takes_long
    house.probing.hosts["h1"].reach_of_neighbors = Reach.AGENT_ANSWERED
    incident = await checked(house, incident)
    assert incident.state is State.RECOVERED


async def test_witnesses_of_another_version_tell_nothing_and_are_named() -> None:
    house = await a_house(hosts=4, checking_limit=120)
    await house.dead()
    fail(house, "h2", "h3", why=Reason.WITNESS_INCOMPATIBLE)
    held = await house.until(State.HELD)
    assert {Reason.TOO_FEW_WITNESSES, Reason.WITNESS_INCOMPATIBLE} <= set(held.reasons)
    house.probing.hosts["h2"].failure = None  # upgraded
    assert (await house.until(State.FENCED)).state is State.FENCED


# -- forgetful


async def test_a_witness_that_forgot_when_the_heartbeat_moved_is_not_conclusive() -> None:
    house = await a_house(checking_limit=120)
    incident = await checked(house, await a_dead_host(house), rounds=2)
    forget(house, "h2")
    incident = await checked(house, incident)
    assert incident.newest is not None
    assert incident.newest.verdict is Verdict.INCONCLUSIVE
    held = await house.until(State.HELD)
    assert Reason.NO_HEARTBEAT in held.reasons
    assert house.power.commands() == []


async def test_where_enough_others_remember_one_that_forgot_does_no_harm() -> None:
    house = await a_house(hosts=4)
    await house.dead()
    await house.run(30)
    forget(house, "h2")
    assert (await house.until(State.FENCED)).state is State.FENCED


async def test_witnesses_that_saw_it_moving_again_are_conclusive_again() -> None:
    house = await a_house(checking_limit=120)
    await a_dead_host(house)
    house.advance(1)
    forget(house, "h2", "h3")
    await house.until(State.HELD)
    house.probing.live("h1")
    await house.until(State.RECOVERED)
    await house.change_health(armed=True)
    await house.run(20)
    await house.dead()
    assert (await house.until(State.FENCED)).state is State.FENCED


async def test_a_witness_whose_own_heartbeat_stands_still_proves_nothing() -> None:
    house = await a_house(checking_limit=120)
    await house.dead()
    house.probing.hosts["h2"].silent_since = house.clock.boottime()
    held = await house.until(State.HELD)
    assert Reason.NO_POSITIVE_CONTROL in held.reasons
    house.probing.hosts["h2"].silent_since = None
    assert (await house.until(State.FENCED)).state is State.FENCED


async def test_a_witness_that_cannot_read_the_pool_is_made_up_for_by_others_only() -> None:
    house = await a_house(hosts=4, checking_limit=120)
    await house.dead()
    house.probing.hosts["h2"].storage_code = ReadingCode.STALE_HANDLE
    house.probing.hosts["h3"].storage_code = ReadingCode.MOUNT_STUCK
    held = await house.until(State.HELD)
    assert {Reason.STORAGE_UNREADABLE, Reason.TOO_FEW_WITNESSES} <= set(held.reasons)
    house.probing.hosts["h3"].storage_code = None
    assert (await house.until(State.FENCED)).state is State.FENCED


# -- two hosts, one heartbeat


async def test_the_silence_of_a_heartbeat_that_two_hosts_wrote_fences_nobody() -> None:
    house = await a_house(checking_limit=120)
    house.probing.hosts["h1"].disputed = True
    await house.dead()
    held = await house.until(State.HELD)
    assert Reason.HEARTBEAT_DISPUTED in held.reasons
    assert house.power.commands() == []


async def test_while_the_other_one_writes_it_is_life() -> None:
    house = await a_house()
    incident = await a_dead_host(house)
    copy = house.probing.hosts["h1"]
    copy.disputed, copy.silent_since = True, None
    incident = await checked(house, incident)
    assert incident.newest is not None
    assert incident.newest.verdict is Verdict.ALIVE


# -- a controller that is cut off, or was away


async def test_a_controller_that_loses_everybody_starts_counting_again_when_it_is_back() -> None:
    """What it saw before is void: it cannot tell that it was not itself that fell silent."""
    house = await a_house()
    incident = await checked(house, await a_dead_host(house), rounds=3)
    assert incident.tally.dead == 3
    for neighbor in ("h2", "h3"):
        house.probing.hosts[neighbor].reach = Reach.NO_ANSWER
    await house.watcher.poll()
    assert is_isolated(house)
    incident = await checked(house, incident)
    assert incident.state is State.CHECKING
    assert incident.tally.dead == 0
    for neighbor in ("h2", "h3"):
        house.probing.hosts[neighbor].reach = Reach.AGENT_ANSWERED
    await house.watcher.poll()
    assert not is_isolated(house)
    incident = await checked(house, incident)
    assert incident.tally.dead == 1
    assert (await house.until(State.FENCED)).state is State.FENCED


def is_isolated(house: House) -> bool:
    return house.world.isolation.isolated


async def a_controller_that_starts_late(house: House, *, after: float, forgetful: bool = False) -> None:
    """No controller ran when the host died; one starts now."""
    house.probing.die("h1")
    house.advance(after)
    if forgetful:
        forget(house, "h2", "h3")
    house.world = replace(house.world, isolation=Isolation())
    house.watcher = Watcher(house.world)
    await house.watcher.poll()


async def test_a_controller_that_was_down_learns_from_the_witnesses_when_it_happened() -> None:
    house = await a_house()
    died = await house.clock.now()
    await a_controller_that_starts_late(house, after=1800)
    incident = await house.incident()
    assert abs((incident.disconnect_at - died).total_seconds()) < 1
    assert (await house.until(State.FENCED)).state is State.FENCED


async def test_where_the_witnesses_were_restarted_meanwhile_it_learns_nothing_and_asks() -> None:
    house = await a_house(checking_limit=120, watch_timeout=20)
    await a_controller_that_starts_late(house, after=1800, forgetful=True)
    await house.run(30, watch=True)
    held = await house.until(State.HELD)
    assert Reason.NO_HEARTBEAT in held.reasons
    assert house.power.commands() == []
