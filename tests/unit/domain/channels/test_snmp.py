"""The settings of an SNMP channel: what is refused, and in which words."""

from typing import Any

import pytest

from controller.domain.channels.base import ChannelError
from controller.domain.channels.kinds import KINDS, channel_to_json, keep_secrets, parse_channels, show_channel
from controller.domain.channels.snmp import BASE_OID, SnmpAuth, SnmpChannel, SnmpPrivacy, SnmpVersion

V2C: dict[str, Any] = {"name": "nms", "kind": "snmp", "host": "nms.example.org", "version": "2c", "community": "in"}
V3: dict[str, Any] = {
    "name": "nms",
    "kind": "snmp",
    "host": "nms.example.org",
    "version": "3",
    "username": "fencing",
    "auth_password": "authenticate",
    "privacy_password": "keep-secret",
}


def _saved(written: dict[str, Any], old: Any = None) -> SnmpChannel:
    [channel] = keep_secrets(parse_channels([written]), [written], old)
    assert isinstance(channel, SnmpChannel)
    return channel


def test_a_short_one_is_safe_by_default() -> None:
    channel = _saved(V3)
    assert (channel.version, channel.auth, channel.privacy) == (SnmpVersion.V3, SnmpAuth.SHA256, SnmpPrivacy.AES)
    assert (channel.port, channel.inform, channel.base_oid, channel.digest_after) == (162, True, BASE_OID, 0)
    assert parse_channels([channel_to_json(channel)]) == (channel,)


@pytest.mark.parametrize("written", [V2C, V3])
def test_secrets_are_not_shown_and_stay_when_left_out(written: dict[str, Any]) -> None:
    stored = channel_to_json(_saved(written))
    shown = str(show_channel(stored)) + repr(_saved(written))
    secrets = ("community", "auth_password", "privacy_password")
    for name in secrets:
        assert name not in written or repr(written[name]) not in shown
    without = {key: value for key, value in written.items() if key not in secrets}
    assert _saved({**without, "min_severity": "critical"}, [stored]).community == written.get("community", "")
    with pytest.raises(ChannelError, match="is missing"):
        _saved({**without, "host": "elsewhere.example.org"}, [stored])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": "1"}, "version must be one of 2c, 3"),
        ({"inform": "yes"}, "inform must be true or false"),
        ({"username": "x" * 33}, "at most 32 bytes"),
        ({"username": ""}, "username is missing"),
        ({"auth_password": "short"}, "at least 8 bytes"),
        ({"auth": "md5"}, "auth must be one of"),
        ({"privacy": "des"}, "privacy must be one of"),
        ({"auth": "none"}, "privacy needs auth"),
        ({"auth_password": ""}, "auth_password is missing"),
        ({"privacy_password": ""}, "privacy_password is missing"),
        ({"base_oid": "1.3.6.1.4.1.x"}, "base_oid must be numbers like"),
        ({"base_oid": "1.3.6.1.4.1.99999999999"}, "base_oid must be numbers like"),
        ({"base_oid": "1.3.6.1.4.1.4294967296"}, "base_oid must be numbers like"),
        ({"base_oid": "2.25.1"}, "base_oid must be numbers like"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ChannelError, match=problem):
        _saved({**V3, **change})


def test_version_2c_needs_a_community_alone() -> None:
    assert _saved(V2C).username == ""
    with pytest.raises(ChannelError, match="channel nms: community is missing"):
        _saved({key: value for key, value in V2C.items() if key != "community"})


def test_version_3_without_secrets_is_possible_where_it_is_said() -> None:
    bare = {key: value for key, value in V3.items() if not key.endswith("password")}
    assert _saved({**bare, "auth": "none", "privacy": "none"}).auth is SnmpAuth.NONE
    assert _saved({**bare, "privacy": "none", "auth_password": "authenticate"}).privacy is SnmpPrivacy.NONE


def test_an_own_place_is_taken_with_or_without_the_leading_dot() -> None:
    assert _saved({**V2C, "base_oid": ".1.3.6.1.4.1.54321.8440"}).base_oid == "1.3.6.1.4.1.54321.8440"


def test_only_informs_are_confirmed() -> None:
    inform, trap = _saved(V3), _saved({**V3, "inform": False})
    assert (KINDS["snmp"].confirms(inform), KINDS["snmp"].confirms(trap)) == (True, False)
    assert KINDS["snmp"].goes_to(inform) == "nms.example.org:162 (v3 inform)"
    assert KINDS["snmp"].goes_to(trap) == "nms.example.org:162 (v3 trap)"
