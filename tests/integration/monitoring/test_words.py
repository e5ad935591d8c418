"""Alerts are read at night: each says what it means, what to look at and what to do, in words that are true."""

import re
from typing import Any

import pytest
from typer.main import get_command

from controller.cli.main import app
from controller.domain.reasons import NEEDS_A_PERSON
from tests.integration.monitoring.files import REPOSITORY, alerts, dashboard

WORDS = ("summary", "meaning", "look_at", "what_to_do")


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_each_alert_has_its_words_and_a_place_in_the_runbook(alert: dict[str, Any]) -> None:
    assert set(alert["annotations"]) == set(WORDS)
    assert all(len(alert["annotations"][word]) > 20 for word in WORDS)
    assert alert["labels"]["severity"] in ("warning", "critical")
    runbook = (REPOSITORY / "docs" / "runbook.md").read_text()
    assert f"\n## {alert['alert']}\n" in runbook
    monitoring = (REPOSITORY / "docs" / "monitoring.md").read_text()
    assert f"(runbook.md#{alert['alert'].lower()})" in monitoring


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_commands_and_paths_in_the_words_are_there(alert: dict[str, Any]) -> None:
    text = " ".join(alert["annotations"].values())
    for words in re.findall(r"`hostfence ([^`]*)`", text):
        command: Any = get_command(app)
        for word in words.split():
            below = getattr(command, "commands", {})
            if word.startswith("--"):
                assert word in {opt for one in command.params for opt in one.opts}, words
            elif below and word in below:
                command = below[word]
            else:
                takes = [one for one in command.params if one.param_type_name == "argument"]
                assert takes or "--" in words, f"hostfence {words}: {word}?"
    for path in re.findall(r"GET (/api/v1/[a-z]+)", text):
        assert path in ("/api/v1/incidents", "/api/v1/cloud", "/api/v1/notifications")
    for name in re.findall(r"docs/[a-z./]+", text):
        assert (REPOSITORY / name.rstrip(".")).exists(), name


def test_what_needs_a_person_is_named_in_full() -> None:
    (alert,) = [one for one in alerts() if one["alert"] == "HostfenceNeedsAPerson"]
    (named,) = re.findall(r'reason=~"([^"]*)"', alert["expr"])
    assert set(named.split("|")) == NEEDS_A_PERSON


def test_every_panel_says_what_it_shows_and_none_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"].endswith(".")
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))


def test_the_dashboard_names_no_data_source_of_somebody_elses() -> None:
    sources = {str(panel["datasource"]) for panel in dashboard()["panels"] if "datasource" in panel}
    assert sources == {str({"type": "prometheus", "uid": "${datasource}"})}
