"""When notices are told together: every one of them once, none late, and never thousands of messages."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain import digest as module
from controller.domain.digest import GATHER, MOST, WINDOW, Message, counted, digest, groups, in_short, sort
from controller.domain.model import Notice, Severity
from controller.domain.reasons import Reason
from tests.fakes.clock import START
from tests.fixtures.notices import a_notice

KINDS = ("opened", "held", "fencing", "fenced", "recovered")


def _notices(count: int, *, at: datetime = START, prefix: str = "kvm") -> list[Notice]:
    return [
        replace(a_notice(number), host_name=f"{prefix}-{number}", at=at + timedelta(milliseconds=number))
        for number in range(count)
    ]


def _sort(
    fresh: list[Notice], *, messages: int = 0, digest_ago: timedelta | None = None, after: int = 20, room: int = 0
) -> module.Sorted:
    """``messages``: of some minutes ago."""
    told = [Message(START - 5 * GATHER)] * messages
    if digest_ago is not None:
        told.append(Message(START - digest_ago, is_digest=True))
    return sort(fresh, told=told, after=after, room=room, now=START)


def test_a_few_go_on_their_own() -> None:
    few = _notices(6)
    assert _sort(few).singly == tuple(few)
    assert _sort(few, messages=14).singly == tuple(few)


def test_too_many_at_once_are_one_message() -> None:
    many = _notices(7)
    assert _sort(many) == module.Sorted(digests=(tuple(many),)), "a third of twenty is what may come in a minute"


def test_what_went_before_counts() -> None:
    assert _sort(_notices(2), messages=19).digests == (tuple(_notices(2)),)
    told = [Message(START - timedelta(seconds=59))] * 5
    assert sort(_notices(2), told=told, after=20, room=0, now=START).digests
    assert not sort(_notices(2), told=told, after=20, room=0, now=START + timedelta(seconds=1)).digests


def test_without_a_limit_each_goes_on_its_own() -> None:
    assert _sort(_notices(400), messages=10_000, after=0).singly == tuple(_notices(400))


@pytest.mark.parametrize(
    ("ago", "waits"), [(timedelta(0), True), (GATHER - timedelta(seconds=1), True), (GATHER, False)]
)
def test_a_digest_a_minute_at_most(ago: timedelta, *, waits: bool) -> None:
    found = _sort(_notices(9), digest_ago=ago)
    assert bool(found.waiting) is waits
    assert found.wait_until == (START - ago + GATHER if waits else None)
    assert len(found.digests) == (0 if waits else 1)


def test_one_alone_waits_a_minute_for_company_and_then_is_no_digest() -> None:
    told = [Message(START - timedelta(seconds=5))] * 20
    found = sort(_notices(1), told=told, after=20, room=0, now=START)
    assert found.wait_until == START + timedelta(seconds=55)
    later = sort(_notices(1), told=told, after=20, room=0, now=START + timedelta(seconds=55))
    assert later.singly == tuple(_notices(1))


def test_nothing_is_nothing() -> None:
    assert _sort([], messages=99) == module.Sorted()


def test_a_digest_has_an_end() -> None:
    found = _sort(_notices(2 * MOST + 1))
    assert [len(part) for part in found.digests] == [MOST, MOST]
    assert len(found.singly) == 1


@pytest.mark.parametrize("room", [30, 60, 200])
def test_names_fit_into_the_room_of_a_message(room: int) -> None:
    found = _sort(_notices(40), room=room)
    assert len(found.digests) > 1 or found.singly
    assert all(len(in_short(groups(part))) <= room for part in found.digests)


def test_the_message_names_every_host_under_what_was_decided_of_it() -> None:
    fenced = replace(a_notice(7, kind="fenced", severity=Severity.INFO, why=()), host_name="other", cluster_id="c-2")
    members = [*_notices(2), fenced, replace(_notices(1)[0], id="again")]
    told = digest(members, channel="mail", at=START)
    assert "CRITICAL held, storm: kvm-0, kvm-1 | INFO fenced: other." in told.what
    assert told.what.startswith("4 decisions in one message")
    assert (told.host_name, told.severity, told.cluster_id) == ("3 hosts", Severity.CRITICAL, None)
    assert counted(groups(members)) == "2 held, storm | 1 fenced"


def test_it_is_about_the_cluster_that_all_are_about() -> None:
    assert digest(_notices(2), channel="mail", at=START).cluster_id == "c-1"


def test_its_reasons_are_those_of_all_the_most_frequent_first() -> None:
    members = [
        a_notice(1, why=(Reason.PAUSED,)),
        a_notice(2, why=(Reason.PAUSED, Reason.STORM)),
        a_notice(3, why=(Reason.STORM, Reason.CAP_REACHED)),
        a_notice(4, why=(Reason.STORM,)),
    ]
    back = [a_notice(number, severity=Severity.INFO, why=(Reason.AGENT_ANSWERS,)) for number in range(9)]
    assert digest([*members, *back], channel="mail", at=START).why == (
        Reason.STORM,
        Reason.PAUSED,
        Reason.CAP_REACHED,
    )
    assert digest(back, channel="mail", at=START).why == (Reason.AGENT_ANSWERS,)


def test_the_same_digest_has_the_same_identity_and_no_other_has() -> None:
    members = _notices(3)
    first = digest(members, channel="mail", at=START)
    assert digest(members, channel="mail", at=START) == first
    others = [
        digest(members[:2], channel="mail", at=START),
        digest(members, channel="pager", at=START),
        digest(members, channel="mail", at=START + GATHER),
    ]
    assert len({one.key for one in (first, *others)}) == len({one.id for one in (first, *others)}) == 4


@given(
    hosts=st.lists(st.text("ab-1", min_size=1, max_size=12), max_size=60),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    messages=st.integers(0, 30),
    after=st.integers(0, 20),
    room=st.sampled_from([0, 40, 120, 700]),
    digest_ago=st.none() | st.integers(0, 120),
)
def test_every_notice_stands_in_one_place_and_none_waits_long(
    hosts: list[str], kinds: list[str], messages: int, after: int, room: int, digest_ago: int | None
) -> None:
    fresh = [
        replace(a_notice(number), host_name=host, kind=kinds[number % len(kinds)]) for number, host in enumerate(hosts)
    ]
    ago = None if digest_ago is None else timedelta(seconds=digest_ago)
    found = _sort(fresh, messages=messages, after=after, room=room, digest_ago=ago)
    placed = [*found.singly, *(one for part in found.digests for one in part), *found.waiting]
    assert sorted(one.id for one in placed) == sorted(one.id for one in fresh)
    for part in found.digests:
        told = digest(part, channel="mail", at=START)
        assert all(one.host_name in told.what for one in part)
        assert not room or len(in_short(groups(part))) <= room
    if found.waiting:
        assert not found.singly
        assert not found.digests
        assert found.wait_until is not None
        assert START < found.wait_until <= START + GATHER


@settings(max_examples=40)
@given(
    arrivals=st.lists(st.tuples(st.integers(0, 3600), st.integers(1, 200)), max_size=40)
    | st.lists(st.tuples(st.integers(0, 900), st.just(1)), max_size=400)
)
def test_however_notices_come_the_messages_stay_few(arrivals: list[tuple[int, int]]) -> None:
    """An hour, looked at whenever something came up or is due; every notice is told within a minute."""
    after = 20
    sent: list[Message] = []
    waiting: list[Notice] = []
    moments = sorted({START + timedelta(seconds=second) for second, _ in arrivals})
    while moments:
        now = moments.pop(0)
        new = sum(count for second, count in arrivals if START + timedelta(seconds=second) == now)
        waiting += [replace(a_notice(0), id=f"{now}-{number}", at=now) for number in range(new)]
        told = [one for one in sent if one.at > now - WINDOW]
        found = sort(waiting, told=told, after=after, room=0, now=now)
        sent += [Message(now)] * len(found.singly) + [Message(now, is_digest=True)] * len(found.digests)
        if found.wait_until is not None:
            moments = sorted({*moments, found.wait_until})
        else:
            assert all(now - one.at <= GATHER for one in waiting)
            waiting = []
    assert not waiting
    # a minute's worth is one message, or a few where it has more than fits into one
    most_at_once = 1 + sum(count for _, count in arrivals) // MOST
    for first in sent:
        within = [one for one in sent if first.at <= one.at < first.at + WINDOW]
        assert len(within) <= after + 2 * (WINDOW / GATHER + 1) * most_at_once
        suddenly = [one for one in within if one.at < first.at + GATHER]
        assert len(suddenly) <= after // module.SUDDEN + 2 * most_at_once
