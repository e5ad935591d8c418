"""Commands that reach for a host: fence, test, power."""

from typing import Annotated, Any

import typer

from controller.cli import show_inventory, watching
from controller.cli.client import Answer, ref
from controller.cli.confirm import Meant, confirm
from controller.cli.errors import Exit
from controller.cli.places import HostArgument
from controller.cli.preview import preview
from controller.cli.session import Json, Reason, Session, session
from controller.cli.text import plain

power_app = typer.Typer(help="Power commands of your own. They release nothing.", no_args_is_help=True)
Device = Annotated[int, typer.Option("--device", min=1, max=2, help="Which power device of the host.")]
Force = Annotated[bool, typer.Option("--force", help="In spite of signs of life.")]
_FOLLOW_EVERY_S = 2.0


def fence(
    context: typer.Context,
    name: HostArgument,
    *,
    reason: Reason,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow it until it ends (code 0) or is held for a person (code 1).")
    ] = False,
    meant: Meant = None,
    as_json: Json = False,
) -> None:
    """Report a host as gone.

    hostfence checks it, and does what the settings say if it finds it dead and nothing stands against it.
    """
    given = session(context)
    host = given.api.get(f"/hosts/{ref(name)}").data
    preview(
        given, host, "hostfence will check whether this host is dead, and then do what its settings say.", engine=True
    )
    confirm(given, host["name"], meant=meant)
    done = given.api.send("POST", f"/hosts/{host['id']}/disconnect", {"note": reason})
    incident = done.data["incident"]
    if wait and incident:
        incident = watching.follow(given, incident["id"], every_s=_FOLLOW_EVERY_S)
        done = given.api.get(f"/incidents/{incident['id']}")
        given.answer(done, lambda one: plain(f"{host['name']}: {one['state']}"), as_json=as_json)
    else:
        given.answer(done, lambda data: plain(_reported(given, data, host["name"])), as_json=as_json)
    if incident is None or (wait and incident["state"] == "held"):
        raise typer.Exit(Exit.FAILED)


def _reported(given: Session, data: dict[str, Any], name: str) -> str:
    if data["incident"] is None:
        means, remedy = given.words.get(data["why_not"], ("", ""))
        return f"{name}: no incident was opened: {data['why_not']}: {means} {remedy}".rstrip(": ")
    how = "opened" if data["opened"] else "was open already"
    return f"{name}: incident {data['incident']['id']} {how} ({data['incident']['state']}); hostfence incidents watch"


def try_device(context: typer.Context, host: HostArgument, *, device: Device = 1, as_json: Json = False) -> None:
    """Try a host's power device. Never changes the power."""
    given = session(context)
    _finish(given, _send(given, host, "test", None, device), as_json=as_json)


@power_app.command("status")
def read_power(context: typer.Context, host: HostArgument, *, device: Device = 1, as_json: Json = False) -> None:
    """Read the power state now. Ends with code 1 where it cannot be told."""
    given = session(context)
    with given.busy("asking the power device"):
        found = given.api.get(f"/hosts/{ref(host)}/power", device=device)
    given.answer(found, show_inventory.reading, as_json=as_json)
    if found.data["state"] == "unknown":
        raise typer.Exit(Exit.FAILED)


@power_app.command("blink")
def blink(
    context: typer.Context,
    host: HostArgument,
    *,
    off: Annotated[bool, typer.Option("--off", help="Put it out.")] = False,
    device: Device = 1,
    as_json: Json = False,
) -> None:
    """Light the LED that helps to find the machine."""
    given = session(context)
    _finish(given, _send(given, host, "blink", {"on": not off}, device), as_json=as_json)


@power_app.command("on")
def power_on(
    context: typer.Context, host: HostArgument, *, reason: Reason, device: Device = 1, as_json: Json = False
) -> None:
    """Give power."""
    given = session(context)
    _finish(given, _send(given, host, "on", {"reason": reason}, device), as_json=as_json)


@power_app.command("off")
def power_off(
    context: typer.Context,
    host: HostArgument,
    *,
    reason: Reason,
    force: Force = False,
    device: Device = 1,
    meant: Meant = None,
    as_json: Json = False,
) -> None:
    """Cut the power now. Refused against signs of life unless forced."""
    given = session(context)
    _take_down(given, host, "off", {"reason": reason, "force": force}, device=device, meant=meant, as_json=as_json)


@power_app.command("reboot")
def reboot(
    context: typer.Context,
    host: HostArgument,
    *,
    reason: Reason,
    force: Force = False,
    device: Device = 1,
    meant: Meant = None,
    as_json: Json = False,
) -> None:
    """Reset the machine now. Refused against signs of life unless forced."""
    given = session(context)
    _take_down(given, host, "reboot", {"reason": reason, "force": force}, device=device, meant=meant, as_json=as_json)


def _take_down(
    given: Session, host: str, action: str, body: dict[str, Any], *, device: int, meant: str | None, as_json: bool
) -> None:
    found = given.api.get(f"/hosts/{ref(host)}").data
    what = "CUT THE POWER OF" if action == "off" else "RESET"
    preview(given, found, f"This will {what} this host at once. Every machine on it stops.")
    confirm(given, found["name"], meant=meant)
    _finish(given, _send(given, found["id"], action, body, device), as_json=as_json)


def _send(given: Session, host: str, action: str, body: dict[str, Any] | None, device: int) -> Answer:
    with given.busy("asking the power device"):
        return given.api.send("POST", f"/hosts/{ref(host)}/power/{action}", body, params={"device": device})


def _finish(given: Session, done: Answer, *, as_json: bool) -> None:
    given.answer(done, show_inventory.attempt, as_json=as_json)
    if done.data["accepted"] != "yes":
        raise typer.Exit(Exit.FAILED)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(fence)
    app.command("test")(try_device)
    app.add_typer(power_app, name="power")
