from dataclasses import replace
from typing import Any

import pytest

from controller.domain.model import Severity
from controller.domain.reasons import Reason
from controller.notifications.channels.email import without_secrets
from controller.notifications.render import link_to, render, subject
from tests.fixtures.notices import a_notice

STORM_MAIL = """\
kvm-a3 has been silent since 2025-01-07 03:11:20 UTC. hostfence is holding:
it leaves the host alone for now. Its virtual machines: web-1, db-1.

https://hostfence.example.org/incidents/i-0

WHAT HAPPENS NEXT
This never ends in an action by itself: either the host comes back, or a
person decides. You are reminded after 15 minutes, 1 hour, 4 hours and then
daily.

HOW TO STOP IT, AND WHAT YOU CAN DO
On the incident's page: Retry checks from the start; Acknowledge starts the
machines elsewhere (only if you know that the host is off); Cancel ends the
incident and leaves everything as it is.

WHY
* storm: More hosts of this cluster went silent at once than hostfence may
  take down. That is usually the network or the storage, not the hosts.
  To do: Check switches and storage first. Only their return, or your
  decision, ends this hold.

--\x20
CRITICAL, decided 2025-01-07 03:12:00 UTC
Incident i-0
"""


def test_a_mail_as_a_person_reads_it() -> None:
    mail = render(a_notice(), link_base="https://hostfence.example.org/")
    assert mail.subject == "[hostfence] CRITICAL kvm-a3: held, storm"
    assert mail.text == STORM_MAIL


def test_the_subject_shows_the_gravest_reasons_first() -> None:
    notice = a_notice(why=(Reason.PAUSED, Reason.CAP_REACHED, Reason.STORM))
    assert subject(notice) == "[hostfence] CRITICAL kvm-a3: held, storm, paused, 1 more"


def test_the_subject_of_a_decision_is_its_headline() -> None:
    notice = a_notice(kind="fenced", severity=Severity.INFO, why=(Reason.HOST_DEAD,))
    assert subject(notice) == "[hostfence] INFO kvm-a3: fenced"


def test_a_kind_of_another_version_still_reads() -> None:
    assert subject(a_notice(kind="brand_new")).endswith("kvm-a3: brand new")


def test_html_shows_names_as_text() -> None:
    mail = render(replace(a_notice(), what="<script>alert(1)</script>"), link_base="")
    assert "<script>" not in mail.html
    assert "<script>" in mail.text


@pytest.mark.parametrize(
    ("base", "changes", "link"),
    [
        ("", {}, ""),
        ("https://hf/", {}, "https://hf/incidents/i-0"),
        ("https://hf", {"incident_id": None}, "https://hf/hosts/h-a3"),
        ("https://hf", {"incident_id": None, "host_id": None}, "https://hf"),
        ("https://hf", {"incident_id": "a/b"}, "https://hf/incidents/a%2Fb"),
    ],
)
def test_links(base: str, changes: dict[str, Any], link: str) -> None:
    assert link_to(a_notice(**changes), link_base=base) == link


def test_secrets_are_taken_out_in_every_form_smtp_carries_them() -> None:
    echoed = "pw s3cret, czNjcmV0, AHVzZXIAczNjcmV0, dXNlcgB1c2VyAHMzY3JldA=="
    clean = without_secrets(echoed, username="user", password="s3cret")
    assert clean == "pw (secret), (secret), (secret), (secret)"
    assert without_secrets(echoed, username="user", password="") == echoed
