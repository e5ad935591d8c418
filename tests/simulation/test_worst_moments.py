"""Stories that end well only because of one line each: what that line guards against happens just then.

The mutants delete those lines (``tests/mutants``); random schedules rarely come by.
"""

from typing import Any

import pytest

from controller.domain.incident import State
from controller.domain.power import PowerAction, PowerState
from tests.simulation.hardware import Fault, PoolState
from tests.simulation.plan import FAST, Mishap, Plan
from tests.simulation.sim import Simulation, simulate

HANGS = Mishap(40, "hang", ("h1",))
ANSWERS_LATE = ("bmc", "h1", "answers_after_s", 6.0, 60.0)


def at(point: str, kind: str, *args: object) -> Mishap:
    return Mishap(40, "at_point", (point, kind, *args))


def in_the_last_look(kind: str, *args: object) -> Mishap:
    return at("after to fencing", "at_point", "status read", kind, *args)


def told(
    *mishaps: Mishap, writers: int = 50, hosts: dict[str, tuple[str, ...]] | None = None, **settings: Any
) -> Simulation:
    hosts = hosts or {"c1": ("h1", "h2", "h3", "h4")}
    plan = Plan(seed=1, hosts=hosts, mishaps=mishaps, ends_at=240.0, settings=FAST | settings, writers=writers)
    outcome = simulate(plan)
    assert not outcome.breaches, f"{outcome.breaches}\n{outcome.story}"
    assert not outcome.simulation.crashes, outcome.simulation.crashes[0]
    return outcome.simulation


@pytest.mark.parametrize("action", [PowerAction.OFF, PowerAction.ON])
def test_a_person_acts_during_the_last_look(action: PowerAction) -> None:
    simulation = told(
        HANGS, in_the_last_look(*ANSWERS_LATE), in_the_last_look("manual", "h1", action, True), max_concurrent=3
    )
    assert len(simulation.universe.power.commands()) >= 1


def test_a_person_acts_while_the_command_is_on_its_way() -> None:
    told(HANGS, at("act off", *ANSWERS_LATE), at("act off", "manual", "h1", PowerAction.OFF, True))


def test_a_person_powers_on_what_a_reboot_is_about_to() -> None:
    told(
        HANGS,
        at("after to fenced", *ANSWERS_LATE),
        at("after to fenced", "manual", "h1", PowerAction.ON, True),
        action="reboot",
    )


def test_storage_hangs_in_the_last_look() -> None:
    told(HANGS, at("after to fencing", "pool", "c1p1", PoolState.HUNG, 8.0))


def test_storage_hangs_before_the_release() -> None:
    told(HANGS, at("after to releasing", "pool", "c1p1", PoolState.HUNG, 30.0))


def test_a_host_whose_bmc_lied_is_back_before_the_release() -> None:
    simulation = told(
        Mishap(40, "isolate", ("h1", 500.0)),
        Mishap(40, "bmc", ("h1", "lies_off", True, 500.0)),
        at("after to releasing", "rejoin", "h1"),
    )
    assert simulation.universe.cloud.released == []
    assert simulation.newest_state("h1") in (State.HELD, State.RECOVERED)


def test_a_bmc_says_off_while_it_starts() -> None:
    simulation = told(
        HANGS,
        Mishap(40, "bmc", ("h1", "ignores_off", True, 500.0)),
        at("after to verifying", "bmc_unreachable", "h1", 3.0),
        at("after to verifying", "bmc", "h1", "reads", PowerState.OFF, 24.0),
    )
    assert simulation.universe.cloud.released == []


def test_a_controller_is_stopped_with_the_command_in_its_hand() -> None:
    told(HANGS, at("act off", "pause_process", 9.0))


def test_rounds_that_could_tell_nothing_are_no_part_of_the_silence() -> None:
    told(HANGS, Mishap(45, "pool", ("c1p1", PoolState.HUNG, 45.0)))


@pytest.mark.parametrize("writers", [0, 100])
def test_both_of_our_processes_are_gone_and_the_host_lives(writers: int) -> None:
    """Idle disks: the kernel that answers speaks for it. Busy disks and no network: the disks do."""
    gone = [Mishap(40, "fault", ("h1", fault, 500.0)) for fault in (Fault.AGENT_DOWN, Fault.BEAT_DOWN)]
    if writers:
        gone.append(Mishap(40, "unplug", ("h1", 500.0)))
    assert told(*gone, writers=writers).universe.power.commands() == []


def test_a_pool_that_takes_no_writes_makes_nobody_silent() -> None:
    simulation = told(Mishap(40, "unplug", ("h1", 500.0)), Mishap(41, "pool", ("c1p1", PoolState.FULL, 500.0)))
    assert simulation.universe.power.commands() == []


def test_the_cap_over_all_clusters_counts_all_of_them() -> None:
    hosts: dict[str, tuple[str, ...]] = {"c1": ("h1", "h2", "h3"), "c2": ("k1", "k2", "k3")}
    told(HANGS, Mishap(60, "hang", ("k1",)), hosts=hosts, global_max_actions=1)


def test_a_slot_comes_free_at_the_end_of_the_window_and_not_before() -> None:
    told(HANGS, Mishap(115, "hang", ("h2",)), max_actions=1, storm_cooldown=0, max_unhealthy_percent=100)


def test_a_host_that_the_controller_alone_cannot_reach_is_left_alone() -> None:
    unseen = (Mishap(40, "partition", ("ctl", "h1", 500.0)), Mishap(40, "fault", ("h1", Fault.BEAT_DOWN, 500.0)))
    report = Mishap(60, "report", ("h1",))
    assert told(*unseen, report, writers=0).universe.power.commands() == []


def test_a_heartbeat_without_a_network_is_held_in_time() -> None:
    simulation = told(Mishap(40, "unplug", ("h1", 500.0)), writers=0)
    assert simulation.universe.power.commands() == []
    assert simulation.newest_state("h1") is State.HELD


def test_a_host_that_is_back_before_anything_was_sent_is_in_nobodys_way() -> None:
    simulation = told(Mishap(40, "isolate", ("h1", 30.0)), writers=0)
    assert simulation.newest_state("h1") is State.RECOVERED
    assert simulation.universe.cloud.quarantined == set()


def test_a_persons_off_that_took_another_host_down_is_noticed() -> None:
    """The BMC was rewired meanwhile: hostfence finds it off, sends nothing, and h1 lives where nobody sees it."""
    simulation = told(
        Mishap(40, "isolate", ("h1", 190.0)),
        Mishap(60, "wrong_bmc", ("h1", "h2")),
        at("after to fencing", "manual", "h1", PowerAction.OFF, True),
        off_reads=3,
        max_unhealthy_percent=100,
    )
    assert "h1" not in [host_id for _, host_id in simulation.universe.cloud.released]


@pytest.mark.parametrize("point", ["before intent", "before to fencing", "act off", "before to releasing"])
@pytest.mark.parametrize("by", [3600.0, -3600.0])
def test_the_clock_steps_between_a_look_and_its_commit(point: str, by: float) -> None:
    simulation = told(HANGS, at(point, "clock_step", by))
    assert simulation.newest_state("h1") is State.FENCED
    assert len(simulation.universe.power.commands()) == 1
