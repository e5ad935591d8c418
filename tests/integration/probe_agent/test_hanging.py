"""A mount that hangs. A stopped child stands in for one that is stuck in the kernel."""

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from probe_agent.mount_child import MountChild
from probe_agent.pools import SeenNothingError
from probe_agent.prepare import prepare_pool
from shared.enums import ReadingCode, ReadingStatus
from tests.fixtures.agents import (
    AgentFactory,
    AgentProcess,
    child_for,
    children_of,
    eventually,
    is_alive,
    lookers_of,
    offspring_of,
)


@pytest.fixture
def pools(tmp_path: Path) -> list[Path]:
    pools = [tmp_path / "bad", tmp_path / "good"]
    for pool in pools:
        pool.mkdir()
        (pool / "disk").touch()
    return pools


@pytest.fixture
def agent(agents: AgentFactory, pools: list[Path]) -> AgentProcess:
    agent = agents("b", pools=pools)
    agent.start()
    eventually(lambda: {pool.code for pool in agent.watch().pools} == {None})  # both at work
    return agent


def looker_for(agent: AgentProcess, pool: Path) -> int:
    assert agent.serve is not None
    return child_for(agent.serve.pid, pool)


def hang(agent: AgentProcess, pool: Path) -> int:
    pid = looker_for(agent, pool)
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_the_hung_mount_is_unknown_and_the_other_one_is_read(agent: AgentProcess, pools: list[Path]) -> None:
    hang(agent, pools[0])
    begun = time.monotonic()
    bad, good = agent.probe([pool / "disk" for pool in pools], deadline_s=1.0).readings
    assert time.monotonic() - begun < 1.5
    assert bad.code in {ReadingCode.TIMED_OUT, ReadingCode.MOUNT_STUCK}
    assert good.status is ReadingStatus.OK


def test_later_callers_are_told_at_once_and_no_second_child_is_made(agent: AgentProcess, pools: list[Path]) -> None:
    assert agent.serve is not None
    stuck = hang(agent, pools[0])
    disk = pools[0] / "disk"

    def code() -> ReadingCode | None:
        return agent.probe([disk], deadline_s=3.0).readings[0].code

    eventually(lambda: code() is ReadingCode.MOUNT_STUCK)
    begun = time.monotonic()
    for _ in range(20):
        assert code() is ReadingCode.MOUNT_STUCK
        assert agent.answers()
        agent.watch()
    assert time.monotonic() - begun < 48.0, "each caller waiting for its own deadline would be 60 s"
    assert len(lookers_of(agent.serve.pid)) == 2
    assert looker_for(agent, pools[0]) == stuck


def test_the_watch_says_unknown_for_the_hung_pool_only(agent: AgentProcess, pools: list[Path]) -> None:
    hang(agent, pools[0])

    def codes() -> list[ReadingCode | None]:
        return [pool.code for pool in agent.watch().pools]

    eventually(lambda: codes()[0] in {ReadingCode.TIMED_OUT, ReadingCode.MOUNT_STUCK})
    bad, good = agent.watch().pools
    assert bad.own is None or bad.own.status is ReadingStatus.UNKNOWN
    assert good.own is not None
    assert good.own.status is ReadingStatus.OK


def test_a_mount_that_comes_back_is_read_again(agent: AgentProcess, pools: list[Path]) -> None:
    pid = hang(agent, pools[0])
    assert agent.probe([pools[0] / "disk"], deadline_s=0.3).readings[0].code
    os.kill(pid, signal.SIGCONT)
    eventually(lambda: agent.probe([pools[0] / "disk"]).readings[0].code is None)
    assert looker_for(agent, pools[0]) == pid


def test_after_the_patience_the_child_is_replaced(agents: AgentFactory, pools: list[Path]) -> None:
    agent = agents("b", pools=pools, extra={"PATIENCE": "1"})
    agent.start()
    disk = pools[0] / "disk"
    assert agent.probe([disk]).readings[0].code is None
    stuck = hang(agent, pools[0])
    assert agent.probe([disk], deadline_s=0.3).readings[0].code
    eventually(lambda: agent.probe([disk]).readings[0].code is None)
    assert not is_alive(stuck)
    assert looker_for(agent, pools[0]) != stuck


async def test_beside_a_child_that_survives_sigkill_no_other_is_started(pools: list[Path]) -> None:
    child = MountChild(str(pools[0]), plain_folders=True, patience_s=5)
    with subprocess.Popen(["sleep", "60"]) as undead:  # noqa: ASYNC220  what a process stuck in the kernel looks like
        child._dying = undead
        with pytest.raises(SeenNothingError) as caught:
            await child.ask({"op": "sample", "known": []}, within_s=1)
        assert caught.value.code is ReadingCode.MOUNT_STUCK
        assert child.pids == [undead.pid]
        begun = time.monotonic()
        await child.close()
        assert time.monotonic() - begun < 2.0
        undead.kill()
    assert (await child.ask({"op": "sample", "known": []}, within_s=5)).header["id"] == 1
    await child.close()


SAMPLE: dict[str, object] = {"op": "sample", "known": []}


async def code_of(child: MountChild, *, within_s: float) -> ReadingCode | None:
    try:
        await child.ask(SAMPLE, within_s=within_s)
    except SeenNothingError as error:
        return error.code
    return None


async def test_questions_that_a_stuck_child_has_already_are_unknown_and_bring_no_second_one(
    pools: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has two, and a third waits for its turn; then it outlives SIGKILL."""
    child = MountChild(str(pools[0]), plain_folders=True, patience_s=1)
    assert await code_of(child, within_s=5) is None
    process = child._process
    assert process is not None
    stuck = process.popen
    monkeypatch.setattr(stuck, "kill", lambda: None)
    os.kill(stuck.pid, signal.SIGSTOP)
    asking = [asyncio.create_task(code_of(child, within_s=0.3)) for _ in range(3)]
    assert [await one for one in asking] == [ReadingCode.TIMED_OUT] * 3
    while child._process is process:  # until the patience is over
        assert await code_of(child, within_s=5) is ReadingCode.MOUNT_STUCK
        await asyncio.sleep(0.02)
    for _ in range(3):
        codes = await asyncio.gather(*(code_of(child, within_s=5) for _ in range(3)))
        assert codes == [ReadingCode.MOUNT_STUCK] * 3
        assert child.pids == [stuck.pid]
    os.kill(stuck.pid, signal.SIGKILL)
    while await code_of(child, within_s=5) is ReadingCode.MOUNT_STUCK:
        await asyncio.sleep(0.02)
    assert child.pids != [stuck.pid]
    assert len(child.pids) == 1
    await child.close()


async def test_a_child_that_dies_with_two_questions_answers_neither_and_the_next_one_is(pools: list[Path]) -> None:
    child = MountChild(str(pools[0]), plain_folders=True, patience_s=5)
    assert await code_of(child, within_s=5) is None
    (dying,) = child.pids
    os.kill(dying, signal.SIGSTOP)
    asking = [asyncio.create_task(code_of(child, within_s=5)) for _ in range(2)]
    await asyncio.sleep(0.1)
    os.kill(dying, signal.SIGKILL)
    codes = [await one for one in asking]
    assert ReadingCode.OTHER in codes
    assert None not in codes
    assert await code_of(child, within_s=5) is None
    await child.close()


async def test_many_questions_at_once_are_answered_each_with_its_own_answer(pools: list[Path]) -> None:
    prepare_pool(str(pools[0]), uid=os.getuid(), plain_folders=True)
    child = MountChild(str(pools[0]), plain_folders=True, patience_s=5)
    names = [f"{pools[0]}/{'disk' if number % 3 else f'none-{number}'}" for number in range(21)]
    replies = await asyncio.gather(*(child.ask({"op": "read"}, name.encode(), within_s=5) for name in names))
    assert [bool(reply.header["failed"]) for reply in replies] == [number % 3 == 0 for number in range(21)]
    assert {why[1] for reply in replies for why in reply.header["failed"]} == {ReadingCode.MISSING}
    assert [reply.header["id"] for reply in replies] == [*range(1, 22)]
    assert len(child.pids) == 1
    await child.close()


def test_a_child_that_dies_costs_one_answer(agent: AgentProcess, pools: list[Path]) -> None:
    os.kill(looker_for(agent, pools[0]), signal.SIGKILL)
    eventually(lambda: agent.probe([pools[0] / "disk"]).readings[0].code is None)


def test_a_nursery_that_dies_costs_one_answer_and_no_other_is_needed(agent: AgentProcess, pools: list[Path]) -> None:
    assert agent.serve is not None
    (nursery,) = set(children_of(agent.serve.pid)) - set(lookers_of(agent.serve.pid))
    before = lookers_of(agent.serve.pid)
    assert sorted(children_of(nursery)) == before
    os.kill(nursery, signal.SIGKILL)
    eventually(lambda: not any(map(is_alive, before)))
    disks = [pool / "disk" for pool in pools]
    eventually(lambda: {reading.code for reading in agent.probe(disks).readings} == {None})
    assert children_of(agent.serve.pid) == lookers_of(agent.serve.pid)
    assert len(lookers_of(agent.serve.pid)) == 2


@pytest.mark.parametrize("asking", [False, True])
def test_the_exit_is_prompt_and_leaves_nothing(agent: AgentProcess, pools: list[Path], *, asking: bool) -> None:
    assert agent.serve is not None
    children = offspring_of(agent.serve.pid)
    hang(agent, pools[0])
    if asking:
        agent.probe([pools[0] / "disk"], deadline_s=0.3)
    begun = time.monotonic()
    agent.stop_serve()
    assert time.monotonic() - begun < 4.0
    eventually(lambda: not any(map(is_alive, children)))
