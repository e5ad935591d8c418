"""Heartbeats written and watched by real processes."""

import os
import signal
import time
from pathlib import Path

import pytest

from probe_agent.records import FOLDER, RECORD_SIZE, WITHDRAWN
from shared.enums import ReadingCode, ReadingStatus
from shared.protocol import HeartbeatSight
from tests.fixtures.agents import (
    REPOSITORY,
    AgentFactory,
    AgentProcess,
    child_for,
    children_of,
    eventually,
    is_alive,
    offspring_of,
)


@pytest.fixture
def writer(agents: AgentFactory, pool: Path) -> AgentProcess:
    agent = agents("a", pools=[pool])
    agent.start_heartbeat()
    return agent


@pytest.fixture
def witness(agents: AgentFactory, pool: Path) -> AgentProcess:
    return agents("b", pools=[pool]).start()


def seen_by(witness: AgentProcess, writer: AgentProcess) -> HeartbeatSight | None:
    return witness.watch().pools[0].others.get(writer.host_id)


def see(witness: AgentProcess, writer: AgentProcess) -> HeartbeatSight:
    sight = seen_by(witness, writer)
    assert sight is not None
    return sight


def moved_lately(witness: AgentProcess, writer: AgentProcess) -> bool:
    sight = seen_by(witness, writer)
    return sight is not None and sight.moved_age_s is not None and sight.moved_age_s < 0.8


def test_a_heartbeat_is_seen_moving_and_then_still(writer: AgentProcess, witness: AgentProcess) -> None:
    eventually(lambda: moved_lately(witness, writer))
    own = witness.watch().pools[0].own
    assert own is not None
    assert (own.status, own.boot_id) == (ReadingStatus.OK, witness.boot_id)
    writer.kill_heartbeat()

    def still() -> bool:
        sight = see(witness, writer)
        return (sight.moved_age_s or 0.0) > 1.5 and (sight.sampled_age_s or 9.0) < 1.0

    eventually(still)
    sight = see(witness, writer)
    assert (sight.status, sight.withdrawn) == (ReadingStatus.OK, False)
    assert sight.boot_id == writer.boot_id
    own = witness.watch().pools[0].own
    assert own is not None
    assert own.moved_age_s is not None
    assert own.moved_age_s < 1.0


def test_a_record_that_never_moved_has_no_age(agents: AgentFactory, writer: AgentProcess, pool: Path) -> None:
    writer.kill_heartbeat()
    witness = agents("b", pools=[pool]).start()
    eventually(lambda: seen_by(witness, writer))
    eventually(lambda: see(witness, writer).watched_for_s > 1.0)
    assert see(witness, writer).moved_age_s is None


def test_an_orderly_stop_withdraws_and_a_crash_does_not(
    writer: AgentProcess, witness: AgentProcess, pool: Path
) -> None:
    assert writer.heartbeat is not None
    writer.stop_heartbeat()
    assert writer.record(pool).state == WITHDRAWN
    eventually(lambda: (sight := seen_by(witness, writer)) and sight.withdrawn)
    writer.start_heartbeat()
    eventually(lambda: not see(witness, writer).withdrawn)
    writer.kill_heartbeat()
    assert writer.record(pool).state != WITHDRAWN


def test_a_killed_heartbeat_service_stops_its_writers(writer: AgentProcess) -> None:
    assert writer.heartbeat is not None
    writers = children_of(writer.heartbeat.pid)
    assert len(writers) == 1
    writer.kill_heartbeat()
    eventually(lambda: not any(map(is_alive, writers)))


def test_a_crash_of_the_http_service_leaves_the_heartbeat_moving(agents: AgentFactory, pool: Path) -> None:
    agent = agents("a", pools=[pool]).start()
    assert agent.serve is not None
    readers = offspring_of(agent.serve.pid)
    agent.kill_serve()
    before = agent.record(pool).counter
    eventually(lambda: agent.record(pool).counter > before + 2)
    eventually(lambda: not any(map(is_alive, readers)))


def test_the_record_keeps_its_inode_and_its_size(writer: AgentProcess, pool: Path) -> None:
    file = pool / FOLDER / writer.host_id
    first, before = file.stat(), writer.record(pool).counter
    eventually(lambda: writer.record(pool).counter > before)
    assert (file.stat().st_ino, file.stat().st_size) == (first.st_ino, RECORD_SIZE)


def test_the_counter_grows_over_a_restart_in_the_same_boot(writer: AgentProcess, pool: Path) -> None:
    before = writer.record(pool).counter
    writer.kill_heartbeat()
    writer.start_heartbeat()
    eventually(lambda: writer.record(pool).counter > before)


def test_torn_and_foreign_records_are_unknown_each_for_itself(
    writer: AgentProcess, witness: AgentProcess, agents: AgentFactory, pool: Path
) -> None:
    eventually(lambda: moved_lately(witness, writer))
    torn, foreign = (agents(name, pools=[pool]) for name in ("torn", "foreign"))
    block = (pool / FOLDER / writer.host_id).read_bytes()
    (pool / FOLDER / torn.host_id).write_bytes(block[:100] + b"\0" * 20 + block[120:])
    (pool / FOLDER / foreign.host_id).write_bytes(block)
    (pool / FOLDER / "README").write_text("no record")
    os.mkfifo(pool / FOLDER / agents("fifo", pools=[pool]).host_id)
    eventually(lambda: seen_by(witness, torn) and seen_by(witness, foreign))
    assert see(witness, torn).code is ReadingCode.MALFORMED
    assert see(witness, foreign).code is ReadingCode.FOREIGN
    assert len(witness.watch().pools[0].others) == 4
    assert moved_lately(witness, writer)


def test_a_record_that_vanishes_is_unknown(writer: AgentProcess, witness: AgentProcess) -> None:
    eventually(lambda: seen_by(witness, writer))
    writer.kill_heartbeat()
    (writer.pools[0] / FOLDER / writer.host_id).unlink()
    eventually(lambda: see(witness, writer).code is ReadingCode.MISSING)


def test_a_probe_tells_of_the_subject_only(writer: AgentProcess, witness: AgentProcess) -> None:
    eventually(lambda: moved_lately(witness, writer))
    roots = [str(witness.pools[0]), "/no/pool"]
    answer = witness.probe(subject_host_id=writer.host_id, pool_roots=roots)
    assert [pool.root for pool in answer.pools] == roots
    assert list(answer.pools[0].others) == [writer.host_id]
    assert answer.pools[0].own is not None
    assert answer.pools[1].status is ReadingStatus.UNKNOWN
    assert witness.probe(subject_host_id="x", pool_roots=roots[:1]).pools[0].others == {}


def test_a_stuck_writer_keeps_the_other_pools_beating_and_gets_no_second_one(
    agents: AgentFactory, tmp_path: Path
) -> None:
    pools = [tmp_path / "one", tmp_path / "two"]
    for folder in pools:
        folder.mkdir()
    agent = agents("a", pools=pools)
    agent.start_heartbeat()
    assert agent.heartbeat is not None
    writers = children_of(agent.heartbeat.pid)
    stuck = child_for(agent.heartbeat.pid, pools[0])
    os.kill(stuck, signal.SIGSTOP)
    one, two = agent.record(pools[0]).counter, agent.record(pools[1]).counter
    eventually(lambda: agent.record(pools[1]).counter > two + 8)
    assert agent.record(pools[0]).counter <= one + 1
    assert sorted(children_of(agent.heartbeat.pid)) == sorted(writers)
    begun = time.monotonic()
    agent.stop_heartbeat()
    assert time.monotonic() - begun < 5
    assert agent.record(pools[1]).state == WITHDRAWN
    eventually(lambda: not is_alive(stuck))


def test_a_writer_that_dies_is_started_again(writer: AgentProcess, pool: Path) -> None:
    assert writer.heartbeat is not None
    (pid,) = children_of(writer.heartbeat.pid)
    os.kill(pid, signal.SIGKILL)
    before = writer.record(pool).counter
    eventually(lambda: writer.record(pool).counter > before + 1)
    assert len(children_of(writer.heartbeat.pid)) == 1


def test_a_pool_that_is_not_prepared_is_said_and_then_served(agents: AgentFactory, pool: Path) -> None:
    agent = agents("a", pools=[pool])
    (pool / FOLDER).rmdir()
    agent.start_heartbeat(wait=False)
    eventually(lambda: "no heartbeat on" in agent.log)
    assert not (pool / FOLDER).exists()
    (pool / FOLDER).mkdir()
    eventually((pool / FOLDER / agent.host_id).exists)
    assert agent.log.count("no heartbeat on") == 1


JUMPING = """
import itertools, os, time
real, read, hour = time.time_ns, time.clock_gettime, itertools.cycle((-3_600_000_000_000, 3_600_000_000_000))
time.time_ns = lambda: real() + next(hour)
time.time = lambda: time.time_ns() / 1e9
time.clock_gettime = lambda clock: time.time() if clock == time.CLOCK_REALTIME else read(clock)
open(os.environ["HOSTFENCE_AGENT_LAB_BOOT_ID"] + ".jumps", "w").close()
"""
"""Python reads it at its start, in every process of the agent."""


def test_a_clock_that_jumps_an_hour_between_any_two_looks_at_it_changes_nothing(
    agents: AgentFactory, pool: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(JUMPING)
    (pool / "disk").touch()
    jumping = ("env", f"PYTHONPATH={tmp_path}{os.pathsep}{REPOSITORY}")
    writer, witness = (agents(name, pools=[pool], launcher=jumping).start() for name in ("a", "b"))
    assert all((agent.folder / "boot_id.jumps").exists() for agent in (writer, witness))
    eventually(lambda: moved_lately(witness, writer))
    for _ in range(20):
        answer = witness.probe([pool / "disk"], pool_roots=[str(pool)], subject_host_id=writer.host_id, deadline_s=2)
        (sight,) = answer.pools
        for seen in (sight.own, sight.others[writer.host_id]):
            assert seen is not None
            assert (seen.status, seen.disputed, seen.withdrawn) == (ReadingStatus.OK, False, False)
            assert (seen.moved_age_s or 0.0) < 3.0
            assert (seen.sampled_age_s or 0.0) < 3.0
            assert seen.watched_for_s < 60.0
        assert answer.readings[0].status is ReadingStatus.OK
        assert max(answer.took_s, answer.readings[0].took_s) < 2.0
    writer.kill_heartbeat()
    eventually(lambda: 1.0 < (see(witness, writer).moved_age_s or 0.0) < 30.0)
