"""Runs one program to its end or its deadline: own session, environment from scratch, bounded output, nothing left.

What was started is known exactly, because the launcher says so before it becomes the program (see
``exec_launch.py``): a program that never began has sent nothing.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

SECRET_PATH = "/dev/fd/3"  # noqa: S105 - where the launcher puts it, not what it is
KEPT = 64 * 1024
"""Bytes kept of each output; the rest is read, so that the program does not stall, and thrown away."""
RAGGED_END = 4 * 1024
"""Left out where an output was cut off: half a password is not recognised as one (rule 7)."""

_LAUNCHER = Path(__file__).with_name("exec_launch.py")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_KILL_AFTER_S = 0.5  # past the deadline; the whole may take one second more (contract, 1)
_GRACE_S, _GRACE_SHARE = 4.5, 0.1  # SIGTERM this long before the deadline: 5 s to go quietly where there is time
_LAST_WORDS_S = 0.2
_FLOOD_PAUSE_S = 0.01  # between reads of what is thrown away: a flood must not keep the event loop busy


class Fate(StrEnum):
    """How a run ended. ``not_started`` and ``stalled``: the program itself never ran."""

    EXITED = "exited"
    NOT_STARTED = "not_started"
    STALLED = "stalled"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One program to run. Anything here may hold a secret, so nothing of it shows."""

    argv: tuple[str, ...] = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: bytes = field(default=b"", repr=False)
    secret_file: bytes | None = field(default=None, repr=False)
    """What the program finds at :data:`SECRET_PATH`: in memory, so that nothing stays behind on a disk."""
    not_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """``exit_code`` is negative for a signal. ``cut``: there was more output than was kept. May repeat secrets."""

    fate: Fate
    exit_code: int = -1
    out: str = field(default="", repr=False)
    err: str = field(default="", repr=False)
    cut: bool = False


class Runs:
    """The programs that run for one driver, so that closing it ends them."""

    def __init__(self) -> None:
        self._groups: set[int] = set()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process groups that run now; each one's number is its first process's."""
        return tuple(self._groups)

    def kill(self) -> None:
        """End every program and what it started."""
        for group in self._groups:
            _signal(group, signal.SIGKILL)

    async def run(self, launch: Launch, *, until: float) -> Ending:
        """Run until ``until`` (``time.monotonic``), at most 0.8 s longer. A cancelled run is killed."""
        with ExitStack() as stack:
            try:
                out, err, report = (stack.enter_context(_Pipe()) for _ in range(3))
                stdin = stack.enter_context(_memory(launch.stdin)) if launch.stdin else asyncio.subprocess.DEVNULL
                secret = None if launch.secret_file is None else stack.enter_context(_memory(launch.secret_file))
                process = await asyncio.create_subprocess_exec(
                    *_command(launch, report.write_fd, secret, until),
                    stdin=stdin,
                    stdout=out.write_fd,
                    stderr=err.write_fd,
                    pass_fds=[fd for fd in (report.write_fd, secret) if fd is not None],
                    start_new_session=True,
                    env=_environment(launch),
                )
            except OSError as error:  # the machine has no process or descriptor left
                return Ending(fate=Fate.NOT_STARTED, err=f"no process: {error.strerror}")
            for pipe in (out, err, report):
                pipe.given_away()
            self._groups.add(process.pid)
            try:
                in_time = await _wait(process, until)
            finally:
                _signal(process.pid, signal.SIGKILL)  # what it started and left behind, too
                self._groups.discard(process.pid)
            await _settle(process)
            ended = [asyncio.ensure_future(pipe.ended.wait()) for pipe in (out, err, report)]
            await asyncio.wait(ended, timeout=_LAST_WORDS_S)  # a child may hold them in a session of its own
            for one in ended:
                one.cancel()
            return _ending(process, report, out, err, in_time=in_time)


def _command(launch: Launch, report: int, secret: int | None, until: float) -> tuple[str, ...]:
    lifetime = max(0.0, until - time.monotonic()) + _KILL_AFTER_S
    return (
        *(sys.executable, "-I", "-S", str(_LAUNCHER)),
        *(str(os.getpid()), str(report), "-" if secret is None else str(secret), f"{lifetime:.3f}"),
        "-" if launch.not_after is None else repr(launch.not_after),
        *launch.argv,
    )


def _environment(launch: Launch) -> dict[str, str]:
    """Nothing of the controller's: its secrets are its own, and ``PCMK_service`` would free agents of time-outs."""
    own = {"PATH": _PATH, "LANG": "C", "LC_ALL": "C"}
    own["HOME"] = os.environ.get("HOME", "/")
    own["TMPDIR"] = os.environ.get("TMPDIR", "/tmp")  # noqa: S108 - where programs look anyway
    return {**own, **launch.environment}


async def _wait(process: asyncio.subprocess.Process, until: float) -> bool:
    """True when the program ended by itself; else it is asked to end before the deadline and killed after it."""
    left = until - time.monotonic()
    quietly = max(0.0, left - min(_GRACE_S, left * _GRACE_SHARE))
    with suppress(TimeoutError):
        async with asyncio.timeout(quietly):
            await process.wait()
        return True
    _signal(process.pid, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, until - time.monotonic()) + _KILL_AFTER_S):
            await process.wait()
    return False


async def _settle(process: asyncio.subprocess.Process) -> None:
    """Give a killed process a moment to be gone; one that hangs in the kernel is left to it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS_S):
            await process.wait()


def _ending(
    process: asyncio.subprocess.Process, report: "_Pipe", out: "_Pipe", err: "_Pipe", *, in_time: bool
) -> Ending:
    said = report.text()
    if said.startswith("stalled"):
        return Ending(fate=Fate.STALLED)
    if said.startswith("gofailed"):
        return Ending(fate=Fate.NOT_STARTED, err=said.removeprefix("gofailed: "))
    if not said and report.ended.is_set():
        return Ending(fate=Fate.NOT_STARTED, err=err.text() or "the launcher died")
    return Ending(
        fate=Fate.EXITED if in_time and process.returncode is not None else Fate.DEADLINE,
        exit_code=-1 if process.returncode is None else process.returncode,
        out=out.text(),
        err=err.text(),
        cut=out.cut,
    )


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


@contextmanager
def _memory(content: bytes) -> Iterator[int]:
    """A file that is in memory only."""
    fd = os.memfd_create("input", os.MFD_CLOEXEC)
    try:
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


class _Pipe:
    """A pipe whose read end we may close at any time: asyncio's own wait for every child that holds the other."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self.cut = False
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._read_fd, self.write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read_fd, False)
        self._loop.add_reader(self._read_fd, self._read)

    def given_away(self) -> None:
        """The program has its own copy of the write end; ours would keep the pipe open."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def text(self) -> str:
        """What was kept."""
        kept = self._kept[:-RAGGED_END] if self.cut else self._kept
        return kept.decode(errors="replace").strip()

    def _read(self) -> None:
        try:
            data = os.read(self._read_fd, KEPT)
        except BlockingIOError:
            return
        room = KEPT - len(self._kept)
        self._kept += data[:room]
        if not data:
            self._loop.remove_reader(self._read_fd)
            self.ended.set()
        elif len(data) > room:
            self.cut = True
            self._loop.remove_reader(self._read_fd)
            self._pause = self._loop.call_later(_FLOOD_PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._loop.add_reader(self._read_fd, self._read)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.given_away()
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._read_fd)
        os.close(self._read_fd)
