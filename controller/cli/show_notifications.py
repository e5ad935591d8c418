"""Channels, notifications and their deliveries as people read them: what is lost in capitals, the receiver's words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from controller.cli import tables
from controller.cli.text import clock, plain, short, when

_WORDS = {
    "pending": ("waits", "yellow"),
    "sent": ("sent", "green"),
    "dead": ("GIVEN UP", "bold red"),
    "in_digest": ("in a digest", ""),
    "test_failed": ("TEST FAILED", "bold red"),
}


def channels(found: Sequence[Mapping[str, Any]], *, now: datetime) -> RenderableType:
    """One line each."""
    rows = (
        (
            plain(one["name"]),
            one["kind"] or "gone",
            one["goes_to"],
            plain(f"{one['dead']} GIVEN UP", "bold red") if one["dead"] else plain("-"),
            str(one["pending"] or "-"),
            clock(one["last_sent_at"], now) if one["last_sent_at"] else "-",
        )
        for one in found
    )
    return tables.table(
        "channel",
        "kind",
        "goes to",
        "lost",
        ">waits",
        "last sent",
        rows=rows,
        empty="No channels: nobody is told anything. Write the setting channels (docs/notifications.md).",
    )


def lost(found: Sequence[Mapping[str, Any]]) -> Text | None:
    """What nobody got; None where nothing is lost."""
    given_up = [f"{one['name']}: {one['dead']}" for one in found if one["dead"]]
    if not given_up:
        return None
    return plain(f"{', '.join(given_up)}. hostfence notifications --status dead lists them, with why.")


def test(done: Mapping[str, Any]) -> Text:
    """How it ended, and the receiver's words."""
    took = f"after {done['took_s']:.1f} s"
    if not done["taken"]:
        return plain(f"{done['channel']}: NOT taken {took}: {done['said'] or 'it does not say why'}")
    how = "taken" if done["confirmed"] else "sent"
    return plain(f"{done['channel']}: {how} {took}" + (f": {done['said']}" if done["said"] else ""))


def deliveries(found: Sequence[Mapping[str, Any]], *, now: datetime) -> RenderableType:
    """One line each; what hindered it below."""
    rows = (
        (
            plain(short(one["notification"]["id"])),
            clock(one["notification"]["at"], now),
            f"{one['notification']['host_name']}: {one['notification']['headline']}",
            one["channel"],
            _stands(one),
        )
        for one in found
    )
    return tables.table("notification", "decided", "what", "channel", "stands", rows=rows, empty="None.")


def notification(one: Mapping[str, Any], *, now: datetime) -> RenderableType:
    """All of one: its words, and each delivery."""
    told = ((plain(line["channel"]), _stands(line), when(line["sent_at"], now)) for line in one["deliveries"])
    parts = [
        plain(f"{one['severity'].upper()} {one['host_name']}: {one['kind'].replace('_', ' ')}", "bold"),
        tables.facts(
            [
                ("decided", when(one["at"], now)),
                ("what", one["what"]),
                ("next", one["next"]),
                ("to stop it", one["how_to_stop"]),
                ("why", ", ".join(one["why"]) or "-"),
                ("incident", one["incident_id"] or "-"),
                ("id", one["id"]),
            ]
        ),
        plain(""),
        tables.titled("Told", tables.table("channel", "stands", "sent", rows=told, empty="No channel wanted it.")),
    ]
    if one["members"]:
        rows = ((plain(short(line["id"])), f"{line['host_name']}: {line['headline']}") for line in one["members"])
        parts.append(tables.titled("It tells", tables.table("notification", "what", rows=rows, empty="")))
    return tables.stacked(*parts)


def _stands(one: Mapping[str, Any]) -> Text:
    word, style = _WORDS.get(one["status"], (one["status"], ""))
    said = f": {one['last_error']}" if one["last_error"] else ""
    return plain(f"{word}{said}", style)
