"""Whole mails as people get them, kept beside this file and read by a person when they change: text, HTML, headers.

`HOSTFENCE_TEST_WRITE_GOLDEN=1` writes them anew.
"""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.domain import notices
from controller.domain.channels.email import EmailChannel
from controller.domain.digest import digest
from controller.domain.model import Effect, EffectKind, EffectStatus, Notice, Severity
from controller.domain.policy import Action
from controller.domain.reasons import Reason
from controller.notifications.base import Rendered
from controller.notifications.channels.email import compose
from controller.notifications.render import render
from tests.fakes.clock import START
from tests.fixtures.notices import HOST, a_notice, after_a_command, an_incident

GOLDEN = Path(__file__).parent / "golden"
LINK = "https://fencing.example.org"
MAIL = EmailChannel(name="on call", host="mail", sender="hostfence@example.org", recipients=("oncall@example.org",))


def _failed() -> Notice:
    effect = Effect(
        id="e-1",
        host_id=HOST.id,
        incident_id="i-1",
        kind=EffectKind.RELEASE,
        intended_at=START,
        next_try_at=START,
        give_up_at=START + timedelta(hours=1),
        status=EffectStatus.INTENDED,
        said="CloudStack answered 530: the host is not found",
    )
    return notices.effect_failed(after_a_command(), HOST, effect, at=START)


def _storm() -> list[Notice]:
    held = [
        replace(a_notice(number), host_name=f"kvm-{'abc'[number % 3]}{number:02}", cluster_id=f"c-{number % 3}")
        for number in range(24)
    ]
    told = [
        replace(held[0], kind=kind, why=why, severity=severity, host_name=name)
        for kind, why, severity, name in (
            ("fencing", (Reason.HOST_DEAD,), Severity.CRITICAL, "kvm-b25"),
            ("recovered", (Reason.AGENT_ANSWERS,), Severity.INFO, "kvm-a00"),
        )
    ]
    return [*held, *told]


def mails() -> dict[str, Rendered]:
    names = {HOST.cluster_id: "Züri <1>"}
    storm = _storm()
    single = {
        "held": a_notice(why=(Reason.STORM, Reason.CLOUD_SAYS_UP, Reason.PAUSED)),
        "fencing": notices.fencing(an_incident(), HOST, at=START, action=Action.REBOOT),
        "fenced-in-part": notices.fenced(
            after_a_command(), HOST, at=START, action=Action.OFF, not_started=["db-1", "web <script>"]
        ),
        "release-failed": _failed(),
        "test": notices.channel_test("n-1", channel="on call", by="eva", at=START),
    }
    return {
        **{name: render(notice, link_base=LINK, clusters=names) for name, notice in single.items()},
        "digest": render(digest(storm, channel="on call", at=START), link_base=LINK, clusters=names, members=storm),
        "without-links": render(a_notice(), link_base=""),
    }


@pytest.mark.parametrize("name", sorted(mails()))
def test_a_mail_is_as_it_was_read(name: str) -> None:
    rendered = mails()[name]
    headers = "".join(f"{key}: {value}\n" for key, value in compose(rendered, MAIL).items() if key != "Content-Type")
    for suffix, made in ((".headers", headers), (".txt", rendered.text), (".html", rendered.html)):
        kept = GOLDEN / f"{name}{suffix}"
        if os.environ.get("HOSTFENCE_TEST_WRITE_GOLDEN"):
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(made)
        assert made == kept.read_text()


def test_every_golden_file_is_of_a_mail_that_there_is() -> None:
    assert {one.stem for one in GOLDEN.iterdir()} == set(mails())
