from typing import Any

import pytest

from controller.domain.channels import ChannelError, EmailChannel, Tls, channel_to_json, keep_passwords, parse_channels
from controller.domain.model import Severity

MAIL: dict[str, Any] = {
    "name": "on call",
    "kind": "email",
    "host": "mail.example.org",
    "sender": "hostfence@example.org",
    "recipients": ["a@example.org"],
}


def test_a_short_channel_gets_careful_defaults() -> None:
    [channel] = parse_channels([MAIL])
    assert channel == EmailChannel(
        name="on call", host="mail.example.org", sender="hostfence@example.org", recipients=("a@example.org",)
    )
    assert (channel.port, channel.tls, channel.min_severity) == (25, Tls.STARTTLS, Severity.INFO)
    assert parse_channels([channel_to_json(channel)]) == (channel,)


def test_the_password_is_in_no_repr() -> None:
    [channel] = parse_channels([{**MAIL, "password": "s3cret"}])
    assert "s3cret" not in repr(channel)
    assert channel_to_json(channel)["password"] == "s3cret"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"colour": "red"}, "colour is not known"),
        ({"kind": "pigeon"}, "kind must be"),
        ({"name": ""}, "name is missing"),
        ({"host": ""}, "host is missing"),
        ({"name": 3}, "name must be a text"),
        ({"username": "a\nb"}, "username must be a text"),
        ({"sender": "nobody"}, "sender must be a mail address"),
        ({"recipients": []}, "1 to 100"),
        ({"recipients": "a@example.org"}, "1 to 100"),
        ({"recipients": ["a b@example.org"]}, "recipient must be a mail address"),
        ({"port": True}, "port must be"),
        ({"port": 0}, "port must be"),
        ({"port": "25"}, "port must be"),
        ({"tls": "yes"}, "tls must be one of"),
        ({"min_severity": []}, "min_severity must be one of"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ChannelError, match=problem):
        parse_channels([{**MAIL, **change}])


def test_each_channel_has_its_own_name() -> None:
    with pytest.raises(ChannelError, match="two channels"):
        parse_channels([MAIL, MAIL])


def test_a_password_stays_while_the_rest_is_changed() -> None:
    old = [{**channel_to_json(parse_channels([MAIL])[0]), "password": "s3cret"}, "broken"]
    changed = [{**MAIL, "recipients": ["b@example.org"]}]
    assert keep_passwords(parse_channels(changed), changed, old)[0].password == "s3cret"
    cleared = [{**MAIL, "password": ""}]
    assert keep_passwords(parse_channels(cleared), cleared, old)[0].password == ""
    assert keep_passwords(parse_channels(changed), changed, None)[0].password == ""


def test_a_password_never_follows_to_another_server() -> None:
    old = [{**channel_to_json(parse_channels([MAIL])[0]), "password": "s3cret"}]
    moved = [{**MAIL, "host": "mail.elsewhere.example"}]
    assert keep_passwords(parse_channels(moved), moved, old)[0].password == ""
