"""The command line against a controller as people run it: a process of its own, PostgreSQL, HTTP.

The controller is shared by a module; each test that changes something takes a cluster of its own.
"""

import io
import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest

from controller.cli.main import main
from tests.fixtures.controller import ControllerProcess

_OUTLETS = """#!/bin/sh
# A power device whose state is a file beside it; host 10.9.9.9 refuses every command.
F="{folder}/$2"
case "$1" in
status) [ "$(cat "$F" 2>/dev/null)" = off ] && exit 2; exit 0 ;;
*) [ "$2" = 10.9.9.9 ] && {{ echo "the breaker is locked" >&2; exit 3; }}; echo "$1" >"$F" ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a run of `hostfence` ended."""

    code: int
    out: str
    err: str


@dataclass
class Cli:
    """`hostfence`, run in this process with an environment of its own; not on a terminal."""

    url: str
    token: str
    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, typed: str = "", **environ: str | None) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        code: object = 0
        with (
            mock.patch.dict(os.environ, self.environment(**environ), clear=True),
            mock.patch.object(sys, "stdin", io.StringIO(typed)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main(words)
            except SystemExit as end:
                code = end.code
        assert isinstance(code, int | None)
        return Ran(code=code or 0, out=out.getvalue(), err=err.getvalue())

    def environment(self, **changed: str | None) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("HOSTFENCE_", "XDG_"))}
        ours: dict[str, str | None] = {
            "HOSTFENCE_URL": self.url,
            "HOSTFENCE_TOKEN": self.token,
            "XDG_CONFIG_HOME": str(self.home),
            "COLUMNS": "80",
            "TERM": "xterm",
            "TZ": "UTC",
            **changed,
        }
        return {**plain, **{name: value for name, value in ours.items() if value is not None}}

    def done(self, *words: str, typed: str = "", **environ: str | None) -> str:
        """What it printed; anything but success fails the test."""
        ran = self(*words, typed=typed, **environ)
        assert ran.code == 0, ran
        return ran.out


class Site:
    """What stands behind the command line, reached past it."""

    def __init__(self, process: ControllerProcess, program: Path) -> None:
        self.url, self.token = process.url, process.token
        self.program = program
        self._numbers = itertools.count(1)
        self.tokens = {
            role: str(self.call("POST", "/tokens", {"name": f"the {role}", "role": role})["token"])
            for role in ("viewer", "reporter", "operator")
        }

    def call(self, method: str, path: str, body: object = None) -> Any:
        answer = self.raw(method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def raw(self, method: str, path: str, body: object = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.request(
            method, f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=30, trust_env=False
        )

    def cluster(self, *, hosts: int = 2, device: str = "", silent_port: int | None = None) -> tuple[str, list[str]]:
        """A new cluster: its name and those of its hosts. `device`: address of the first host's power device.

        `silent_port`: that of the first host's agent; at the others a kernel refuses the connection.
        """
        number = next(self._numbers)
        cluster = f"kvm{number}"
        self.call("POST", "/clusters", {"name": cluster})
        pool = {"name": f"pool{number}", "kind": "file", "root": f"/mnt/pool{number}", "cluster": cluster}
        self.call("POST", "/pools", pool)
        names = [f"{cluster}-{letter}" for letter in "abcdef"[:hosts]]
        ports = [silent_port or 2000 + 10 * number, *range(2001 + 10 * number, 2000 + 10 * number + hosts)]
        for port, name in zip(ports, names, strict=True):
            self.call("POST", "/hosts", {"cluster": cluster, "name": name, "address": "127.0.0.1", "agent_port": port})
        self.call("PUT", f"/hosts/{names[0]}/vms", [{"name": "web1", "disks": [{"path": f"/mnt/pool{number}/d1"}]}])
        if device:
            settings = {
                "ipmi.driver": "exec",
                "ipmi.preset": "script",
                "ipmi.exec": str(self.program),
                "ipmi.host": device,
            }
            self.call("PATCH", f"/hosts/{names[0]}/settings", settings)
        return cluster, names

    def power(self, device: str) -> str:
        """The state of a power device, read past everything."""
        state = self.program.parent / device
        return state.read_text().strip() if state.exists() else "on"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    program = folder / "outlets"
    program.write_text(_OUTLETS.format(folder=folder))
    program.chmod(0o755)
    process = ControllerProcess(folder / "data", HOSTFENCE_EXEC_ALLOWED=str(program))
    try:
        process.start()
        yield Site(process, program)
    finally:
        process.close()


@pytest.fixture
def cli(site: Site, tmp_path: Path) -> Cli:
    return Cli(url=site.url, token=site.token, home=tmp_path)
