"""What may be concluded from one poll after another."""

import pytest

from controller.cloud.cloudstack.polls import AT_ONCE_FOR_S, RESTARTED_FOR_S, Polls, follow, said
from controller.domain.cloud import CloudHost


def hosts(*up: bool) -> tuple[CloudHost, ...]:
    return tuple(CloudHost(id=f"h{n}", cluster_id="c", name=f"h{n}", address="", up=u) for n, u in enumerate(up))


def after(*polls: tuple[tuple[bool, ...], str, float]) -> Polls:
    """(who is up, when the server started, when) for each poll."""
    memory = Polls()
    for up, started, at in polls:
        memory = follow(memory, hosts(*up), {"ms": started} if started else {}, at=at)
    return memory


@pytest.mark.parametrize(
    ("before", "now", "everybody"),
    [
        ((True, True, True), (False, True, True), False),
        ((True, True, True, True), (False, False, True, True), False),
        ((True, True, True), (False, False, True), True),
        ((True, True), (False, True), False),
        ((True, True), (False, False), True),
        ((True,), (False,), False),
        ((True, False, False), (False, False, False), False),
        ((False, False), (False, False), False),
    ],
)
def test_more_than_half_of_those_up_and_two_at_least_are_everybody(
    before: tuple[bool, ...], now: tuple[bool, ...], *, everybody: bool
) -> None:
    memory = after((before, "", 0), (now, "", 10))
    assert bool(memory.trouble) is everybody
    assert said(memory, hosts(*now)).known is not everybody


def test_the_first_poll_has_nothing_to_compare_with() -> None:
    assert not after(((False, False, False), "then", 0)).trouble


def test_it_is_over_when_everybody_is_back() -> None:
    gone = after(((True, True), "", 0), ((False, False), "", 10), ((True, False), "", 20))
    assert gone.trouble
    assert not follow(gone, hosts(True, True), {}, at=30).trouble


def test_who_was_up_before_the_trouble_is_who_is_missed_after_it() -> None:
    over = after(
        ((True, True, True), "", 0), ((False, False, False), "", 10), ((False, True, True), "", 10 + AT_ONCE_FOR_S)
    )
    assert not over.trouble
    assert over.up == {"h0": False, "h1": True, "h2": True}


def test_hosts_that_stay_away_are_believed_dead_in_the_end() -> None:
    gone = after(((True, True), "", 0), ((False, False), "", 10), ((False, False), "", 9 + AT_ONCE_FOR_S))
    assert gone.trouble
    assert not follow(gone, hosts(False, False), {}, at=10 + AT_ONCE_FOR_S).trouble


def test_a_restart_is_trouble_even_of_one_host_and_while_it_is_missed() -> None:
    restarted = after(((True, True, True), "09:00", 0), ((False, True, True), "12:00", 10))
    assert "ms" in restarted.trouble
    assert follow(restarted, hosts(False, True, True), {"ms": "12:00"}, at=9 + RESTARTED_FOR_S).trouble
    assert not follow(restarted, hosts(False, True, True), {"ms": "12:00"}, at=10 + RESTARTED_FOR_S).trouble


def test_a_server_seen_for_the_first_time_was_not_restarted() -> None:
    assert not after(((True, True), "", 0), ((True, True), "12:00", 10)).trouble


def test_a_server_that_was_not_listed_for_once_is_remembered() -> None:
    assert after(((True, True), "09:00", 0), ((True, True), "", 10), ((True, True), "12:00", 20)).trouble
