"""Commands that only look: status, hosts, explain, readiness, cloud, audit."""

import json
from typing import Annotated, Any

import typer

from controller.cli import show_cloud, show_incidents, show_inventory, show_notifications, show_readiness, tables
from controller.cli.client import Answer, ref
from controller.cli.errors import Exit
from controller.cli.places import ClusterOption, complete_cluster, complete_host
from controller.cli.session import Json, Session, session
from controller.cli.text import plain

Check = Annotated[bool, typer.Option("--check", help="End with code 7 unless all of it could be fenced now.")]
CursorOption = Annotated[str | None, typer.Option("--cursor", help="The page after this one.")]


def status(context: typer.Context, *, as_json: Json = False) -> None:
    """What needs you now.

    Open incidents, pauses, the cloud, notifications that nobody got, and what could not be fenced.
    """
    given = session(context)
    with given.busy("reading"):
        parts = {
            "incidents": given.api.get("/incidents", only_open=True),
            "pauses": given.api.get("/pauses"),
            "mode": given.api.get("/mode"),
            "cloud": given.api.get("/cloud"),
            "readiness": given.api.get("/readiness"),
            "channels": given.api.get("/channels"),
        }
    if as_json:
        typer.echo("{" + ", ".join(f"{json.dumps(name)}: {part.text}" for name, part in parts.items()) + "}")
        return
    _show_status(given, {name: part.data for name, part in parts.items()})


def _show_status(given: Session, parts: dict[str, Any]) -> None:
    names = {**_clusters(given), **{key: str(one["name"]) for key, one in given.hosts().items()}}
    incidents = show_incidents.in_order(parts["incidents"]["items"])
    held = [one for one in incidents if one["state"] == "held"]
    out = given.out
    count = f"{len(incidents)} open, {len(held)} of them HELD for you" if held else f"{len(incidents)} open"
    shown = show_incidents.incident_list(incidents, names, now=given.now, empty="None: no host is silent.")
    out.print(tables.titled(f"Incidents: {count}" if incidents else "Incidents", shown))
    if codes := list(dict.fromkeys(code for one in held for code in one["reasons"])):
        out.print(tables.titled("Why they are held", show_incidents.reasons(codes, given.words)))
    if parts["pauses"]:
        out.print(tables.titled("FENCING IS PAUSED", show_inventory.pauses(parts["pauses"], names, now=given.now)))
    if parts["mode"]["value"] != "enforce":
        out.print(plain("Mode observe everywhere: hostfence watches and tells, and sends nothing to any host.\n"))
    cloud = parts["cloud"]
    if cloud["problem"]:
        out.print(tables.titled("The cloud could not be read", plain(cloud["problem"])))
    if warnings := len(cloud["warnings"]):
        out.print(plain(f"The cloud has {warnings} things to see to: hostfence cloud\n"))
    if lost := show_notifications.lost(parts["channels"]):
        out.print(tables.titled("Notifications that NOBODY GOT", lost))
    out.print(tables.titled("Could hosts be fenced if they died now?", show_readiness.clusters(parts["readiness"])))


def hosts(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Argument(metavar="[HOST]", help="Show this one alone.", autocompletion=complete_host)
    ] = None,
    *,
    cluster: ClusterOption = None,
    as_json: Json = False,
) -> None:
    """List the hosts, or show one.

    One is shown with its health, storage and machines.
    """
    given = session(context)
    if host is None:
        found = given.api.get("/hosts", cluster=cluster)
        given.answer(found, lambda data: show_inventory.host_list(data, _clusters(given)), as_json=as_json)
        return
    one = given.api.get(f"/hosts/{ref(host)}")
    if as_json:
        given.answer(one, lambda _: plain(""), as_json=True)
        return
    vms = given.api.get(f"/hosts/{one.data['id']}/vms").data
    name = _clusters(given).get(one.data["cluster_id"], "?")
    given.out.print(show_inventory.host(one.data, name, vms, now=given.now))


def explain(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", autocompletion=complete_host)],
    *,
    all_gates: Annotated[bool, typer.Option("--all", help="The open gates too.")] = False,
    check: Check = False,
    as_json: Json = False,
) -> None:
    """Could this host be fenced if it died now?

    If not: why not, and what to do. How fast it would be.
    """
    given = session(context)
    found = explained(given, host)
    given.answer(found, lambda data: show_readiness.explanation(data, all_gates=all_gates), as_json=as_json)
    if check and found.data["readiness"] != "ready":
        raise typer.Exit(Exit.NOT_READY)


def explained(given: Session, host: str) -> Answer:
    """The live explanation of one host."""
    with given.busy("asking the agents of its cluster"):
        return given.api.get(f"/hosts/{ref(host)}/explain")


def readiness(
    context: typer.Context,
    cluster: Annotated[
        str | None, typer.Argument(metavar="[CLUSTER]", help="Show this one alone.", autocompletion=complete_cluster)
    ] = None,
    *,
    check: Check = False,
    as_json: Json = False,
) -> None:
    """Which hosts could be fenced if they died now?

    By cluster, the worst first; or one cluster with causes and hosts.
    """
    given = session(context)
    if cluster is None:
        found = given.api.get("/readiness")
        given.answer(found, show_readiness.clusters, as_json=as_json)
    else:
        found = given.api.get(f"/clusters/{ref(cluster)}/readiness")
        given.answer(found, show_readiness.cluster, as_json=as_json)
    looked_at = found.data if cluster is None else [found.data]
    if check and any(one["blocked"] or one["waits"] for one in looked_at):
        raise typer.Exit(Exit.NOT_READY)


def cloud(context: typer.Context, *, as_json: Json = False) -> None:
    """What was read of the cloud?

    What the key may not do, what cannot be checked and why, what is missing.
    """
    given = session(context)
    found = given.api.get("/cloud")
    given.answer(found, lambda data: show_cloud.report(data, now=given.now), as_json=as_json)


def audit(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 30,
    cursor: CursorOption = None,
    as_json: Json = False,
) -> None:
    """Who changed what, newest first."""
    given = session(context)
    found = given.api.get("/audit", limit=limit, cursor=cursor)
    names = {} if as_json else {key: str(one["name"]) for key, one in given.hosts().items()}
    given.answer(found, lambda data: show_inventory.audit(data, names, now=given.now), as_json=as_json)


def whoami(context: typer.Context, *, as_json: Json = False) -> None:
    """Whose token is used, its role, and where."""
    given = session(context)
    found = given.api.get("/whoami")
    given.answer(found, lambda data: plain(f"{data['name']} ({data['role']}) at {given.api.url}"), as_json=as_json)


def _clusters(given: Session) -> dict[str, str]:
    return {one["id"]: one["name"] for one in given.api.get("/clusters").data}


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (status, hosts, explain, readiness, cloud, audit, whoami):
        app.command()(command)
