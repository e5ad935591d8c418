"""The database is restored from an old backup: everything open is held, nothing goes on by itself (rules 1, 5, 9)."""

from datetime import timedelta

import pytest

from controller.db.keepsake import ProcessMemory
from controller.domain.incident import Command, CommandStatus, State
from controller.domain.model import Level
from controller.domain.power import Accepted, PowerAction
from controller.domain.reasons import Reason
from controller.engine import effects, presence
from controller.engine.step import LEASE, LeaseLost, Step
from controller.engine.steps import fencing
from controller.engine.supervisor import Supervisor
from controller.services.pauses import lift_pause
from controller.services.signs import is_lost
from tests.fixtures.house import House, a_house
from tests.simulation.memory_tables import Tables

OPEN = [State.SUSPECT, State.CHECKING, State.FENCING, State.VERIFYING, State.RELEASING, State.HELD]


async def backed_up(state: State) -> tuple[House, Tables]:
    """A controller lives, h1 is dead; the backup is made when its incident is in ``state``, and a minute passes."""
    house = await a_house(startup_quiet=10)
    if state is State.HELD:
        await house.settings(Level.CLUSTER, "c1", max_actions=0)
    await presence.begin(house.world)
    await house.run(20)
    await house.dead()
    if state is not State.SUSPECT:
        await house.until(state)
    backup = house.backup()
    for _ in range(6):
        await house.run(10)
        await presence.alive(house.world)
    return house, backup


async def went_on(house: House) -> None:
    """Ten minutes with every loop but the watch: whatever would act by itself has acted."""
    for _ in range(10):
        await house.run(60, with_effects=True)
        await presence.alive(house.world)


@pytest.mark.parametrize("state", OPEN)
async def test_whatever_was_open_is_held_and_sends_nothing(state: State) -> None:
    house, backup = await backed_up(state)
    sent, acted = len(house.power.commands()), len(house.cloud.calls)
    house.restore(backup)
    if state is State.HELD:
        await house.settings(Level.CLUSTER, "c1", max_actions=3)  # what held it first is gone
    await went_on(house)
    incident = await house.incident()
    assert incident.state is State.HELD
    assert Reason.DATABASE_RESTORED in incident.reasons
    assert Reason.DATABASE_RESTORED in incident.sticky
    assert incident.command.status is not CommandStatus.INTENDED, "nobody could decide anything about it"
    assert (incident.acknowledged, incident.proof.proven_at) == (None, None)
    assert (len(house.power.commands()), len(house.cloud.calls)) == (sent, acted)
    (pause,) = [p for p in await house.pauses() if p.reason == Reason.DATABASE_RESTORED]
    assert (pause.level, pause.until) == (Level.GLOBAL, None)


async def test_a_claim_notices_before_the_next_sign_of_life_does() -> None:
    house, backup = await backed_up(State.FENCING)
    sent = len(house.power.commands())
    house.restore(backup)
    await house.run(5)
    assert (await house.incident()).state is State.HELD
    assert len(house.power.commands()) == sent


async def test_a_command_alone_is_sign_enough() -> None:
    """It was sent between two signs of life, and the backup is from just before it."""
    house = await a_house(startup_quiet=10)
    await presence.begin(house.world)
    await house.run(20)
    await house.dead()
    await house.until(State.FENCING)
    backup = house.backup()
    while not house.power.commands():
        await house.run(1)
    house.restore(backup)
    await house.run(60)
    assert (await house.incident()).state is State.HELD
    assert len(house.power.commands()) == 1


async def test_people_are_told_once_of_the_restore_and_once_of_each_hold() -> None:
    house, backup = await backed_up(State.CHECKING)
    house.restore(backup)
    before = len(await house.told())
    await presence.alive(house.world)
    await went_on(house)
    told = (await house.told())[before:]
    assert told[:2] == ["held", "database_restored"]
    assert told.count("database_restored") == 1
    (notice,) = [n for n in await house.notices() if n.kind == "database_restored"]
    assert (await house.host()).name in notice.what


async def test_a_dump_loaded_into_another_database_is_noticed_by_a_controller_that_remembers_nothing() -> None:
    house, backup = await backed_up(State.CHECKING)
    house.restore(backup, place="a new database")
    await presence.begin(house.another_process(keepsake=ProcessMemory()))
    assert Reason.DATABASE_RESTORED in (await house.incident()).reasons
    await presence.begin(house.another_process("ctl3", keepsake=ProcessMemory()))
    assert [p.reason for p in await house.pauses()].count(Reason.DATABASE_RESTORED) == 1


async def test_a_restore_while_no_controller_ran_is_noticed_by_what_was_kept_outside() -> None:
    house, backup = await backed_up(State.CHECKING)
    house.restore(backup)
    house.advance(3600)
    await presence.begin(house.another_process())
    assert (await house.incident()).state is State.HELD
    assert {p.reason for p in await house.pauses()} >= {Reason.DATABASE_RESTORED, Reason.STARTUP_QUIET}


async def test_two_controllers_that_notice_make_one_pause() -> None:
    house, _ = await backed_up(State.CHECKING)
    other = house.another_process(keepsake=ProcessMemory())
    await presence.begin(other)
    backup = house.backup()
    house.advance(10)
    for world in (house.world, other):
        await presence.alive(world)
    house.restore(backup)
    for world in (house.world, other):
        await presence.alive(world)
    assert [p.reason for p in await house.pauses()].count(Reason.DATABASE_RESTORED) == 1


async def test_effects_of_a_restored_database_wait_for_a_person() -> None:
    house, _ = await backed_up(State.CHECKING)
    incident = await house.incident()
    await house.add_effect(incident_id=incident.id)
    backup = house.backup()
    await house.run(10)
    await presence.alive(house.world)
    house.restore(backup)
    asked = len(house.cloud.calls)
    assert await effects.do_due(house.world) == 0
    await went_on(house)
    assert len(house.cloud.calls) == asked


async def test_after_a_person_has_looked_it_goes_on() -> None:
    house, backup = await backed_up(State.CHECKING)
    await house.until(State.FENCED)
    await presence.alive(house.world)
    house.restore(backup)
    await went_on(house)
    assert (await house.incident()).state is State.HELD
    for pause in await house.pauses():
        await lift_pause(house.store, house.clock, pause.id, reason="I have looked", actor="ada")
    await house.operator.retry((await house.incident()).id, reason="I have looked", actor="ada")
    assert (await house.until(State.FENCED)).reasons  # it is off already: no command is needed, the proof is made anew
    assert len(house.power.commands()) == 1


async def test_no_restore_no_pause() -> None:
    house, _ = await backed_up(State.CHECKING)
    house.advance(7200)
    await presence.begin(house.another_process())
    await went_on(house)
    assert Reason.DATABASE_RESTORED not in {p.reason for p in await house.pauses()}


async def test_the_engine_notices_at_its_start() -> None:
    """The start of the whole engine, not only of the function: what a controller does first is look."""
    house, backup = await backed_up(State.CHECKING)
    house.restore(backup)
    supervisor = Supervisor(house.another_process())
    await supervisor.start()
    await supervisor.stop()
    assert (await house.incident()).state is State.HELD
    assert timedelta(0) <= await house.clock.now() - (await house.incident()).entered_at < timedelta(seconds=5)


async def test_a_lease_that_comes_back_with_an_old_backup_sends_nothing() -> None:
    """The backup was made while the step was looking: it holds the very lease, and knows nothing of what came after."""
    house, _ = await backed_up_at_the_last_look()
    token, now = "mine", await house.clock.now()
    async with house.store.transaction() as tx:
        (incident,) = await tx.claim_due(now=now, lease_until=now + LEASE, token=token, limit=1)
    backup = house.backup()
    house.advance(2)
    await presence.alive(house.world)
    house.restore(backup)
    step = Step(world=house.world, incident=incident, token=token, leased_at=house.clock.boottime())
    with pytest.raises(LeaseLost):
        await fencing.run(step)
    assert house.power.commands() == []


async def backed_up_at_the_last_look() -> tuple[House, Tables]:
    house = await a_house(startup_quiet=10)
    await presence.begin(house.world)
    await house.run(20)
    await house.dead()
    await house.until(State.FENCING)
    house.advance(20)
    return house, house.backup()


async def test_whoever_held_a_lease_loses_it() -> None:
    house, backup = await backed_up_at_the_last_look()
    await presence.alive(house.world)
    house.restore(backup)
    now = await house.clock.now()
    async with house.store.transaction() as tx:
        (incident,) = await tx.claim_due(now=now, lease_until=now + LEASE, token="another's", limit=1)
    await presence.alive(house.world)
    async with house.store.transaction() as tx:
        assert await tx.incident_for_update(incident.id, token="another's") is None


async def test_an_intent_without_an_answer_is_closed_as_unknown() -> None:
    """The backup is from between intent and answer: nobody is left who could say what became of it."""
    house, _ = await backed_up_at_the_last_look()
    incident = await house.incident()
    await house.add_attempt(id="a1", incident_id=incident.id)
    command = Command(status=CommandStatus.INTENDED, count=1, attempt_id="a1", last_at=await house.clock.now())
    await house.change(incident, command=command)
    backup = house.backup()
    house.advance(2)
    await presence.alive(house.world)
    house.restore(backup)
    await presence.alive(house.world)
    incident = await house.incident()
    assert (incident.state, incident.command.status) == (State.HELD, CommandStatus.ANSWERED)
    (attempt,) = await house.attempts()
    assert attempt.accepted is Accepted.UNKNOWN
    await house.operator.retry(incident.id, reason="I have looked", actor="ada")


async def test_a_persons_command_is_sign_enough_and_no_restore_by_itself() -> None:
    house = await a_house(startup_quiet=10)
    await presence.begin(house.world)
    backup = house.backup()
    house.advance(2)
    await house.operator.power("h1", action=PowerAction.OFF, reason="fire", actor="ada", force=True)
    async with house.store.transaction() as tx:
        assert not await is_lost(tx, house.world)
    house.restore(backup)
    await presence.alive(house.world)
    assert Reason.DATABASE_RESTORED in {p.reason for p in await house.pauses()}
