"""``hostfence``: puts the commands together, and turns every failure into one clear text and an exit code."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from controller.cli import (
    commands_control,
    commands_doctor,
    commands_incidents,
    commands_notify,
    commands_power,
    commands_settings,
    commands_show,
)
from controller.cli.errors import CliError
from controller.cli.session import Session
from controller.cli.text import plain

app = typer.Typer(
    name="hostfence",
    help="Shows and steers hostfence from a terminal. HOSTFENCE_TOKEN, or hostfence login, says who you are.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # a stack trace with values in it may hold the token
)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer's way
    if asked:
        typer.echo(f"hostfence {version('hostfence')}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    *,
    url: Annotated[
        str | None,
        typer.Option("--url", envvar="HOSTFENCE_URL", help="The controller, like https://fencing.example.org."),
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option(
            "--ca-file", envvar="HOSTFENCE_CA_FILE", help="Authorities in PEM to trust instead of the system's."
        ),
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Shows and steers hostfence from a terminal. HOSTFENCE_TOKEN, or hostfence login, says who you are."""
    del show_version
    given = context.obj = Session(url=url or None, ca_file=ca_file or None)
    context.call_on_close(given.close)


commands_show.add_to(app)
commands_doctor.add_to(app)
commands_incidents.add_to(app)
commands_power.add_to(app)
app.add_typer(commands_settings.settings_app, name="settings")
commands_notify.add_to(app)
commands_control.add_to(app)


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    try:
        app(args=None if argv is None else list(argv), prog_name="hostfence")
    except CliError as problem:
        console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        console.print(plain(f"hostfence: {problem.text}"))
        for hint in problem.hints:
            console.print(plain(f"  {hint}"))
        sys.exit(problem.code)


if __name__ == "__main__":
    main()
