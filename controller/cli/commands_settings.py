"""Commands on settings: get, set, unset; export and import of all levels."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from controller.cli import settings_document, show_inventory, tables
from controller.cli.confirm import Meant, confirm
from controller.cli.errors import CliError, Exit
from controller.cli.places import ClusterOption, HostOption, place
from controller.cli.session import Json, Session, session
from controller.cli.setting_words import known, near, read_words
from controller.cli.settings_document import LevelPlan
from controller.cli.text import plain, said
from controller.cli.yaml_files import read_yaml, write_yaml

settings_app = typer.Typer(help="Settings of everything, a cluster, a host.", no_args_is_help=True)
MEANT_BY_IMPORT = "import"


@settings_app.command("get")
def get(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.")] = None,
    *,
    cluster: ClusterOption = None,
    host: HostOption = None,
    written: Annotated[bool, typer.Option("--written", help="Only what is written at this level.")] = False,
    as_json: Json = False,
) -> None:
    """Show what holds here, and where it comes from."""
    given = session(context)
    where = place(cluster, host)
    found = given.api.get(f"{where.path}/settings" if written else f"{where.path}/settings/effective")
    if as_json and not names:
        given.answer(found, lambda _: plain(""), as_json=True)
        return
    catalogue = _catalogue(given)
    for name in names or ():
        if name not in catalogue:
            raise CliError(f"there is no setting {name!r}", code=Exit.USAGE, hints=near(name, catalogue))
    chosen = {name: value for name, value in found.data.items() if not names or name in names}
    if as_json:
        typer.echo(json.dumps(chosen))
    elif written:
        given.out.print(show_inventory.written(chosen))
    else:
        units = {name: str(one["unit"]) for name, one in catalogue.items()}
        given.out.print(show_inventory.settings(chosen, units=units))


@settings_app.command("set")
def set_values(
    context: typer.Context,
    words: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="NAME=- asks for it, NAME=@FILE reads a file.")
    ],
    *,
    cluster: ClusterOption = None,
    host: HostOption = None,
    as_json: Json = False,
) -> None:
    """Write settings: all of them, or none."""
    given = session(context)
    _write(given, place(cluster, host).path, read_words(words, _catalogue(given)), as_json=as_json)


@settings_app.command("unset")
def unset(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME...")],
    *,
    cluster: ClusterOption = None,
    host: HostOption = None,
    as_json: Json = False,
) -> None:
    """Let settings inherit again at a level."""
    given = session(context)
    catalogue = _catalogue(given)
    _write(given, place(cluster, host).path, {known(name, catalogue)["name"]: None for name in names}, as_json=as_json)


@settings_app.command("export")
def export(
    context: typer.Context,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write here, not to standard output.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Write all levels as YAML, without secrets.

    Of a secret it says only whether it is set. With --json: as JSON.
    """
    given = session(context)
    with given.busy("reading all levels"):
        document = settings_document.export(given.api)
    text = json.dumps(document) + "\n" if as_json else write_yaml(document)
    if file is None:
        typer.echo(text, nl=False)
        return
    try:
        file.write_text(text)
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error}", code=Exit.USAGE) from error


@settings_app.command("import")
def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What export wrote; - for standard input.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="What a level of the file does not name inherits again; secrets stay.")
    ] = False,
    with_mode: Annotated[bool, typer.Option("--with-mode", help="Set the modes as well: this may arm hosts.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="Needed with --with-mode.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    meant: Meant = None,
    as_json: Json = False,
) -> None:
    """Compare with a file, ask, and write.

    Shows what would change, asks for the word import, then writes one level after the other.
    A level is written completely or not at all. At the first that is refused it stops and says what was written.
    Secrets of which the file only says that they are set stay as they are.
    """
    given = session(context)
    if with_mode and not reason:
        raise CliError("--with-mode needs --reason", code=Exit.USAGE)
    document = read_yaml(file)
    with given.busy("comparing"):
        plans = settings_document.plan(given.api, document, _catalogue(given), replace=replace, with_mode=with_mode)
    changing = [one for one in plans if one.changes]
    given.err.print(_difference(plans))
    if changing and not dry_run:
        confirm(given, MEANT_BY_IMPORT, meant=meant)
        _apply(given, changing, reason or "")
    if as_json:
        typer.echo(json.dumps([{"level": one.words, "before": one.before, "after": one.after} for one in changing]))


def _apply(given: Session, changing: Sequence[LevelPlan], reason: str) -> None:
    """Settings of all levels first, modes last: nothing is armed on half of its settings."""
    steps = [("PATCH", f"{one.path}/settings", one.body, one.words) for one in changing if one.body]
    steps += [
        ("PUT", f"{one.path}/mode", {"mode": one.mode, "reason": reason}, f"mode of {one.words}")
        for one in changing
        if one.mode_changes
    ]
    done: list[str] = []
    for number, (method, path, body, words) in enumerate(steps):
        try:
            with given.busy(f"writing {words} ({number + 1} of {len(steps)})"):
                given.api.send(method, path, body)
        except CliError as problem:
            rest = ", ".join(step[3] for step in steps[number + 1 :]) or "nothing"
            fate = "not written" if problem.code is not Exit.UNREACHABLE else "nobody knows whether written"
            raise CliError(
                f"{words}: {problem.text}",
                code=problem.code,
                hints=(
                    *problem.hints,
                    f"written: {', '.join(done) or 'nothing'}",
                    f"{fate}: {words}",
                    f"not tried: {rest}",
                ),
            ) from problem
        done.append(words)
        given.err.print(plain(f"written: {words}"))


def _difference(plans: Sequence[LevelPlan]) -> RenderableType:
    parts: list[RenderableType] = []
    for one in plans:
        lines = [plain(f"{name}: {_side(one.before[name])} -> {_side(one.after[name])}") for name in sorted(one.before)]
        lines += [plain(note) for note in one.notes]
        if lines:
            parts.append(tables.titled(one.words, *lines))
    return tables.stacked(*parts) if parts else plain("Nothing would change.")


def _side(value: Any) -> str:
    if not isinstance(value, list):
        return said(value)
    return "[" + ", ".join(str(one.get("name", one)) if isinstance(one, dict) else str(one) for one in value) + "]"


def _write(given: Session, path: str, changes: Mapping[str, Any], *, as_json: bool) -> None:
    done = given.api.send("PATCH", f"{path}/settings", changes)
    given.answer(done, show_inventory.written, as_json=as_json)


def _catalogue(given: Session) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in given.api.get("/settings/catalogue").data}
