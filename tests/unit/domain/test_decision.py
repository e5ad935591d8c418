from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.decision import Decision, Verb, action_after_fences, decide, is_back, wants_quarantine
from controller.domain.evidence import CloudSays, Judgement, Verdict
from controller.domain.incident import Incident, State
from controller.domain.policy import Action, Mode, Policy
from controller.domain.reasons import NEEDS_A_PERSON, WAITS, Reason
from controller.domain.tally import Tally
from tests.fixtures.builders import T0, at, incident
from tests.fixtures.evidence import disk_list, machines, policy

ENOUGH = Tally(dead=5, first_at=at(0), last_at=at(60))
TOO_SHORT = Tally(dead=2, first_at=at(45), last_at=at(60))


def judgement(verdict: Verdict = Verdict.DEAD, *reasons: Reason) -> Judgement:
    return Judgement(verdict=verdict, reasons=reasons, findings=(), memory={})


def checking(**changes: Any) -> Incident:
    return incident(state=State.CHECKING, **{"tally": ENOUGH, "machines": machines("web-1"), **changes})


def decided(
    subject: Incident | None = None,
    said: Judgement | None = None,
    *,
    under: Policy | None = None,
    back: tuple[Reason, ...] = (),
    refused: tuple[Reason, ...] = (),
    seconds: float = 60,
    **disks: Any,
) -> Decision:
    return decide(
        subject or checking(),
        said or judgement(),
        under or policy(),
        disks=disk_list(**disks),
        back=back,
        refused=refused,
        now=at(seconds),
    )


# -- back -------------------------------------------------------------------------------------------------------------


def test_the_hosts_own_agent_brings_it_back() -> None:
    said = judgement(Verdict.ALIVE, Reason.AGENT_ANSWERS)
    assert is_back(said, incident=checking(), cloud=CloudSays.NONE) == (Reason.AGENT_ANSWERS,)


def test_a_change_of_the_clouds_mind_brings_it_back_and_an_unchanged_up_does_not() -> None:
    seen_down = checking(cloud_seen_down=True)
    assert is_back(judgement(), incident=seen_down, cloud=CloudSays.UP) == (Reason.CLOUD_SAW_RETURN,)
    assert is_back(judgement(), incident=checking(), cloud=CloudSays.UP) == ()
    assert is_back(judgement(), incident=seen_down, cloud=CloudSays.NOT_UP) == ()


def test_a_heartbeat_or_disks_that_move_are_life_but_no_return() -> None:
    said = judgement(Verdict.ALIVE, Reason.HEARTBEAT_MOVES, Reason.DISKS_MOVE, Reason.AGENT_ONLY)
    assert is_back(said, incident=checking(), cloud=CloudSays.NONE) == ()


def test_a_host_that_is_back_recovers_whatever_else_is_known() -> None:
    found = decided(back=(Reason.AGENT_ANSWERS,), refused=(Reason.STORM,))
    assert found == Decision(verb=Verb.RECOVER, reasons=(Reason.AGENT_ANSWERS,))


# -- not dead, or not for long enough ---------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [Verdict.ALIVE, Verdict.INCONCLUSIVE])
def test_a_round_that_is_not_dead_watches_on_until_the_limit_and_then_holds_with_what_it_knows(
    verdict: Verdict,
) -> None:
    said = judgement(verdict, Reason.DISKS_MOVE)
    assert decided(said=said, seconds=599) == Decision(verb=Verb.GO_ON, reasons=(Reason.DISKS_MOVE,))
    assert decided(said=said, seconds=600) == Decision(verb=Verb.HOLD, reasons=(Reason.DISKS_MOVE,))


def test_dead_but_not_for_long_enough_goes_on() -> None:
    found = decided(checking(tally=TOO_SHORT))
    assert found == Decision(verb=Verb.GO_ON, reasons=(Reason.NOT_SILENT_LONG_ENOUGH,))


def test_dead_rounds_may_pass_the_limit_but_have_an_end_too() -> None:
    never_enough = checking(tally=TOO_SHORT)
    longest = 600 + 60 + 3 * 4 * 15
    assert decided(never_enough, seconds=601).verb is Verb.GO_ON
    assert decided(never_enough, seconds=longest - 1).verb is Verb.GO_ON
    assert decided(never_enough, seconds=longest).verb is Verb.HOLD


@pytest.mark.parametrize("sticky", sorted(NEEDS_A_PERSON))
def test_what_needs_a_person_holds_at_once_and_says_what_is_known(sticky: Reason) -> None:
    found = decided(said=judgement(Verdict.INCONCLUSIVE, Reason.KERNEL_ANSWERS), refused=(sticky, Reason.PAUSED))
    assert found == Decision(verb=Verb.HOLD, reasons=(sticky, Reason.KERNEL_ANSWERS))


# -- dead -------------------------------------------------------------------------------------------------------------


def test_dead_long_enough_and_unrefused_is_fenced() -> None:
    assert decided() == Decision(verb=Verb.FENCE, reasons=(Reason.HOST_DEAD,), action=Action.OFF)
    assert decided(under=policy(action=Action.REBOOT)).action is Action.REBOOT


def test_nothing_to_release_is_only_told() -> None:
    found = decided(checking(machines=()), machines=())
    assert found == Decision(verb=Verb.NOTIFY, reasons=(Reason.HOST_DEAD, Reason.NOTHING_TO_RELEASE))


def test_a_list_that_could_not_be_read_is_not_nothing_to_release() -> None:
    assert decided(checking(machines=()), machines=(), known=False).verb is Verb.FENCE


def test_machines_the_cloud_forgot_since_the_suspicion_are_still_something_to_release() -> None:
    assert decided(checking(machines=machines("web-1")), machines=()).verb is Verb.FENCE


def test_action_none_is_only_told() -> None:
    found = decided(under=policy(action=Action.NONE))
    assert found == Decision(verb=Verb.NOTIFY, reasons=(Reason.HOST_DEAD, Reason.ACTION_NONE))


def test_blink_is_told_and_lit_if_armed() -> None:
    found = decided(under=policy(action=Action.BLINK))
    assert found == Decision(verb=Verb.NOTIFY, reasons=(Reason.HOST_DEAD, Reason.ACTION_BLINK), action=Action.BLINK)


def test_in_observe_mode_not_even_the_light_is_lit() -> None:
    found = decided(under=policy(action=Action.BLINK, mode=Mode.OBSERVE))
    assert found == Decision(verb=Verb.NOTIFY, reasons=(Reason.HOST_DEAD, Reason.OBSERVE_MODE))


def test_observe_mode_tells_that_it_would_have_fenced_and_what_else_would_have_stopped_it() -> None:
    found = decided(refused=(Reason.OBSERVE_MODE, Reason.CAP_REACHED))
    assert found == Decision(verb=Verb.NOTIFY, reasons=(Reason.HOST_DEAD, Reason.OBSERVE_MODE, Reason.CAP_REACHED))


def test_a_refusal_that_time_cures_is_waited_for_within_the_limit() -> None:
    refused = (Reason.CONCURRENCY, Reason.STARTUP_QUIET)
    assert decided(refused=refused, seconds=599) == Decision(verb=Verb.GO_ON, reasons=refused)
    assert decided(refused=refused, seconds=600) == Decision(verb=Verb.HOLD, reasons=refused)


def test_any_other_refusal_holds_at_once_and_all_are_shown() -> None:
    refused = (Reason.CONCURRENCY, Reason.CAP_REACHED)
    assert decided(refused=refused) == Decision(verb=Verb.HOLD, reasons=refused)


# -- quarantine -------------------------------------------------------------------------------------------------------


def quarantine(
    *refused: Reason, dead: bool = True, subject: Incident | None = None, under: Policy | None = None
) -> bool:
    return wants_quarantine(subject or checking(), under or policy(), refused, now_dead=dead)


def test_quarantine_starts_at_the_first_dead_round_of_an_armed_host() -> None:
    assert quarantine()
    assert not quarantine(dead=False)
    assert not quarantine(subject=checking(quarantined=True))
    assert not quarantine(under=policy(mode=Mode.OBSERVE))
    assert not quarantine(under=policy(action=Action.BLINK))


@pytest.mark.parametrize("reason", sorted(Reason))
def test_quarantine_never_stands_where_a_refusal_does_that_time_cannot_cure(reason: Reason) -> None:
    assert quarantine(reason) == (reason in WAITS)


# -- the third fence --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "before", "then"),
    [
        (Action.REBOOT, 0, Action.REBOOT),
        (Action.REBOOT, 1, Action.REBOOT),
        (Action.REBOOT, 2, Action.OFF),
        (Action.OFF, 0, Action.OFF),
        (Action.OFF, 2, Action.OFF),
    ],
)
def test_the_third_fence_within_a_day_leaves_the_host_off(action: Action, before: int, then: Action) -> None:
    assert action_after_fences(action, before) is then


# -- properties -------------------------------------------------------------------------------------------------------

any_judgement = st.builds(
    lambda verdict, reasons: judgement(verdict, *reasons),
    st.sampled_from(Verdict),
    st.lists(st.sampled_from(Reason), max_size=3),
)
any_refusals = st.lists(st.sampled_from(Reason), unique=True, max_size=3).map(tuple)
any_tally = st.sampled_from([ENOUGH, TOO_SHORT, Tally()])
any_policy = st.builds(policy, mode=st.sampled_from(Mode), action=st.sampled_from(Action))


any_back = st.sampled_from([(), (Reason.AGENT_ANSWERS,), (Reason.CLOUD_SAW_RETURN,)])


@given(any_judgement, any_refusals, any_tally, any_policy, st.integers(0, 2000), any_back)
def test_nothing_is_fenced_that_is_not_dead_long_enough_or_is_refused_or_is_back(
    said: Judgement, refused: tuple[Reason, ...], tally: Tally, under: Policy, seconds: int, back: tuple[Reason, ...]
) -> None:
    found = decided(checking(tally=tally), said, under=under, refused=refused, seconds=seconds, back=back)
    if found.verb is Verb.FENCE:
        assert said.verdict is Verdict.DEAD
        assert tally is ENOUGH
        assert (refused, back) == ((), ())
        assert under.action.takes_down
        assert found.action is under.action


@given(any_judgement, any_refusals, any_tally, any_policy, st.integers(0, 2000))
def test_a_command_is_ordered_by_nothing_but_fence_and_an_armed_blink(
    said: Judgement, refused: tuple[Reason, ...], tally: Tally, under: Policy, seconds: int
) -> None:
    found = decided(checking(tally=tally), said, under=under, refused=refused, seconds=seconds)
    if found.action is not None and found.verb is not Verb.FENCE:
        assert found.action is Action.BLINK
        assert under.mode is Mode.ENFORCE


@given(any_judgement, any_refusals, any_tally, any_policy, st.integers(0, 2000), st.integers(-(10**7), 10**7))
def test_shifting_all_times_changes_no_decision(
    said: Judgement, refused: tuple[Reason, ...], tally: Tally, under: Policy, seconds: int, shift: int
) -> None:
    by = timedelta(seconds=shift)
    moved = Tally(
        dead=tally.dead,
        first_at=tally.first_at and tally.first_at + by,
        last_at=tally.last_at and tally.last_at + by,
    )
    here = decided(checking(tally=tally), said, under=under, refused=refused, seconds=seconds)
    later = checking(tally=moved, entered_at=T0 + by)
    there = decided(later, said, under=under, refused=refused, seconds=seconds + shift)
    assert here == there
