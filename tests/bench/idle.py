"""What an idle agent uses: all its processes together, with the pools and neighbors of a usual host."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from probe_agent.records import FOLDER, RUNNING, Record, encode
from tests.bench.says import say
from tests.fixtures.agents import AgentProcess, eventually, offspring_of

POOLS = 4
NEIGHBORS = 15
_NEIGHBORS_BEAT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """``proportional_mb`` counts a page that several share once; ``resident_mb`` counts it for each.

    ``own_mb``: of the former what is no file. The rest are the interpreter and libraries, of which other programs that
    use them too take their share.
    """

    processes: int
    resident_mb: float
    proportional_mb: float
    own_mb: float
    cpu: float
    """Share of one core."""


def idle(folder: Path, *, seconds: float) -> Idle:
    """Run both programs with the defaults' intervals and nobody asking; look at what they use."""
    pools = [folder / f"pool-{number}" for number in range(POOLS)]
    for pool in pools:
        pool.mkdir(parents=True)
    agent = AgentProcess(folder / "agent", pools, heartbeat_interval=5.0, sample_interval=2.0)
    try:
        with _neighbors(pools):
            agent.start()
            eventually(lambda: all(len(pool.others) == NEIGHBORS for pool in agent.watch().pools))
            time.sleep(min(seconds, 6.0))  # until what a start costs is over
            groups = _groups(agent)
            before = {name: sum(map(_cpu_s, pids)) for name, pids in groups.items()}
            began = time.monotonic()
            time.sleep(seconds)
            passed = time.monotonic() - began
            shares = {name: (sum(map(_cpu_s, pids)) - before[name]) / passed for name, pids in groups.items()}
            pids = [pid for group in groups.values() for pid in group]
            for name, group in groups.items():
                whole, part, own = (sum(memory_mb(pid, kind) for pid in group) for kind in ("Rss", "Pss", "Pss_Anon"))
                say(
                    f"idle, {name} ({len(group)}): {whole:.1f} MB resident, {part:.1f} MB with shared pages once"
                    f" ({own:.1f} of it its own), {shares[name]:.2%} of a core"
                )
            used = Idle(
                processes=len(pids),
                resident_mb=sum(memory_mb(pid, "Rss") for pid in pids),
                proportional_mb=sum(memory_mb(pid, "Pss") for pid in pids),
                own_mb=sum(memory_mb(pid, "Pss_Anon") for pid in pids),
                cpu=sum(shares.values()),
            )
    finally:
        agent.kill()
    return used


def resident_mb(agent: AgentProcess) -> float:
    """Of the service and its children, as the kernel counts each of them."""
    assert agent.serve is not None
    return sum(memory_mb(pid, "Rss") for pid in (agent.serve.pid, *offspring_of(agent.serve.pid)))


def _groups(agent: AgentProcess) -> dict[str, list[int]]:
    assert agent.serve is not None
    assert agent.heartbeat is not None
    serve, heartbeat = agent.serve.pid, agent.heartbeat.pid
    return {
        "service": [serve],
        "its nursery and lookers": offspring_of(serve),
        "heartbeat": [heartbeat],
        "its writers": offspring_of(heartbeat),
    }


def _cpu_s(pid: int) -> float:
    """In nanoseconds by the scheduler: an idle process uses less than the clock tick of ``/proc/PID/stat``."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def memory_mb(pid: int, kind: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {kind} of process {pid}")


@contextmanager
def _neighbors(pools: list[Path]) -> Iterator[None]:
    """Records of living neighbors, moving as theirs do."""
    hosts = [str(uuid.uuid4()) for _ in range(NEIGHBORS)]
    stop = threading.Event()

    def beat() -> None:
        counter = 0
        while not stop.wait(_NEIGHBORS_BEAT_S if counter else 0):
            counter += 1
            for pool in pools:
                (pool / FOLDER).mkdir(exist_ok=True)
                for host in hosts:
                    record = Record(host_id=host, boot_id=host, counter=counter, version="bench", state=RUNNING)
                    (pool / FOLDER / host).write_bytes(encode(record))

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        yield
    finally:
        stop.set()
        beating.join()
