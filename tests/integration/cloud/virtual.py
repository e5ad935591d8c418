"""A cloud on virtual time, asked without a socket: for the tests of the double itself."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.fakes.cloudstack import CloudStackDouble
from tests.fakes.cloudstack.schedule import ManualTime
from tests.fakes.cloudstack.signature import signature

START = datetime(2025, 1, 7, 3, 12, tzinfo=UTC)


class Cloud:
    """Three hosts; `ha` and `plain` run on kvm1, on the cluster's pool."""

    def __init__(self, profile: str = "current") -> None:
        self.time = ManualTime()
        self.double = CloudStackDouble(profile, now=self.time, started=START)
        self.site = self.double.site
        self.site.build(["kvm1", "kvm2", "kvm3"])
        self.pool = self.site.pool("primary1")
        self.ha = self.site.add_vm("ha", self.site.host("kvm1"), [self.pool])
        self.plain = self.site.add_vm("plain", self.site.host("kvm1"), [self.pool], ha=False)

    def ask(self, command: str, **more: str) -> Any:
        values = {"command": command, "apiKey": self.double.key, "response": "json", **more}
        answer = self.double.api.answer(values | {"signature": signature(values, self.double.secret)})
        return next(iter(answer.body.values()))

    def job(self, command: str, **more: str) -> Any:
        """Its end: the time passes."""
        jobid = self.ask(command, **more)["jobid"]
        self.time.advance(60)
        return self.ask("queryAsyncJobResult", jobid=jobid)

    def state(self, name: str = "kvm1") -> str:
        return str(self.ask("listHosts", name=name)["host"][0]["state"])

    def resource(self, name: str = "kvm1") -> str:
        return str(self.ask("listHosts", name=name)["host"][0]["resourcestate"])

    def when(self, happens: Callable[[], bool], within: int = 1000) -> int:
        """Seconds from now until it happens, looked at each second."""
        for second in range(within):
            if happens():
                return second
            self.time.advance(1)
        raise AssertionError

    def ids(self, name: str) -> dict[str, str]:
        return {"id": self.site.host(name).id if name.startswith("kvm") else self.site.vm(name).id}

    def vm_row(self, name: str) -> Any:
        return self.ask("listVirtualMachines", listall="true", name=name)["virtualmachine"][0]

    def lost(self, how: str) -> None:
        """kvm1 is lost in that way, and CloudStack says so."""
        if how == "Alert":
            self.site.silence_agent("kvm1")
        elif how == "Disconnected":
            self.site.stop_agent("kvm1")
        elif how == "Down":
            self.site.kill_host("kvm1")
        self.time.advance(600)
        assert self.state() == how
