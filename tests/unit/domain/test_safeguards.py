from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.evidence import CloudSays, Verdict
from controller.domain.incident import Command, Incident, IncidentBrief, NewestRound, State
from controller.domain.model import Attempt, Host, Level, Pause
from controller.domain.policy import BmcSettings, Mode, Policy
from controller.domain.power import PowerAction
from controller.domain.reasons import NEEDS_A_PERSON, WAITS, Reason
from controller.domain.safeguards import (
    STORM_WINDOW,
    SYSTEM,
    ClusterFacts,
    attempts_matter_since,
    bmc_seen_on,
    evidence_refusals,
    incidents_matter_since,
    refusals,
    slots,
    waits,
)
from controller.domain.tally import Tally
from tests.fixtures.builders import T0, at, attempt, health, host, incident, pause
from tests.fixtures.evidence import policy

HOSTS = tuple(host(f"h{n}") for n in range(1, 9))
IDENTITY = policy().bmc.identity
HOUR = 3600.0


def seen_on(host_id: str = "h1", **changes: Any) -> Any:
    return health(host_id, **{"bmc_on_seen_at": T0, "bmc_identity": IDENTITY, **changes})


def cluster_facts(**changes: Any) -> ClusterFacts:
    """Eight hosts, one of them silent, and nothing that stands against taking it down."""
    default = ClusterFacts(
        host=HOSTS[0],
        hosts=HOSTS,
        healths={"h1": seen_on()},
        incidents=(incident(),),
        attempts=(),
        unfinished=(),
        pauses=(),
        identities={"h1": IDENTITY},
    )
    return replace(default, **changes)


def refused(
    subject: Incident | None = None, *, under: Policy | None = None, seconds: float = 60, **facts: Any
) -> tuple[Reason, ...]:
    return refusals(subject or incident(), cluster_facts(**facts), under or policy(), now=at(seconds))


def test_an_armed_host_with_a_proven_device_in_a_healthy_cluster_is_not_refused() -> None:
    assert refused() == ()


def test_all_refusals_are_collected_and_none_hides_another() -> None:
    found = refused(
        incident(sticky=frozenset({Reason.CONTRADICTION})),
        under=policy(mode=Mode.OBSERVE, max_actions=0, global_max_actions=0),
        seconds=60,
        host=replace(HOSTS[0], excluded=True, maintenance=True, runs_controller=True),
        pauses=(pause(),),
        isolated=True,
        identities={"h1": IDENTITY, "h2": IDENTITY},
        bmc_address_refused=True,
        healths={},
        cloud=CloudSays.UP,
        unfinished=(attempt(incident_id="other"),),
    )
    assert found == (
        Reason.CONTRADICTION,
        Reason.OBSERVE_MODE,
        Reason.PAUSED,
        Reason.EXCLUDED,
        Reason.MAINTENANCE,
        Reason.CONTROLLERS_OWN_HOST,
        Reason.ISOLATED,
        Reason.BMC_SHARED,
        Reason.BMC_ADDRESS_REFUSED,
        Reason.BMC_UNPROVEN,
        Reason.CAP_REACHED,
        Reason.GLOBAL_CAP_REACHED,
        Reason.CLOUD_SAYS_UP,
        Reason.OPERATION_IN_FLIGHT,
        Reason.CONCURRENCY,
    )


@pytest.mark.parametrize("sticky", sorted(NEEDS_A_PERSON))
def test_what_needs_a_person_refuses_although_its_cause_is_gone(sticky: Reason) -> None:
    assert refused(incident(sticky=frozenset({sticky}))) == (sticky,)


# -- armed ------------------------------------------------------------------------------------------------------------


def test_observe_mode_refuses() -> None:
    assert refused(under=policy(mode=Mode.OBSERVE)) == (Reason.OBSERVE_MODE,)


@pytest.mark.parametrize(
    ("level", "owner", "stands"),
    [
        (Level.GLOBAL, "", True),
        (Level.CLUSTER, "c1", True),
        (Level.CLUSTER, "c2", False),
        (Level.HOST, "h1", True),
        (Level.HOST, "h2", False),
    ],
)
def test_a_pause_refuses_where_it_holds(level: Level, owner: str, stands: bool) -> None:  # noqa: FBT001
    found = refused(pauses=(pause(level=level, owner_id=owner),))
    assert found == ((Reason.PAUSED,) if stands else ())


def test_a_pause_ends_by_itself_or_by_a_person() -> None:
    timed = pause(until=at(60))
    assert refused(seconds=59, pauses=(timed,)) == (Reason.PAUSED,)
    assert refused(seconds=60, pauses=(timed,)) == ()
    assert refused(pauses=(pause(lifted_at=at(1), lifted_by="ada"),)) == ()


def test_one_of_several_pauses_is_enough() -> None:
    lifted, standing = pause("a", lifted_at=T0), pause("b")
    assert refused(pauses=(lifted, standing)) == (Reason.PAUSED,)


@pytest.mark.parametrize("code", [Reason.STARTUP_QUIET, Reason.CONTRADICTION, Reason.OTHER_HOST_VANISHED])
def test_hostfences_own_pause_gives_its_own_reason(code: Reason) -> None:
    assert refused(pauses=(pause(by=SYSTEM, reason=code),)) == (code,)


def test_a_persons_pause_is_a_pause_whatever_it_says_and_whoever_it_is_by() -> None:
    assert refused(pauses=(pause(by="ada", reason="startup_quiet"),)) == (Reason.PAUSED,)
    assert refused(pauses=(pause(by=SYSTEM, reason="storage work"),)) == (Reason.PAUSED,)


# -- the host and its device ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marked", "reason"),
    [
        (host("h1", excluded=True), Reason.EXCLUDED),
        (host("h1", retired=True), Reason.EXCLUDED),
        (host("h1", maintenance=True), Reason.MAINTENANCE),
        (host("h1", runs_controller=True), Reason.CONTROLLERS_OWN_HOST),
        (host("h1", cloud_ha=True), Reason.HOST_HA_ON),
    ],
    ids=["excluded", "retired", "maintenance", "controllers-own", "host-ha"],
)
def test_a_host_that_must_not_be_touched_is_not(marked: Host, reason: Reason) -> None:
    assert refused(host=marked) == (reason,)


def test_an_isolated_controller_refuses() -> None:
    assert refused(isolated=True) == (Reason.ISOLATED,)


def test_without_a_device_nothing_can_be_done() -> None:
    assert refused(under=policy(bmc=BmcSettings())) == (Reason.NOT_CONFIGURED,)


def test_two_hosts_with_one_device_are_refused() -> None:
    assert refused(identities={"h1": IDENTITY, "h2": IDENTITY}) == (Reason.BMC_SHARED,)
    assert refused(identities={"h1": IDENTITY, "h2": "ipmi://bmc-h2:623/"}) == ()


def test_a_refused_address_and_a_driver_that_cannot_prove_are_refused() -> None:
    assert refused(bmc_address_refused=True) == (Reason.BMC_ADDRESS_REFUSED,)
    assert refused(driver_proves=False) == (Reason.DRIVER_CANNOT_PROVE,)


@pytest.mark.parametrize(
    "healths",
    [
        {},
        {"h2": seen_on("h2")},
        {"h1": seen_on(bmc_on_seen_at=None)},
        {"h1": seen_on(bmc_identity="ipmi://old:623/")},
    ],
    ids=["nothing-known", "only-of-another", "never-on", "another-device-since"],
)
def test_a_device_that_never_read_on_while_the_host_lived_is_refused(healths: dict[str, Any]) -> None:
    assert refused(healths=healths) == (Reason.BMC_UNPROVEN,)


def test_a_device_seen_on_is_trusted_while_it_stays_the_same() -> None:
    assert bmc_seen_on(seen_on(), policy())
    assert not bmc_seen_on(seen_on(), policy(bmc=BmcSettings(host="another")))
    assert not bmc_seen_on(None, policy())


# -- caps -------------------------------------------------------------------------------------------------------------


def taken_down(number: int, *, seconds: float = 0, **changes: Any) -> tuple[Attempt, ...]:
    """As many other incidents that took a host down."""
    return tuple(
        attempt(f"a{n}", **{"incident_id": f"other-{n}", "host_id": f"x{n}", "intended_at": at(seconds), **changes})
        for n in range(number)
    )


def test_the_cap_stops_the_next_host_of_the_cluster() -> None:
    assert refused(attempts=taken_down(2)) == ()
    assert refused(attempts=taken_down(3)) == (Reason.CAP_REACHED,)


def test_the_cap_slides() -> None:
    assert refused(attempts=taken_down(3), seconds=HOUR - 0.001) == (Reason.CAP_REACHED,)
    assert refused(attempts=taken_down(3), seconds=HOUR) == ()


def test_a_cap_of_zero_means_never() -> None:
    assert refused(under=policy(max_actions=0)) == (Reason.CAP_REACHED,)
    assert refused(under=policy(global_max_actions=0)) == (Reason.GLOBAL_CAP_REACHED,)


def test_other_clusters_count_only_for_the_global_cap() -> None:
    assert refused(attempts=taken_down(9, cluster_id="c2")) == ()
    assert refused(attempts=taken_down(10, cluster_id="c2")) == (Reason.GLOBAL_CAP_REACHED,)


def test_an_intent_from_the_future_still_counts() -> None:
    assert refused(attempts=taken_down(3, seconds=500)) == (Reason.CAP_REACHED,)


def test_retries_of_one_incident_share_its_slot_and_its_own_is_not_counted_against_it() -> None:
    assert refused(attempts=taken_down(5, incident_id="one other")) == ()
    assert refused(attempts=taken_down(5, incident_id="i1"), under=policy(max_actions=1)) == ()
    assert refused(attempts=taken_down(5, incident_id="i2"), under=policy(max_actions=1)) == (Reason.CAP_REACHED,)


def test_a_persons_commands_count_each_and_those_without_a_slot_do_not() -> None:
    by_hand = taken_down(3, incident_id=None, automatic=False)
    assert refused(attempts=by_hand) == (Reason.CAP_REACHED,)
    assert slots(by_hand, since=at(-1), cluster_id=None) == 3
    assert refused(attempts=taken_down(3, takes_slot=False)) == ()


# -- storm, cooldown, unhealthy ---------------------------------------------------------------------------------------

WINDOW = STORM_WINDOW + policy().watch_timeout


def suspects(number: int, *, seconds: float = 0, **changes: Any) -> tuple[Incident, ...]:
    """This incident and others, so many in all."""
    others = (
        incident(f"i{n}", **{"host_id": f"h{n}", "opened_at": at(seconds), **changes}) for n in range(2, number + 1)
    )
    return (incident(), *others)


def test_more_suspects_at_once_than_may_be_taken_down_are_a_storm() -> None:
    assert refused(incidents=suspects(3)) == ()
    assert refused(incidents=suspects(4)) == (Reason.STORM,)


def test_a_storm_that_a_person_decided_against_holds_that_host_no_more() -> None:
    waived = incident(waived=frozenset({Reason.STORM}))
    raging = incident("i9", host_id="h9", sticky=frozenset({Reason.STORM}))
    assert refused(waived, incidents=(waived, *suspects(4)[1:], raging)) == ()


def test_a_single_allowed_host_is_no_storm_by_itself() -> None:
    one_a_day = policy(max_actions=1, max_unhealthy_percent=100)
    assert refused(under=one_a_day) == ()
    assert refused(under=one_a_day, incidents=suspects(2)) == (Reason.STORM,)
    assert Reason.STORM not in refused(under=policy(max_actions=0))


def test_suspects_long_apart_are_no_storm() -> None:
    inside, outside = WINDOW.total_seconds(), WINDOW.total_seconds() + 1
    assert refused(incidents=suspects(4, seconds=inside)) == (Reason.STORM,)
    assert refused(incidents=suspects(4, seconds=-inside)) == (Reason.STORM,)
    assert refused(incidents=suspects(4, seconds=outside)) == ()


def test_a_storm_counts_hosts_and_not_incidents() -> None:
    assert refused(incidents=suspects(4, host_id="h2")) == ()


def test_a_storm_never_expires_into_action_while_the_others_return() -> None:
    returned = suspects(4, state=State.RECOVERED, closed_at=at(30))
    assert refused(incidents=returned, seconds=100 * HOUR) == (Reason.STORM,)


def test_after_a_storm_the_cluster_cools_down() -> None:
    stormy = incident("old", host_id="h2", opened_at=at(-HOUR), sticky=frozenset({Reason.STORM}))
    over = replace(stormy, state=State.RECOVERED, closed_at=T0)
    assert refused(incidents=(incident(), over), seconds=599) == (Reason.STORM_COOLDOWN,)
    assert refused(incidents=(incident(), over), seconds=600) == ()


def test_while_another_hosts_storm_still_holds_no_host_of_the_cluster_is_taken_down() -> None:
    stormy = incident("old", host_id="h2", opened_at=at(-HOUR), state=State.HELD, sticky=frozenset({Reason.STORM}))
    assert refused(incidents=(incident(), stormy), seconds=10 * HOUR) == (Reason.STORM_COOLDOWN,)


def test_more_than_half_of_the_cluster_silent_or_fenced_holds() -> None:
    calm = policy(max_actions=9)
    assert refused(under=calm, incidents=suspects(4)) == ()
    assert refused(under=calm, incidents=suspects(5)) == (Reason.CLUSTER_UNHEALTHY,)
    fenced = {f"h{n}": seen_on(f"h{n}", fenced_by="earlier") for n in range(2, 6)} | {"h1": seen_on()}
    assert refused(healths=fenced) == (Reason.CLUSTER_UNHEALTHY,)


def test_hosts_in_maintenance_or_excluded_or_elsewhere_are_not_counted() -> None:
    calm = policy(max_actions=9)
    resting = tuple(replace(h, maintenance=True) if h.id in {"h7", "h8"} else h for h in HOSTS)
    assert refused(under=calm, hosts=resting, incidents=suspects(3)) == ()
    assert refused(under=calm, hosts=resting, incidents=suspects(4)) == (Reason.CLUSTER_UNHEALTHY,)
    left_out = tuple(replace(h, excluded=True) if h.id in {"h7", "h8"} else h for h in HOSTS)
    assert refused(under=calm, hosts=left_out, incidents=suspects(4)) == (Reason.CLUSTER_UNHEALTHY,)
    forgotten = tuple(replace(h, retired=True) if h.id in {"h7", "h8"} else h for h in HOSTS)
    assert refused(under=calm, hosts=forgotten, incidents=suspects(4)) == (Reason.CLUSTER_UNHEALTHY,)
    closed = suspects(5, state=State.RECOVERED)
    assert refused(under=calm, incidents=closed) == ()
    assert refused(under=calm, healths={"h1": seen_on(), "far": seen_on("far", fenced_by="x")}) == ()


def test_a_cluster_without_managed_hosts_has_no_health() -> None:
    nobody = tuple(replace(h, excluded=True) for h in HOSTS)
    assert refused(hosts=nobody) == ()


# -- the cloud --------------------------------------------------------------------------------------------------------


def test_an_unchanged_up_holds_until_the_cloud_has_noticed() -> None:
    assert refused(cloud=CloudSays.UP) == (Reason.CLOUD_SAYS_UP,)
    assert refused(cloud=CloudSays.NOT_UP) == ()
    assert refused(incident(cloud_seen_down=True), cloud=CloudSays.UP) == ()  # that is a return, told elsewhere


def test_a_cloud_that_cannot_be_asked_holds() -> None:
    assert refused(cloud=CloudSays.UNREACHABLE) == (Reason.CLOUD_UNREACHABLE,)


# -- never two at once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        attempt(incident_id=None, cluster_id="c2", bmc_identity="ipmi://before:623/"),
        attempt(incident_id="other", cluster_id="c2", bmc_identity="ipmi://before:623/"),
        attempt(incident_id="other", host_id="far", cluster_id="c2", bmc_identity=IDENTITY),
    ],
    ids=["a-persons-for-this-host", "of-another-incident", "for-this-device"],
)
def test_one_power_operation_at_a_time_for_a_host_and_for_a_device(other: Attempt) -> None:
    assert refused(unfinished=(other,)) == (Reason.OPERATION_IN_FLIGHT,)


def test_an_operation_elsewhere_does_not_matter() -> None:
    other = attempt(incident_id="other", host_id="far", cluster_id="c2", bmc_identity="ipmi://far:623/")
    assert refused(unfinished=(other,)) == ()


def test_a_persons_test_stands_in_no_fences_way() -> None:
    test = attempt(incident_id=None, host_id="h1", action=PowerAction.TEST, automatic=False)
    assert refused(unfinished=(test,)) == ()


def test_the_own_unfinished_command_is_its_own_steps_business() -> None:
    assert refused(unfinished=(attempt(incident_id="i1"),)) == ()


@pytest.mark.parametrize("state", [State.VERIFYING, State.RELEASING])
def test_only_so_many_hosts_of_a_cluster_are_taken_down_at_once(state: State) -> None:
    busy = suspects(2, state=state)
    assert refused(incidents=busy) == (Reason.CONCURRENCY,)
    assert refused(under=policy(max_concurrent=2), incidents=busy) == ()


def test_an_intent_of_the_same_cluster_is_busy_too_and_no_host_counts_twice() -> None:
    other = attempt(incident_id="i2", host_id="h2", bmc_identity="ipmi://h2:623/")
    assert refused(unfinished=(other,)) == (Reason.CONCURRENCY,)
    both = suspects(2, state=State.VERIFYING)
    assert refused(under=policy(max_concurrent=2), unfinished=(other,), incidents=both) == ()


# -- the evidence at the moment of the intent -------------------------------------------------------------------------


def found_dead(**changes: Any) -> Incident:
    newest = NewestRound(number=5, at=at(60), verdict=Verdict.DEAD, reasons=())
    tally = Tally(dead=5, first_at=at(0), last_at=at(60))
    return incident(**{"state": State.FENCING, "newest": newest, "tally": tally, "opened_at": at(-30), **changes})


def objections(subject: Incident, *, seconds: float = 61, under: Policy | None = None) -> tuple[Reason, ...]:
    return evidence_refusals(subject, under or policy(), now=at(seconds))


def test_a_young_dead_round_with_no_life_since_is_enough() -> None:
    assert objections(found_dead()) == ()


def test_without_any_round_there_is_no_evidence() -> None:
    assert objections(found_dead(newest=None)) == (Reason.NOT_DEAD,)


@pytest.mark.parametrize("verdict", [Verdict.ALIVE, Verdict.INCONCLUSIVE])
def test_only_a_dead_newest_round_will_do(verdict: Verdict) -> None:
    newest = NewestRound(number=6, at=at(60), verdict=verdict, reasons=())
    assert objections(found_dead(newest=newest)) == (Reason.NOT_DEAD,)


def test_the_newest_round_is_younger_than_two_intervals_and_not_from_the_future() -> None:
    assert objections(found_dead(), seconds=89.9) == ()
    assert objections(found_dead(), seconds=90) == (Reason.EVIDENCE_STALE,)
    assert objections(found_dead(), seconds=59) == (Reason.EVIDENCE_STALE,)


def test_life_since_the_silence_began_refuses_whoever_saw_it() -> None:
    assert objections(found_dead(life_at=at(-1))) == ()
    assert objections(found_dead(life_at=at(0))) == (Reason.LIFE_SINCE,)
    assert objections(found_dead(life_at=at(60))) == (Reason.LIFE_SINCE,)
    uncounted = found_dead(tally=Tally())
    assert objections(replace(uncounted, life_at=at(-29))) == (Reason.LIFE_SINCE, Reason.EVIDENCE_STALE)
    assert objections(replace(uncounted, life_at=at(-31))) == (Reason.EVIDENCE_STALE,)


def test_a_count_that_was_taken_back_since_the_decision_refuses_the_first_command() -> None:
    begun_again = Tally(dead=1, first_at=at(60), last_at=at(60))
    assert objections(found_dead(tally=begun_again)) == (Reason.EVIDENCE_STALE,)
    too_quick = Tally(dead=5, first_at=at(1), last_at=at(60))
    assert objections(found_dead(tally=too_quick)) == (Reason.EVIDENCE_STALE,)
    sent = Command(count=1, last_at=at(0))
    assert objections(found_dead(tally=begun_again, command=sent)) == ()


def test_life_since_the_last_command_refuses_a_further_one() -> None:
    begun_again = Tally(dead=1, first_at=at(60), last_at=at(60))
    sent = found_dead(tally=begun_again, command=Command(count=1, last_at=at(0)))
    assert objections(replace(sent, life_at=at(30))) == (Reason.LIFE_SINCE,)
    assert objections(replace(sent, life_at=at(-10))) == ()


def test_a_further_command_needs_a_round_newer_than_the_last_command() -> None:
    sent_before = found_dead(command=Command(count=1, last_at=at(59)))
    assert objections(sent_before) == ()
    sent_after = found_dead(command=Command(count=1, last_at=at(60)))
    assert objections(sent_after) == (Reason.EVIDENCE_STALE,)


def test_the_incidents_commands_are_counted() -> None:
    assert objections(found_dead(command=Command(count=2))) == ()
    assert objections(found_dead(command=Command(count=3))) == (Reason.COMMAND_BUDGET,)


def test_all_objections_are_collected_and_each_is_said_once() -> None:
    newest = NewestRound(number=6, at=at(0), verdict=Verdict.ALIVE, reasons=())
    bad = found_dead(newest=newest, life_at=at(30), command=Command(count=3, last_at=at(10)))
    assert objections(bad) == (
        Reason.NOT_DEAD,
        Reason.EVIDENCE_STALE,
        Reason.LIFE_SINCE,
        Reason.COMMAND_BUDGET,
    )


def test_waiting_is_enough_only_if_it_is_for_every_refusal() -> None:
    assert waits([])
    assert waits(WAITS)
    assert not waits([*WAITS, Reason.CAP_REACHED])


# -- properties -------------------------------------------------------------------------------------------------------

seconds_ago = st.integers(-4000, 200)

attempts = st.builds(
    attempt,
    st.uuids().map(str),
    incident_id=st.sampled_from([None, "i1", "i2", "i3"]),
    host_id=st.sampled_from(["h1", "h2", "h3"]),
    cluster_id=st.sampled_from(["c1", "c2"]),
    bmc_identity=st.sampled_from([IDENTITY, "ipmi://other:623/"]),
    takes_slot=st.booleans(),
    intended_at=seconds_ago.map(at),
)

incidents = st.builds(
    incident,
    st.uuids().map(str),
    host_id=st.sampled_from([h.id for h in HOSTS]),
    opened_at=seconds_ago.map(at),
    state=st.sampled_from(State),
    closed_at=st.one_of(st.none(), seconds_ago.map(at)),
    sticky=st.sampled_from([frozenset(), frozenset({Reason.STORM})]),
).map(lambda i: i if i.closed_at is None else replace(i, closed_at=max(i.opened_at, i.closed_at)))
"""None is closed before it was opened."""

pauses = st.builds(
    pause,
    st.uuids().map(str),
    level=st.sampled_from(Level),
    owner_id=st.sampled_from(["", "c1", "c2", "h1", "h2"]),
    by=st.sampled_from(["ada", SYSTEM]),
    reason=st.sampled_from(["storage work", Reason.STARTUP_QUIET.value, Reason.CONTRADICTION.value]),
    until=st.one_of(st.none(), seconds_ago.map(at)),
)

any_facts = st.builds(
    cluster_facts,
    attempts=st.lists(attempts, max_size=6).map(tuple),
    unfinished=st.lists(attempts, max_size=2).map(tuple),
    incidents=st.lists(incidents, max_size=6).map(lambda found: (incident(), *found)),
    pauses=st.lists(pauses, max_size=2).map(tuple),
    cloud=st.sampled_from(CloudSays),
    isolated=st.booleans(),
)
any_policy = st.builds(
    policy,
    mode=st.sampled_from(Mode),
    max_actions=st.integers(0, 4),
    global_max_actions=st.integers(0, 4),
    max_concurrent=st.integers(1, 3),
)


def all_of(facts: ClusterFacts, under: Policy) -> set[Reason]:
    return set(refusals(incident(), facts, under, now=T0))


@given(any_facts, any_policy, attempts)
def test_an_attempt_more_never_removes_a_refusal(facts: ClusterFacts, under: Policy, more: Attempt) -> None:
    before = all_of(facts, under)
    assert before <= all_of(replace(facts, attempts=(*facts.attempts, more)), under)
    assert before <= all_of(replace(facts, unfinished=(*facts.unfinished, more)), under)


@given(any_facts, any_policy, incidents)
def test_an_incident_more_never_removes_a_refusal(facts: ClusterFacts, under: Policy, more: Incident) -> None:
    after = all_of(replace(facts, incidents=(*facts.incidents, more)), under)
    # A storm that rages here says more than that one raged nearby: it does not end by itself.
    shown = after | {Reason.STORM_COOLDOWN} if Reason.STORM in after else after
    assert all_of(facts, under) <= shown


@given(any_facts, any_policy, pauses)
def test_a_pause_more_never_removes_a_refusal(facts: ClusterFacts, under: Policy, more: Pause) -> None:
    assert all_of(facts, under) <= all_of(replace(facts, pauses=(*facts.pauses, more)), under)


@given(any_facts, any_policy, st.randoms(use_true_random=False))
def test_the_order_of_the_facts_never_matters(facts: ClusterFacts, under: Policy, chance: Any) -> None:
    def mixed(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(chance.sample(values, len(values)))

    shuffled = replace(
        facts,
        attempts=mixed(facts.attempts),
        unfinished=mixed(facts.unfinished),
        incidents=mixed(facts.incidents),
        pauses=mixed(facts.pauses),
    )
    assert all_of(shuffled, under) == all_of(facts, under)


@given(any_facts, any_policy, st.integers(-(10**7), 10**7))
def test_shifting_all_times_changes_no_refusal(facts: ClusterFacts, under: Policy, seconds: int) -> None:
    by = timedelta(seconds=seconds)

    def later(found: Attempt | IncidentBrief | Pause) -> Any:
        names = ("intended_at", "opened_at", "closed_at", "until", "created_at")
        times = {n: t + by for n in names if (t := getattr(found, n, None)) is not None}
        return replace(found, **times)

    shifted = replace(
        facts,
        attempts=tuple(later(a) for a in facts.attempts),
        unfinished=tuple(later(a) for a in facts.unfinished),
        incidents=tuple(later(i) for i in facts.incidents),
        pauses=tuple(later(p) for p in facts.pauses),
    )
    there = set(refusals(later(incident()), shifted, under, now=T0 + by))
    assert there == all_of(facts, under)


@given(st.lists(st.integers(0, 8000), max_size=30), st.integers(0, 4))
def test_no_sliding_window_ever_holds_more_power_downs_than_the_cap(wishes: list[int], cap: int) -> None:
    """Rule 5: act whenever the caps allow it, then look at every window."""
    under = policy(max_actions=cap, global_max_actions=99, max_unhealthy_percent=100)
    done: tuple[Attempt, ...] = ()
    for number, seconds in enumerate(sorted(wishes)):
        subject = incident(f"mine-{number}")
        if Reason.CAP_REACHED not in refused(subject, under=under, seconds=seconds, attempts=done):
            done = (*done, attempt(f"a{number}", incident_id=subject.id, intended_at=at(seconds)))
    for end in done:
        start = end.intended_at - under.action_window
        assert sum(1 for a in done if start < a.intended_at <= end.intended_at) <= cap


@given(any_facts, any_policy)
def test_what_does_not_matter_any_more_changes_no_refusal(facts: ClusterFacts, under: Policy) -> None:
    """So it need not be read."""
    subject, now = incident(), at(60)
    attempts_since = attempts_matter_since(under, now=now)
    closed_since = incidents_matter_since(subject, under, now=now)
    fewer = replace(
        facts,
        attempts=tuple(a for a in facts.attempts if a.intended_at > attempts_since),
        incidents=tuple(i for i in facts.incidents if i.open or i.closed_at is None or i.closed_at >= closed_since),
    )
    assert refusals(subject, fewer, under, now=now) == refusals(subject, facts, under, now=now)


def test_a_window_of_a_week_is_counted_whole() -> None:
    week = timedelta(days=7)
    assert attempts_matter_since(policy(action_window=week), now=at(0)) == at(-week.total_seconds())
    assert attempts_matter_since(policy(global_action_window=week), now=at(0)) == at(-week.total_seconds())
