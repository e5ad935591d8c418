"""Commands on channels and notifications: what was told, a test, sending again what was given up."""

from enum import StrEnum
from typing import Annotated

import typer

from controller.cli import show_inventory, show_notifications
from controller.cli.client import ref
from controller.cli.commands_show import CursorOption
from controller.cli.errors import CliError, Exit
from controller.cli.session import Json, Session, session
from controller.cli.text import SHORT, plain

channels_app = typer.Typer()
notifications_app = typer.Typer()
ChannelArgument = Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name, as hostfence channels lists it.")]
_MOST = 200


class Stands(StrEnum):
    """What may have become of a delivery."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    IN_DIGEST = "in_digest"
    TEST_FAILED = "test_failed"


@channels_app.callback(invoke_without_command=True)
def list_channels(context: typer.Context, *, as_json: Json = False) -> None:
    """Where notifications go: list, test, send again.

    Without a command: list the channels, with what waits and what was given up.
    """
    if context.invoked_subcommand is not None:
        return
    given = session(context)
    found = given.api.get("/channels")
    given.answer(found, lambda data: show_notifications.channels(data, now=given.now), as_json=as_json)


@channels_app.command("test")
def try_channel(context: typer.Context, channel: ChannelArgument, *, as_json: Json = False) -> None:
    """Send a message that says it is a test, and show the receiver's answer.

    Ends with code 1 where it was not taken.
    """
    given = session(context)
    with given.busy("waiting for the receiver"):
        done = given.api.send("POST", "/channels/test", {"channel": channel})
    given.answer(done, show_notifications.test, as_json=as_json)
    if not done.data["taken"]:
        raise typer.Exit(Exit.FAILED)


@channels_app.command("resend")
def resend_channel(context: typer.Context, channel: ChannelArgument, *, as_json: Json = False) -> None:
    """Try everything again that a channel gave up. Much at once comes as a digest."""
    given = session(context)
    done = given.api.send("POST", "/channels/resend", {"channel": channel})
    given.answer(done, lambda data: plain(f"{data['channel']}: {data['resent']} to be sent again"), as_json=as_json)


@notifications_app.callback(invoke_without_command=True)
def list_deliveries(
    context: typer.Context,
    *,
    status: Annotated[Stands | None, typer.Option("--status", "-s", help="Only those, like dead.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Only those to this channel.")] = None,
    incident: Annotated[str | None, typer.Option("--incident", help="Only those of the incident of this id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many.")] = 20,
    cursor: CursorOption = None,
    as_json: Json = False,
) -> None:
    """What people were told: list, show one, send again.

    Without a command: list the messages to each channel and what became of them, the newest first.
    """
    if context.invoked_subcommand is not None:
        return
    given = session(context)
    found = given.api.get(
        "/deliveries", status=status, channel=channel, incident_id=incident, limit=limit, cursor=cursor
    )
    given.answer(
        found,
        lambda page: show_inventory.with_more(
            show_notifications.deliveries(page["items"], now=given.now), page["next_cursor"]
        ),
        as_json=as_json,
    )


@notifications_app.command()
def show(
    context: typer.Context,
    notification: Annotated[str, typer.Argument(metavar="NOTIFICATION", help="Its id, or the beginning of it.")],
    *,
    as_json: Json = False,
) -> None:
    """Show one: what it says, and what became of it on each channel."""
    given = session(context)
    found = given.api.get(f"/notifications/{ref(_whole(given, notification))}")
    given.answer(found, lambda one: show_notifications.notification(one, now=given.now), as_json=as_json)


@notifications_app.command()
def resend(
    context: typer.Context,
    notification: Annotated[str, typer.Argument(metavar="NOTIFICATION", help="Its id, or the beginning of it.")],
    *,
    channel: Annotated[str | None, typer.Option("--channel", help="On this channel alone.")] = None,
    as_json: Json = False,
) -> None:
    """Try again what was given up of one notification. Never what was taken."""
    given = session(context)
    whole = _whole(given, notification)
    done = given.api.send("POST", f"/notifications/{ref(whole)}/resend", {"channel": channel})
    given.answer(
        done,
        lambda data: plain(f"to be sent again: {', '.join(one['channel'] for one in data)}"),
        as_json=as_json,
    )


def _whole(given: Session, beginning: str) -> str:
    """The id that begins so, among the newest and the dead; as it was given where it is long enough to be whole."""
    if len(beginning) < SHORT:
        raise CliError(f"{beginning!r} is too short: give {SHORT} letters or more", code=Exit.USAGE)
    for params in ({"status": "dead"}, {}):
        page = given.api.get("/deliveries", limit=_MOST, **params).data["items"]
        fits = {one["notification"]["id"] for one in page if one["notification"]["id"].startswith(beginning)}
        if len(fits) == 1:
            return str(fits.pop())
    return beginning


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(channels_app, name="channels")
    app.add_typer(notifications_app, name="notifications")
