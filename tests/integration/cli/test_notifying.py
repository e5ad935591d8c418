"""Channels and notifications at a terminal: tests with the receiver's answer, what was lost, sending it again."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from controller.cli.errors import Exit
from tests.fixtures.mail_thread import MailThread
from tests.integration.cli.conftest import Cli, Site


@pytest.fixture(scope="module")
def mail() -> Iterator[MailThread]:
    with MailThread() as server:
        yield server


@pytest.fixture
def channel(site: Site, mail: MailThread) -> Iterator[dict[str, Any]]:
    made = {
        "name": "on call",
        "kind": "email",
        "host": "127.0.0.1",
        "port": mail.port,
        "tls": "none",
        "sender": "hostfence@example.org",
        "recipients": ["ann@example.org"],
    }
    site.call("PATCH", "/settings", {"channels": [made]})
    yield made
    site.call("PATCH", "/settings", {"channels": None})


def test_without_channels_it_says_that_nobody_is_told(cli: Cli) -> None:
    assert "nobody is told anything" in cli.done("channels")


def test_a_test_shows_the_servers_answer(cli: Cli, mail: MailThread, channel: dict[str, Any]) -> None:
    name = str(channel["name"])
    shown = cli.done("channels", "test", name)
    assert shown.startswith("on call: taken after ")
    assert mail.subjects() == ["[hostfence] TEST: this is a test, nothing has happened"]
    mail.answer("554 5.7.1 we know you not")
    ran = cli("channels", "test", name)
    assert ran.code == Exit.FAILED
    assert "NOT taken" in ran.out
    assert "554 5.7.1 we know you not" in ran.out
    assert "TEST FAILED: 554" in cli.done("notifications", "--status", "test_failed")
    assert "NOBODY GOT" not in cli.done("status")
    assert cli("channels", "test", "pager").code == Exit.NOT_FOUND


def test_what_was_lost_is_shown_and_sent_again(site: Site, cli: Cli, mail: MailThread, channel: dict[str, Any]) -> None:
    del channel
    mail.clear()
    mail.answer("550 5.1.1 not today")
    _, [host, _] = site.cluster()
    cli.done("fence", host, "--reason", "drill", "--yes-i-mean", host)
    cli.done("cancel", host, "--reason", "drill")
    _until(lambda: site.call("GET", "/channels")[0]["dead"] == 1)
    shown = cli.done("status")
    assert "Notifications that NOBODY GOT" in shown
    assert "on call: 1" in shown
    [dead] = site.call("GET", "/deliveries?status=dead")["items"]
    short = dead["notification"]["id"][:8]
    assert short in cli.done("notifications", "--status", "dead")
    assert "GIVEN UP: 550 5.1.1 not today" in cli.done("notifications", "show", short)
    assert cli.done("notifications", "resend", short) == "to be sent again: on call\n"
    _until(lambda: any(host in subject for subject in mail.subjects()))
    refused = cli("notifications", "resend", short)
    assert (refused.code, "only what was given up" in refused.err) == (Exit.FAILED, True)
    assert cli.done("channels", "resend", "on call") == "on call: 0 to be sent again\n"
    assert cli("notifications", "show", "c36dca04-nothing").code == Exit.NOT_FOUND
    assert cli("notifications", "show", "c36").code == Exit.USAGE


def _until(came: Any) -> None:
    for _ in range(200):
        if came():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen within 10 s")
