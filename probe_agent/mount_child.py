"""The parent's end of one mount's child process: its questions in turn, a deadline for each, never a second child.

A look that hangs may come back late (57 s on a healthy NFSv4 server was measured), so the child goes on while its
caller is told *unknown* at the deadline; later callers are told at once. After the patience the child is killed, and
until the kernel lets it die the mount has no other one: a process that SIGKILL cannot end is left, never waited for.
That holds over a restart of the agent too.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import probe_agent
from probe_agent.frames import PREFIX, length_of, pack, unpack
from probe_agent.leftovers import Kind, is_left_over, left_over
from probe_agent.nursery import Fork, Nursery
from probe_agent.pools import SeenNothingError
from shared.enums import ReadingCode

_log = logging.getLogger(__name__)
_PACKAGES = str(Path(probe_agent.__file__).parent.parent)
_READ_AHEAD = 4 * 1024 * 1024
_BUDGET_SHARE = 0.9
"""Of the time until the deadline is for looking; the rest is for the way back."""
_GIVEN = 2
"""Questions that the child has at most: it is at the next one while its last answer is still on the way."""
_REAP_FOR_S = 1.0
_REAP_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Reply:
    """What the child said: a header and raw bytes."""

    header: dict[str, Any]
    body: bytes


_Launched = subprocess.Popen[bytes] | Fork


@dataclass(slots=True)
class _Process:
    """A running child with the parent's end of its socket."""

    popen: _Launched
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    asked: int = 0
    answering: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the answer to the oldest question is awaited; waited for in the order of the questions."""

    def give(self, question: dict[str, Any], body: bytes) -> int:
        """Write a question; returns its number."""
        self.asked += 1
        self.writer.write(pack({"id": self.asked, **question}, body))
        return self.asked

    async def answer(self, number: int) -> Reply:
        """Read its answer."""
        reply = await _next_reply(self.reader)
        if reply.header.get("id") != number:
            raise ValueError("answer to another question")
        return reply


@dataclass(slots=True)
class _Turn:
    """One question's turn at the child; ``begun`` once the child has it, or is being started for it."""

    deadline: float
    begun: bool = field(default=False)


class MountChild:
    """Asks the child of one mount, starting it when there is none."""

    def __init__(
        self,
        root: str,
        *,
        plain_folders: bool,
        patience_s: float,
        probe_settings: Path | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        self._root = root
        self._nursery = nursery if root.startswith("/") else None
        self._probe_settings = probe_settings
        self._plain_folders = plain_folders
        self._patience_s = patience_s
        self._room = asyncio.Semaphore(_GIVEN)
        self._starting = asyncio.Lock()
        self._process: _Process | None = None
        self._dying: _Launched | None = None
        self._inherited: list[int] | None = None
        self._begun: list[_Turn] = []
        self._turns: set[asyncio.Task[Reply]] = set()

    @property
    def pids(self) -> list[int]:
        """Processes of this mount that have not been reaped: never more than one."""
        popens = [self._process.popen if self._process else None, self._dying]
        return [popen.pid for popen in popens if popen and popen.poll() is None]

    async def ask(self, question: dict[str, Any], body: bytes = b"", *, within_s: float) -> Reply:
        """Ask and wait for the answer.

        Raises:
            SeenNothingError: ``mount_stuck`` at once while an earlier look is overdue or a killed child lingers,
                ``timed_out`` at the deadline, ``other`` when the child broke.
        """
        self._refuse_if_stuck()
        turn = _Turn(asyncio.get_running_loop().time() + within_s)
        task = asyncio.create_task(self._take_turn(turn, question, body))
        self._turns.add(task)
        task.add_done_callback(self._turn_ended)
        done, _ = await asyncio.wait({task}, timeout=within_s)
        if done:
            return task.result()
        if not turn.begun:
            task.cancel()
        raise SeenNothingError(ReadingCode.TIMED_OUT, f"no answer within {within_s:.1f} s")

    def kill(self) -> None:
        """End the child without waiting: it may take its time to die, or never do."""
        process, self._process = self._process, None
        if process is None:
            return
        process.writer.transport.abort()
        process.popen.kill()
        self._dying = process.popen

    async def close(self) -> None:
        """Kill the child and reap it if that is quick."""
        for task in self._turns:
            task.cancel()
        self.kill()
        await self._reap()

    def _refuse_if_stuck(self) -> None:
        now = asyncio.get_running_loop().time()
        if any(now > turn.deadline for turn in self._begun):
            raise SeenNothingError(ReadingCode.MOUNT_STUCK, "an earlier look has not come back")
        if self._dying is not None and self._dying.poll() is None:
            raise SeenNothingError(ReadingCode.MOUNT_STUCK, "a killed look has not ended yet")
        self._dying = None

    async def _take_turn(self, turn: _Turn, question: dict[str, Any], body: bytes) -> Reply:
        async with self._room:
            self._refuse_if_stuck()
            turn.begun = True
            self._begun.append(turn)
            process: _Process | None = None
            try:
                async with asyncio.timeout(self._patience_s):
                    process = await self._running()
                # Nothing is awaited in between: answers are waited for in the order of the questions.
                number = process.give({"until": self._until(turn), **question}, body)
                async with process.answering, asyncio.timeout(self._patience_s):
                    return await process.answer(number)
            except TimeoutError as error:
                _log.warning("%s: no answer in %.0f s, ending its process", self._root, self._patience_s)
                await self._abandon(process)
                raise SeenNothingError(ReadingCode.MOUNT_STUCK, "the look never came back") from error
            except (OSError, EOFError, ValueError) as error:
                if self._process is not process:
                    raise SeenNothingError(ReadingCode.MOUNT_STUCK, "its process was ended") from error
                _log.warning("%s: its process broke: %s", self._root, error)
                await self._abandon(process)
                raise SeenNothingError(ReadingCode.OTHER, "the mount's process broke") from error
            finally:
                self._begun.remove(turn)

    def _until(self, turn: _Turn) -> float:
        """By when to have looked, by the clock of all processes: one that waited must not look on for nobody."""
        now = asyncio.get_running_loop().time()
        return now + _BUDGET_SHARE * (turn.deadline - now)

    async def _running(self) -> _Process:
        async with self._starting:
            if self._process is None:
                self._refuse_if_stuck()  # what one before this one waited for may have been given up meanwhile
                self._process = await self._start()
            return self._process

    def _refuse_if_inherited(self) -> None:
        """Wait for what an earlier agent left behind; found once, as no child of ours can become one."""
        found = left_over(Kind.LOOKER, self._root) if self._inherited is None else self._inherited
        self._inherited = [pid for pid in found if is_left_over(pid, Kind.LOOKER, self._root)]
        if self._inherited:
            raise SeenNothingError(ReadingCode.MOUNT_STUCK, "a look of an earlier agent has not ended yet")

    async def _start(self) -> _Process:
        self._refuse_if_inherited()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            made = self._order(theirs) or self._launch(theirs)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_READ_AHEAD)
        if not isinstance(made, Nursery):
            return _Process(made, reader, writer)
        try:
            pid = int((await _next_reply(reader)).header["pid"])
        except BaseException:
            writer.transport.abort()  # one that is late finds nobody to answer, and ends without a look
            raise
        return _Process(made.looker(pid, self._root), reader, writer)

    def _order(self, end: socket.socket) -> Nursery | None:
        """Have the nursery make a child; None where there is none any more."""
        if self._nursery is None:
            return None
        try:
            self._nursery.start(self._root, end, plain_folders=self._plain_folders)
        except OSError as error:
            _log.warning("%s: no nursery (%s), a program of its own is started", self._root, error)
            return None
        return self._nursery

    def _launch(self, end: socket.socket) -> subprocess.Popen[bytes]:
        plug_in = not self._root.startswith("/")
        # A plug-in may lie wherever this process can import from; for paths nothing but this package is needed.
        flags, packages = (["-s"], os.pathsep.join(filter(None, sys.path))) if plug_in else (["-s", "-S"], _PACKAGES)
        command = [sys.executable, *flags, "-m", "probe_agent.child", str(os.getpid()), self._root]
        if self._plain_folders:
            command.append("--plain-folders")
        if plug_in and self._probe_settings is not None:
            command.append(f"--settings={self._probe_settings}")
        return subprocess.Popen(  # noqa: S603  own program; returns at exec, in ms
            command,
            stdin=end.fileno(),
            stdout=end.fileno(),
            cwd="/",
            env={"PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    async def _abandon(self, process: _Process | None) -> None:
        """End this process, unless that was done already: there may be another one by now."""
        if self._process is process:
            self.kill()
        await self._reap()

    async def _reap(self) -> None:
        until = asyncio.get_running_loop().time() + _REAP_FOR_S
        while self._dying is not None and self._dying.poll() is None:
            if asyncio.get_running_loop().time() > until:
                return
            await asyncio.sleep(_REAP_EVERY_S)
        self._dying = None

    def _turn_ended(self, task: "asyncio.Task[Reply]") -> None:
        self._turns.discard(task)
        if not task.cancelled():
            task.exception()  # fetched, so that a late failure is not reported as forgotten


async def _next_reply(reader: asyncio.StreamReader) -> Reply:
    length = length_of(await reader.readexactly(PREFIX))
    return Reply(*unpack(await reader.readexactly(length)))
