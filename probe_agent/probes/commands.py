"""Running a storage's own commands for a probe: several at once, none beyond the deadline, none left behind unnoticed.

One thread only: a command dies with the *thread* that started it (``PR_SET_PDEATHSIG``), and so with a child process
that the agent has to kill.
"""

import os
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, NamedTuple

from probe_agent.kernel import die_with_parent

_MAX_OUTPUT = 1024 * 1024
_REAP_WITHIN_S = 0.5
_REAP_EVERY_S = 0.01


class Finished(NamedTuple):
    """What became of a command. ``status`` None: it was not started, or not ended, by the deadline."""

    status: int | None
    out: str = ""
    err: str = ""
    took_s: float = 0.0


NOT_REACHED = Finished(None, err="not reached before the deadline")


@dataclass(frozen=True, slots=True)
class _Running:
    position: int
    popen: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]
    begun: float

    def finished(self, status: int | None) -> Finished:
        with self.out, self.err:
            return Finished(status, _text_in(self.out), _text_in(self.err), time.monotonic() - self.begun)


class Commands:
    """Runs commands; remembers those that SIGKILL has not ended yet."""

    def __init__(self, *, at_once: int, environment: Mapping[str, str]) -> None:
        self._at_once = at_once
        self._environment = dict(environment)
        self._left: list[subprocess.Popen[bytes]] = []

    @property
    def stuck(self) -> bool:
        """True while so many killed commands linger that no other one may be started."""
        self._left = [popen for popen in self._left if popen.poll() is None]
        return len(self._left) >= self._at_once

    def run(self, commands: Sequence[Sequence[str]], *, until: float) -> list[Finished]:
        """Run all of them, one result each, in order, at ``until`` (``time.monotonic``) at the latest.

        Raises:
            OSError: a command cannot be started at all.
        """
        results = [NOT_REACHED] * len(commands)
        waiting = deque(range(len(commands)))
        running: dict[int, _Running] = {}
        with selectors.DefaultSelector() as selector:
            try:
                while (waiting or running) and time.monotonic() < until:
                    while waiting and len(running) < self._at_once and not self.stuck:
                        position = waiting.popleft()
                        one = self._start(position, commands[position])
                        fd = os.pidfd_open(one.popen.pid)
                        running[fd] = one
                        selector.register(fd, selectors.EVENT_READ)
                    for key, _ in selector.select(until - time.monotonic()):
                        one = running.pop(key.fd)
                        selector.unregister(key.fd)
                        os.close(key.fd)
                        results[one.position] = one.finished(one.popen.wait())
            finally:
                for fd, one in running.items():
                    os.close(fd)
                    one.popen.kill()
                    results[one.position] = one.finished(None)
                self._reap([one.popen for one in running.values()])
        return results

    def _start(self, position: int, command: Sequence[str]) -> _Running:
        out, err = _memory("out"), _memory("err")
        try:
            popen = subprocess.Popen(  # noqa: S603  from the host's own settings; names only as --option=value
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd="/",
                env=self._environment,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509  no threads in a mount's child
            )
        except OSError:
            out.close()
            err.close()
            raise
        return _Running(position, popen, out, err, time.monotonic())

    def _reap(self, killed: list[subprocess.Popen[bytes]]) -> None:
        until = time.monotonic() + _REAP_WITHIN_S
        self._left += killed
        while any([popen.poll() is None for popen in killed]) and time.monotonic() < until:  # noqa: C419  poll all
            time.sleep(_REAP_EVERY_S)
        self._left = [popen for popen in self._left if popen.poll() is None]


def _memory(name: str) -> IO[bytes]:
    """A file in memory: a command that writes much never waits for a reader."""
    return os.fdopen(os.memfd_create(name), "w+b")


def _text_in(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read(_MAX_OUTPUT).decode(errors="replace")
