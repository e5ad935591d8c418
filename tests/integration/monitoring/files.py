"""What is shipped for monitoring, as data."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[3]
RULES = REPOSITORY / "deploy" / "prometheus" / "hostfence-rules.yml"
DASHBOARD = REPOSITORY / "deploy" / "grafana" / "hostfence.json"

_METRIC = re.compile(r"\b(?:hostfence|process)_[a-z_]+[a-z]")


def rules_text() -> str:
    return RULES.read_text(encoding="utf-8")


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(rules_text())["groups"]
    return list(group["rules"])


def dashboard() -> dict[str, Any]:
    return dict(json.loads(DASHBOARD.read_text(encoding="utf-8")))


def queries(panel: object) -> list[str]:
    """Every expression in a dashboard or a part of it."""
    match panel:
        case dict():
            mine = [panel[key] for key in ("expr", "query", "definition") if isinstance(panel.get(key), str)]
            return mine + [query for part in panel.values() for query in queries(part)]
        case list():
            return [query for part in panel for query in queries(part)]
        case _:
            return []


def metrics_in(query: str) -> set[str]:
    return set(_METRIC.findall(query))
