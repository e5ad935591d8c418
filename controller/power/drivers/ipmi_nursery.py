"""The controller's end of ``ipmi_worker.py``: hands jobs over pipes and learns how far each one got.

What matters after a failure is whether a command can have left the machine. The worker therefore says each step
*before* it takes it, and its pipe is read to the end after it died: a step that was not announced was not taken.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from controller.domain.power import Accepted

_WORKER = Path(__file__).with_name("ipmi_worker.py")
_GRACE_S = 0.5  # after this long past its deadline an unanswered job means that the nursery itself is stuck
_LAST_WORDS_S = 0.3


class Step(StrEnum):
    """How far a job got."""

    WAITING = "waiting"
    OPEN = "open"
    SENDING = "sending"

    @property
    def accepted(self) -> Accepted:
        """What can be said of a command that ended at this step without an answer."""
        return Accepted.UNKNOWN if self is Step.SENDING else Accepted.NOT_SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a job ended: ``gone`` is empty when the worker answered, else ``deadline`` or ``died``."""

    step: Step
    gone: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Job:
    ended: asyncio.Future[Ending]
    step: Step = Step.WAITING


class Nursery:
    """One worker process and the jobs it has. Once it is dead it stays dead: start another."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._jobs: dict[int, _Job] = {}
        self._last_id = 0
        self._deaf = False
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls) -> "Nursery":
        """Start the worker in a session of its own, with an environment that holds nothing of the controller's."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_WORKER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """The nursery's process id, which is also its process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """False once its pipe is closed or it was killed."""
        return not self._deaf and self._process.returncode is None

    async def run(self, job: Mapping[str, object], *, until: float) -> Ending:
        """Run one job until ``until`` (``time.monotonic``), at most 0.8 s longer. A cancelled job is killed."""
        self._last_id += 1
        job_id, mine = self._last_id, _Job(asyncio.get_running_loop().create_future())
        self._jobs[job_id] = mine
        self._write({**job, "id": job_id, "until": until})
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic()) + _GRACE_S):
                return await asyncio.shield(mine.ended)
        except TimeoutError:
            return await self._give_up(mine)
        except asyncio.CancelledError:
            self._write({"id": job_id, "kill": True})
            raise
        finally:
            self._jobs.pop(job_id, None)

    def kill(self) -> None:
        """SIGKILL to the whole group: the nursery and every child."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def aclose(self) -> None:
        """Kill all of it, wait until it is gone, and give the pipes back."""
        self.kill()
        await self._reader

    async def _give_up(self, job: _Job) -> Ending:
        self.kill()
        await asyncio.wait({job.ended}, timeout=_LAST_WORDS_S)
        if job.ended.done():
            return job.ended.result()
        return Ending(step=Step.SENDING, gone="died")  # not read to the end: anything may have been sent

    def _write(self, line: Mapping[str, object]) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps(line).encode() + b"\n")

    async def _read(self) -> None:
        stdout = self._process.stdout
        while stdout is not None and (line := await stdout.readline()):
            with suppress(ValueError):  # a line cut off by the nursery's death
                self._hear(json.loads(line))
        self._deaf = True
        for job in self._jobs.values():
            _end(job, Ending(step=job.step, gone="died"))
        if self._process.stdin is not None:
            self._process.stdin.close()
        self.kill()
        await self._process.wait()

    def _hear(self, line: Mapping[str, object]) -> None:
        job = self._jobs.get(int(str(line["id"])))
        if job is None:
            return
        words = line.get("end")
        if "note" in line:
            job.step = Step(str(line["note"]))
        elif isinstance(words, dict):
            _end(job, Ending(step=job.step, words=words))
        else:
            said = str(line.get("said", ""))
            _end(job, Ending(step=job.step, gone=str(line["gone"]), words={"said": said}))


def _end(job: _Job, ending: Ending) -> None:
    if not job.ended.done():
        job.ended.set_result(ending)
