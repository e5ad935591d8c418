"""Trouble of many hosts at once, and waiting for one's turn: stories with the whole engine and the referee watching."""

import pytest

from controller.domain.incident import State
from controller.domain.model import Level
from controller.domain.power import PowerAction
from controller.domain.reasons import Reason
from tests.simulation.hardware import PoolState
from tests.simulation.plan import Mishap
from tests.simulation.test_stories import EIGHT, Told
from tests.simulation.universe import EPOCH

TWENTY = {"c1": tuple(f"h{n:02}" for n in range(1, 21))}
ALL_TWENTY = TWENTY["c1"]


def offs(told: Told) -> list[str]:
    return [machine for action, machine in told.commands if action is PowerAction.OFF]


def test_twenty_hosts_flap_with_their_switch() -> None:
    """Every half minute all of them are gone for as long as a suspicion takes, five times."""
    flaps = [Mishap(40.0 + 35 * n, "unplug", (host, 14.0)) for n in range(5) for host in ALL_TWENTY]
    told = Told(*flaps, ends_at=400.0, hosts=TWENTY)
    assert told.commands == []
    assert all(i.state is not State.HELD for i in told.incidents), "all came back; nothing waits for a person"


def test_half_of_twenty_hosts_stay_behind_a_dead_switch_and_live() -> None:
    """Network and storage of ten hosts are gone for good: a list of ten dead hosts is believed by nobody."""
    told = Told(*(Mishap(40.0, "isolate", (host, 900.0)) for host in ALL_TWENTY[:10]), ends_at=300.0, hosts=TWENTY)
    assert told.commands == []
    assert {i.state for i in told.incidents} == {State.HELD}
    assert all(Reason.STORM in i.sticky for i in told.incidents)


def test_hosts_that_fail_one_by_one_meet_the_cap() -> None:
    """Far enough apart to be no storm: three are fenced, the fourth waits for the window, as configured."""
    deaths = [Mishap(40.0 + 150 * n, "hang", (f"h{n + 1}",)) for n in range(5)]
    settings = {"action_window": 3600, "max_unhealthy_percent": 100, "storm_cooldown": 0}
    told = Told(*deaths, ends_at=900.0, hosts=EIGHT, settings=settings)
    assert offs(told) == ["h1", "h2", "h3"]
    assert [i.state for i in told.incidents] == [State.FENCED] * 3 + [State.HELD] * 2
    assert all(Reason.CAP_REACHED in i.told for i in told.incidents[3:])


@pytest.mark.parametrize("state", [PoolState.HUNG, PoolState.FULL, PoolState.READ_ONLY])
def test_a_storage_outage_seen_by_all_kills_nobody(state: PoolState) -> None:
    told = Told(Mishap(40.0, "pool", ("c1p1", state, 300.0)), ends_at=400.0, hosts=EIGHT)
    assert told.commands == []
    assert told.released == []


def test_a_dead_host_during_a_storage_outage_is_fenced_only_when_storage_can_tell() -> None:
    told = Told(
        Mishap(40.0, "pool", ("c1p1", PoolState.HUNG, 120.0)), Mishap(60.0, "hang", ("h1",)), ends_at=500.0, hosts=EIGHT
    )
    off_at = [entry.at for entry in told.simulation.universe.power.commands()]
    assert offs(told) == ["h1"]
    assert off_at[0] > 160.0 + 30.0, "a whole silence was seen after storage was back"


def test_a_controller_that_starts_in_a_partition_suspects_nobody() -> None:
    """It reaches no host from its first moment on; half an hour later it is let in."""
    away = [Mishap(0.0, "partition", ("ctl", host, 1800.0)) for host in EIGHT["c1"]]
    told = Told(*away, ends_at=2000.0, hosts=EIGHT)
    assert told.incidents == []
    assert told.commands == []


@pytest.mark.parametrize("cut_off", ["ctl1", "ctl2"])
def test_a_controller_without_a_way_to_the_hosts_stops_no_other(cut_off: str) -> None:
    """It has the database and the power devices, and hears nobody: what it cannot tell, the other one can."""
    away = [Mishap(0.0, "partition", (cut_off, host, 900.0)) for host in EIGHT["c1"]]
    told = Told(*away, Mishap(40.0, "hang", ("h1",)), ends_at=300.0, hosts=EIGHT, controllers=2)
    assert [i.state for i in told.incidents] == [State.FENCED]
    assert told.notices("held") == 0


@pytest.mark.parametrize("cut_off", ["ctl1", "ctl2"])
def test_a_controller_without_a_way_to_one_cluster_suspects_none_that_another_hears(cut_off: str) -> None:
    """Else eight suspects at once would be a storm, and the one that is dead would be held for it."""
    hosts = EIGHT | {"c2": ("k1", "k2", "k3")}
    away = [Mishap(25.0, "partition", (cut_off, host, 900.0)) for host in EIGHT["c1"]]
    told = Told(*away, Mishap(60.0, "hang", ("h1",)), ends_at=300.0, hosts=hosts, controllers=2)
    assert [(i.host_id, i.state) for i in told.incidents] == [("h1", State.FENCED)]


@pytest.mark.parametrize("after", ["after to checking", "after to fencing", "after to verifying", "after to releasing"])
def test_the_only_controller_cut_off_half_way_holds_says_so_and_comes_to_an_end(after: str) -> None:
    """Nobody is left to tell of life: what was counted is void, nothing is released. Let in again, it ends it."""
    told = Told(
        Mishap(40.0, "hang", ("h1",)),
        Mishap(40.0, "at_point", (after, "controller_cut_off", 100.0)),
        ends_at=500.0,
        hosts=EIGHT,
    )
    assert [i.state for i in told.incidents] == [State.FENCED]
    assert offs(told) == ["h1"]
    assert told.notices("held") == 1, told.story


def test_a_whole_cluster_that_nobody_hears_is_suspected_all_the_same() -> None:
    """Its switch is dead, and the only controller hears another cluster: a little later than a single host would be."""
    hosts = EIGHT | {"c2": ("k1", "k2", "k3")}
    told = Told(*(Mishap(40.0, "isolate", (host, 900.0)) for host in EIGHT["c1"]), ends_at=200.0, hosts=hosts)
    opened = {i.host_id: (i.opened_at - EPOCH).total_seconds() for i in told.incidents}
    assert set(opened) == set(EIGHT["c1"])
    assert min(opened.values()) >= 48.0
    assert max(opened.values()) <= 40.0 + 75.0 + 10.0
    assert {i.state for i in told.incidents} == {State.HELD}
    assert told.commands == []


def test_a_crash_loop_is_fenced_twice_and_then_left_off() -> None:
    """It hangs again soon after each return; the third fence of a day leaves it off, and says so."""
    hangs = [Mishap(40.0 + 300 * n, "hang", ("h1",)) for n in range(3)]
    back = [Mishap(300.0 * n, "placed_elsewhere", ("h1v0", "h1")) for n in (1, 2)]  # the cloud uses the host again
    settings = {"action": "reboot", "max_actions": 10, "action_window": 3600}
    told = Told(*hangs, *back, ends_at=1100.0, settings=settings)
    assert [i.state for i in told.incidents] == [State.FENCED] * 3
    assert [action for action, _ in told.commands] == [
        *(PowerAction.OFF, PowerAction.ON),
        *(PowerAction.OFF, PowerAction.ON),
        PowerAction.OFF,
    ]
    assert told.notices("stays_off") == 1


def test_who_waits_behind_a_cap_is_looked_at_all_the_while_and_let_go_when_it_lives() -> None:
    """h2 is cut off behind h1's slot, and comes back much later: nothing was lost by waiting, nothing is done to it."""
    settings = {"max_actions": 1, "action_window": 3600, "max_unhealthy_percent": 100, "storm_cooldown": 0}
    told = Told(
        Mishap(40.0, "hang", ("h1",)),
        Mishap(200.0, "isolate", ("h2", 500.0)),
        ends_at=900.0,
        hosts=EIGHT,
        settings=settings,
    )
    first, second = told.incidents
    assert (first.state, second.state) == (State.FENCED, State.RECOVERED)
    assert Reason.CAP_REACHED in second.told
    assert second.rounds > 40, "rounds went on while it waited"
    assert offs(told) == ["h1"]


def test_a_slot_that_comes_free_cuts_nobody_who_lives_by_then() -> None:
    """The window slides on the moment h2 is back: the slot is there, and so is the sign of life."""
    settings = {"max_actions": 1, "action_window": 300, "max_unhealthy_percent": 100, "storm_cooldown": 0}
    told = Told(
        Mishap(40.0, "hang", ("h1",)),
        Mishap(200.0, "isolate", ("h2", 205.0)),
        ends_at=900.0,
        hosts=EIGHT,
        settings=settings,
    )
    assert offs(told) == ["h1"]
    assert told.incidents[1].state is State.RECOVERED


def test_one_at_a_time_where_the_policy_says_so() -> None:
    """Two hosts die together, not a storm; the second one's turn comes when the first is done."""
    settings = {"max_concurrent": 1, "max_unhealthy_percent": 100}
    told = Told(
        Mishap(40.0, "hang", ("h1",)), Mishap(41.0, "hang", ("h2",)), ends_at=400.0, hosts=EIGHT, settings=settings
    )
    assert sorted(offs(told)) == ["h1", "h2"]
    events = [e for i in told.incidents for e in told.simulation.store.tables.events[i.id] if e.kind == "state"]
    ended = min(e.at for e in events if e.to_state is State.FENCED or e.to_state == "fenced")
    began = sorted(e.at for e in events if e.to_state == "verifying")
    assert began[1] >= ended


FAR_APART = {"storm_cooldown": 0, "max_unhealthy_percent": 100, "action_window": 3600, "max_concurrent": 3}
"""No storm, no share of unhealthy hosts, no turn to wait for: only the cap is in the way."""


def test_two_controllers_race_for_the_last_slot() -> None:
    """Two dead hosts wait out a pause; at its end both controllers go for the one slot."""
    told = Told(
        Mishap(38.0, "pause", (Level.GLOBAL, "", 182.0)),
        Mishap(40.0, "hang", ("h1",)),
        Mishap(120.0, "hang", ("h2",)),
        ends_at=500.0,
        hosts=EIGHT,
        controllers=2,
        settings=FAR_APART | {"max_actions": 1},
    )
    assert len(offs(told)) == 1
    assert sorted(i.state for i in told.incidents) == [State.FENCED, State.HELD]
    assert sum(Reason.CAP_REACHED in i.told for i in told.incidents) == 1
    events = [e for i in told.incidents for e in told.events(i.id)]
    began = [e.at for e in events if e.kind == "state" and e.to_state == State.FENCING]
    (intent,) = [e.at for e in events if e.kind == "intent"]
    assert len(began) == 2
    assert max(began) < intent, "both were in their last look when the first one took the slot"


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_cap_that_is_lowered_in_mid_window_counts_what_was_done_before(left: int) -> None:
    deaths = [Mishap(40.0, "hang", ("h1",)), Mishap(200.0, "hang", ("h2",)), Mishap(400.0, "hang", ("h3",))]
    lowered = Mishap(350.0, "setting", ("max_actions", left))
    told = Told(*deaths, lowered, ends_at=700.0, hosts=EIGHT, settings=FAR_APART)
    assert offs(told) == ["h1", "h2"]
    assert told.incidents[2].state is State.HELD
    assert Reason.CAP_REACHED in told.incidents[2].told


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("max_actions", 0, Reason.CAP_REACHED), ("global_max_actions", 0, Reason.GLOBAL_CAP_REACHED)],
)
def test_a_cap_that_is_lowered_in_the_last_look_stops_it(name: str, value: int, reason: Reason) -> None:
    told = Told(
        Mishap(40.0, "hang", ("h1",)),
        Mishap(40.0, "at_point", ("after to fencing", "setting", name, value)),
        ends_at=300.0,
        hosts=EIGHT,
    )
    assert told.commands == []
    assert told.held_for(reason)


def test_after_a_storm_is_over_a_dead_host_waits_out_the_cool_down() -> None:
    """Five fall silent at once and are back; a sixth dies a moment later, and its list of one is not believed yet."""
    flap = [Mishap(40.0, "isolate", (f"h{n}", 30.0)) for n in range(1, 6)]
    told = Told(
        *flap,
        Mishap(150.0, "hang", ("h8",)),
        ends_at=700.0,
        hosts=EIGHT,
        settings={"storm_cooldown": 300, "max_unhealthy_percent": 100},
    )
    last = told.incidents[-1]
    assert [i.state for i in told.incidents[:-1]] == [State.RECOVERED] * 5
    assert (last.host_id, last.state) == ("h8", State.FENCED)
    assert Reason.STORM_COOLDOWN in last.told
    (off,) = told.simulation.universe.power.commands()
    over = max(i.closed_at for i in told.incidents[:-1] if i.closed_at is not None)
    assert off.at >= (over - EPOCH).total_seconds() + 300


def test_who_is_back_from_a_storm_is_let_go_and_the_others_stay_held() -> None:
    """Silent for hours is silent for hours: only life, or a person, ends it."""
    gone = [Mishap(40.0, "isolate", (f"h{n}", 3000.0 if n > 2 else 400.0)) for n in range(1, 6)]
    told = Told(*gone, ends_at=900.0, hosts=EIGHT)
    assert told.commands == []
    states = {i.host_id: i.state for i in told.incidents}
    assert states == {"h1": State.RECOVERED, "h2": State.RECOVERED} | dict.fromkeys(("h3", "h4", "h5"), State.HELD)


def test_who_waits_for_its_turn_is_let_go_when_it_lives() -> None:
    """h1's BMC takes a minute over its off; h2, dead enough meanwhile, is back before its turn comes."""
    told = Told(
        Mishap(40.0, "hang", ("h1",)),
        Mishap(40.0, "bmc", ("h1", "off_delay_s", 60.0, 900.0)),
        Mishap(50.0, "isolate", ("h2", 80.0)),
        ends_at=400.0,
        hosts=EIGHT,
        settings={"max_concurrent": 1, "off_deadline": 90, "checking_limit": 300, "max_unhealthy_percent": 100},
    )
    first, second = told.incidents
    assert offs(told) == ["h1"]
    assert (first.state, second.state) == (State.FENCED, State.RECOVERED)
    assert told.waited_for(second, Reason.CONCURRENCY) >= 3


def test_a_storm_ends_in_no_action_however_long_it_lasts() -> None:
    told = Told(*(Mishap(40.0, "hang", (f"h{n}",)) for n in range(1, 6)), ends_at=3 * 3600.0, hosts=EIGHT)
    assert told.commands == []
    assert {i.state for i in told.incidents} == {State.HELD}


def test_a_cloud_that_says_up_keeps_it_waiting_and_a_late_life_lets_it_go() -> None:
    """The host is cut off where nobody can see it; its cloud still says up. Then it is back."""
    told = Told(
        Mishap(40.0, "isolate", ("h1", 75.0)),
        ends_at=400.0,
        hosts=EIGHT,
        cloud_opinions=True,
        cloud_notices_after_s=100.0,
    )
    assert told.commands == []
    (incident,) = told.incidents
    assert incident.state is State.RECOVERED
    assert told.waited_for(incident, Reason.CLOUD_SAYS_UP) >= 3


def test_a_cloud_that_says_up_for_long_is_waited_for_with_evidence_that_stays_fresh() -> None:
    """Rounds go on; the moment it notices, the newest one is young enough, and no count begins anew."""
    told = Told(
        Mishap(40.0, "hang", ("h1",)),
        ends_at=400.0,
        hosts=EIGHT,
        cloud_opinions=True,
        cloud_notices_after_s=80.0,
        settings={"checking_limit": 300},
    )
    (off,) = told.simulation.universe.power.commands()
    assert 120.0 < off.at < 120.0 + 20.0
    assert told.waited_for(told.incidents[0], Reason.CLOUD_SAYS_UP) >= 3
    assert told.notices("held") == 0
