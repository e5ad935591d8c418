from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from controller.domain.policy import Policy
from controller.domain.timeline import Stage, look_s, rounds, timeline


def seconds(**changes: float) -> Policy:
    durations: dict[str, Any] = {name: timedelta(seconds=value) for name, value in changes.items()}
    return Policy(**durations)


def test_stages_follow_each_other() -> None:
    steps = timeline(Policy()).steps
    assert [step.stage for step in steps] == list(Stage)
    for before, after in pairwise(steps):
        assert before.soonest_s <= after.soonest_s
        assert before.latest_s <= after.latest_s
    assert all(step.soonest_s <= step.latest_s and step.text.endswith(".") and step.settings for step in steps)


@pytest.mark.parametrize(
    ("changes", "later"),
    [
        ({"watch_timeout": 120}, 100),
        ({"grace": 100}, 85),
        ({"min_silence": 600}, 540),
        ({"vanish_window": 300}, 0),
    ],
)
def test_what_waits_longer_is_off_later(changes: dict[str, float], later: float) -> None:
    more = timeline(seconds(**changes)).off_s - timeline(Policy()).off_s
    assert more == pytest.approx(later, abs=25)


def test_a_wait_after_the_proof_delays_the_release_alone() -> None:
    usual, longer = timeline(Policy()), timeline(seconds(vanish_window=300))
    assert longer.off_s == usual.off_s
    assert longer.release_s > usual.release_s + 250


@pytest.mark.parametrize(
    ("changes", "needed"),
    [({}, 5), ({"additional_checks": 0}, 5), ({"additional_checks": 9}, 10), ({"min_silence": timedelta(61)}, 0)],
)
def test_rounds_are_as_many_as_number_and_silence_ask_for(changes: dict[str, Any], needed: int) -> None:
    policy = Policy(**changes)
    if needed:
        assert rounds(policy) == needed
    assert (rounds(policy) - 1) * policy.check_interval >= policy.min_silence


def test_a_look_takes_a_part_of_the_interval_and_six_seconds_at_most() -> None:
    assert look_s(seconds(check_interval=5)) == pytest.approx(3.0)
    assert look_s(seconds(check_interval=60)) == pytest.approx(6.0)


def test_the_lead_on_the_clouds_own_restart() -> None:
    assert timeline(Policy()).margin_s is None
    ahead = timeline(Policy(), cloud_restarts_after_s=90.0, asks_cloud=True)
    assert ahead.margin_s == pytest.approx(90.0 - ahead.at(Stage.FIRST_DEAD_ROUND).latest_s - 1.0)


def test_no_command_before_the_cloud_has_noticed() -> None:
    alone, asked = timeline(Policy()), timeline(Policy(), cloud_restarts_after_s=600.0, asks_cloud=True)
    assert asked.at(Stage.DECIDED).latest_s >= 600.0 > alone.at(Stage.DECIDED).latest_s
    assert asked.at(Stage.FIRST_DEAD_ROUND) == alone.at(Stage.FIRST_DEAD_ROUND)
    assert "within 600 s" in asked.at(Stage.DECIDED).text
    unknown = timeline(Policy(), asks_cloud=True)
    assert unknown.off_s == alone.off_s
    assert "waits for it" in unknown.at(Stage.DECIDED).text
