"""Commands that steer hostfence itself: mode, pauses, re-arming; and login."""

import getpass
import re
import sys
from enum import StrEnum
from typing import Annotated

import typer

from controller.cli import connection as places_of_trust
from controller.cli import show_inventory, tables
from controller.cli.client import Api, ref
from controller.cli.confirm import Meant, confirm
from controller.cli.connection import Connection
from controller.cli.errors import CliError, Exit
from controller.cli.places import ClusterOption, HostArgument, HostOption, Place, place
from controller.cli.session import Json, Reason, Session, session
from controller.cli.show_readiness import clusters as readiness_of_clusters
from controller.cli.text import SHORT, plain, short, when

GLOBAL_NAME = "global"
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


class ModeWord(StrEnum):
    """What a mode may be set to."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    INHERIT = "inherit"


def mode(
    context: typer.Context,
    word: Annotated[
        ModeWord | None, typer.Argument(metavar="[enforce|observe|inherit]", help="Left out: show it.")
    ] = None,
    *,
    cluster: ClusterOption = None,
    host: HostOption = None,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="Why; needed to change it.")] = None,
    meant: Meant = None,
    as_json: Json = False,
) -> None:
    """Show or set the mode.

    Of everything, a cluster or a host. observe sends nothing to any host; the strictest level wins.
    """
    given = session(context)
    where = place(cluster, host)
    if word is None:
        found = given.api.get(f"{where.path}/mode")
        given.answer(
            found, lambda data: plain(f"{where.words}: {data['value']} (from {data['source']})"), as_json=as_json
        )
        return
    if not reason:
        raise CliError("a change of mode needs --reason", code=Exit.USAGE)
    if word is not ModeWord.OBSERVE:
        _before_arming(given, where, meant)
    body = {"mode": None if word is ModeWord.INHERIT else word.value, "reason": reason}
    done = given.api.send("PUT", f"{where.path}/mode", body)
    given.answer(
        done,
        lambda data: plain(
            f"{where.words}: {data['value']} holds now (from {data['source']}; the strictest level wins)"
        ),
        as_json=as_json,
    )


def _before_arming(given: Session, where: Place, meant: str | None) -> None:
    """Say what may be switched off from now on, and ask. Inheriting may arm as well."""
    name = GLOBAL_NAME
    if where.level != "global":
        name = str(given.api.get(where.path).data["name"])
    if where.level == "cluster":
        concerned = [given.api.get(f"{where.path}/readiness").data]
    else:
        concerned = given.api.get("/readiness").data if where.level == "global" else []
    given.err.print(plain(f"From then on hostfence may cut power by itself in: {where.words}.", "bold"))
    if concerned:
        given.err.print(readiness_of_clusters(concerned))
    confirm(given, name, meant=meant)


def pauses(
    context: typer.Context,
    *,
    expired: Annotated[bool, typer.Option("--all", help="The expired ones too.")] = False,
    as_json: Json = False,
) -> None:
    """List what is paused."""
    given = session(context)
    found = given.api.get("/pauses", active=not expired)
    names: dict[str, str] = {}
    if not as_json:
        names = {one["id"]: one["name"] for path in ("/hosts", "/clusters") for one in given.api.get(path).data}
    given.answer(found, lambda data: show_inventory.pauses(data, names, now=given.now), as_json=as_json)


def pause(
    context: typer.Context,
    *,
    reason: Reason,
    cluster: ClusterOption = None,
    host: HostOption = None,
    lasts: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long: 90s, 30m, 8h, 2d, or ever (until it is lifted).")
    ] = "1h",
    as_json: Json = False,
) -> None:
    """Pause fencing.

    Of everything, a cluster or a host. What was sent before goes on.
    """
    given = session(context)
    where = place(cluster, host)
    body = {"level": where.level, "owner": where.name, "reason": reason, "for_seconds": _seconds(lasts)}
    made = given.api.send("POST", "/pauses", body)
    given.answer(
        made,
        lambda one: plain(
            f"{where.words}: fencing is paused until "
            f"{when(one['until'], given.now) if one['until'] else 'it is lifted'}"
            f"; hostfence unpause {short(one['id'])}"
        ),
        as_json=as_json,
    )


def unpause(
    context: typer.Context,
    pause_id: Annotated[str, typer.Argument(metavar="PAUSE", help="Its id, as hostfence pauses lists it.")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Lift a pause now."""
    given = session(context)
    fits = [one["id"] for one in given.api.get("/pauses").data if one["id"].startswith(pause_id)]
    whole = fits[0] if len(pause_id) >= SHORT and len(fits) == 1 else pause_id
    done = given.api.send("POST", f"/pauses/{ref(whole)}/lift", {"reason": reason})
    given.answer(done, lambda one: plain(f"lifted by {one['lifted_by']}"), as_json=as_json)


def rearm(context: typer.Context, host: HostArgument, *, reason: Reason, as_json: Json = False) -> None:
    """Let the next silence of a host count.

    Although it was not seen healthy since the last.
    """
    given = session(context)
    done = given.api.send("POST", f"/hosts/{ref(host)}/rearm", {"reason": reason})
    given.answer(
        done,
        lambda health: tables.facts([("may open an incident", "yes" if health["armed"] else "no")]),
        as_json=as_json,
    )


def login(context: typer.Context) -> None:
    """Save an address and a token.

    They are used by the next commands. The token is asked for, or read from a pipe.
    """
    given = session(context)
    url = places_of_trust.checked_url(given.url or places_of_trust.DEFAULT_URL)
    if places_of_trust.is_exposed(url):
        given.err.print(plain(f"WARNING: {url} is not encrypted: whoever is in the way can read the token.", "bold"))
    typed = getpass.getpass(f"Token for {url}: ") if sys.stdin.isatty() else sys.stdin.readline()
    made = Connection(url=url, token=places_of_trust.checked_token(typed), ca_file=given.ca_file)
    with Api(made) as api:
        who = api.get("/whoami").data
    path = places_of_trust.save(made)
    given.out.print(plain(f"{who['name']} ({who['role']}) at {url}; saved in {path}"), soft_wrap=True)


def logout(context: typer.Context) -> None:
    """Forget what login saved. The token stays good until an admin revokes it."""
    given = session(context)
    given.out.print(plain("forgotten" if places_of_trust.forget() else "nothing was saved"))


def _seconds(text: str) -> int | None:
    if text == "ever":
        return None
    found = re.fullmatch(r"(\d{1,9})\s*(s|m|min|h|d)", text)
    if found is None:
        raise CliError(
            f"--for {text!r} is no time", code=Exit.USAGE, hints=("write it like 90s, 30m, 8h, 2d, or ever",)
        )
    return int(found[1]) * _UNITS[found[2]]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (mode, pause, pauses, unpause, rearm, login, logout):
        app.command()(command)
