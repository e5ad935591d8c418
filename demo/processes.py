"""The demo's processes: each has a log, dies with the demo, and can be ended with all that it started."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHON = sys.executable


class DemoError(Exception):
    """Something of the demo did not work; the text says what."""


class MissedError(DemoError):
    """Something of the story did not happen; the text says what."""


@dataclass(slots=True)
class Child:
    """One process. ``log``: where it writes to."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def running(self) -> bool:
        """False once it ended."""
        return self.popen.poll() is None

    def kill(self) -> None:
        """At once, without a chance to say good-bye; returns when it is gone."""
        self.popen.kill()
        self.popen.wait()

    def end(self, within_s: float) -> None:
        """In order if it can, then with its whole group (it leads one)."""
        if self.running:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(within_s)
        kill_group(self.popen.pid)
        self.popen.wait()

    def said(self, pattern: str, *, within_s: float) -> str:
        """The first group of what it prints, waiting for it."""

        def look() -> str:
            found = re.search(pattern, self.log.read_text(errors="replace"), re.MULTILINE)
            if found is None and not self.running:
                raise DemoError(f"{self.name} ended (exit {self.popen.returncode}): {self.tail(3)}")
            return found[1] if found else ""

        return wait_for(f"{self.name} to start", look, within_s=within_s)

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(
    name: str, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None, group: int = 0
) -> Child:
    """Start a process in a new process group, or in ``group``."""
    leash = [PYTHON, "-I", "-S", str(REPOSITORY / "demo" / "leash.py"), str(os.getpid())]
    with log.open("ab") as output:
        popen = subprocess.Popen(  # noqa: S603 - own programs, own arguments
            [*leash, *map(str, command)],
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": str(REPOSITORY), **(env or {})},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=group,
        )
    return Child(name, popen, log)


def kill_group(group: int) -> None:
    """Kill every process of a group that still has one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def members(group: int) -> list[int]:
    """The living processes of a group (a zombie is dead)."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, of_group = status.read_text().rpartition(") ")[2].split(" ")[:3]
            if int(of_group) == group and state not in "ZX":
                found.append(int(status.parent.name))
    return sorted(found)


def wait_for(what: str, look: Callable[[], T], *, within_s: float, every_s: float = 0.1) -> T:
    """Poll until ``look`` gives something true."""
    until = time.monotonic() + within_s
    while not (seen := look()):
        if time.monotonic() > until:
            raise MissedError(f"waited {within_s:.0f} s for {what}")
        time.sleep(every_s)
    return seen
