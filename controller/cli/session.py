"""What every command has at hand: the controller, the two consoles, and how it prints, asks and waits."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from controller.cli.client import Answer, Api
from controller.cli.connection import Connection, find_connection

Json = Annotated[bool, typer.Option("--json", help="Print the controller's own JSON to standard output.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why, for the timeline and the audit.")]


@dataclass
class Session:
    """One run of the program."""

    url: str | None = None
    ca_file: str | None = None
    _hosts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def connection(self) -> Connection:
        """Where to, and as whom."""
        return find_connection(self.url, self.ca_file)

    @cached_property
    def api(self) -> Api:
        """The controller."""
        return Api(self.connection)

    def close(self) -> None:
        """End the connections, where any were made."""
        if "api" in vars(self):
            self.api.close()

    @cached_property
    def out(self) -> Console:
        """What was asked for."""
        return Console(file=sys.stdout, highlight=False, soft_wrap=False)

    @cached_property
    def err(self) -> Console:
        """Everything else: questions, warnings, progress."""
        return Console(file=sys.stderr, highlight=False)

    @property
    def now(self) -> datetime:
        """The controller's time."""
        return self.api.now

    @cached_property
    def words(self) -> dict[str, tuple[str, str]]:
        """Reason code -> what it means, what to do."""
        return self.api.words()

    def busy(self, doing: str) -> contextlib.AbstractContextManager[Any]:
        """Says what is being waited for, where a person looks on."""
        return self.err.status(doing) if self.err.is_terminal else contextlib.nullcontext()

    def answer(self, answer: Answer, show: Callable[[Any], RenderableType], *, as_json: bool) -> None:
        """Print the answer as it came, or as people read it."""
        if as_json:
            print_json(answer.text)
        else:
            shown = show(answer.data)
            self.out.print(shown, soft_wrap=isinstance(shown, Text))  # a sentence wraps where the terminal ends

    def hosts(self) -> dict[str, dict[str, Any]]:
        """Each host by its id; read once."""
        if not self._hosts:
            self._hosts = {one["id"]: one for one in self.api.get("/hosts").data}
        return self._hosts

    def host_name(self, host_id: str) -> str:
        """The name, or the id of one that is not there any more."""
        if host_id not in self.hosts():
            self._hosts = {}  # it may be new
        found = self.hosts().get(host_id)
        return str(found["name"]) if found else host_id


def print_json(text: str) -> None:
    """The controller's own bytes, for programs."""
    sys.stdout.write(text + "\n" if text else "")


def session(context: typer.Context) -> Session:
    """That of the running command."""
    found = context.obj
    assert isinstance(found, Session)  # noqa: S101 - the root command put it there
    return found
