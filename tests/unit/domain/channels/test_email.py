from typing import Any

import pytest

from controller.domain.channels.base import ChannelError
from controller.domain.channels.email import EmailChannel, Tls
from controller.domain.channels.kinds import channel_to_json, keep_secrets, parse_channels, show_channel
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
        ({"sender": None}, "sender is missing"),
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
    assert _password_kept(changed, old) == "s3cret"
    assert _password_kept([{**MAIL, "password": ""}], old) == ""
    assert _password_kept(changed, None) == ""


def test_a_password_never_follows_to_another_server() -> None:
    old = [{**channel_to_json(parse_channels([MAIL])[0]), "password": "s3cret"}]
    assert _password_kept([{**MAIL, "host": "mail.elsewhere.example"}], old) == ""


def _password_kept(written: list[dict[str, Any]], old: Any) -> str:
    [kept] = keep_secrets(parse_channels(written), written, old)
    assert isinstance(kept, EmailChannel)
    return kept.password


def test_a_channel_stored_before_there_were_routes_is_as_it_was() -> None:
    stored = {
        "name": "on call",
        "kind": "email",
        "host": "mail.example.org",
        "sender": "hostfence@example.org",
        "recipients": ["a@example.org"],
        "port": 587,
        "tls": "starttls",
        "username": "u",
        "password": "s3cret",
        "min_severity": "warning",
    }
    [channel] = parse_channels([stored])
    assert channel_to_json(channel) == stored
    shown = show_channel(stored)
    assert shown.pop("password_set") is True
    assert shown == {key: value for key, value in stored.items() if key != "password"}
