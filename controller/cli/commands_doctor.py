"""``hostfence doctor``: looks at the whole deployment through the REST interface, and ends with a code."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from controller.cli import tables
from controller.cli.doctor.check import OK, PROBLEM, WARNING, Check, worst_of
from controller.cli.doctor.checks import Answers, all_checks
from controller.cli.errors import CliError, Exit
from controller.cli.session import Session, session
from controller.cli.text import plain, state

_PARTS = {
    "whoami": "/whoami",
    "deployment": "/deployment",
    "cloud": "/cloud",
    "hosts": "/hosts",
    "readiness": "/readiness",
    "channels": "/channels",
}
_WHOLE = {
    OK: "Nothing is wrong.",
    WARNING: "Nothing stands in the way; something should be looked at.",
    PROBLEM: "Something is wrong.",
}


def doctor(
    context: typer.Context,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Show what is well, too.")] = False,
    armed: Annotated[bool, typer.Option("--armed", help="What a person has not armed counts as a problem.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A warning ends with code 7 as well.")] = False,
    send_tests: Annotated[bool, typer.Option("--send-tests", help="Send a test through every channel.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON to standard output.")] = False,
) -> None:
    """Check the whole deployment: what is wrong, and what to do.

    Controllers, database, clocks, key, cloud, agents, power devices, heartbeats, limits, channels. Nothing is changed,
    and nothing is sent to any host; to channels only with --send-tests, which takes an operator's token.
    """
    given = session(context)
    with given.busy("looking at everything"):
        found = ask(given)
    if send_tests and found.channels is not None:
        found.tested = [_tested(given, one["name"]) for one in found.channels if one["kind"] is not None]
    checks = all_checks(found, armed=armed)
    stands = worst_of(one.state for one in checks)
    if as_json:
        told = {"url": given.api.url, "state": stands, "checks": [asdict(one) for one in checks]}
        typer.echo(json.dumps(told))
    else:
        given.out.print(shown(checks, everything=everything))
    if stands == PROBLEM or (strict and stands == WARNING):
        raise typer.Exit(Exit.NOT_READY)


def ask(given: Session) -> Answers:
    """Everything that is looked at. Raises :class:`CliError` where no controller answers at all."""
    health = given.api.peek("/healthz")
    if not isinstance(health, dict):
        raise given.api.nobody()
    found = Answers(
        version=version("hostfence"),
        now=given.api.now,
        here=datetime.now(UTC),  # noqa: TID251 - this machine's clock is what is compared
        health=health,
    )
    fitness = given.api.peek("/readyz")
    found.fitness = fitness if isinstance(fitness, dict) and "reasons" in fitness else None
    for name, path in _PARTS.items():
        setattr(found, name, _part(given, found, name, path))
    return found


def _tested(given: Session, channel: str) -> Any:
    with given.busy(f"waiting for the receiver of {channel}"):
        return given.api.send("POST", "/channels/test", {"channel": channel}).data


def _part(given: Session, found: Answers, name: str, path: str) -> Any:
    try:
        return given.api.get(path).data
    except CliError as refusal:
        if refusal.code is Exit.UNREACHABLE or name == "whoami":
            raise
        found.refused[name] = refusal.text
        return None


def shown(checks: list[Check], *, everything: bool) -> RenderableType:
    """What is wrong first, in the order of mending; what is well only when asked for."""
    picked = [one for one in checks if everything or one.state != OK]
    stands = worst_of(one.state for one in checks)
    head = state(stands)
    head.append(f"  {_WHOLE[stands]}")
    parts: list[RenderableType] = [head, plain("")]
    for one in picked:
        title = Text.assemble(state(one.state), "  ", plain(one.text))
        lines = [plain(f"- {line}") for line in one.details] + [plain(f"To do: {line}", "dim") for line in one.todo]
        parts.append(tables.under(title, *lines))
    if hidden := len(checks) - len(picked):
        parts.append(plain(f"Well: {hidden} more (--all shows them)."))
    return tables.stacked(*parts)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
