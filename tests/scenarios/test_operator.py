"""What a person may ask of an incident, and what is refused to everybody."""

from datetime import timedelta

import pytest

from controller.domain.incident import Command, CommandStatus, Incident, Source, State
from controller.domain.model import EffectKind
from controller.domain.power import PowerState
from controller.domain.reasons import Reason
from controller.engine import effects
from controller.services.errors import BadInput, NotFound, Refused
from shared.enums import Reach
from tests.fixtures import builders as a
from tests.fixtures.house import House, a_house
from tests.fixtures.stores import raising

DISK = "/mnt/p1/vm-of-h1.qcow2"


async def held(*, sent: bool = False) -> tuple[House, Incident]:
    """A dead host, off, whose incident is held by a pause; ``sent``: after a command."""
    house = await a_house()
    await house.pause()
    await house.dead()
    incident = await house.until(State.HELD)
    house.bmcs["h1"].machine.on = False
    if sent:
        command = Command(status=CommandStatus.ANSWERED, count=1, last_at=await house.clock.now(), attempt_id="")
        incident = await house.change(incident, command=command)
        house.advance(1)
    return house, incident


async def acknowledge(house: House, incident: Incident, *, by: str = "ada", second_admin: bool = False) -> Incident:
    return await house.operator.acknowledge(
        incident.id, host_name="host h1", reason="pulled the plug", actor=by, second_admin=second_admin
    )


# -- acknowledge


async def test_a_person_vouches_and_the_machines_are_released() -> None:
    house, incident = await held()
    released = await acknowledge(house, incident)
    assert (released.state, released.reasons) == (State.RELEASING, (Reason.ACKNOWLEDGED,))
    assert released.acknowledged is not None
    assert (released.acknowledged.by, released.acknowledged.reason) == ("ada", "pulled the plug")
    assert [(r.actor, r.action, r.data["reason"]) for r in await house.audit()] == [
        ("ada", "acknowledge", "pulled the plug")
    ]
    assert (await house.told())[-1] == "acknowledged"
    assert (await house.events())[-1].actor == "ada"
    closed = await house.until(State.FENCED, within=60)
    assert closed.reasons == (Reason.ACKNOWLEDGED,)
    assert house.cloud.released == [("vm-of-h1",)]
    assert house.power.commands() == []


@pytest.mark.parametrize("second_admin", [False, True])
@pytest.mark.parametrize(
    ("sign", "reason"),
    [
        ("agent", Reason.AGENT_ANSWERS),
        ("agent answers a neighbor", Reason.AGENT_ANSWERS),
        ("heartbeat", Reason.HEARTBEAT_MOVES),
        ("kernel", Reason.KERNEL_ANSWERS),
        ("kernel answers a neighbor", Reason.KERNEL_ANSWERS),
        ("kernel beside a moving disk", Reason.KERNEL_ANSWERS),
    ],
)
async def test_nobody_vouches_against_life(sign: str, reason: Reason, *, second_admin: bool) -> None:
    """Rule 1: not even a second admin."""
    house, incident = await held()
    host = house.probing.hosts["h1"]
    if second_admin:
        house.probing.write(DISK)
        with raising(Refused):
            await acknowledge(house, incident, by="grace")
    house.advance(1)
    match sign:
        case "agent":
            host.reach = Reach.AGENT_ANSWERED
        case "agent answers a neighbor":
            host.reach_of_neighbors = Reach.AGENT_ANSWERED
        case "heartbeat":
            host.silent_since = None
        case "kernel":
            host.reach = Reach.KERNEL_ANSWERS
        case "kernel answers a neighbor":
            host.reach_of_neighbors = Reach.KERNEL_ANSWERS
        case _:
            host.reach = Reach.KERNEL_ANSWERS
            house.probing.write(DISK)
    with raising(Refused) as refused:
        await acknowledge(house, incident, second_admin=second_admin)
    assert refused.error.code == "signs_of_life"
    assert reason in refused.error.reasons
    assert (await house.incident()).state is State.HELD
    assert await house.audit() == []


async def test_nobody_vouches_for_a_host_with_power() -> None:
    house, incident = await held()
    house.bmcs["h1"].reads = PowerState.ON
    with raising(Refused) as refused:
        await acknowledge(house, incident)
    assert refused.error.code == "power_is_on"
    assert (await house.incident()).state is State.HELD


async def test_a_mute_power_device_does_not_stop_a_person_who_knows() -> None:
    house, incident = await held()
    house.bmcs["h1"].unplug(at=0)
    assert (await acknowledge(house, incident)).state is State.RELEASING


async def test_against_a_disk_that_moves_alone_another_admin_may_vouch() -> None:
    house, incident = await held()
    house.probing.write(DISK)
    with raising(Refused) as refused:
        await acknowledge(house, incident, by="ada")
    assert (refused.error.code, refused.error.reasons) == ("disks_move", (Reason.DISKS_MOVE,))
    with raising(Refused):  # the same person again is no second one
        await acknowledge(house, incident, by="ada", second_admin=True)
    assert (await acknowledge(house, incident, by="grace", second_admin=True)).state is State.RELEASING
    assert (await house.until(State.FENCED, within=60)).reasons == (Reason.ACKNOWLEDGED,)


async def test_a_disk_that_moves_after_the_word_was_given_stops_the_release() -> None:
    house, incident = await held()
    await acknowledge(house, incident)
    house.probing.write(DISK)
    await house.run(5)
    assert (await house.incident()).state is State.HELD
    assert Reason.CONTRADICTION in (await house.incident()).reasons
    assert house.cloud.released == []


async def test_the_hosts_name_is_typed_to_confirm() -> None:
    house, incident = await held()
    with raising(BadInput) as refused:
        await house.operator.acknowledge(incident.id, host_name="host h2", reason="", actor="ada")
    assert (refused.error.field, refused.error.code) == ("host_name", "host_name_differs")
    assert "host h1" in refused.error.detail


async def test_power_given_after_the_word_stops_the_release() -> None:
    """A technician presses the button between the acknowledgement and the release: the device says on."""
    house, incident = await held()
    bmc = house.bmcs["h1"]
    bmc.machine.switch(on=False, at=house.clock.boottime())
    await acknowledge(house, incident)
    bmc.machine.switch(on=True, at=house.clock.boottime())
    await house.run(30)
    incident = await house.incident()
    assert (incident.state, incident.acknowledged) == (State.HELD, None)
    assert Reason.OFF_NOT_PROVEN in incident.told
    assert "release" not in [name for name, _ in house.cloud.calls]


@pytest.mark.parametrize("state", [State.SUSPECT, State.CHECKING, State.FENCING, State.VERIFYING, State.RELEASING])
async def test_only_what_is_held_is_acknowledged(state: State) -> None:
    house, incident = await held()
    await house.change(incident, state=state)
    with raising(Refused) as refused:
        await acknowledge(house, incident)
    assert refused.error.code == "wrong_state"


# -- cancel and retry


@pytest.mark.parametrize("state", [State.SUSPECT, State.CHECKING, State.FENCING, State.HELD])
async def test_before_a_command_everything_can_be_cancelled(state: State) -> None:
    house, incident = await held()
    await house.change(incident, state=state)
    closed = await house.operator.cancel(incident.id, reason="storage work", actor="ada")
    assert (closed.state, closed.reasons, closed.next_step_at) == (State.CANCELLED, (Reason.OPERATOR,), None)
    assert [r.action for r in await house.audit()] == ["cancel"]
    assert (await house.told())[-1] == "cancelled"
    assert not (await house.health()).armed


async def test_after_a_command_nothing_is_cancelled() -> None:
    house, incident = await held(sent=True)
    with raising(Refused) as refused:
        await house.operator.cancel(incident.id, reason="", actor="ada")
    assert refused.error.code == "wrong_state"


async def test_nothing_is_changed_while_a_command_is_on_its_way() -> None:
    house, incident = await held(sent=True)
    under_way = Command(status=CommandStatus.INTENDED, count=1, last_at=a.T0)
    await house.change(incident, command=under_way)
    for change in (house.operator.cancel, house.operator.retry):
        with raising(Refused) as refused:
            await change(incident.id, reason="", actor="ada")
        assert "under way" in refused.error.detail


async def test_cancelling_takes_the_work_from_its_worker() -> None:
    """Rule 9: a worker in the middle of its last look finds its lease gone and sends nothing."""
    house = await a_house()
    await house.dead()
    incident = await house.until(State.FENCING)
    house.advance(7)  # the last look waits for a beat of each witness

    async def cancel() -> None:
        await house.operator.cancel(incident.id, reason="", actor="ada")

    house.probing.meanwhile = cancel
    await house.run(1)
    assert (await house.incident()).state is State.CANCELLED
    assert house.power.commands() == []
    assert await house.attempts() == []


async def test_retry_checks_again_from_zero() -> None:
    house, incident = await held()
    incident = await house.change(incident, sticky=frozenset({Reason.STORM}))
    again = await house.operator.retry(incident.id, reason="fixed", actor="ada")
    assert (again.state, again.tally.dead, again.sticky) == (State.CHECKING, 0, frozenset())
    assert [r.action for r in await house.audit()] == ["retry"]
    assert house.power.commands() == []


async def test_a_person_who_decides_against_a_storm_is_not_held_by_it_again() -> None:
    house, incident = await held()
    incident = await house.change(incident, sticky=frozenset({Reason.STORM}))
    tried = await house.operator.retry(incident.id, reason="it was the switch", actor="ada")
    assert (tried.waived, tried.sticky) == (frozenset({Reason.STORM}), frozenset())


async def test_retry_after_a_command_only_reads() -> None:
    """Rule 9."""
    house, incident = await held(sent=True)
    assert (await house.operator.retry(incident.id, reason="", actor="ada")).state is State.VERIFYING
    await house.run(30)
    assert house.power.commands() == []


async def test_only_what_is_held_is_retried() -> None:
    house, incident = await held()
    await house.change(incident, state=State.CHECKING)
    with raising(Refused):
        await house.operator.retry(incident.id, reason="", actor="ada")


async def test_what_is_closed_stays_closed_and_what_never_was_is_not_found() -> None:
    house, incident = await held()
    await house.operator.cancel(incident.id, reason="", actor="ada")
    with raising(Refused):
        await house.operator.retry(incident.id, reason="", actor="ada")
    with raising(NotFound):
        await house.operator.cancel("nothing", reason="", actor="ada")
    with raising(NotFound):
        await house.operator.power_status("nobody")


# -- reports


async def report(house: House, *, seconds_ago: float = 0) -> Incident:
    at = await house.clock.now() - timedelta(seconds=seconds_ago)
    result = await house.operator.report_disconnect("h1", at=at, source=Source.REPORT, actor="cloud", note="Down")
    assert result.incident is not None
    return result.incident


async def test_a_report_opens_one_incident_and_saying_it_again_changes_nothing() -> None:
    house = await a_house()
    house.probing.die("h1")
    house.advance(60)
    first = await report(house, seconds_ago=40)
    assert first.disconnect_at == await house.clock.now() - timedelta(seconds=40)
    house.advance(5)
    assert (await report(house)).id == first.id
    assert (await house.incident()).disconnect_at == first.disconnect_at
    assert [(e.kind, e.actor, e.text) for e in await house.events()] == [("opened", "cloud", "report: Down")]


@pytest.mark.parametrize(("seconds_ago", "clamped_to"), [(-3600, 0), (3 * 86400, 86400)])
async def test_an_impossible_time_is_clamped_and_noted(seconds_ago: float, clamped_to: float) -> None:
    house = await a_house()
    house.advance(2 * 86400)
    incident = await report(house, seconds_ago=seconds_ago)
    assert incident.disconnect_at == await house.clock.now() - timedelta(seconds=clamped_to)
    assert "was put to" in (await house.events())[0].text


async def test_nobody_is_disconnected_before_its_agent_was_last_seen() -> None:
    """A reporter's clock that is an hour slow would make a heartbeat that stopped long ago look like one of the end."""
    house = await a_house()
    house.advance(90)
    incident = await report(house, seconds_ago=3600)
    assert incident.disconnect_at == await house.clock.now() - timedelta(seconds=90)


async def test_a_host_not_seen_healthy_since_the_last_one_gets_no_new_incident() -> None:
    house, incident = await held()
    await house.operator.cancel(incident.id, reason="", actor="ada")
    again = await house.operator.report_disconnect("h1", at=None, source=Source.REPORT, actor="cloud", note="")
    assert (again.incident, again.opened, again.why_not) == (None, False, Reason.NOT_REARMED)
    await house.operator.rearm("h1", reason="repaired", actor="ada")
    assert "rearm" in [r.action for r in await house.audit()]
    assert (await report(house)).id != incident.id


async def test_a_report_of_a_return_resets_the_count_and_closes_nothing() -> None:
    house = await a_house()
    await house.dead()
    incident = await house.until(State.CHECKING)
    await house.run(40)
    assert (await house.incident()).tally.dead > 0
    told = await house.operator.report_reconnect("h1", actor="cloud")
    assert told is not None
    assert (told.state, told.tally.dead, told.id) == (State.CHECKING, 0, incident.id)
    assert told.next_step_at == await house.clock.now()
    assert (await house.events())[-1].reasons == (Reason.CLOUD_SAW_RETURN,)
    assert await (await a_house()).operator.report_reconnect("h1", actor="cloud") is None


async def test_rearming_a_fenced_host_undoes_the_quarantine_its_return_would_have_undone() -> None:
    house = await a_house()
    await house.dead()
    while (await house.incident()).open:
        await house.run(1, with_effects=True)
    assert (await house.health()).quarantined_by
    await house.operator.rearm("h1", reason="new board", actor="ada")
    assert (await house.health()).quarantined_by == ""
    await effects.do_due(house.world)
    assert house.cloud.calls[-1] == ("unquarantine", "h1")
    assert [e.kind for e in await house.effects()].count(EffectKind.UNQUARANTINE) == 1


# -- what is shown before


async def test_the_evidence_shown_is_what_an_acknowledgement_would_go_by() -> None:
    house, incident = await held()
    seen = await house.operator.live_evidence(incident.id)
    assert seen.against(second_admin=False) is None
    assert [reading.state for reading in seen.devices if reading] == [PowerState.OFF]
    before = await house.incident()
    house.probing.write(DISK)
    house.advance(1)
    with raising(Refused):
        await acknowledge(house, incident, by="grace")
    seen = await house.operator.live_evidence(incident.id)
    refused = seen.against(second_admin=False)
    assert refused is not None
    assert refused.code == "disks_move"
    assert seen.against(second_admin=True) is None
    assert (seen.second_for("grace"), seen.second_for("ada")) == (False, True)
    assert await house.incident() == before, "looking alone changes nothing"
