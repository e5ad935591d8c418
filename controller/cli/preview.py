"""What a dangerous command would hit, shown before it is asked for: host, cluster, machines, live evidence."""

from collections.abc import Mapping
from typing import Any

from controller.cli import show_incidents, tables
from controller.cli.session import Session
from controller.cli.text import plain, state


def preview(
    given: Session, explained: Mapping[str, Any], warning: str, *, incident: Mapping[str, Any] | None = None
) -> None:
    """Print it to standard error. ``explained``: the host's live explanation."""
    host = given.api.get(f"/hosts/{explained['host_id']}").data
    cluster = given.api.get(f"/clusters/{explained['cluster_id']}").data
    vms = given.api.get(f"/hosts/{explained['host_id']}/vms").data
    alive = explained["agent_answers"]
    rows = [
        ("host", plain(host["name"], "bold")),
        ("cluster", plain(cluster["name"])),
        ("machines there", plain(f"{len(vms)}: {', '.join(vm['name'] for vm in vms)}" if vms else "none known")),
        ("its agent", plain("ANSWERS: the host lives", "bold red") if alive else plain("does not answer")),
        ("witnesses", plain(f"{explained['witnesses_that_could_tell']} could tell")),
    ]
    if incident is not None:
        rows.append(
            ("incident", plain(f"{incident['state']}, silent for {show_incidents.silent_for(incident, given.now)}"))
        )
        newest, proof = incident["newest"], incident["proof"]
        if one_by_one := show_incidents.why(incident):
            rows.append(("why", plain(", ".join(one_by_one))))
        if newest:
            rows.append(("newest check round", plain(f"{newest['verdict']} ({', '.join(newest['reasons']) or '-'})")))
        rows.append(("power last read", plain(proof["last_state"] if proof["last_at"] else "not read")))
    given.err.print(plain(warning, "bold"), soft_wrap=True)
    given.err.print(plain(""), tables.facts(rows), plain(""))


def against(given: Session, explained: Mapping[str, Any]) -> None:
    """Print what hostfence itself would not get past."""
    gates = [gate for gate in explained["gates"] if gate["readiness"] == "blocked"]
    if gates:
        found = ((state("blocked"), f"{gate['reason'] or gate['code']}: {gate['text']}", "") for gate in gates)
        given.err.print(tables.titled("As things stand it would not act, because", tables.remarks(found)))
