"""An agent is upgraded while its neighbors watch: its two services in every order, and records of newer agents."""

import itertools
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from probe_agent.records import FOLDER, RECORD_SIZE
from shared.enums import ReadingCode, ReadingStatus
from shared.protocol import HeartbeatSight
from tests.fixtures.agents import AgentFactory, AgentProcess, eventually

LONGEST_GAP_S = 3.0
"""Of a beat every 0.2 s, while processes start on a busy machine; what counts as silence is 20 s and more."""

ORDERS = [
    order
    for order in itertools.permutations(("stop heartbeat", "start heartbeat", "stop serve", "start serve"))
    if order.index("stop heartbeat") < order.index("start heartbeat")
    and order.index("stop serve") < order.index("start serve")
]


def do(agent: AgentProcess, what: str) -> None:
    match what:
        case "stop heartbeat":
            agent.stop_heartbeat()
        case "start heartbeat":
            agent.start_heartbeat()
        case "stop serve":
            agent.stop_serve()
        case _:
            agent.start_serve()


def see(witness: AgentProcess, host_id: str) -> HeartbeatSight | None:
    return witness.watch().pools[0].others.get(host_id)


def moves(witness: AgentProcess, host_id: str) -> bool:
    sight = see(witness, host_id)
    return sight is not None and not sight.withdrawn and sight.moved_age_s is not None and sight.moved_age_s < 1.0


def sees_itself(agent: AgentProcess) -> bool:
    """The positive control, which a witness needs to be one."""
    own = agent.watch().pools[0].own
    return own is not None and own.status is ReadingStatus.OK


@contextmanager
def watched(witness: AgentProcess, host_id: str) -> Iterator[list[HeartbeatSight]]:
    """Every sight of the host that the witness gives meanwhile."""
    sights: list[HeartbeatSight] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            if (sight := see(witness, host_id)) is not None:
                sights.append(sight)
            over.wait(0.1)

    looking = threading.Thread(target=look)
    looking.start()
    yield sights
    over.set()
    looking.join()


@pytest.mark.slow
def test_in_no_order_does_an_upgrade_look_like_death(agents: AgentFactory, pool: Path, tmp_path: Path) -> None:
    witness = agents("b", pools=[pool]).start()
    memory = tmp_path / "memory"
    memory.mkdir()
    upgraded = agents("a", pools=[pool], extra={"MEMORY_FOLDER": str(memory)}).start()
    assert len(ORDERS) == 6
    for order in ORDERS:
        eventually(lambda: moves(witness, upgraded.host_id))
        with watched(witness, upgraded.host_id) as sights:
            for what in order:
                do(upgraded, what)
            eventually(lambda: moves(witness, upgraded.host_id))
        silent = [s for s in sights if s.status is ReadingStatus.OK and not s.withdrawn]
        assert max(s.moved_age_s or 0.0 for s in silent) < LONGEST_GAP_S, order
        assert not any(s.disputed for s in sights), order
        eventually(lambda: sees_itself(upgraded))


def a_record(host_id: str, **fields: object) -> bytes:
    known = {"format": 1, "host_id": host_id, "boot_id": "b", "counter": 1, "version": "9", "state": "running"}
    line = json.dumps({**known, **fields}).encode()
    return (line + b"\n" + f"{zlib.crc32(line):08x}".encode() + b"\n").ljust(RECORD_SIZE)


def test_a_newer_agents_record_is_read_if_it_only_says_more_and_unknown_otherwise(
    agents: AgentFactory, pool: Path
) -> None:
    newer, other, stopping = (agents(name, pools=[pool]).host_id for name in ("newer", "other", "stopping"))
    (pool / FOLDER / newer).write_bytes(a_record(newer, load=0.5, disks=["a"]))
    (pool / FOLDER / other).write_bytes(a_record(other, format=2))
    (pool / FOLDER / stopping).write_bytes(a_record(stopping, state="hibernating"))
    witness = agents("b", pools=[pool]).start()
    eventually(lambda: len(witness.watch().pools[0].others) == 3)
    sights = witness.watch().pools[0].others
    assert sights[newer].status is ReadingStatus.OK
    assert sights[other].code is ReadingCode.MALFORMED
    assert sights[stopping].code is ReadingCode.MALFORMED
