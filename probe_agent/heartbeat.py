"""``hostfence-agent heartbeat``: one writing process per pool, looked after by this one.

A program of its own, so that a crash of the HTTP service does not look like the death of the host. A pool that hangs,
is full or read-only stops its own writer only; a stuck writer never gets a second one beside it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import probe_agent
from probe_agent.boot import read_boot_id
from probe_agent.config import AgentConfig
from probe_agent.leftovers import Kind, left_over
from probe_agent.pools import pool_roots

_PACKAGES = str(Path(probe_agent.__file__).parent.parent)
_LOOK_EVERY_S = 1.0
_RESTART_AFTER_S = 1.0
_WITHDRAW_WITHIN_S = 3.0
_LEFT_OVER_AT_MOST = 3
"""Writers of earlier services that hang on one pool. More than one: a single call may hang, and silence costs more."""
_STOP = {signal.SIGTERM, signal.SIGINT}


@dataclass(frozen=True, slots=True)
class _Child:
    popen: subprocess.Popen[bytes]
    started: float


class Supervisor:
    """Keeps one writer per pool alive."""

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._settings = json.dumps(
            {
                "host_id": config.host_id,
                "boot_id": read_boot_id(config.lab_boot_id),
                "version": probe_agent.__version__,
                "interval_s": config.heartbeat_interval,
                "plain_folders": config.lab_plain_folders,
            }
        )
        self._children: dict[str, _Child] = {}

    def run(self) -> None:
        """Look after the writers until SIGTERM or SIGINT, then have them withdraw."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        while True:
            self._look(pool_roots(self._config.pools, self._config.allowed_roots))
            if signal.sigtimedwait(_STOP, _LOOK_EVERY_S) is not None:
                break
        self._withdraw()

    def _look(self, roots: Iterable[str]) -> None:
        wanted = set(roots)
        now = time.monotonic()
        for root in self._children.keys() - wanted:
            popen = self._children[root].popen
            popen.terminate()
            if popen.poll() is not None:
                del self._children[root]
        for root in wanted:
            child = self._children.get(root)
            if child is None and len(left_over(Kind.WRITER, root)) >= _LEFT_OVER_AT_MOST:
                continue
            if child is None or (child.popen.poll() is not None and now - child.started > _RESTART_AFTER_S):
                self._children[root] = _Child(self._start(root), now)

    def _start(self, root: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-s", "-S", "-m", "probe_agent.beat"]
        return subprocess.Popen(  # noqa: S603  own program, own arguments
            [*command, str(os.getpid()), root, self._settings],
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PYTHONPATH": _PACKAGES, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def _withdraw(self) -> None:
        popens = [child.popen for child in self._children.values()]
        for popen in popens:
            popen.terminate()
        until = time.monotonic() + _WITHDRAW_WITHIN_S
        while any(popen.poll() is None for popen in popens) and time.monotonic() < until:
            time.sleep(0.01)
        for popen in popens:
            popen.kill()  # one that hangs is left to the kernel, never waited for


def run(config: AgentConfig) -> None:
    """Run as a process."""
    Supervisor(config).run()
