"""The commands a management server knows: what each takes, what it is called in answers, and who does it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.cloudstack.signature import ApiKey
from tests.fakes.cloudstack.site import Site
from tests.fakes.cloudstack.wire import Arguments, Param


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked."""

    site: Site
    key: ApiKey
    arguments: Arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    run: Callable[[Call], Any]
    params: tuple[Param, ...] = ()
    is_async: bool = False
    since: str = ""

    @property
    def response(self) -> str:
        """The key of its answers."""
        return f"{self.name.lower()}response"

    @property
    def changes(self) -> bool:
        return not self.name.startswith(("list", "query", "get"))


@dataclass(frozen=True, slots=True)
class Registry:
    commands: dict[str, Command] = field(default_factory=dict)

    def command(
        self, name: str, *params: Param, is_async: bool = False, since: str = ""
    ) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
        """Register the decorated function as the work of `name`."""

        def take(run: Callable[[Call], Any]) -> Callable[[Call], Any]:
            self.commands[name] = Command(name=name, run=run, params=params, is_async=is_async, since=since)
            return run

        return take


PAGED = (Param("page", "integer"), Param("pagesize", "integer"), Param("keyword"))
ID = Param("id", "uuid")
NEEDED_ID = Param("id", "uuid", required=True)
