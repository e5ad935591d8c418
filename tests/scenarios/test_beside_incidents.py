"""What happens beside the incidents: side effects, returns, readiness of power devices, presence, tidying up."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.cloud.base import EffectResult
from controller.domain.evidence import CloudSays
from controller.domain.incident import State
from controller.domain.model import EffectKind, EffectStatus, Level
from controller.domain.power import Accepted, PowerAction
from controller.domain.reasons import Reason
from controller.engine import effects, presence
from controller.services.returns import returning
from tests.fakes.cloud import FAILED
from tests.fixtures import builders as a
from tests.fixtures.house import House, a_house

NEW_BOOT = "boot-2-of-h1"


async def fenced(**settings: Any) -> House:
    """h1 is fenced and quarantined; its VMs run elsewhere."""
    house = await a_house(**settings)
    await house.dead()
    while (await house.incident()).open:
        await house.run(1, with_effects=True)
    assert (await house.incident()).state is State.FENCED
    return house


async def poll_return(house: House, boot_id: str = NEW_BOOT) -> None:
    await returning(house.world, await house.host(), await house.policy(), boot_id=boot_id)


async def stay_up(house: House, seconds: float, boot_id: str = NEW_BOOT) -> None:
    for _ in range(int(seconds / 10)):
        await poll_return(house, boot_id)
        house.advance(10)
    await poll_return(house, boot_id)


# -- effects


async def test_a_quarantine_that_fails_is_told_once_and_tried_with_growing_patience() -> None:
    house = await a_house()
    incident = await house.dead()
    await house.add_effect(incident_id=incident.id)
    house.cloud.answer("quarantine", FAILED, FAILED, FAILED)
    waited: list[float] = []
    while len(waited) < 3:
        before = await house.clock.now()
        assert await effects.do_due(house.world) == 1
        due = (await house.effects())[0].next_try_at
        assert due is not None
        waited.append((due - before).total_seconds())
        assert await effects.do_due(house.world) == 0
        house.advance(waited[-1])
    assert waited == sorted(waited)
    assert waited[0] >= 5
    assert waited[-1] > waited[0]
    assert await house.told() == ["quarantine_failed"]
    await effects.do_due(house.world)
    assert (await house.effects())[0].status is EffectStatus.DONE


async def test_what_never_works_is_given_up_and_that_is_told_too() -> None:
    house = await a_house()
    incident = await house.dead()
    await house.add_effect(incident_id=incident.id)
    house.cloud.answer("quarantine", *[FAILED] * 1000)
    for _ in range(30):
        await effects.do_due(house.world)
        house.advance(600)
    (effect,) = await house.effects()
    assert (effect.status, effect.next_try_at) == (EffectStatus.FAILED, None)
    assert await house.told() == ["quarantine_failed", "quarantine_failed"]


async def test_undoing_gives_back_what_was_there_before() -> None:
    house = await a_house()
    incident = await house.dead()
    house.cloud.answer("quarantine", EffectResult(done=True, earlier="Disabled"))
    await house.add_effect(incident_id=incident.id)
    await effects.do_due(house.world)
    await house.operator.cancel(incident.id, reason="", actor="ada")
    await house.add_effect(id="x2", incident_id=incident.id, kind=EffectKind.UNQUARANTINE)
    await effects.do_due(house.world)
    assert house.cloud.earlier_given == ["Disabled"]


async def test_what_a_quarantine_replaces_is_stored_before_it_is_replaced() -> None:
    """Its answer is lost, or its controller dies: whoever undoes it knows all the same."""
    house = await a_house()
    incident = await house.dead()
    about_to = EffectResult(done=False, pending=True, earlier="Enabled")
    house.cloud.answer("quarantine", about_to, FAILED)
    await house.add_effect(incident_id=incident.id)
    await house.change(incident, quarantined=True)
    await effects.do_due(house.world)
    (effect,) = await house.effects()
    assert house.cloud.found_given == ["", "Enabled"]
    assert (effect.status, effect.earlier) == (EffectStatus.INTENDED, "Enabled")
    await house.operator.cancel(incident.id, reason="", actor="ada")
    for _ in range(80):
        house.advance(10)
        await effects.do_due(house.world)
    assert house.cloud.earlier_given == ["Enabled"]


async def test_a_quarantine_that_is_always_about_to_begin_is_a_failure() -> None:
    house = await a_house()
    incident = await house.dead()
    house.cloud.answer("quarantine", *[EffectResult(done=False, pending=True, said="about to")] * 2)
    await house.add_effect(incident_id=incident.id)
    await effects.do_due(house.world)
    assert house.cloud.did("quarantine") == 2
    assert await house.told() == ["quarantine_failed"]


async def test_no_power_is_given_through_a_device_that_was_changed_meanwhile() -> None:
    """Its new address was never seen to say on while the host lived: it may be another machine's."""
    house = await fenced(action="reboot")
    async with house.store.transaction() as tx:
        done = await tx.effects_of(host_id="h1")
    (power_on,) = [e for e in done if e.kind is EffectKind.POWER_ON]
    before = len(house.power.commands())
    await house.change_health(bmc_on_seen_at=None)
    await house.add_effect(id="x9", incident_id=power_on.incident_id, kind=EffectKind.POWER_ON)
    await effects.do_due(house.world)
    assert len(house.power.commands()) == before
    assert (await house.effects())[-1].status is EffectStatus.INTENDED


async def test_a_quarantine_that_is_late_never_outlives_its_incident() -> None:
    """It failed first; meanwhile the host recovered and the undoing was stored: then nothing may keep it out."""
    house = await a_house()
    incident = await house.dead()
    house.cloud.answer("quarantine", FAILED)
    await house.add_effect(incident_id=incident.id)
    await house.change(incident, quarantined=True)
    await effects.do_due(house.world)
    await house.operator.cancel(incident.id, reason="", actor="ada")
    for _ in range(80):
        house.advance(10)
        await effects.do_due(house.world)
    assert [name for name, _ in house.cloud.calls] == ["quarantine", "unquarantine"]
    assert EffectStatus.INTENDED not in [e.status for e in await house.effects()]


async def test_an_effect_of_a_deleted_host_stops_no_other() -> None:
    house = await a_house()
    await house.add_effect(id="x1", host_id="h3", incident_id=None, kind=EffectKind.UNQUARANTINE)
    await house.add_effect(id="x2", host_id="h2", incident_id=None, kind=EffectKind.UNQUARANTINE)
    async with house.store.transaction() as tx:
        await tx.delete_host("h3")
    await effects.do_due(house.world)
    assert house.cloud.calls == [("unquarantine", "h2")]
    assert [e.status for e in await house.effects("h3")] == [EffectStatus.FAILED]


async def test_power_comes_back_only_while_the_fence_it_ends_is_the_newest() -> None:
    house = await fenced(action="reboot")
    await effects.do_due(house.world)
    assert [c.action for c in house.power.commands()] == [PowerAction.OFF, PowerAction.ON]

    house = await a_house(action="reboot")
    await house.dead()
    incident = await house.until(State.FENCED)
    await house.change_health(fenced_by="a-later-fence")
    house.advance(1)
    await effects.do_due(house.world)
    assert [c.action for c in house.power.commands()] == [PowerAction.OFF]
    kept = {e.kind: e.status for e in await house.effects() if e.incident_id == incident.id}
    assert kept[EffectKind.POWER_ON] is EffectStatus.FAILED


async def test_no_effect_meets_another_operation_on_its_device() -> None:
    """Rule 4."""
    house = await a_house()
    await house.add_effect(kind=EffectKind.BLINK, incident_id=None)
    await house.add_attempt(host_id="h9", bmc_identity="ipmi://bmc-h1:623/")
    await effects.do_due(house.world)
    assert house.power.commands() == []
    (effect,) = await house.effects()
    assert effect.status is EffectStatus.INTENDED


async def test_a_blink_is_recorded_like_any_command_and_takes_no_slot() -> None:
    house = await a_house()
    await house.add_effect(kind=EffectKind.BLINK, incident_id=None)
    await effects.do_due(house.world)
    (attempt,) = await house.attempts()
    assert (attempt.action, attempt.accepted, attempt.takes_slot) == (PowerAction.BLINK, Accepted.YES, False)
    assert house.bmcs["h1"].identify


# -- a host that comes back


async def test_a_fenced_host_is_welcome_again_once_it_stayed_up_under_a_new_boot() -> None:
    house = await fenced(healthy_for=300)
    await stay_up(house, 290)
    assert (await house.health()).fenced_by
    assert not (await house.health()).armed
    house.advance(10)
    await poll_return(house)
    health = await house.health()
    assert (health.fenced_by, health.quarantined_by, health.armed) == ("", "", True)
    assert (await house.told())[-1] == "returned"
    await effects.do_due(house.world)
    assert house.cloud.calls[-1] == ("unquarantine", "h1")
    await stay_up(house, 60)
    assert (await house.told()).count("returned") == 1


async def test_where_a_person_decides_a_returned_host_waits_for_one() -> None:
    house = await fenced(healthy_for=60, auto_return=False)
    await stay_up(house, 300)
    assert (await house.told()).count("return_waits") == 1
    assert "returned" not in await house.told()
    assert (await house.health()).fenced_by
    await effects.do_due(house.world)
    assert ("unquarantine", "h1") not in house.cloud.calls
    await house.operator.rearm("h1", reason="its memory was replaced", actor="ada")
    await effects.do_due(house.world)
    assert house.cloud.calls[-1] == ("unquarantine", "h1")
    assert (await house.health()).armed


@pytest.mark.parametrize("broken_by", ["another boot", "a gap"])
async def test_being_up_counts_only_without_a_break(broken_by: str) -> None:
    house = await fenced(healthy_for=300)
    await stay_up(house, 200)
    if broken_by == "a gap":
        house.advance(200)
        await stay_up(house, 200)
    else:
        await stay_up(house, 200, "boot-3-of-h1")
    assert (await house.health()).fenced_by


async def test_the_same_boot_after_a_fence_says_that_another_machine_was_cut() -> None:
    house = await fenced()
    await stay_up(house, 600, "boot-1-of-h1")
    assert [(p.level, p.owner_id, p.reason) for p in await house.pauses()] == [
        (Level.CLUSTER, "c1", Reason.CONTRADICTION)
    ]
    assert (await house.told()).count("contradiction") == 1
    assert (await house.health()).fenced_by
    assert ("unquarantine", "h1") not in house.cloud.calls


async def test_the_same_boot_is_known_even_where_no_heartbeat_told_it() -> None:
    house = await a_house()
    house.probing.hosts["h1"].boot_id = ""
    await house.pause()
    await house.dead()
    incident = await house.until(State.HELD)
    house.bmcs["h1"].machine.on = False
    await house.operator.acknowledge(incident.id, host_name="host h1", reason="", actor="ada")
    await house.until(State.FENCED, within=60)
    await poll_return(house, "boot-1-of-h1")
    assert "contradiction" in await house.told()


@pytest.mark.parametrize("cloud", [CloudSays.NONE, CloudSays.UP, CloudSays.NOT_UP, CloudSays.UNREACHABLE])
async def test_a_host_that_answers_is_armed_again_if_the_cloud_does_not_object(cloud: CloudSays) -> None:
    house = await a_house()
    await house.change_health(armed=False)
    house.cloud.opinion = cloud
    await poll_return(house, "boot-1-of-h1")
    assert (await house.health()).armed is (cloud in (CloudSays.NONE, CloudSays.UP))


async def test_the_led_goes_out_with_the_return() -> None:
    house = await a_house(action="blink")
    await house.dead()
    while (await house.incident()).open:
        await house.run(1, with_effects=True)
    await effects.do_due(house.world)
    lit = [house.bmcs["h1"].identify]
    house.probing.live("h1")
    await poll_return(house, "boot-1-of-h1")
    await poll_return(house, "boot-1-of-h1")
    house.advance(1)
    await effects.do_due(house.world)
    lit.append(house.bmcs["h1"].identify)
    assert lit == [True, False]
    assert [e.kind for e in await house.effects()] == [EffectKind.BLINK, EffectKind.BLINK_OFF]


# -- presence


async def test_after_a_gap_without_any_controller_all_fencing_is_quiet_for_a_while() -> None:
    house = await a_house(startup_quiet=120)
    await presence.begin(house.world)
    (pause,) = await house.pauses()
    assert (pause.level, pause.reason) == (Level.GLOBAL, Reason.STARTUP_QUIET)
    assert pause.until == await house.clock.now() + timedelta(seconds=120)
    await house.dead()
    await house.run(100)
    assert (await house.incident()).state is State.CHECKING
    assert Reason.STARTUP_QUIET in (await house.incident()).reasons
    assert house.power.commands() == []
    await house.until(State.FENCED, within=120)


@pytest.mark.parametrize(("ago", "quiet"), [(10, False), (59, False), (61, True)])
async def test_none_is_needed_where_another_controller_lives(ago: float, *, quiet: bool) -> None:
    house = await a_house()
    now = await house.clock.now()
    async with house.store.transaction() as tx:
        await tx.save_controller(a.controller_row("other", alive_at=now - timedelta(seconds=ago)))
    await presence.begin(house.world)
    assert bool(await house.pauses()) is quiet


async def test_a_sign_of_life_keeps_the_time_of_the_start() -> None:
    house = await a_house()
    await presence.begin(house.world)
    started = await house.clock.now()
    house.advance(10)
    await presence.alive(house.world)
    async with house.store.transaction() as tx:
        (row,) = await tx.controllers()
    assert (row.id, row.started_at, row.alive_at) == ("ctl1", started, started + timedelta(seconds=10))


async def test_an_intent_that_nobody_can_finish_is_closed_as_unknown() -> None:
    """Rule 9: otherwise its host could not be worked on for ever; open incidents close their own."""
    house = await a_house()
    incident = await house.dead()
    await house.add_attempt(id="manual", host_id="h2")
    await house.add_attempt(id="mine", incident_id=incident.id)
    house.advance(119)
    assert await presence.tidy(house.world) == 0
    house.advance(2)
    assert await presence.tidy(house.world) == 1
    by_id = {attempt.id: attempt for attempt in await house.attempts()}
    assert by_id["manual"].accepted is Accepted.UNKNOWN
    assert by_id["mine"] == replace(by_id["mine"], finished_at=None)
