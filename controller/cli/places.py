"""Which cluster or host a command is about, and completion of their names."""

import os
from dataclasses import dataclass
from typing import Annotated

import typer

from controller.cli.client import Api, ref
from controller.cli.connection import find_connection
from controller.cli.errors import CliError, Exit


def _names(context: typer.Context, path: str, incomplete: str) -> list[str]:
    """Names for the shell's completion. Whatever goes wrong, it only completes nothing."""
    given = context.find_root().params
    url = given.get("url") or os.environ.get("HOSTFENCE_URL")
    ca_file = given.get("ca_file") or os.environ.get("HOSTFENCE_CA_FILE")
    try:
        with Api(find_connection(url, ca_file), patience_s=2) as api:
            return sorted(one["name"] for one in api.get(path).data if one["name"].startswith(incomplete))
    except CliError:
        return []


def complete_host(context: typer.Context, incomplete: str) -> list[str]:
    """Names of hosts."""
    return _names(context, "/hosts", incomplete)


def complete_cluster(context: typer.Context, incomplete: str) -> list[str]:
    """Names of clusters."""
    return _names(context, "/clusters", incomplete)


HostArgument = Annotated[
    str, typer.Argument(metavar="HOST", help="Its name, id or the cloud's id.", autocompletion=complete_host)
]
IncidentArgument = Annotated[
    str,
    typer.Argument(
        metavar="INCIDENT", help="Its id, or the host whose incident is open.", autocompletion=complete_host
    ),
]
HostOption = Annotated[str | None, typer.Option("--host", "-H", help="This host alone.", autocompletion=complete_host)]
ClusterOption = Annotated[
    str | None, typer.Option("--cluster", "-c", help="This cluster alone.", autocompletion=complete_cluster)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A level of settings, pauses and mode: everything, a cluster or a host; ``name`` as it was given."""

    level: str
    name: str = ""

    @property
    def path(self) -> str:
        """What its routes begin with."""
        return f"/{self.level}s/{ref(self.name)}" if self.name else ""

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.level} {self.name}" if self.name else "everything (global)"


def place(cluster: str | None, host: str | None) -> Place:
    """The one place that is named; none: everything."""
    if cluster is not None and host is not None:
        raise CliError("give --cluster or --host, not both", code=Exit.USAGE)
    if host is not None:
        ref(host)
        return Place(level="host", name=host)
    if cluster is not None:
        ref(cluster)
        return Place(level="cluster", name=cluster)
    return Place(level="global")
