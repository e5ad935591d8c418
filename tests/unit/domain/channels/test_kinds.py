from typing import Any

import pytest

from controller.domain.channels.base import COMMON, ChannelError
from controller.domain.channels.email import EmailChannel
from controller.domain.channels.events import ASKED_FOR, EVENTS, EventGroup, group_of
from controller.domain.channels.kinds import KINDS, channel_to_json, keep_secrets, parse_channels, show_channel
from controller.domain.channels.routes import channels_wanting, wants
from controller.domain.model import Severity
from controller.domain.notice_texts import NoticeKind
from tests.fixtures.notices import a_notice

MAIL: dict[str, Any] = {
    "name": "on call",
    "kind": "email",
    "host": "mail.example.org",
    "sender": "hostfence@example.org",
    "recipients": ["a@example.org"],
}
OPS = EmailChannel(name="ops", host="mail", sender="a@x.org", recipients=("b@x.org",))


def _channel(**changes: Any) -> EmailChannel:
    [channel] = parse_channels([{**MAIL, **changes}])
    assert isinstance(channel, EmailChannel)
    return channel


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_is_a_whole(kind: Any) -> None:
    own = set(kind.settings.__dataclass_fields__) - COMMON.keys() - {"kind"}
    assert own == kind.fields.keys()
    assert kind.settings.__dataclass_fields__["kind"].default == kind.name
    for name in kind.secrets:
        assert kind.settings.__dataclass_fields__[name].repr is False, f"{name} would stand in a repr"
    assert kind.help


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": ["email"]}, "kind must be one of"),
        ({"clusters": "c1"}, "clusters must be a list"),
        ({"clusters": [3]}, "clusters must be a text"),
        ({"events": ["held", "sunrise", "moonrise"]}, "there is no event sunrise, moonrise; use incident, readiness"),
    ],
)
def test_what_is_wrong_with_a_route_is_said(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ChannelError, match=problem):
        _channel(**change)


def test_what_is_no_channel_is_refused_and_shown_as_nothing() -> None:
    with pytest.raises(ChannelError, match="channel 2: write an object"):
        parse_channels([MAIL, 3])
    assert show_channel(3) == {}


def test_routes_are_read_written_and_shown() -> None:
    channel = _channel(clusters=["c-1", "c-1"], events=["readiness", "held"])
    assert (channel.clusters, channel.events) == (("c-1",), ("readiness", "held"))
    stored = channel_to_json(channel)
    assert (stored["clusters"], stored["events"]) == (["c-1"], ["readiness", "held"])
    assert parse_channels([stored]) == (channel,)
    assert show_channel(stored)["events"] == ["readiness", "held"]


def test_of_a_kind_that_another_version_wrote_no_secret_is_shown() -> None:
    stored = {"name": "pager", "kind": "pigeon", "min_severity": "info", "password": "p", "feather": "s3cret"}
    assert show_channel(stored) == {"name": "pager", "kind": "pigeon", "min_severity": "info", "password_set": True}


def test_a_secret_is_not_kept_for_a_channel_of_another_kind() -> None:
    old = [{**channel_to_json(_channel(password="s3cret")), "kind": "pigeon"}, {"name": 3}, 3]
    [kept] = keep_secrets([_channel()], [MAIL], old)
    assert kept == _channel()


@pytest.mark.parametrize(
    ("change", "notice", "wanted"),
    [
        ({}, {}, True),
        ({"min_severity": "warning"}, {"severity": Severity.INFO}, False),
        ({"min_severity": "warning"}, {"severity": Severity.CRITICAL}, True),
        ({"clusters": ["c-1"]}, {"cluster_id": "c-1"}, True),
        ({"clusters": ["c-2"]}, {"cluster_id": "c-1"}, False),
        ({"clusters": ["c-2"]}, {"cluster_id": None}, True),
        ({"events": ["held"]}, {"kind": "held"}, True),
        ({"events": ["incident"]}, {"kind": "held"}, True),
        ({"events": ["readiness", "cloud"]}, {"kind": "held"}, False),
        ({"events": ["readiness"]}, {"kind": "bmc_test_failed"}, True),
        ({"events": ["incident"]}, {"kind": "of_a_newer_version"}, True),
    ],
)
def test_a_channel_carries_what_its_route_says(change: dict[str, Any], notice: dict[str, Any], *, wanted: bool) -> None:
    assert wants(_channel(**change), a_notice(**notice)) is wanted


def test_the_channels_of_a_notice_are_named() -> None:
    boss = _channel(name="boss", min_severity="critical")
    assert channels_wanting(a_notice(severity=Severity.INFO), [OPS, boss]) == ("ops",)
    assert channels_wanting(a_notice(severity=Severity.CRITICAL), [OPS, boss]) == ("ops", "boss")


def test_every_kind_of_notice_can_be_named_and_has_a_group() -> None:
    assert {*EVENTS} == {*EventGroup, *NoticeKind} - ASKED_FOR
    assert len(EVENTS) == len(set(EVENTS)), "a group is called like a kind"
    assert {group_of(kind) for kind in NoticeKind} == set(EventGroup)
    assert group_of(NoticeKind.CLOUD_TROUBLE) is EventGroup.CLOUD
