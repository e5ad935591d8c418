"""Incidents as people read them: what needs them first, reasons in words, times with their age."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType

from controller.cli import tables
from controller.cli.text import clock, duration, plain, read_time, short, state, when, yes_no

Words = Mapping[str, tuple[str, str]]
_URGENT = ("held", "releasing", "verifying", "fencing", "checking", "suspect")


def in_order(incidents: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that need a person, then those that are acting, then the rest, the newest of each first."""
    newest_first = sorted(incidents, key=lambda one: str(one["opened_at"]), reverse=True)
    return sorted(
        newest_first, key=lambda one: _URGENT.index(one["state"]) if one["state"] in _URGENT else len(_URGENT)
    )


def incident_list(
    incidents: Sequence[Mapping[str, Any]], names: Mapping[str, str], *, now: datetime, empty: str = "No incidents."
) -> RenderableType:
    """One line each."""
    rows = (
        (
            plain(names.get(one["host_id"], one["host_id"])),
            state(one["state"]),
            when(one["disconnect_at"], now),
            ", ".join(why(one)) or "-",
            short(one["id"]),
        )
        for one in in_order(incidents)
    )
    return tables.table("host", "state", "silent since", "why", "incident", rows=rows, empty=empty)


def reasons(codes: Sequence[str], words: Words) -> RenderableType:
    """Each reason with what it means and what to do."""
    return tables.remarks((plain(code), *words.get(code, ("", ""))) for code in codes)


def incident(one: Mapping[str, Any], host: str, words: Words, *, now: datetime) -> RenderableType:
    """One incident: where it stands and why, what was found, what was done."""
    head = state(one["state"])
    head.append(f"  host {host}, silent since {when(one['disconnect_at'], now)}")
    parts: list[RenderableType] = [head, plain("")]
    if codes := why(one):
        title = "Why" if one["reasons"] else "What the newest check round found"
        parts.append(tables.titled(title, reasons(codes, words)))
    return tables.stacked(*parts, tables.facts(_facts(one, now)))


def why(one: Mapping[str, Any]) -> list[str]:
    """The reasons of its state, or those of its newest round while it has none."""
    codes: list[str] = one["reasons"] or (one["newest"]["reasons"] if one["newest"] and one["open"] else [])
    return codes


def _facts(one: Mapping[str, Any], now: datetime) -> list[tuple[str, str]]:
    newest, proof, command, vouched = one["newest"], one["proof"], one["command"], one["acknowledged"]
    found = [
        ("incident", one["id"]),
        ("opened", f"{when(one['opened_at'], now)} by {one['source']}" + (f": {one['note']}" if one["note"] else "")),
        ("in this state", f"since {when(one['entered_at'], now)}"),
        ("machines", f"{len(one['vms'])}: {', '.join(one['vms'])}" if one["vms"] else "none known"),
        ("check rounds", _rounds(one, newest, now)),
        ("last sign of life", when(one["life_at"], now)),
        ("action", one["action"] or "-"),
        ("power commands", f"{command['count']}, the last {command['status']} {when(command['last_at'], now)}")
        if command["count"]
        else ("power commands", "none"),
        ("proof of off", _proof(proof, now)),
        ("quarantined", yes_no(one["quarantined"])),
        ("released", when(one["released_at"], now)),
    ]
    if vouched:
        found.append(("acknowledged", f"by {vouched['by']} {when(vouched['at'], now)}: {vouched['reason']}"))
    if one["open"]:
        found.append(("next step", when(one["next_step_at"], now)))
    else:
        found.append(("closed", when(one["closed_at"], now)))
    return found


def _rounds(one: Mapping[str, Any], newest: Mapping[str, Any] | None, now: datetime) -> str:
    if newest is None:
        return "none yet"
    tally = one["tally"]
    counted = f"; {tally['dead']} dead in a row over {duration(tally['silence'])}" if tally["dead"] else ""
    return f"{one['rounds']}, the newest {newest['verdict']} {when(newest['at'], now)}{counted}"


def _proof(proof: Mapping[str, Any], now: datetime) -> str:
    if proof["proven_at"]:
        return f"proven {when(proof['proven_at'], now)}"
    if proof["last_at"]:
        return f"{proof['reads']} off reads in a row, the last read {proof['last_state']} {when(proof['last_at'], now)}"
    return "not read yet"


def timeline(events: Sequence[Mapping[str, Any]], *, now: datetime) -> RenderableType:
    """What happened, oldest first."""
    rows = ((clock(one["at"], now), _event(one)) for one in events)
    return tables.table("time", "what happened", rows=rows, empty="Nothing yet.")


def event_line(one: Mapping[str, Any], now: datetime) -> str:
    """One event as a line."""
    return f"{clock(one['at'], now)}  {_event(one)}"


def _event(one: Mapping[str, Any]) -> str:
    moved = one["from_state"] != one["to_state"]
    parts = [
        one["text"],
        f"[{one['from_state'] or 'new'} → {one['to_state']}]" if moved else "",
        f"({', '.join(one['reasons'])})" if one["reasons"] else "",
        f"by {one['actor']}" if one["actor"] not in ("", "hostfence") else "",
    ]
    return "  ".join(part for part in parts if part) or one["kind"]


def silent_for(one: Mapping[str, Any], now: datetime) -> str:
    """How long the host has been silent."""
    return duration(max(0.0, (now - read_time(one["disconnect_at"])).total_seconds()))
