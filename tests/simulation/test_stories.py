"""Stories written by hand: what must happen to a host, with the whole engine and the referee watching."""

from dataclasses import replace
from typing import Any

import pytest

from controller.domain.incident import Incident, State
from controller.domain.model import Event
from controller.domain.power import PowerAction, PowerState
from controller.domain.reasons import Reason
from tests.simulation.hardware import Fault
from tests.simulation.plan import FAST, Mishap, Plan
from tests.simulation.schedules import random_plan
from tests.simulation.sim import Simulation, simulate

DAY = 24 * 3600.0
EIGHT = {"c1": tuple(f"h{n}" for n in range(1, 9))}


class Told:
    """One story, played to its end."""

    def __init__(self, *mishaps: Mishap, ends_at: float = 240.0, **changes: Any) -> None:
        settings = FAST | changes.pop("settings", {})
        plan = replace(Plan(seed=1, mishaps=mishaps, ends_at=ends_at, settings=settings), **changes)
        outcome = simulate(plan)
        self.story = outcome.story
        assert not outcome.breaches, f"{outcome.breaches}\n{self.story}"
        assert not outcome.simulation.crashes, outcome.simulation.crashes[0]
        self.simulation: Simulation = outcome.simulation

    @property
    def incidents(self) -> list[Incident]:
        return sorted(self.simulation.store.tables.incidents.values(), key=lambda i: i.opened_at)

    @property
    def commands(self) -> list[tuple[PowerAction, str]]:
        """What reached any BMC, and which machine it hit."""
        return [(entry.action, entry.machine) for entry in self.simulation.universe.power.commands()]

    @property
    def released(self) -> list[str]:
        return [host_id for _, host_id in self.simulation.universe.cloud.released]

    def notices(self, kind: str) -> int:
        return sum(1 for n in self.simulation.store.tables.notices.values() if n.kind == kind)

    def events(self, incident_id: str) -> list[Event]:
        return self.simulation.store.tables.events[incident_id]

    def waited_for(self, incident: Incident, reason: Reason) -> int:
        """How many rounds went by in which it was dead enough, and this stood in the way."""
        return self.simulation.facts.waits[incident.id, reason]

    def held_for(self, reason: Reason) -> bool:
        """The host's only incident is held, and people were told of this reason."""
        (incident,) = self.incidents
        return incident.state is State.HELD and reason in incident.told


def test_a_dead_host_is_fenced_and_released() -> None:
    told = Told(Mishap(40, "hang", ("h1",)))
    assert [i.state for i in told.incidents] == [State.FENCED]
    assert told.commands == [(PowerAction.OFF, "h1")]
    assert told.released == ["h1"]
    assert told.notices("fencing") == told.notices("off_proven") == told.notices("fenced") == 1


def test_an_agent_that_is_gone_while_the_heartbeat_moves_is_held_and_not_fenced() -> None:
    told = Told(Mishap(40, "fault", ("h1", Fault.AGENT_DOWN, 500.0)))
    assert told.held_for(Reason.AGENT_ONLY)
    assert told.commands == []


def test_idle_guests_are_no_reason_for_anything() -> None:
    told = Told(ends_at=600.0, writers=0)
    assert told.incidents == []
    assert told.simulation.store.tables.notices == {}


def test_a_host_down_for_a_day_under_action_none_is_one_incident_and_one_decision() -> None:
    slow = {"check_interval": 60, "heartbeat_interval": 30, "watch_timeout": 90, "vanish_window": 90}
    told = Told(Mishap(200, "power_loss", ("h1",)), ends_at=DAY, settings={"action": "none"} | slow)
    assert [i.state for i in told.incidents] == [State.NOTIFIED]
    assert told.notices("action_none") == 1
    assert told.notices("reminder") == 0
    assert told.commands == []


def test_a_hold_of_a_day_reminds_as_designed() -> None:
    slow = {"check_interval": 60, "heartbeat_interval": 30, "watch_timeout": 90, "vanish_window": 90}
    told = Told(
        Mishap(200, "fault", ("h1", Fault.AGENT_DOWN, 2 * DAY)),
        ends_at=DAY + 3600,
        settings=slow | {"checking_limit": 120},
    )
    assert told.held_for(Reason.AGENT_ONLY)
    assert told.notices("reminder") == 4, "after 15 minutes, 1 hour, 4 hours, and a day"


@pytest.mark.parametrize("point", ["after intent", "act off"])
def test_a_controller_that_dies_between_intent_and_command_leads_to_reading(point: str) -> None:
    told = Told(Mishap(40, "hang", ("h1",)), Mishap(50, "trap", (point, 0)), ends_at=400.0)
    assert [i.state for i in told.incidents] == [State.FENCED]
    assert told.commands == [(PowerAction.OFF, "h1")]
    entries = told.simulation.universe.power.entries
    off = next(n for n, entry in enumerate(entries) if entry.action is PowerAction.OFF)
    died = next(e.at for e in told.simulation.universe.journal.entries if e.what == "killed")
    between = [e.state for e in entries[:off] if e.at > died and e.identity == entries[off].identity]
    assert PowerState.ON in between, "read before anything was sent"


def test_a_command_whose_answer_was_lost_with_its_controller_is_not_sent_again() -> None:
    told = Told(Mishap(40, "hang", ("h1",)), Mishap(50, "trap", ("acted off", 0)))
    assert [i.state for i in told.incidents] == [State.FENCED]
    assert told.commands == [(PowerAction.OFF, "h1")]


def test_a_bmc_that_accepts_and_does_nothing_ends_in_a_hold_within_its_budget() -> None:
    told = Told(Mishap(40, "hang", ("h1",)), Mishap(41, "bmc", ("h1", "ignores_off", True, 900.0)), ends_at=400.0)
    assert told.held_for(Reason.OFF_NOT_PROVEN)
    assert told.commands == [(PowerAction.OFF, "h1")] * 3
    assert told.released == []


def test_a_host_that_is_off_already_needs_no_command() -> None:
    told = Told(Mishap(40, "power_loss", ("h1",)))
    assert [i.state for i in told.incidents] == [State.FENCED]
    assert told.commands == []
    assert told.released == ["h1"]


def test_five_of_eight_at_once_are_held_and_none_is_fenced() -> None:
    died = [Mishap(40 + n / 5, "hang", (f"h{n}",)) for n in range(1, 6)]
    told = Told(*died, ends_at=400.0, hosts=EIGHT)
    assert [i.state for i in told.incidents] == [State.HELD] * 5
    assert all(Reason.STORM in i.told for i in told.incidents)
    assert told.commands == []


def test_the_host_after_the_last_slot_is_held_until_the_window_has_slid_on() -> None:
    told = Told(
        Mishap(40, "hang", ("h1",)),
        Mishap(150, "hang", ("h2",)),
        ends_at=900.0,
        hosts=EIGHT,
        settings={"max_actions": 1, "action_window": 300, "storm_cooldown": 0},
    )
    assert [i.state for i in told.incidents] == [State.FENCED, State.FENCED]
    assert Reason.CAP_REACHED in told.incidents[1].told
    first, second = (e.at for e in told.simulation.universe.power.commands())
    assert second - first >= 300


def test_a_fenced_host_that_returns_is_brought_back_and_armed_again() -> None:
    told = Told(Mishap(40, "hang", ("h1",)), Mishap(160, "technician", ("h1", True)))
    assert told.notices("returned") == 1
    assert told.simulation.universe.cloud.quarantined == set()
    health = told.simulation.store.tables.health["h1"]
    assert health.armed
    assert health.fenced_by == ""


def test_a_bmc_wired_to_another_host_stops_everything_and_releases_nothing() -> None:
    told = Told(Mishap(40, "hang", ("h1",)), Mishap(50, "wrong_bmc", ("h1", "h2")), hosts=EIGHT)
    assert told.commands == [(PowerAction.OFF, "h2")]
    assert told.released == []
    assert told.notices("other_host_vanished") == 2, "of the host that was meant, and of the one that was hit"
    assert any(p.reason == Reason.OTHER_HOST_VANISHED for p in told.simulation.store.tables.pauses.values())


def test_a_bmc_of_another_host_that_takes_its_time_is_told_all_the_same() -> None:
    """What it cut fell silent long after the command, and before the first *off*."""
    told = Told(
        Mishap(40, "hang", ("h1",)),
        Mishap(50, "wrong_bmc", ("h1", "h2")),
        Mishap(50, "bmc", ("h1", "off_delay_s", 18.0, 900.0)),
        hosts=EIGHT,
    )
    assert told.commands == [(PowerAction.OFF, "h2")]
    assert told.released == []
    assert any(p.reason == Reason.OTHER_HOST_VANISHED for p in told.simulation.store.tables.pauses.values())


def test_a_technician_between_proof_and_release_prevents_the_release() -> None:
    told = Told(Mishap(40, "hang", ("h1",)), Mishap(60, "trap", ("after to releasing", 0)), hosts=EIGHT)
    died = next(e.at for e in told.simulation.universe.journal.entries if e.what == "killed")
    told = Told(
        Mishap(40, "hang", ("h1",)),
        Mishap(60, "trap", ("after to releasing", 0)),
        Mishap(died + 1, "technician", ("h1", True)),
        hosts=EIGHT,
    )
    assert told.released == []


def test_a_reboot_ends_with_the_host_on() -> None:
    told = Told(Mishap(40, "hang", ("h1",)), settings={"action": "reboot"})
    assert told.commands == [(PowerAction.OFF, "h1"), (PowerAction.ON, "h1")]
    assert told.simulation.universe.hosts["h1"].on(told.simulation.universe.now())


@pytest.mark.parametrize("seed", range(8_000_000, 8_000_012))
def test_steps_of_the_clocks_change_no_decision(seed: int) -> None:
    """Rule 12: a schedule with and without steps of the database's and the storage server's clock is the same."""
    plan = random_plan(seed)
    still = tuple(
        m for m in plan.mishaps if m.kind not in ("clock_step", "server_clock", "kill", "restart", "trap", "blackout")
    )
    steps = [
        Mishap(at, "clock_step", (by,)) for at, by in ((47.3, 3600.0), (81.1, -3600.0), (103.7, 50.0), (131.9, -7.0))
    ]
    stepping = tuple(sorted((*still, *steps), key=lambda m: m.at))
    plan = replace(plan, liveness=False)
    one, other = (simulate(replace(plan, mishaps=mishaps)) for mishaps in (still, stepping))
    assert not one.breaches
    assert not other.breaches
    told = [
        [(round(e.at, 3), e.who, e.what, e.said) for e in o.simulation.universe.journal.entries if e.who != "world"]
        for o in (one, other)
    ]
    assert told[0] == told[1]
