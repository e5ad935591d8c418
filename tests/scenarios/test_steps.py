"""One step at a time: what each state does with what it sees, and what it refuses."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.evidence import CloudSays, DiskList, Verdict
from controller.domain.incident import Command, CommandStatus, Incident, State
from controller.domain.model import EffectKind, EffectStatus, Level
from controller.domain.policy import Action
from controller.domain.power import Accepted, Outcome, PowerAction, PowerCode, PowerState
from controller.domain.reasons import Reason
from controller.services.incidents import note_life
from shared.enums import Reach, ReadingCode
from tests.fakes.cloud import FAILED, one_vm
from tests.fixtures.house import House, a_house

DISK = "/mnt/p1/vm-of-h1.qcow2"


async def at_fencing(**settings: Any) -> tuple[House, Incident]:
    """Dead and counted; the next step is the last look."""
    house = await a_house(**settings)
    await house.dead()
    incident = await house.incident()
    for _ in range(60):
        incident = await house.step(incident)
        if incident.state is State.FENCING:
            house.advance(1)
            return house, incident
        house.advance(15)
    raise AssertionError(f"{incident.state}: {incident.reasons}")


async def at_verifying(**settings: Any) -> tuple[House, Incident]:
    house, incident = await at_fencing(**settings)
    incident = await house.step(incident)
    assert incident.state is State.VERIFYING
    return house, incident


async def at_releasing(**settings: Any) -> tuple[House, Incident]:
    house, incident = await at_verifying(**settings)
    while incident.state is State.VERIFYING:
        house.advance(2)
        incident = await house.step(incident)
    assert incident.state is State.RELEASING
    return house, incident


async def at_held(**settings: Any) -> tuple[House, Incident]:
    """Held, because it is excluded; nothing was sent."""
    house, incident = await at_fencing(**settings)
    await house.change_host(excluded=True)
    incident = await house.step(incident)
    assert incident.state is State.HELD
    return house, incident


# -- suspect


async def test_suspect_reads_the_baseline_and_waits_out_the_grace() -> None:
    house = await a_house(grace=30)
    incident = await house.dead()
    incident = await house.step(incident)
    assert incident.state is State.CHECKING
    assert incident.vms == ("vm-of-h1",)
    assert incident.boot_id == "boot-1-of-h1"
    assert set(incident.memory) == {"h2", "h3"}
    assert incident.tally.dead == 0
    assert incident.next_step_at == incident.opened_at + timedelta(seconds=30)
    assert house.power.commands() == []


async def test_suspect_lets_go_of_a_host_that_answers() -> None:
    house = await a_house()
    incident = await house.step(await house.suspect())
    assert incident.state is State.RECOVERED
    assert Reason.AGENT_ANSWERS in incident.reasons
    assert await house.told() == []


async def test_a_disk_written_after_the_disconnect_is_noted_and_kills_nobody() -> None:
    """The request's own comparison can only say *alive*; what counts are the rounds that follow."""
    house = await a_house()
    house.probing.die("h1")
    since = await house.clock.now()
    house.advance(120)
    incident = await house.suspect()
    incident = await house.step(await house.change(incident, disconnect_at=since))
    assert incident.state is State.CHECKING
    assert "baseline" in [e.kind for e in await house.events()]
    assert incident.tally.dead == 0


# -- checking


async def test_a_dead_host_is_fenced_after_enough_rounds_and_not_before() -> None:
    house = await a_house(additional_checks=3, min_silence=60)
    incident = await house.step(await house.dead())
    verdicts = []
    while incident.state is State.CHECKING:
        house.advance(15)
        incident = await house.step(incident)
        assert incident.newest is not None
        verdicts.append(incident.newest.verdict)
    assert incident.state is State.FENCING
    assert set(verdicts) == {Verdict.DEAD}
    assert incident.tally.dead >= 4
    assert incident.tally.silence >= timedelta(seconds=60)
    assert incident.action is Action.OFF
    assert house.power.commands() == []


@pytest.mark.parametrize("sign", ["agent", "neighbor", "heartbeat", "disk"])
async def test_any_sign_of_life_starts_the_count_again(sign: str) -> None:
    house = await a_house()
    incident = await house.step(await house.dead())
    for _ in range(3):
        house.advance(15)
        incident = await house.step(incident)
    assert incident.tally.dead == 3
    match sign:
        case "agent":
            house.probing.hosts["h1"].reach = Reach.AGENT_ANSWERED
        case "neighbor":
            house.probing.hosts["h1"].reach_of_neighbors = Reach.AGENT_ANSWERED
        case "heartbeat":
            house.probing.hosts["h1"].silent_since = None
        case _:
            house.probing.write(DISK)
    house.advance(15)
    incident = await house.step(incident)
    assert incident.tally.dead == 0
    assert incident.state is (State.RECOVERED if sign in ("agent", "neighbor") else State.CHECKING)


async def test_unknown_is_never_dead() -> None:
    """Rule 3: storage that can't be read, by every witness, for ever: checking, then held; never a command."""
    house = await a_house(checking_limit=120)
    await house.dead()
    for witness in ("h2", "h3"):
        house.probing.hosts[witness].storage_code = ReadingCode.TIMED_OUT
    held = await house.until(State.HELD, within=200)
    assert Reason.STORAGE_UNREADABLE in held.reasons
    assert held.tally.dead == 0
    assert house.power.commands() == []
    assert await house.told() == ["held"]


async def test_one_silent_witness_of_two_is_not_enough() -> None:
    """Rule 3: the other one does not answer, which tells nothing."""
    house = await a_house(checking_limit=120)
    await house.dead()
    house.probing.hosts["h3"].failure = Reason.WITNESS_SILENT
    held = await house.until(State.HELD, within=200)
    assert Reason.TOO_FEW_WITNESSES in held.reasons
    assert house.power.commands() == []


async def test_a_living_kernel_is_held_and_not_fenced() -> None:
    house = await a_house(checking_limit=120)
    await house.dead()
    house.probing.hosts["h1"].reach = Reach.KERNEL_ANSWERS
    held = await house.until(State.HELD, within=200)
    assert Reason.KERNEL_ANSWERS in held.reasons


@pytest.mark.parametrize(("action", "kind"), [("none", "action_none"), ("blink", "blink")])
async def test_actions_that_only_tell_end_in_one_message(action: str, kind: str) -> None:
    house = await a_house(action=action)
    await house.dead()
    closed = await house.until(State.NOTIFIED)
    assert Reason.HOST_DEAD in closed.reasons
    assert await house.told() == [kind]
    assert [e.kind for e in await house.effects()] == ([EffectKind.BLINK] if action == "blink" else [])
    assert house.power.commands() == []
    assert not (await house.health()).armed


async def test_in_observe_mode_it_only_says_what_it_would_have_done() -> None:
    house = await a_house(mode="observe")
    await house.dead()
    closed = await house.until(State.NOTIFIED)
    assert Reason.OBSERVE_MODE in closed.reasons
    assert await house.told() == ["would_have_fenced"]
    assert await house.effects() == []


async def test_where_nothing_runs_there_is_nothing_to_release() -> None:
    house = await a_house()
    house.cloud.placed["h1"] = DiskList(known=True, pool_roots=("/mnt/p1",))
    await house.dead()
    closed = await house.until(State.NOTIFIED)
    assert Reason.NOTHING_TO_RELEASE in closed.reasons
    assert house.power.commands() == []


async def test_disks_that_cannot_be_listed_are_not_none() -> None:
    house = await a_house(checking_limit=120)
    house.cloud.placed["h1"] = DiskList(known=False, pool_roots=("/mnt/p1",))
    await house.dead()
    assert Reason.DISKS_UNKNOWN in (await house.until(State.HELD, within=200)).reasons


async def test_a_refusal_that_time_does_not_cure_holds() -> None:
    house = await a_house()
    await house.pause()
    await house.dead()
    held = await house.until(State.HELD)
    assert held.reasons == (Reason.PAUSED,)
    assert await house.told() == ["held"]


async def test_a_machine_the_cloud_started_elsewhere_leaves_the_evidence_loudly_and_once() -> None:
    house = await a_house(hosts=3)
    incident = await house.step(await house.dead())
    house.cloud.placed["h1"] = replace(one_vm("h1"), elsewhere=("db",))
    for _ in range(3):
        house.advance(15)
        incident = await house.step(incident)
    assert (await house.told()).count("placed_elsewhere") == 1


# -- fencing


async def test_the_intent_is_stored_before_the_device_hears_of_it() -> None:
    """Rule 8: whoever looks at the store while the command is on its way finds the intent."""
    house, incident = await at_fencing()
    seen: list[tuple[CommandStatus, str | None, list[str]]] = []
    act = house.power.act

    async def watched(*args: Any, **kwargs: Any) -> Any:
        stored = await house.incident()
        seen.append((stored.command.status, (await house.attempts())[-1].accepted, await house.told()))
        return await act(*args, **kwargs)

    house.power.act = watched  # type: ignore[method-assign]
    incident = await house.step(incident)
    assert seen == [(CommandStatus.INTENDED, None, ["fencing"])]
    assert incident.state is State.VERIFYING
    assert incident.command.status is CommandStatus.ANSWERED
    (attempt,) = await house.attempts()
    assert (attempt.accepted, attempt.takes_slot, attempt.automatic) == (Accepted.YES, True, True)
    assert [c.action for c in house.power.commands("h1")] == [PowerAction.OFF]


@pytest.mark.parametrize(
    ("what", "reason", "to"),
    [
        ({"excluded": True}, Reason.EXCLUDED, State.HELD),
        ({"maintenance": True}, Reason.MAINTENANCE, State.HELD),
        ({"runs_controller": True}, Reason.CONTROLLERS_OWN_HOST, State.HELD),
    ],
)
async def test_the_safeguards_are_asked_again_with_the_intent(what: dict[str, Any], reason: Reason, to: State) -> None:
    house, incident = await at_fencing()
    await house.change_host(**what)
    incident = await house.step(incident)
    assert incident.state is to
    assert reason in incident.reasons
    assert house.power.commands() == []
    assert await house.attempts() == []


async def test_a_cap_reached_meanwhile_stops_it() -> None:
    house, incident = await at_fencing()
    for number in range(3):
        await house.add_attempt(id=f"a{number}", host_id="h9", finished_at=await house.clock.now())
    incident = await house.step(incident)
    assert (incident.state, incident.reasons) == (State.HELD, (Reason.CAP_REACHED,))
    assert house.power.commands() == []


async def test_another_operation_in_flight_sends_it_back_to_checking() -> None:
    house, incident = await at_fencing()
    await house.add_attempt(host_id="h1")
    incident = await house.step(incident)
    assert incident.state is State.CHECKING
    assert Reason.OPERATION_IN_FLIGHT in incident.reasons
    assert house.power.commands() == []


@pytest.mark.parametrize("disarmed", ["mode", "pause", "maintenance"])
async def test_who_disarms_during_the_last_look_is_heard(disarmed: str) -> None:
    """Armed state and pauses are read with the intent, not before the look: the operator's change was confirmed."""
    house, incident = await at_fencing()

    async def meanwhile() -> None:
        match disarmed:
            case "mode":
                await house.settings(Level.CLUSTER, "c1", mode="observe")
            case "pause":
                await house.pause()
            case _:
                await house.change_host(maintenance=True)

    house.probing.meanwhile = meanwhile
    incident = await house.step(incident)
    assert incident.state is State.HELD
    assert house.power.commands() == []


async def test_a_device_that_was_changed_during_the_last_look_is_looked_at_first() -> None:
    house, incident = await at_fencing()
    house.probing.meanwhile = lambda: house.settings(Level.HOST, "h1", ipmi__port=6230)
    incident = await house.step(incident)
    assert Reason.EVIDENCE_STALE in incident.reasons
    assert house.power.commands() == []


@pytest.mark.parametrize(
    ("sign", "to"), [("agent", State.RECOVERED), ("heartbeat", State.CHECKING), ("disk", State.CHECKING)]
)
async def test_life_in_the_last_look_ends_it(sign: str, to: State) -> None:
    """Rule 10."""
    house, incident = await at_fencing()
    match sign:
        case "agent":
            house.probing.hosts["h1"].reach = Reach.AGENT_ANSWERED
        case "heartbeat":
            house.probing.hosts["h1"].silent_since = None
        case _:
            house.probing.write(DISK)
    incident = await house.step(incident)
    assert incident.state is to
    assert incident.tally.dead == 0
    assert house.power.commands() == []
    assert await house.attempts() == []


@pytest.mark.parametrize("when", ["before the look", "during the look"])
async def test_a_life_that_only_another_controller_saw_counts(when: str) -> None:
    """Rule 10: the look itself finds everything dead, but somebody heard the agent, or was told the host is back."""
    house, incident = await at_fencing()
    if when == "before the look":
        await note_life(house.world, "h1", why=Reason.AGENT_ANSWERS)
    else:

        async def meanwhile() -> None:
            await note_life(house.world, "h1", why=Reason.AGENT_ANSWERS)
            house.advance(1)

        house.probing.meanwhile = meanwhile
    house.advance(1)
    incident = await house.step(await house.incident())
    assert incident.state in (State.CHECKING, State.HELD)
    assert house.power.commands() == []


async def test_an_inconclusive_last_look_sends_nothing() -> None:
    """Rule 2."""
    house, incident = await at_fencing()
    house.probing.hosts["h2"].storage_code = ReadingCode.STALE_HANDLE
    incident = await house.step(incident)
    assert incident.state is State.CHECKING
    assert house.power.commands() == []


async def test_a_host_that_is_off_already_needs_no_command_and_no_slot() -> None:
    house, incident = await at_fencing()
    house.bmcs["h1"].machine.on = False
    incident = await house.step(incident)
    assert (incident.state, incident.reasons) == (State.VERIFYING, (Reason.ALREADY_OFF,))
    assert house.power.commands() == []
    assert await house.attempts() == []
    for _ in range(3):
        house.advance(2)
        incident = await house.step(incident)
    assert incident.state is State.RELEASING


async def test_a_mute_device_holds_before_anything_is_sent() -> None:
    house, incident = await at_fencing()
    house.bmcs["h1"].unplug(at=0)
    incident = await house.step(incident)
    assert (incident.state, incident.reasons) == (State.HELD, (Reason.BMC_UNREACHABLE,))
    assert await house.attempts() == []


@pytest.mark.parametrize(
    ("code", "to"),
    [(PowerCode.STALLED, State.CHECKING), (PowerCode.BUSY, State.CHECKING), (PowerCode.NO_ANSWER, State.HELD)],
)
async def test_a_command_that_was_not_sent_takes_no_slot(code: PowerCode, to: State) -> None:
    house, incident = await at_fencing()
    house.power.act = _not_sent(code)  # type: ignore[method-assign]
    incident = await house.step(incident)
    assert incident.state is to
    assert (incident.command.status, incident.command.count) == (CommandStatus.NOT_SENT, 0)
    (attempt,) = await house.attempts()
    assert (attempt.accepted, attempt.takes_slot) == (Accepted.NOT_SENT, False)


@pytest.mark.parametrize("found", [PowerState.ON, PowerState.OFF])
async def test_a_command_whose_fate_is_unknown_leads_to_reading(found: PowerState) -> None:
    """Rule 9: the controller stopped between intent and answer. Nothing is sent on the strength of that intent."""
    house, incident = await at_fencing()

    async def crash(*_: Any, **__: Any) -> Any:
        raise RuntimeError("killed")

    house.power.act, act = crash, house.power.act  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await house.step(incident)
    house.power.act = act  # type: ignore[method-assign]
    house.bmcs["h1"].machine.on = found is PowerState.ON
    incident = await house.incident()
    assert incident.command.status is CommandStatus.INTENDED
    incident = await house.step(incident)
    assert incident.state is State.VERIFYING
    assert (await house.attempts())[0].accepted is Accepted.UNKNOWN
    house.advance(2)
    await house.step(incident)
    assert house.power.commands() == []


# -- verifying


async def test_only_spaced_off_reads_in_a_row_prove() -> None:
    """Rules 1 and 6: the command was accepted; three reads, two seconds apart, make the proof."""
    house, incident = await at_verifying(off_reads=3, read_spacing=2)
    incident = await house.step(incident)
    incident = await house.step(incident)  # at the same moment: tells nothing new
    assert incident.proof.reads == 1
    house.advance(2)
    incident = await house.step(incident)
    assert (incident.state, incident.proof.reads) == (State.VERIFYING, 2)
    house.bmcs["h1"].reads = PowerState.UNKNOWN
    house.advance(2)
    incident = await house.step(incident)
    assert incident.proof.reads == 0


async def test_a_device_that_keeps_saying_on_gets_a_second_command_only_through_a_new_look() -> None:
    house, incident = await at_verifying(off_deadline=10)
    house.bmcs["h1"].reads = PowerState.ON
    while incident.state is State.VERIFYING:
        house.advance(2)
        incident = await house.step(incident)
    assert incident.state is State.FENCING
    assert len(house.power.commands()) == 1
    rounds = incident.rounds
    house.advance(1)
    incident = await house.step(incident)
    assert incident.rounds == rounds + 1
    assert len(house.power.commands()) == 2


async def test_no_second_command_after_life_since_the_first() -> None:
    house, incident = await at_verifying(off_deadline=10)
    house.bmcs["h1"].reads = PowerState.ON
    while incident.state is State.VERIFYING:
        house.advance(2)
        incident = await house.step(incident)
    assert incident.state is State.FENCING
    await note_life(house.world, "h1", why=Reason.AGENT_ANSWERS)
    house.advance(1)
    incident = await house.step(await house.incident())
    assert incident.state is State.HELD
    assert Reason.LIFE_SINCE in incident.reasons
    assert len(house.power.commands()) == 1


async def test_the_commands_of_an_incident_are_limited() -> None:
    house, incident = await at_verifying(off_deadline=5, max_commands_per_incident=2)
    house.bmcs["h1"].ignores_off = True
    house.bmcs["h1"].reads = PowerState.ON
    for _ in range(60):
        house.advance(2)
        incident = await house.step(incident)
        if incident.state is State.HELD:
            break
    assert incident.state is State.HELD
    assert {Reason.OFF_NOT_PROVEN, Reason.COMMAND_BUDGET} <= set(incident.reasons)
    assert len(house.power.commands()) == 2


async def test_an_off_that_a_device_never_earned_proves_nothing() -> None:
    house, incident = await at_verifying(off_deadline=10)
    await house.change_health(bmc_on_seen_at=None)
    while incident.state is State.VERIFYING:
        house.advance(2)
        incident = await house.step(incident)
    assert incident.state is State.HELD
    assert {Reason.OFF_NOT_PROVEN, Reason.BMC_UNPROVEN} <= set(incident.reasons)
    assert house.cloud.released == []


async def test_life_after_the_command_is_a_contradiction() -> None:
    house, incident = await at_verifying()
    house.probing.live("h1")
    incident = await house.step(incident)
    assert incident.state is State.HELD
    assert Reason.CONTRADICTION in incident.reasons
    assert "contradiction" in await house.told()


# -- releasing


async def release(house: House, incident: Incident) -> Incident:
    """Step until the vanish window has passed and it is done, or it went elsewhere."""
    for _ in range(30):
        house.advance(2)
        incident = await house.step(incident)
        if incident.state is not State.RELEASING:
            break
    return incident


async def test_what_is_proven_is_released() -> None:
    house, incident = await at_releasing()
    incident = await release(house, incident)
    assert incident.state is State.FENCED
    assert house.cloud.released == [("vm-of-h1",)]
    assert (await house.health()).fenced_by == incident.id
    assert (await house.told())[-1] == "fenced"


@pytest.mark.parametrize("sign", ["agent", "heartbeat", "disk", "noted"])
async def test_any_life_after_the_proof_stops_the_release_and_the_cluster(sign: str) -> None:
    """Rule 1."""
    house, incident = await at_releasing()
    house.advance(1)
    match sign:
        case "agent":
            house.probing.hosts["h1"].reach = Reach.AGENT_ANSWERED
        case "heartbeat":
            house.probing.hosts["h1"].silent_since = None
        case "disk":
            house.probing.write(DISK)
        case _:
            await note_life(house.world, "h1", why=Reason.AGENT_ANSWERS)
    incident = await house.step(await house.incident())
    assert incident.state is State.HELD
    assert Reason.CONTRADICTION in incident.reasons
    assert house.cloud.released == []
    assert [(p.level, p.owner_id, p.reason) for p in await house.pauses()] == [
        (Level.CLUSTER, "c1", Reason.CONTRADICTION)
    ]


async def test_an_on_read_voids_the_proof() -> None:
    house, incident = await at_releasing()
    house.bmcs["h1"].reads = PowerState.ON
    house.advance(2)
    incident = await house.step(incident)
    assert incident.state is State.VERIFYING
    assert incident.proof.proven_at is None
    assert house.cloud.released == []


async def test_unknown_is_not_silent_and_the_release_waits() -> None:
    house, incident = await at_releasing()
    for witness in ("h2", "h3"):
        house.probing.hosts[witness].storage_code = ReadingCode.TIMED_OUT
    for _ in range(10):
        house.advance(2)
        incident = await house.step(incident)
        assert incident.state is State.RELEASING
    assert house.cloud.released == []
    for witness in ("h2", "h3"):
        house.probing.hosts[witness].storage_code = None
    assert (await release(house, incident)).state is State.FENCED


async def test_a_release_that_fails_is_tried_again_and_then_held() -> None:
    house, incident = await at_releasing(checking_limit=30)
    house.cloud.answer("release", *[FAILED] * 100)
    for _ in range(60):
        house.advance(2)
        incident = await house.step(incident)
        if incident.state is State.HELD:
            break
    assert (incident.state, incident.reasons) == (State.HELD, (Reason.RELEASE_FAILED,))
    assert house.cloud.did("release") > 1
    assert {e.status for e in await house.effects() if e.kind is EffectKind.RELEASE} == {EffectStatus.FAILED}


async def test_reboot_powers_on_only_what_this_incident_powered_off() -> None:
    house, incident = await at_releasing(action="reboot")
    assert (await release(house, incident)).state is State.FENCED
    assert EffectKind.POWER_ON in [e.kind for e in await house.effects()]

    house, incident = await at_fencing(action="reboot")
    house.bmcs["h1"].machine.on = False
    incident = await house.step(incident)
    while incident.state is State.VERIFYING:
        house.advance(2)
        incident = await house.step(incident)
    assert (await release(house, incident)).state is State.FENCED
    assert EffectKind.POWER_ON not in [e.kind for e in await house.effects()]


async def test_a_neighbor_that_vanished_with_the_command_stops_all_fencing() -> None:
    house, incident = await at_verifying()
    house.probing.die("h3")
    while incident.state in (State.VERIFYING, State.RELEASING):
        house.advance(2)
        incident = await house.step(incident)
    assert incident.state is State.HELD
    assert Reason.OTHER_HOST_VANISHED in incident.reasons
    assert house.cloud.released == []
    assert [(p.level, p.reason) for p in await house.pauses()] == [(Level.GLOBAL, Reason.OTHER_HOST_VANISHED)]


# -- held


async def test_a_hold_ends_by_itself_with_its_reason_and_counts_from_zero() -> None:
    house, incident = await at_held()
    house.advance(15)
    incident = await house.step(incident)
    assert incident.state is State.HELD
    await house.change_host(excluded=False)
    house.advance(15)
    incident = await house.step(incident)
    assert incident.state is State.CHECKING
    assert incident.tally.dead == 0
    assert house.power.commands() == []


async def test_a_hold_reminds_as_designed_and_tells_each_new_reason_once() -> None:
    house, _ = await at_held()
    await house.run(65 * 60)
    told = await house.told()
    assert told == ["held", "reminder", "reminder"]
    await house.pause()
    await house.run(120)
    assert (await house.told())[3:] == ["hold_changed"]
    assert set((await house.incident()).reasons) >= {Reason.EXCLUDED, Reason.PAUSED}


async def test_a_held_host_that_is_back_has_recovered() -> None:
    house, incident = await at_held()
    house.probing.live("h1")
    incident = await house.step(incident)
    assert incident.state is State.RECOVERED
    assert (await house.told())[-1] == "recovered"


async def test_the_cloud_seeing_it_come_back_is_a_return_but_an_unchanged_up_is_not() -> None:
    house, incident = await at_held()
    house.cloud.opinion = CloudSays.UP
    incident = await house.step(incident)
    assert incident.state is State.HELD
    house.cloud.opinion = CloudSays.NOT_UP
    incident = await house.step(incident)
    house.cloud.opinion = CloudSays.UP
    incident = await house.step(incident)
    assert (incident.state, incident.reasons) == (State.RECOVERED, (Reason.CLOUD_SAW_RETURN,))


async def test_a_person_is_needed_where_a_person_is_needed() -> None:
    house, incident = await at_held()
    await house.change_host(excluded=False)
    incident = await house.change(incident, sticky=frozenset({Reason.STORM}))
    for _ in range(5):
        house.advance(15)
        incident = await house.step(incident)
    assert (incident.state, incident.reasons) == (State.HELD, (Reason.STORM,))


async def test_after_a_command_only_reading_follows() -> None:
    """Rule 9: held after a command, the device says off: verifying; nothing is ever sent from here."""
    house, incident = await at_verifying(off_deadline=5)
    house.bmcs["h1"].unplug(at=0, until=house.clock.boottime() + 30)
    while incident.state is State.VERIFYING:
        house.advance(2)
        incident = await house.step(incident)
    assert incident.state is State.HELD
    assert Reason.BMC_UNREACHABLE in incident.reasons
    house.advance(15)
    incident = await house.step(incident)
    assert incident.state is State.HELD
    house.advance(30)
    incident = await house.step(incident)
    assert incident.state is State.VERIFYING
    assert len(house.power.commands()) == 1


async def test_a_held_incident_never_sends_whatever_it_sees() -> None:
    house, incident = await at_verifying(off_deadline=5)
    incident = await house.change(
        incident, state=State.HELD, reasons=(Reason.OFF_NOT_PROVEN,), command=replace(incident.command, count=1)
    )
    assert isinstance(incident.command, Command)
    house.bmcs["h1"].reads = PowerState.ON
    for _ in range(20):
        house.advance(15)
        incident = await house.step(incident)
        assert incident.state is State.HELD
    assert len(house.power.commands()) == 1


def _not_sent(code: PowerCode) -> Any:
    async def act(*_: Any, **__: Any) -> Outcome:
        return Outcome(accepted=Accepted.NOT_SENT, code=code)

    return act
