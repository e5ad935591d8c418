"""The report on the cloud as people read it: what keeps hostfence from it first, then what cannot be checked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from controller.cli import tables
from controller.cli.text import duration, plain, when

NO_CLOUD = "No cloud has been read: none is configured, or the controller has only just started."


def report(one: Mapping[str, Any], *, now: datetime) -> RenderableType:
    """Everything of it."""
    if one["at"] is None:
        return plain(NO_CLOUD)
    parts: list[RenderableType] = []
    if one["problem"]:
        parts.append(tables.titled("The cloud could not be read", plain(one["problem"])))
    read = ", ".join(f"{count} {name}" for name, count in one["counts"].items())
    facts: list[tuple[str, Text | str]] = [
        ("read", when(one["read_at"], now) if one["read_at"] else "never"),
        ("there were", read or "nothing"),
        *(
            (f"own restart in {zone}" if zone else "own restart", _restart(after))
            for zone, after in one["restarts_after_s_by_zone"].items()
        ),
    ]
    parts.append(tables.titled("Cloud", tables.facts(facts)))
    for title, sentences in (
        ("What to see to", one["warnings"]),
        ("What cannot be checked, or was not taken over", one["unmapped"]),
    ):
        if sentences:
            parts.append(tables.titled(title, *(plain(f"- {sentence}") for sentence in sentences)))
    return tables.stacked(*parts)


def _restart(after: float | None) -> str:
    return "off" if after is None else f"{duration(after)} after a death at the soonest, without cutting the power"
