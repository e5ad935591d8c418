"""``hostfence-agent heartbeat``: one writing process per pool, looked after by this one.

A program of its own, so that a crash of the HTTP service does not look like the death of the host. A pool that hangs,
is full or read-only stops its own writer only; a stuck writer never gets a second one beside it.
"""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from probe_agent import __version__, beat
from probe_agent.boot import read_boot_id
from probe_agent.config import AgentConfig
from probe_agent.forked import Forked, fork
from probe_agent.leftovers import Kind, left_over
from probe_agent.pools import pool_roots

_LOOK_EVERY_S = 1.0
_RESTART_AFTER_S = 1.0
_WITHDRAW_WITHIN_S = 3.0
_LEFT_OVER_AT_MOST = 3
"""Writers of earlier services that hang on one pool. More than one: a single call may hang, and silence costs more."""
_STOP = {signal.SIGTERM, signal.SIGINT}


@dataclass(frozen=True, slots=True)
class _Child:
    process: Forked
    started: float


class Supervisor:
    """Keeps one writer per pool alive."""

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._boot_id = read_boot_id(config.lab_boot_id)
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
            process = self._children[root].process
            process.send(signal.SIGTERM)
            if process.has_ended():
                del self._children[root]
        for root in wanted:
            child = self._children.get(root)
            if child is None and len(left_over(Kind.WRITER, root)) >= _LEFT_OVER_AT_MOST:
                continue
            if child is None or (child.process.has_ended() and now - child.started > _RESTART_AFTER_S):
                self._children[root] = _Child(self._start(root), now)

    def _start(self, root: str) -> Forked:
        task = beat.Task(
            root=root,
            host_id=self._config.host_id,
            boot_id=self._boot_id,
            version=__version__,
            interval_s=self._config.heartbeat_interval,
            plain_folders=self._config.lab_plain_folders,
        )
        return fork(partial(beat.work, task, parent_pid=os.getpid()))

    def _withdraw(self) -> None:
        processes = [child.process for child in self._children.values()]
        for process in processes:
            process.send(signal.SIGTERM)
        until = time.monotonic() + _WITHDRAW_WITHIN_S
        while not all(process.has_ended() for process in processes) and time.monotonic() < until:
            time.sleep(0.01)
        for process in processes:
            process.send(signal.SIGKILL)  # one that hangs is left to the kernel, never waited for


def run(config: AgentConfig) -> None:
    """Run as a process."""
    Supervisor(config).run()
