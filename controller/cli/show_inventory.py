"""Hosts, pauses, settings, the audit and power answers as people read them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding

from controller.cli import tables
from controller.cli.text import plain, said, short, when, yes_no


def host_list(hosts: Sequence[Mapping[str, Any]], clusters: Mapping[str, str]) -> RenderableType:
    """One line each."""
    rows = (
        (
            plain(one["name"]),
            clusters.get(one["cluster_id"], one["cluster_id"]),
            f"{one['address']}:{one['agent_port']}",
            ", ".join(_marks(one)) or "-",
        )
        for one in hosts
    )
    return tables.table("host", "cluster", "agent", "marks", rows=rows, empty="No hosts.")


def _marks(one: Mapping[str, Any]) -> list[str]:
    marks = [name for name in ("retired", "excluded", "maintenance", "runs_controller", "cloud_ha") if one[name]]
    return [*marks, *([] if one["agent_tls"] else ["no TLS"])]


def host(one: Mapping[str, Any], cluster: str, vms: Sequence[Mapping[str, Any]], *, now: datetime) -> RenderableType:
    """One host: whether it is armed, when it was seen, its power device, pools and machines."""
    health, storage = one["health"], one["storage"]
    rows = [
        ("cluster", cluster),
        ("marks", ", ".join(_marks(one)) or "-"),
        ("agent", f"{one['address']}:{one['agent_port']}, answered {when(health['seen_at'], now)}"),
        ("certificate until", when(one["agent_tls_until"], now)),
        ("may open an incident", yes_no(health["armed"])),
        ("healthy since", when(health["healthy_since"], now)),
        ("power device", _device(health, now)),
        ("seen on", when(health["bmc_on_seen_at"], now)),
        ("fenced by", health["fenced_by"] or "-"),
        ("quarantined by", health["quarantined_by"] or "-"),
        ("machines", f"{len(vms)}: {', '.join(vm['name'] for vm in vms)}" if vms else "none known"),
        ("id", one["id"]),
    ]
    pools = (
        (
            plain(pool["root"]),
            pool["code"] or "read",
            pool["fs_type"],
            "; ".join(note["text"] for note in pool["notes"]),
        )
        for pool in storage["pools"]
    )
    return tables.stacked(
        plain(f"host {one['name']}", "bold"),
        tables.facts(rows),
        plain(""),
        tables.titled(
            f"Pools, as its agent said {when(storage['seen_at'], now)}",
            tables.table("pool", "state", "type", "remarks", rows=pools, empty="Nothing known."),
        ),
    )


def _device(health: Mapping[str, Any], now: datetime) -> str:
    if health["bmc_checked_at"] is None:
        return "not read yet"
    how = "answered" if health["bmc_code"] == "none" else f"FAILED ({health['bmc_code']})"
    return f"{how} {when(health['bmc_checked_at'], now)}" + (f": {health['bmc_said']}" if health["bmc_said"] else "")


def pauses(found: Sequence[Mapping[str, Any]], names: Mapping[str, str], *, now: datetime) -> RenderableType:
    """One line each."""
    rows = (
        (
            plain(
                one["level"]
                if one["level"] == "global"
                else f"{one['level']} {names.get(one['owner_id'], one['owner_id'])}"
            ),
            when(one["until"], now) if one["until"] else "lifted by hand",
            f"{one['by']}: {one['reason']}",
            short(one["id"]),
        )
        for one in found
    )
    return tables.table("paused", "until", "by whom and why", "pause", rows=rows, empty="Nothing is paused.")


def settings(found: Mapping[str, Mapping[str, Any]], *, units: Mapping[str, str]) -> RenderableType:
    """Every value with where it comes from."""
    rows = (
        (plain(name), said(one["value"]) + (" s" if units.get(name) == "seconds" else ""), one["source"])
        for name, one in found.items()
    )
    return tables.table("setting", "value", "from", rows=rows, empty="No settings.")


def written(found: Mapping[str, Any]) -> RenderableType:
    """What is written at one level."""
    rows = ((plain(name), said(value)) for name, value in found.items())
    return tables.table("setting", "value", rows=rows, empty="Nothing is written here: all of it is inherited.")


def audit(page: Mapping[str, Any], names: Mapping[str, str], *, now: datetime) -> RenderableType:
    """Newest first: when, who, what, on what; below that the particulars."""
    lines: list[RenderableType] = []
    for one in page["items"]:
        target = names.get(one["target"], one["target"])
        lines.append(plain(f"{when(one['at'], now)}  {one['actor']}  {one['action']}  {target}"))
        told = [(key, said(value)) for key, value in one["data"].items() if value not in (None, "")]
        if told:
            lines.append(Padding(tables.facts(told), (0, 0, 0, 4), expand=False))
    return with_more(tables.stacked(*lines) if lines else plain("Nothing."), page["next_cursor"])


def with_more(shown: RenderableType, cursor: str | None) -> RenderableType:
    """What is shown, and how to see the rest."""
    return tables.stacked(shown, plain(f"More: --cursor {cursor}", "dim")) if cursor else shown


def reading(one: Mapping[str, Any]) -> RenderableType:
    """What a power device said of its state."""
    why = "" if one["code"] == "none" else f" ({one['code']})"
    told = f": {one['said']}" if one["said"] else ""
    return plain(f"power {one['state']}{why}, read in {one['took_s']:.1f} s{told}")


def attempt(one: Mapping[str, Any]) -> RenderableType:
    """What became of a command. Accepted or not, it proves nothing about the power."""
    why = "" if one["code"] == "none" else f" ({one['code']})"
    told = f": {one['said']}" if one["said"] else ""
    words = {"yes": "accepted", "no": "NOT accepted", "not_sent": "NOT sent", "unknown": "unknown whether accepted"}
    return plain(f"{one['action']}: {words.get(one['accepted'] or 'unknown', one['accepted'])}{why}{told}")
