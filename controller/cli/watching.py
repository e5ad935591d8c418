"""Follows what happens: a live picture of the open incidents, or the events of one as they come."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import RenderableType
from rich.live import Live

from controller.cli import show_incidents, tables
from controller.cli.client import Answer
from controller.cli.errors import CliError, Exit
from controller.cli.session import Session, print_json
from controller.cli.text import clock, plain

_EVENTS_SHOWN = 8


def watch(given: Session, read: Callable[[], Answer], *, every_s: float, as_json: bool) -> None:
    """Show the open incidents until Ctrl-C. A controller that does not answer for a while does not end it."""
    try:
        if as_json:
            _lines(given, read, every_s, lambda answer: print_json(answer.text))
        elif given.out.is_terminal:
            _picture(given, read, every_s)
        else:
            seen: dict[str, str] = {}
            _lines(given, read, every_s, lambda answer: _changes(given, answer, seen))
    except KeyboardInterrupt:
        given.err.print()


def follow(given: Session, incident_id: str, *, every_s: float) -> Mapping[str, Any]:
    """Print one incident's events as they come, until it is closed or held; the incident as it is then."""
    told: set[str] = set()
    while True:
        with given.busy("following the incident; Ctrl-C stops looking, not hostfence"):
            one = given.api.get(f"/incidents/{incident_id}").data
            events = given.api.get(f"/incidents/{incident_id}/events").data
        for event in events:
            if event["id"] not in told:
                told.add(event["id"])
                given.err.print(plain(show_incidents.event_line(event, given.now)))
        if not one["open"] or one["state"] == "held":
            return dict(one)
        with given.busy(f"{one['state']}; Ctrl-C stops looking, not hostfence"):
            time.sleep(every_s)


def _lines(given: Session, read: Callable[[], Answer], every_s: float, show: Callable[[Answer], None]) -> None:
    before: str | None = None
    while True:
        try:
            answer = read()
            if answer.text != before:
                show(answer)
                before = answer.text
        except CliError as problem:
            _only_for_a_while(problem)
            given.err.print(plain(f"{problem.text}; trying on"))
        given.out.file.flush()
        time.sleep(every_s)


def _changes(given: Session, answer: Answer, seen: dict[str, str]) -> None:
    """One line for each incident that opened, moved or ended since the last look."""
    now = {one["id"]: one for one in answer.data["items"]}
    stamp = clock(given.now.isoformat(), given.now)
    for key, one in now.items():
        line = f"{one['state']}{' (' + ', '.join(one['reasons']) + ')' if one['reasons'] else ''}"
        if seen.get(key) != line:
            given.out.print(plain(f"{stamp}  {given.host_name(one['host_id'])}  {line}  {key}"), soft_wrap=True)
            seen[key] = line
    for key in [key for key in seen if key not in now]:
        one = given.api.get(f"/incidents/{key}").data
        given.out.print(
            plain(f"{stamp}  {given.host_name(one['host_id'])}  {one['state']}, closed  {key}"), soft_wrap=True
        )
        del seen[key]


def _picture(given: Session, read: Callable[[], Answer], every_s: float) -> None:
    drawn: RenderableType = plain("")
    with Live(console=given.out, auto_refresh=False, vertical_overflow="ellipsis") as live:
        while True:
            try:
                drawn = _drawn(given, read())
                live.update(drawn, refresh=True)
            except CliError as problem:
                _only_for_a_while(problem)
                old = plain(f"NO ANSWER, what stands below is old: {problem.text}", "bold red")
                live.update(tables.stacked(old, drawn), refresh=True)
            time.sleep(every_s)


def _drawn(given: Session, answer: Answer) -> RenderableType:
    now, items = given.now, answer.data["items"]
    head = plain(f"Open incidents at {clock(now.isoformat(), now)}; Ctrl-C ends.", "bold")
    names = {one["host_id"]: given.host_name(one["host_id"]) for one in items}
    shown = show_incidents.incident_list(items, names, now=now, empty="None: no host is silent.")
    if len(items) != 1:
        return tables.stacked(head, shown)
    events = given.api.get(f"/incidents/{items[0]['id']}/events").data[-_EVENTS_SHOWN:]
    return tables.stacked(head, shown, plain(""), show_incidents.timeline(events, now=now))


def _only_for_a_while(problem: CliError) -> None:
    """What waiting does not cure ends the watch."""
    if problem.code not in (Exit.UNREACHABLE, Exit.FAILED):
        raise problem
