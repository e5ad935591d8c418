"""Nothing dangerous happens before a person has seen what it hits and has typed that thing's name."""

import sys
from typing import Annotated

import typer

from controller.cli.errors import CliError, Exit
from controller.cli.session import Session
from controller.cli.text import clean

Meant = Annotated[
    str | None,
    typer.Option("--yes-i-mean", metavar="NAME", help="Confirm without being asked: the exact name of what is hit."),
]


def confirm(given: Session, name: str, *, meant: str | None) -> None:
    """Return only when ``name`` was given or typed exactly; else :class:`CliError`, and nothing has been done."""
    if meant is not None:
        if meant == name:
            return
        raise _not_confirmed(f"--yes-i-mean says {meant!r}, but this would hit {name!r}")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise _not_confirmed(
            f"this needs a confirmation and nobody is there to ask: give --yes-i-mean {clean(name)} if you mean that"
        )
    given.err.print(f"Type the name [{clean(name)}] to go on, anything else to stop: ", markup=False, end="")
    if sys.stdin.readline().strip() != name:
        raise _not_confirmed("that is not the name")


def _not_confirmed(text: str) -> CliError:
    return CliError(f"{text}; nothing was done", code=Exit.NOT_CONFIRMED)
