"""Commands on incidents: list, show, watch; acknowledge, cancel, retry."""

from typing import Annotated

import typer

from controller.cli import show_incidents, show_inventory, tables, watching
from controller.cli.client import Answer, ref
from controller.cli.commands_show import CursorOption
from controller.cli.confirm import Meant, confirm
from controller.cli.errors import CliError, Exit
from controller.cli.places import ClusterOption, HostOption, IncidentArgument
from controller.cli.preview import preview
from controller.cli.session import Json, Reason, Session, session
from controller.cli.text import SHORT, plain

incidents_app = typer.Typer()
Every = Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two looks.")]


@incidents_app.callback(invoke_without_command=True)
def list_incidents(
    context: typer.Context,
    *,
    host: HostOption = None,
    cluster: ClusterOption = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are open.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    cursor: CursorOption = None,
    as_json: Json = False,
) -> None:
    """Silent hosts: list, show one, watch.

    Without a command: list them, those that need somebody first.
    """
    if context.invoked_subcommand is not None:
        return
    given = session(context)
    found = given.api.get("/incidents", host=host, cluster=cluster, only_open=only_open, limit=limit, cursor=cursor)
    names = {} if as_json else _names(given)
    given.answer(
        found,
        lambda page: show_inventory.with_more(
            show_incidents.incident_list(page["items"], names, now=given.now), page["next_cursor"]
        ),
        as_json=as_json,
    )


@incidents_app.command()
def show(context: typer.Context, incident: IncidentArgument, *, as_json: Json = False) -> None:
    """Show one: why, what to do, and its timeline."""
    given = session(context)
    found = find(given, incident)
    if as_json:
        given.answer(found, lambda _: plain(""), as_json=True)
        return
    one = found.data
    events = given.api.get(f"/incidents/{one['id']}/events").data
    given.out.print(
        show_incidents.incident(one, given.host_name(one["host_id"]), given.words, now=given.now),
        plain(""),
        tables.titled("Timeline", show_incidents.timeline(events, now=given.now)),
    )


@incidents_app.command()
def watch(
    context: typer.Context,
    *,
    host: HostOption = None,
    cluster: ClusterOption = None,
    every: Every = 2.0,
    as_json: Json = False,
) -> None:
    """Show the open ones as they move, until Ctrl-C.

    Not on a terminal: a line for each change. With --json: a line of JSON for each.
    """
    given = session(context)

    def read() -> Answer:
        return given.api.get("/incidents", only_open=True, host=host, cluster=cluster)

    watching.watch(given, read, every_s=every, as_json=as_json)


def acknowledge(
    context: typer.Context,
    incident: IncidentArgument,
    *,
    reason: Reason,
    second_admin: Annotated[
        bool, typer.Option("--second-admin", help="As a second person: although its disks still move.")
    ] = False,
    meant: Meant = None,
    as_json: Json = False,
) -> None:
    """Vouch that a host is off.

    Its machines then start elsewhere; if it runs in fact, they write to the same disks twice.
    """
    given = session(context)
    one = find(given, incident).data
    host = given.api.get(f"/hosts/{one['host_id']}").data
    preview(
        given,
        host,
        "You vouch that this host is OFF. If it still runs, its machines will write to the same disks twice.",
        incident=one,
    )
    confirm(given, host["name"], meant=meant)
    body = {"host_name": host["name"], "reason": reason, "second_admin": second_admin}
    done = given.api.send("POST", f"/incidents/{one['id']}/acknowledge", body)
    given.answer(done, lambda data: plain(f"acknowledged; the incident is {data['state']} now"), as_json=as_json)


def cancel(context: typer.Context, incident: IncidentArgument, *, reason: Reason, as_json: Json = False) -> None:
    """End an incident without action. Refused once a power command may have been sent."""
    _act(session(context), incident, "cancel", reason, as_json=as_json)


def retry(context: typer.Context, incident: IncidentArgument, *, reason: Reason, as_json: Json = False) -> None:
    """Take up a held incident again. Never sends a power command by itself."""
    _act(session(context), incident, "retry", reason, as_json=as_json)


def _act(given: Session, incident: str, what: str, reason: str, *, as_json: bool) -> None:
    one = find(given, incident).data
    done = given.api.send("POST", f"/incidents/{one['id']}/{what}", {"reason": reason})
    given.answer(
        done,
        lambda data: plain(f"{given.host_name(data['host_id'])}: the incident is {data['state']} now"),
        as_json=as_json,
    )


def find(given: Session, text: str) -> Answer:
    """The incident of that id or its beginning, or the open one of the host of that name."""
    try:
        return given.api.get(f"/incidents/{ref(text)}")
    except CliError as problem:
        if problem.code not in (Exit.NOT_FOUND, Exit.FAILED):  # FAILED: a name that cannot be an id
            raise
    if len(text) >= SHORT:
        newest = given.api.get("/incidents", limit=200).data["items"]
        fits = [one["id"] for one in newest if one["id"].startswith(text)]
        if len(fits) == 1:
            return given.api.get(f"/incidents/{fits[0]}")
    found = given.api.get("/incidents", host=text, only_open=True).data["items"]
    if not found:
        raise CliError(f"no incident of host {text} is open", code=Exit.NOT_FOUND)
    return given.api.get(f"/incidents/{found[0]['id']}")


def _names(given: Session) -> dict[str, str]:
    return {key: str(one["name"]) for key, one in given.hosts().items()}


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(incidents_app, name="incidents")
    for command in (acknowledge, cancel, retry):
        app.command()(command)
