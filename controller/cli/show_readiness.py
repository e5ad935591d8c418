"""Explanations and readiness as people read them: what stands against fencing first, with what would change it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from controller.cli import tables
from controller.cli.text import duration, plain, state

_WORST_FIRST = ("blocked", "waits", "warning", "ready")
_SAYS = {
    "ready": "If it died now it would be fenced.",
    "waits": "If it died now it would be fenced after a wait.",
    "blocked": "If it died now it would NOT be fenced.",
}


def explanation(one: Mapping[str, Any], *, all_gates: bool) -> RenderableType:
    """One host: the verdict, what stands against it, what would be done and how fast."""
    head = state(one["readiness"])
    head.append(f"  host {one['host_name']}: {_SAYS.get(one['readiness'], '')}")
    gates = sorted(one["gates"], key=lambda gate: _WORST_FIRST.index(gate["readiness"]))
    shown = [gate for gate in gates if all_gates or gate["readiness"] != "ready"]
    parts: list[RenderableType] = [head, plain("")]
    if shown:
        parts.append(tables.titled("Gates", tables.remarks(map(_gate, shown))))
    if hidden := len(gates) - len(shown):
        parts.append(plain(f"Open gates: {hidden} (--all shows them).\n"))
    parts += [
        tables.titled("What hostfence would do", tables.facts(_plan(one))),
        tables.titled("How fast", _times(one)),
    ]
    return tables.stacked(*parts)


def _gate(gate: Mapping[str, Any]) -> tuple[Text, str, str]:
    return state(gate["readiness"]), f"{gate['reason'] or gate['code']}: {gate['text']}", gate["change"]


def _plan(one: Mapping[str, Any]) -> list[tuple[str, str]]:
    plan = one["plan"]
    return [
        ("action", plan["action"]),
        ("power devices", ", then ".join(plan["devices"]) or "none"),
        ("quarantine first", "yes" if plan["quarantines"] else "no"),
        ("power-downs left", f"{plan['slots_left']} in the cluster, {plan['slots_left_everywhere']} everywhere"),
        ("witnesses", f"{one['witnesses_that_could_tell']} could tell, {one['witnesses_required']} needed"),
        ("agent answers", "yes" if one["agent_answers"] else "NO"),
    ]


def _times(one: Mapping[str, Any]) -> RenderableType:
    line = one["timeline"]
    rows = [
        (
            step["stage"].replace("_", " "),
            f"{step['soonest_s']:.0f}",
            f"{step['latest_s']:.0f}",
            ", ".join(step["settings"]),
        )
        for step in line["steps"]
    ]
    steps = tables.table("stage", ">soonest s", ">latest s", "from the settings", rows=rows, empty="Not known.")
    total = f"Off within {duration(line['off_s'])}, machines may start within {duration(line['release_s'])} of silence."
    if line["margin_s"] is None:
        return tables.stacked(steps, plain(total))
    early = f"{abs(line['margin_s']):.0f} s {'before' if line['margin_s'] >= 0 else 'AFTER'}"
    return tables.stacked(steps, plain(total), plain(f"Quarantined {early} the cloud's own restart."))


def clusters(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line each, the worst first."""
    rows = (
        (
            plain(one["cluster_name"]),
            _overall(one),
            str(one["blocked"]),
            str(one["waits"]),
            str(one["ready"]),
            _count(one["least_spare_witnesses"]),
            duration(one["slowest_off_s"]) if one["slowest_off_s"] is not None else "-",
        )
        for one in sorted(found, key=lambda one: (-one["blocked"], -one["waits"]))
    )
    return tables.table(
        "cluster",
        "stands",
        ">blocked",
        ">waits",
        ">ready",
        ">spare witnesses",
        ">off within",
        rows=rows,
        empty="No clusters.",
    )


def cluster(one: Mapping[str, Any]) -> RenderableType:
    """One cluster: causes first, then the hosts, then what a storm would do."""
    rows = (
        (
            plain(host["name"]),
            state(host["readiness"]),
            ", ".join(host["codes"]) or "-",
            duration(host["off_s"]),
            _count(host["spare_witnesses"]),
        )
        for host in one["hosts"]
    )
    hosts = tables.table("host", "stands", "why", ">off within", ">spare witnesses", rows=rows, empty="No hosts.")
    head = _overall(one)
    head.append(f"  cluster {one['cluster_name']}: {one['ready']} ready, {one['waits']} wait, {one['blocked']} blocked")
    parts: list[RenderableType] = [head, plain("")]
    if one["causes"]:
        parts.append(tables.titled("What stands against it", tables.remarks(map(_cause, one["causes"]))))
    parts.append(tables.titled("Hosts", hosts))
    if storm := one["storm"]:
        beyond = f"; more are held ({', '.join(storm['beyond'])})" if storm["beyond"] else ""
        parts.append(
            tables.titled(
                "If several fell silent at once",
                plain(
                    f"Up to {storm['believed']} are believed{beyond}; {storm['power_downs']} power-downs are left now."
                ),
            )
        )
    return tables.stacked(*parts)


def _cause(cause: Mapping[str, Any]) -> tuple[Text, str, str]:
    hosts = f"{cause['hosts']} host{'s' if cause['hosts'] != 1 else ''}"
    return state(cause["readiness"]), f"{cause['code']}: {hosts}", cause["change"]


def _overall(one: Mapping[str, Any]) -> Text:
    return state("blocked" if one["blocked"] else "waits" if one["waits"] else "ready" if one["ready"] else "-")


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)
