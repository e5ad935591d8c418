"""Notifications, access and audit as their pages show them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.db.store_outbox import ChannelState
from controller.domain.channels.email import EmailChannel
from controller.domain.model import Delivery, DeliveryStatus, Role, Severity
from controller.domain.sign_in import User
from controller.services.channels import ChannelAtWork, ChannelTest
from controller.web.views import access, notifications
from controller.web.views.audit import audit_lines
from tests.fixtures import builders as a
from tests.fixtures.builders import T0, at

MAIL = EmailChannel(name="mail", kind="email", host="mx", sender="h@example.org", recipients=("a@example.org",))


def test_every_status_of_a_delivery_has_a_look_of_its_own() -> None:
    assert set(notifications.DELIVERIES) == set(DeliveryStatus)
    assert len(set(notifications.DELIVERIES.values()) | {notifications.FAILING}) == len(DeliveryStatus) + 1


@pytest.mark.parametrize(("error", "look"), [("", notifications.WAITING), ("451", notifications.FAILING)])
def test_what_waits_says_whether_it_failed_before_and_when_it_is_tried(error: str, look: object) -> None:
    notice = a.notice(severity=Severity.CRITICAL)
    [one] = notifications.told_line(notice, [replace(Delivery.of(notice, "mail"), last_error=error)]).deliveries
    assert (one.look, one.next_at, one.dead) == (look, notice.at, False)


def test_what_was_given_up_can_be_sent_again_and_is_not_due() -> None:
    notice = a.notice()
    dead = replace(Delivery.of(notice, "mail"), status=DeliveryStatus.DEAD)
    told = notifications.told_line(notice, [dead])
    assert told.resendable
    assert told.deliveries[0].next_at is None
    assert not notifications.told_line(notice, [replace(dead, status=DeliveryStatus.SENT)]).resendable


def test_channels_say_what_they_carry_and_which_are_gone() -> None:
    limited = replace(MAIL, min_severity=Severity.CRITICAL, events=("held",), clusters=("c1", "c9"))
    found = [
        ChannelAtWork(name="mail", settings=MAIL, state=ChannelState()),
        ChannelAtWork(name="mail", settings=limited, state=ChannelState(dead=2)),
        ChannelAtWork(name="old", settings=None, state=ChannelState(pending=1)),
    ]
    lines = notifications.channel_lines(found, {"c1": "rack-7"})
    assert [one.carries for one in lines] == [
        "everything",
        "critical and worse; only events held; only clusters rack-7, c9",
        "nothing new",
    ]
    assert [(one.gone, one.dead, one.pending) for one in lines] == [(False, 0, 0), (False, 2, 0), (True, 0, 1)]


@pytest.mark.parametrize(
    ("taken", "confirmed", "look"),
    [
        (True, True, notifications.ARRIVED),
        (True, False, notifications.LEFT),
        (False, False, notifications.FAILED),
    ],
)
def test_a_test_that_only_left_is_not_called_arrived(taken: bool, confirmed: bool, look: object) -> None:  # noqa: FBT001
    test = ChannelTest(
        notification_id="n1",
        channel="nms",
        kind="snmp",
        taken=taken,
        confirmed=confirmed,
        said="",
        took=timedelta(seconds=1.26),
    )
    answer = notifications.channel_answer(test)
    assert (answer.look, answer.took_s) == (look, 1.3)


def test_users_and_tokens_that_count_come_first_and_show_no_secret() -> None:
    user = User(id="u1", name="ada", role=Role.ADMIN, password="scrypt$x", created_at=T0, password_set_at=T0)
    users = access.user_lines([replace(user, id="u0", disabled_at=at(5)), user], me="u1")
    assert [(one.id, one.look, one.me) for one in users] == [
        ("u1", access.ENABLED, True),
        ("u0", access.DISABLED, False),
    ]
    tokens = access.token_lines([a.api_token("t0", revoked_at=at(5)), a.api_token("t1")], me=None)
    assert [(one.id, one.look, one.me) for one in tokens] == [
        ("t1", access.VALID, False),
        ("t0", access.REVOKED, False),
    ]
    assert "scrypt" not in repr(users)
    assert "digest" not in repr(tokens)
    assert set(access.ROLES) == set(Role)


def test_the_audit_says_what_fits_into_a_line_and_keeps_the_rest() -> None:
    data = {
        "names": ["a", "b"],
        "force": False,
        "count": 0,
        "empty": None,
        "none": [],
        "many": ["a long name of a host"] * 9,
        "nested": [{"x": 1}],
        "changes": {"port": 1},
        "said": "x" * 500,
    }
    row = a.audit_row(actor="hostfence", action="vms.replace_all", data=data)
    [line] = audit_lines([row])
    assert (line.actor, line.words) == ("", "vms: replace all")
    assert line.facts == (("names", "a, b"), ("force", "no"), ("count", "0"))
    assert all(f'"{name}"' in line.raw for name in ("many", "nested", "changes", "said"))
    assert '"force"' not in line.raw
    [short] = audit_lines([a.audit_row(data={})])
    assert (short.actor, short.raw) == ("ada", "")
