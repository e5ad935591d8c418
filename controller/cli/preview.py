"""What a dangerous command would hit, shown before it is asked for: host, cluster, machines, live evidence."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from controller.cli import show_incidents, tables
from controller.cli.commands_show import explained
from controller.cli.errors import CliError, Exit
from controller.cli.session import Session
from controller.cli.text import plain, state

_ACTIONS = {
    "none": "it tells people, and leaves the host alone",
    "blink": "it lights the host's LED and tells people",
    "off": "it cuts the host's power",
    "reboot": "it cuts the host's power, and gives it again",
}


def preview(
    given: Session,
    host: Mapping[str, Any],
    warning: str,
    *,
    incident: Mapping[str, Any] | None = None,
    engine: bool = False,
) -> None:
    """Print it to standard error. ``engine``: hostfence itself will act, so show what it would do and what stops it."""
    cluster = given.api.get(f"/clusters/{host['cluster_id']}").data
    vms = given.api.get(f"/hosts/{host['id']}/vms").data
    told = _live(given, host["id"])
    rows = [
        ("host", plain(host["name"], "bold")),
        ("cluster", plain(cluster["name"])),
        ("machines there", plain(f"{len(vms)}: {', '.join(vm['name'] for vm in vms)}" if vms else "none known")),
        *_evidence(told),
        *(_of_incident(given, incident) if incident is not None else ()),
    ]
    if engine and told is not None:
        rows.append(("if it is dead", plain(_ACTIONS.get(told["plan"]["action"], told["plan"]["action"]))))
    given.err.print(plain(warning, "bold"), soft_wrap=True)
    given.err.print(plain(""), tables.facts(rows), plain(""))
    gates = [gate for gate in told["gates"] if gate["readiness"] == "blocked"] if engine and told is not None else []
    if gates:
        found = ((state("blocked"), f"{gate['reason'] or gate['code']}: {gate['text']}", "") for gate in gates)
        given.err.print(tables.titled("As things stand it would not act, because", tables.remarks(found)))


def _live(given: Session, host_id: str) -> Mapping[str, Any] | None:
    """The explanation. A person may have to act just when it cannot be made: then that is said, and no more."""
    try:
        told: Mapping[str, Any] = explained(given, host_id).data
    except CliError as problem:
        if problem.code is not Exit.FAILED:
            raise
        return None
    return told


def _evidence(told: Mapping[str, Any] | None) -> list[tuple[str, Text]]:
    if told is None:
        return [("live evidence", plain("COULD NOT BE READ: nobody knows whether it lives", "bold red"))]
    alive = told["agent_answers"]
    return [
        ("its agent", plain("ANSWERS: the host lives", "bold red") if alive else plain("does not answer")),
        ("witnesses", plain(f"{told['witnesses_that_could_tell']} could tell")),
    ]


def _of_incident(given: Session, incident: Mapping[str, Any]) -> list[tuple[str, Text]]:
    silent = show_incidents.silent_for(incident, given.now)
    rows = [("incident", plain(f"{incident['state']}, silent for {silent}"))]
    if codes := show_incidents.why(incident):
        rows.append(("why", plain(", ".join(codes))))
    if newest := incident["newest"]:
        rows.append(("newest check round", plain(f"{newest['verdict']} ({', '.join(newest['reasons']) or '-'})")))
    proof = incident["proof"]
    return [*rows, ("power last read", plain(proof["last_state"] if proof["last_at"] else "not read"))]
