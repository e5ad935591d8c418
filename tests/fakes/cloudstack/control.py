"""`POST /control/<method>` with a JSON object of its arguments: what a demo does to the site from another process.

Off by default. Only the methods named here; the answer is what they return, as JSON.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.cloudstack.site import Site
from tests.fakes.cloudstack.trouble import Trouble


class Control:
    """`answer("kill_host", b'{"name": "kvm1"}')`."""

    def __init__(self, site: Site, trouble: Trouble) -> None:
        self._site = site
        self._methods: Mapping[str, Callable[..., Any]] = {
            "kill_host": site.kill_host,
            "silence_agent": site.silence_agent,
            "stop_agent": site.stop_agent,
            "agent_back": site.agent_back,
            "enable": site.enable,
            "rename": site.rename,
            "remove_host": site.remove_host,
            "place": site.place,
            "begin_migration": site.begin_migration,
            "halt": site.halt,
            "writers": site.writers,
            "restart_management_server": site.restart_management_server,
            "api_down": site.api_down,
            "view": self._view,
            "trouble_html": trouble.html,
            "trouble_error": trouble.error,
            "trouble_clear": trouble.clear,
        }

    def answer(self, method: str, body: bytes) -> tuple[int, Any]:
        """HTTP status and JSON value."""
        if method not in self._methods:
            return 404, {"error": "no such method", "methods": sorted(self._methods)}
        try:
            return 200, {"result": self._methods[method](**json.loads(body or b"{}"))}
        except (TypeError, ValueError, StopIteration) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}

    def _view(self) -> dict[str, Any]:
        """CloudStack's own view of its hosts and machines, beside the truth."""
        site = self._site
        with site.lock:
            site.tick()
            return {
                "hosts": [
                    {"name": h.name, "state": h.state, "resourcestate": h.resource_state, "alive": h.really_alive}
                    for h in site.hosts.values()
                ],
                "vms": [
                    {
                        "name": vm.name,
                        "state": vm.state,
                        "host": vm.host.name if vm.host else None,
                        "runs_on": list(site.writers(vm.name)),
                    }
                    for vm in site.vms.values()
                ],
                "alerts": [one.description for one in site.alerts],
            }
