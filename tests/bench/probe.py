"""``--only probe``: what asking a probe agent about files costs, and what an idle agent uses.

One real agent (its two programs and their children) on this machine, asked over HTTP as the controller asks. Beside it,
in turns in the same run: a bare loop of `os.stat` over the same files, and a shell pipeline of the kind CloudStack's
activity check is (one `stat` over all files, `sort`, `head`, started by bash).
"""

import asyncio
import http.client
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from shared.enums import ReadingStatus
from shared.protocol import SIGNATURE_HEADER, ProbeAnswer, ProbeRequest, verify
from tests.bench.idle import Idle, idle, resident_mb
from tests.bench.says import load, say
from tests.fixtures.agents import AgentProcess

SIZES = {100: 60, 1000: 40, 10000: 10}
"""Files in a request, and how often: each way in turn."""

BARE_AIM = 5.0
"""Of the bare loop's time, at 1,000 files."""
LINEAR_AIM = 1.25
"""Time of a file at 10,000 against 1,000: what still counts as linear growth."""
FLAT_AIM_MB = 2.0
"""Growth of the agent's memory over the second half of the largest requests."""
IDLE_AIM_MB = 60.0
IDLE_AIM_CPU = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Medians, in milliseconds."""

    files: int
    agent: float
    bare: float
    pipeline: float


async def run(*, quick: bool) -> bool:
    """Measure, print, and say whether the aims were met."""
    return await asyncio.to_thread(_run, quick=quick)


def _run(*, quick: bool) -> bool:
    say(load())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="hostfence-bench-")))
        times, grown_mb = _requests(stack, folder / "asked", quick=quick)
        used = idle(folder / "idle", seconds=5.0 if quick else 20.0)
    say(load())
    return _verdict(times, grown_mb, used)


def _requests(stack: ExitStack, folder: Path, *, quick: bool) -> tuple[list[Times], float]:
    pool = folder / "pool"
    pool.mkdir(parents=True)
    disks = [pool / str(uuid.uuid4()) for _ in range(max(SIZES))]
    for disk in disks:
        disk.write_bytes(b"x")
    agent = AgentProcess(folder / "agent", [pool], sample_interval=2.0)
    stack.callback(agent.kill)
    agent.start()
    caller = Caller(agent)
    stack.callback(caller.close)
    times = [_compare(caller, disks[:size], rounds=3 if quick else rounds) for size, rounds in SIZES.items()]
    before = resident_mb(agent)
    for _ in range(3 if quick else 20):
        caller.ask(caller.question(disks))
    grown = resident_mb(agent) - before
    say(f"memory of the service and its child after as many requests for {len(disks):,} again: {grown:+.1f} MB")
    return times, grown


def _compare(caller: "Caller", disks: Sequence[Path], *, rounds: int) -> Times:
    paths = list(map(str, disks))
    took: dict[str, list[float]] = {"agent": [], "bare": [], "pipeline": []}
    ways: dict[str, Callable[[Question], object]] = {
        "agent": caller.ask,
        "bare": lambda _: [os.stat(path) for path in paths],  # noqa: PTH116  the barest loop there is
        "pipeline": lambda _: _pipeline(paths),
    }
    for turn in range(rounds + 2):
        question = caller.question(disks)
        for name, way in ways.items():
            began = time.perf_counter()
            answer = way(question)
            ms = 1000 * (time.perf_counter() - began)
            if turn >= 2:  # the first ones fill caches
                took[name].append(ms)
            if name == "agent" and turn == 0:
                caller.check(question, answer, files=len(paths))
    times = Times(files=len(paths), **{name: median(values) for name, values in took.items()})
    say(
        f"{times.files:>6,} files: agent {times.agent:7.2f} ms, bare loop {times.bare:6.2f} ms, pipeline"
        f" {times.pipeline:6.2f} ms: {times.agent / times.bare:.1f} x the loop, {times.agent / times.pipeline:.2f} x"
        f" the pipeline  [at best {min(took['agent']):.2f}, {min(took['bare']):.2f}, {min(took['pipeline']):.2f}]"
    )
    return times


def _pipeline(paths: Sequence[str]) -> None:
    command = ["bash", "-c", 'stat -c %Y "$@" | sort -nr | head -1', "activity", *paths]
    if not subprocess.run(command, capture_output=True, check=True).stdout.strip().isdigit():
        raise RuntimeError("this is not what was to be measured: the pipeline gave no time")


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and its body as it is sent: making and parsing JSON is the caller's time, not the agent's."""

    nonce: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes
    signature: str


class Caller:
    """Asks over one kept connection, as the controller does."""

    def __init__(self, agent: AgentProcess) -> None:
        self._agent = agent
        self._connection = http.client.HTTPConnection(agent.address, agent.port)

    def question(self, disks: Sequence[Path]) -> Question:
        request = ProbeRequest(
            nonce=uuid.uuid4().hex, deadline_s=60, subject_host_id=self._agent.host_id, paths=list(map(str, disks))
        )
        return Question(request.nonce, request.model_dump_json().encode())

    def ask(self, question: Question) -> Reply:
        headers = {"Authorization": f"Bearer {self._agent.token}"}
        self._connection.request("POST", "/v1/probes", question.body, headers)
        response = self._connection.getresponse()
        return Reply(response.status, response.read(), response.headers.get(SIGNATURE_HEADER, ""))

    def check(self, question: Question, reply: object, *, files: int) -> None:
        if not isinstance(reply, Reply) or not verify(self._agent.token, question.nonce, reply.body, reply.signature):
            raise RuntimeError("this is not what was to be measured: not this agent's answer")
        readings = ProbeAnswer.model_validate_json(reply.body).readings
        if len(readings) != files or any(reading.status is not ReadingStatus.OK for reading in readings):
            raise RuntimeError("this is not what was to be measured: not every file was read")

    def close(self) -> None:
        self._connection.close()


def _verdict(times: Sequence[Times], grown_mb: float, used: Idle) -> bool:
    by_size = {one.files: one for one in times}
    bare = by_size[1000].agent / by_size[1000].bare
    slower = max(one.agent / one.pipeline for one in times)
    growth = (by_size[10000].agent / 10000) / (by_size[1000].agent / 1000)
    say(
        f"probe: 1,000 files {bare:.1f} x the bare loop (aim <= {BARE_AIM:.0f}); at worst {slower:.2f} x the pipeline"
        f" (aim < 1); a file at 10,000 / at 1,000 {growth:.2f} (aim <= {LINEAR_AIM}); memory {grown_mb:+.1f} MB (aim <="
        f" {FLAT_AIM_MB:.0f}); idle, {used.processes} processes: {used.proportional_mb:.0f} MB, shared pages once (aim"
        f" < {IDLE_AIM_MB:.0f}; {used.own_mb:.0f} of it memory of their own; each on its own {used.resident_mb:.0f}),"
        f" {used.cpu:.2%} of a core (aim < {IDLE_AIM_CPU:.1%})"
    )
    return (
        bare <= BARE_AIM
        and slower < 1
        and growth <= LINEAR_AIM
        and grown_mb <= FLAT_AIM_MB
        and used.proportional_mb < IDLE_AIM_MB
        and used.cpu < IDLE_AIM_CPU
    )
