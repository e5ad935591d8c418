"""Which services and which parts of their URLs are allowed; and that a URL, which holds keys, is never shown."""

from typing import Any

import pytest

from controller.domain.channels.apprise import PARAMETERS, SERVICES, AppriseChannel, unknown_parameters
from controller.domain.channels.base import ChannelError
from controller.domain.channels.kinds import KINDS, channel_to_json, keep_secrets, parse_channels, show_channel

KEY = "T0KENAAAA"
CHAT: dict[str, Any] = {"name": "chat", "kind": "apprise", "url": f"slack://{KEY}/BBBB/CCCC/#ops"}


def _channel(**change: Any) -> AppriseChannel:
    [channel] = parse_channels([{**CHAT, **change}])
    assert isinstance(channel, AppriseChannel)
    return channel


def test_the_whole_url_is_a_secret() -> None:
    channel = _channel()
    assert KEY not in repr(channel)
    shown = show_channel(channel_to_json(channel))
    assert (shown["url_set"], KEY in str(shown)) == (True, False)
    assert KINDS["apprise"].goes_to(channel) == "Slack"


def test_left_out_it_stays_and_a_new_channel_needs_one() -> None:
    stored, bare = [channel_to_json(_channel())], {"name": "chat", "kind": "apprise", "min_severity": "warning"}
    [kept] = keep_secrets(parse_channels([bare]), [bare], stored)
    assert isinstance(kept, AppriseChannel)
    assert kept.url == CHAT["url"]
    for written in (bare, {**bare, "url": ""}):
        with pytest.raises(ChannelError, match="channel chat: url is missing"):
            keep_secrets(parse_channels([written]), [written], [])


@pytest.mark.parametrize(
    "url",
    [
        "pagerduty://key@apikey?region=eu",
        "mmosts://chat.example.org/token",
        "gotify://127.0.0.1:9000/token",
        "ntfys://fencing-topic",
        "WORKFLOWS://prod.example.org:443/id/sig?ver=2016-06-01&api-version=2016-06-01",
        "zulip://bot@org/token/?to=ops;topic=fencing",
    ],
)
def test_allowed(url: str) -> None:
    assert _channel(url=url).url == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("dbus://", "must begin with one of discord://"),
        ("syslog://", "must begin with one of"),
        ("file:///etc/passwd", "must begin with one of"),
        ("json://10.0.0.1/", "must begin with one of"),
        ("mailto://u:p@example.org", "must begin with one of"),
        ("https://hooks.slack.com/services/a/b/c", "must begin with one of"),
        ("slack:/x", "must begin with one of"),
        ("slack://", "one URL without spaces, as Apprise writes it for Slack"),
        ("slack://a/b/c dbus://", "without spaces"),
        ("gotifys://host:port/x", "cannot be read: look at its host and port"),
        ("gotifys://[::1/x", "cannot be read"),
        ("slack://a/b/c?template=/etc/shadow", "only these may stand: action, alias"),
        ("slack://a/b/c/#ops?template=/etc/shadow", "only these may stand"),
        ("slack://a/b/c?to=x;TEMPLATE=/etc/shadow", "only these may stand"),
        ("slack://a/b/c?%74emplate=/etc/shadow", "only these may stand"),
        ("discord://a/b?avatar=no&attach=/etc/shadow", "only these may stand"),
        ("mmosts://chat.example.org/t?verify=no", "only these may stand"),
        ("mmosts://chat.example.org/t?redirect=yes", "only these may stand"),
        ("mmosts://chat.example.org/t?+X-Header=1", "only these may stand"),
        ("mmost://chat.example.org/token", "must begin with mmosts://"),
        ("mmosts://169.254.169.254/token", "link-local"),
        ("x" * 2000, "at most 1024"),
    ],
)
def test_what_is_not_is_said_without_the_url(url: str, problem: str) -> None:
    with pytest.raises(ChannelError, match=problem) as caught:
        _channel(url=url)
    assert "shadow" not in str(caught.value)
    assert "/token" not in str(caught.value)


def test_a_parameter_is_read_as_the_library_reads_it() -> None:
    assert unknown_parameters("slack://a?to=x&Mode=y; region =z&&=1") == []
    assert unknown_parameters("slack://a?to=x?template=y") == []
    assert unknown_parameters("slack://a?+to=x&:to=y&-to=z&wait=9") == ["+to", ":to", "-to", "wait"]


def test_nothing_that_names_a_file_or_waits_is_allowed() -> None:
    dangerous = {"template", "attach", "attachment", "keyfile", "key", "file_url", "pgp", "verify", "redirect"}
    assert not PARAMETERS & (dangerous | {"wait", "retry", "cto", "rto", "store", "overflow", "optional"})


def test_a_host_of_ones_own_is_known() -> None:
    assert _channel(url="mmosts://u:p@chat.example.org/t").own_host == "chat.example.org"
    assert _channel().own_host == ""
    assert {schema for schema, one in SERVICES.items() if one.plain} == {
        *("gotify", "matrix", "mmost", "nctalk", "ntfy", "rocket", "signal")
    }
