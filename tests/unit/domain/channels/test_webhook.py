"""The settings of a webhook: what is refused, and in which words."""

import base64
from typing import Any

import pytest

from controller.domain.channels.base import ChannelError
from controller.domain.channels.kinds import channel_to_json, keep_secrets, parse_channels, show_channel
from controller.domain.channels.webhook import WebhookChannel, refused_for_webhook, signing_key

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
HOOK: dict[str, Any] = {"name": "ops", "kind": "webhook", "url": "https://hooks.example.org/x", "secret": SECRET}


def test_a_short_one_is_enough_and_shows_no_secret() -> None:
    [channel] = parse_channels([HOOK])
    assert channel == WebhookChannel(name="ops", url="https://hooks.example.org/x", secret=SECRET)
    assert SECRET not in repr(channel)
    assert SECRET not in str(show_channel(channel_to_json(channel)))
    assert parse_channels([channel_to_json(channel)]) == (channel,)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/", "http://localhost/", "https://10.0.0.5/", "https://[::1]/x"])
def test_addresses_that_may_be_posted_to(url: str) -> None:
    assert parse_channels([{**HOOK, "url": url, "ca": PEM, "token": "abc"}])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"url": "hooks.example.org"}, "must be an address like"),
        ({"url": "ftp://hooks.example.org"}, "must be an address like"),
        ({"url": "https://a b/"}, "must be an address like"),
        ({"url": "https://x:99999/"}, "must be an address like"),
        ({"url": "http://hooks.example.org/"}, "must begin with https://"),
        ({"url": "https://me:pw@hooks.example.org/"}, "must hold no user and password"),
        ({"url": "https://169.254.169.254/"}, "link-local"),
        ({"secret": "short"}, "at least 16 bytes"),
        ({"secret": "whsec_%%%"}, "must be base64"),
        ({"token": "a b"}, "ASCII without spaces"),
        ({"token": "ü"}, "ASCII without spaces"),
        ({"ca": "no certificate"}, "write certificates in PEM"),
        ({"ca": "-----BEGIN PRIVATE KEY-----"}, "leave out the private key"),
        ({"ca": 3}, "write certificates in PEM"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ChannelError, match=problem) as caught:
        parse_channels([{**HOOK, **change}])
    assert "me:pw" not in str(caught.value)


def test_a_new_one_without_a_secret_is_refused() -> None:
    bare = {key: value for key, value in HOOK.items() if key != "secret"}
    with pytest.raises(ChannelError, match="secret is missing"):
        keep_secrets(parse_channels([bare]), [bare], None)


def test_what_signs() -> None:
    assert signing_key(SECRET) == b"0123456789abcdef"
    assert signing_key("as it is") == b"as it is"


@pytest.mark.parametrize("host", ["169.254.1.1", "fe80::1", "::ffff:169.254.169.254", "0.0.0.0", "224.0.0.1"])  # noqa: S104
def test_addresses_that_are_refused(host: str) -> None:
    assert refused_for_webhook(host)


@pytest.mark.parametrize("host", ["hooks.example.org", "10.0.0.1", "::1"])
def test_addresses_that_are_not(host: str) -> None:
    assert not refused_for_webhook(host)


def test_alerts_of_cloudstack_need_nothing_but_a_name() -> None:
    [channel] = parse_channels([{"name": "cs", "kind": "cloudstack", "min_severity": "warning"}])
    assert (channel.kind, channel.min_severity) == ("cloudstack", "warning")
    with pytest.raises(ChannelError, match="url is not known"):
        parse_channels([{"name": "cs", "kind": "cloudstack", "url": "x"}])
