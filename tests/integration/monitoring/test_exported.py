"""What a running controller shows, against what dashboard and alerts ask for; and its log, line by line."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from controller.metrics.families import FAMILIES
from tests.fixtures.controller import ControllerProcess
from tests.integration.monitoring.files import alerts, dashboard, metrics_in, queries

PROMETHEUS_OWN = {"job", "instance", "le"}
"""Labels that are not the controller's."""

_SELECTOR = re.compile(r"\b((?:hostfence|process)_[a-z_]+)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\bby \(([^)]*)\)")


@dataclass(frozen=True)
class Told:
    """A short story of one controller: what it showed, and what it logged."""

    families: dict[str, Metric]
    log: list[dict[str, Any]]
    incident: str

    def value(self, name: str, **labels: str) -> float | None:
        found = (s for one in self.families.values() for s in one.samples if s.name == name and s.labels == labels)
        return next((sample.value for sample in found), None)

    def names(self) -> set[str]:
        """Of series, with what Prometheus makes of histograms."""
        return {
            f"{name}{suffix}"
            for name, family in self.families.items()
            for suffix in {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(family.type, ("",))
        }


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    process = ControllerProcess(tmp_path_factory.mktemp("told") / "data")
    process.options = ("--log", "json")
    try:
        process.start()
        incident = _story(process)
        text = process.get("/metrics").text
        assert process.end() == 0
        log = _log_lines(process.log)
    finally:
        process.close()
    return Told({one.name: one for one in text_string_to_metric_families(text)}, log, incident)


def _story(process: ControllerProcess) -> str:
    """A host that nobody hears is reported, checked, and its incident cancelled by a person."""

    def post(path: str, body: object) -> Any:
        headers = {"Authorization": f"Bearer {process.token}"}
        answer = httpx.post(f"{process.url}/api/v1{path}", json=body, headers=headers, timeout=10, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()

    post("/clusters", {"name": "kvm"})
    post("/hosts", {"cluster": "kvm", "name": "a", "address": "127.0.0.1", "agent_port": 2})
    incident = str(post("/hosts/a/disconnect", {})["incident"]["id"])
    until = time.monotonic() + 20
    while process.get(f"/api/v1/incidents/{incident}").json()["state"] == "suspect" and time.monotonic() < until:
        time.sleep(0.1)
    post(f"/incidents/{incident}/cancel", {"reason": "only a test"})
    return incident


def _log_lines(log: Path) -> list[dict[str, Any]]:
    """Every line; what was printed for people goes to standard output, which the fixture mixes in."""
    said = ("first admin token", "hostfence controller listening")
    text = log.read_text().replace("\0", "")
    return [json.loads(line) for line in text.splitlines() if line and not line.startswith(said)]


def test_the_story_is_in_the_figures(told: Told) -> None:
    assert told.value("hostfence_controller_incidents_opened_total", source="report") == 1
    assert told.value("hostfence_controller_transitions_total", from_state="suspect", to_state="checking") == 1
    states = ("checking", "held", "suspect")
    ends = [told.value("hostfence_controller_transitions_total", from_state=s, to_state="cancelled") for s in states]
    assert sorted(filter(None, ends)) == [1]
    assert told.value("hostfence_controller_rounds_total", verdict="inconclusive")
    assert told.value("hostfence_controller_steps_total", state="suspect", result="done") == 1
    assert told.value("hostfence_controller_step_lateness_seconds_count")
    assert told.value("hostfence_site_hosts", cluster="kvm") == 1


def test_each_transition_is_one_line_with_its_reasons_and_the_incident(told: Told) -> None:
    mine = [one for one in told.log if one.get("incident_id") == told.incident and "to_state" in one]
    assert [one["to_state"] for one in mine][:2] == ["suspect", "checking"]
    assert mine[-1]["to_state"] == "cancelled"
    assert (mine[-1]["reasons"], mine[-1]["actor"], mine[-1]["text"]) == (["operator"], "first-admin", "only a test")
    assert {one["host"] for one in mine} == {"a"}
    assert {one["level"] for one in mine} == {"info"}


def test_every_line_of_a_json_log_says_when_and_how_loud(told: Told) -> None:
    assert told.log
    for one in told.log:
        assert {"event", "level", "timestamp"} <= set(one)


def test_a_controller_shows_every_figure_of_the_table(told: Told) -> None:
    shown = {f"{one.name}_total" if one.type == "counter" else one.name: one for one in told.families.values()}
    assert set(FAMILIES) <= set(shown)
    for family in FAMILIES.values():
        assert shown[family.name].type == family.kind
        for sample in shown[family.name].samples:
            assert set(sample.labels) - PROMETHEUS_OWN == set(family.labels)


ASKED = [(f"alert {alert['alert']}", alert["expr"]) for alert in alerts()] + [
    (f"panel {panel.get('title', 'of the dashboard')}", query)
    for panel in (*dashboard()["panels"], dashboard()["annotations"])
    for query in queries(panel)
]


@pytest.mark.parametrize(("who", "query"), ASKED, ids=[f"{who}-{number}" for number, (who, _) in enumerate(ASKED)])
def test_what_is_asked_for_is_shown(told: Told, who: str, query: str) -> None:
    asked = metrics_in(query)
    assert asked or "up{" in query, f"{who} asks for nothing of ours"
    assert asked <= told.names(), who
    for name, selector in _SELECTOR.findall(query):
        for label, sign, value in _MATCHER.findall(selector):
            assert label in _labels(name), f"{who}: {name} has no label {label}"
            if label not in PROMETHEUS_OWN | {"status"} and sign in ("=", "=~"):
                assert set(value.split("|")) <= _values(told, name, label), f"{who}: {name}{{{label}}}"
    known = set().union(*map(_labels, asked)) if asked else PROMETHEUS_OWN
    for labels in _GROUPING.findall(query):
        assert {label.strip() for label in labels.split(",")} <= known, who


def test_the_dashboard_shows_or_an_alert_asks_for_every_figure() -> None:
    used = {_base(name) for _, query in ASKED for name in metrics_in(query)}
    assert set(FAMILIES) <= used | {"hostfence_controller_ready"}, sorted(set(FAMILIES) - used)


def _base(series: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", series)


def _labels(series: str) -> set[str]:
    family = FAMILIES.get(_base(series))
    return PROMETHEUS_OWN | set(family.labels if family is not None else ())


def _values(told: Told, series: str, label: str) -> set[str]:
    return {
        sample.labels[label]
        for family in told.families.values()
        for sample in family.samples
        if sample.name == series and label in sample.labels
    }
