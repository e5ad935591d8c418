"""One request in, one answer out: the order of checks is that of CloudStack's ApiServlet and ApiServer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.fakes.cloudstack.commands_acts import ACTS
from tests.fakes.cloudstack.commands_lists import LISTS
from tests.fakes.cloudstack.registry import Call, Command, Registry
from tests.fakes.cloudstack.signature import ApiKey, is_fresh, is_genuine
from tests.fakes.cloudstack.site import Site
from tests.fakes.cloudstack.wire import INTERNAL, UNAUTHORIZED, UNVERIFIED, ApiError, Param, checked

ABOUT = Registry()


@ABOUT.command("listCapabilities")
def list_capabilities(call: Call) -> Any:
    return {
        "capability": {
            "securitygroupsenabled": False,
            "supportELB": "false",
            "projectinviterequired": False,
            "allowusercreateprojects": True,
            "cloudstackversion": call.site.profile.version,
        }
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: Mapping[str, Any]


@dataclass(slots=True)
class Api:
    """`expiry_clock`: what `expires` is compared with; the site's own wall clock without."""

    site: Site
    keys: dict[str, ApiKey] = field(default_factory=dict)
    expiry_clock: Callable[[], datetime] | None = None
    commands: dict[str, Command] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = Registry()
        own.command("listApis", Param("name"))(self._list_apis)
        known = LISTS.commands | ACTS.commands | ABOUT.commands | own.commands
        self.commands = {name: one for name, one in known.items() if name not in self.site.profile.absent}

    def answer(self, parameters: Mapping[str, str], method: str = "POST") -> Answer:
        """`parameters`: as decoded from the query and the form."""
        with self.site.lock:
            self.site.tick()
            name = parameters.get("command", "")
            command = self.commands.get(name)
            key = command.response if command else "errorresponse"
            try:
                return Answer(status=200, body={key: self._run(command, parameters, method)})
            except ApiError as error:
                return Answer(status=error.status, body=error.body(key))

    def _run(self, command: Command | None, parameters: Mapping[str, str], method: str) -> Any:
        caller = self._caller(command, parameters)
        if command is None or caller is None:
            raise ApiError(UNAUTHORIZED, UNVERIFIED, None)
        if command.changes and method != "POST" and self._enforced():
            raise ApiError(405, f"State changing command {command.name} needs to be sent using POST request", None)
        arguments = checked(command.name, command.params, parameters, self._known)
        return command.run(Call(self.site, caller, arguments))

    def _caller(self, command: Command | None, parameters: Mapping[str, str]) -> ApiKey | None:
        """None: not verified. A command that the key's role lacks is refused before the signature is looked at."""
        folded = {name.lower(): value for name, value in parameters.items()}
        caller = self.keys.get(folded.get("apikey", ""))
        now = (self.expiry_clock or self.site.schedule.wall)()
        if command is None or caller is None or not is_fresh(parameters, now, enforced=self._enforced()):
            return None
        if not caller.may(command.name):
            text = f"The given command '{command.name}' either does not exist, is not available for user."
            raise ApiError(UNAUTHORIZED, text)
        return caller if is_genuine(parameters, caller.secret) else None

    def _enforced(self) -> bool:
        return self.site.is_on("enforce.post.requests.and.timestamps")

    def _known(self, id_: str) -> bool:
        site = self.site
        homes = (site.zones, site.pods, site.clusters, site.hosts, site.pools, site.vms, site.volumes, site.jobs.all)
        return (
            any(id_ in home for home in homes)
            or any(id_ == one.id for one in site.alerts)
            or any(id_ == vm.project_id for vm in site.vms.values())
            or id_ == site.management_server.id
        )

    def _list_apis(self, call: Call) -> Any:
        """Only what the key may call. Each with its parameters, as the real one."""
        wanted = call.arguments.get("name")
        rows = [
            {
                "name": one.name,
                "description": one.name,
                "isasync": one.is_async,
                "related": "",
                "params": [
                    {"name": p.name, "description": p.name, "type": p.kind, "length": p.length, "required": p.required}
                    for p in one.params
                ],
                "response": [],
                **({"since": one.since} if one.since else {}),
            }
            for one in self.commands.values()
            if call.key.may(one.name) and wanted in {"", one.name}
        ]
        if not rows:
            text = "Api Discovery plugin was unable to find an api by that name or process any apis"
            raise ApiError(INTERNAL, text)
        return {"count": len(rows), "api": rows}
