from datetime import timedelta

import pytest

from controller.domain.holds import (
    hold_next,
    hold_severity,
    hold_stop,
    hold_what,
    long_ago,
    next_reminder_at,
    reminder_due,
    reminders_by,
)
from controller.domain.model import Severity
from controller.domain.reasons import Reason
from tests.fakes.clock import START
from tests.fixtures.notices import after_a_command, an_incident


def test_an_ordinary_hold_warns_and_goes_on_by_itself() -> None:
    held = an_incident()
    assert hold_severity(held, [Reason.CLOUD_UNREACHABLE]) is Severity.WARNING
    assert "it acts by itself" in hold_next(held, [Reason.CLOUD_UNREACHABLE])
    assert "leaves the host alone" in hold_what(held)
    assert "Cancel ends the incident" in hold_stop(held)


@pytest.mark.parametrize("reason", [Reason.STORM, Reason.CONTRADICTION, Reason.OFF_NOT_PROVEN])
def test_where_only_a_person_can_go_on_it_is_critical(reason: Reason) -> None:
    assert hold_severity(an_incident(), [reason]) is Severity.CRITICAL


def test_a_sticky_reason_counts_although_it_does_not_stand_any_more() -> None:
    held = an_incident(sticky=frozenset({Reason.STORM}))
    assert hold_severity(held, [Reason.PAUSED]) is Severity.CRITICAL
    assert "a person decides" in hold_next(held, [Reason.PAUSED])


def test_after_a_command_it_is_critical_and_promises_no_action() -> None:
    held = after_a_command()
    assert hold_severity(held, [Reason.CLOUD_UNREACHABLE]) is Severity.CRITICAL
    assert "acts by itself" not in hold_next(held, [])
    assert "sends nothing" in hold_next(held, [])
    assert "the host may be off" in hold_what(held)
    assert "too late to cancel" in hold_stop(held)


def test_a_quarantine_is_told_because_machines_stay_down() -> None:
    assert "will not restart these machines" in hold_next(an_incident(quarantined=True), [])
    assert "quarantined" not in hold_next(an_incident(), [])


def test_a_wrong_bmc_stops_all_fencing() -> None:
    assert "All fencing, in every cluster" in hold_next(after_a_command(), [Reason.OTHER_HOST_VANISHED])


def test_reminders_come_after_15_minutes_1_hour_4_hours_and_daily() -> None:
    due = [next_reminder_at(START, number) - START for number in range(6)]
    assert due == [
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(hours=4),
        timedelta(days=1),
        timedelta(days=2),
        timedelta(days=3),
    ]


def test_a_reminder_is_due_at_its_time_and_not_before() -> None:
    assert not reminder_due(START, 0, START + timedelta(minutes=14, seconds=59))
    assert reminder_due(START, 0, START + timedelta(minutes=15))
    assert not reminder_due(START, 1, START + timedelta(minutes=15))


def test_reminders_missed_while_nobody_ran_are_told_as_one() -> None:
    later = START + timedelta(days=2, hours=1)
    told = reminders_by(START, later)
    assert told == 5
    assert not reminder_due(START, told, later)
    assert reminders_by(START, START) == 0


def test_a_clock_that_stepped_back_reminds_of_nothing() -> None:
    assert reminders_by(START, START - timedelta(days=3)) == 0


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(seconds=-5), "0 minutes"),
    ],
)
def test_durations_read_as_people_say_them(span: timedelta, words: str) -> None:
    assert long_ago(span) == words
