"""Two hosts that claim one id, and a witness that is restarted: by real processes."""

from pathlib import Path

from shared.protocol import HeartbeatSight
from tests.fixtures.agents import AgentFactory, AgentProcess, eventually


def see(witness: AgentProcess, writer: AgentProcess) -> HeartbeatSight | None:
    return next((pool.others.get(writer.host_id) for pool in witness.watch().pools), None)


def test_two_hosts_with_one_id_are_noticed_and_their_silence_stays_nobodys(agents: AgentFactory, pool: Path) -> None:
    witness = agents("b", pools=[pool]).start()
    first = agents("a", pools=[pool])
    copy = agents("copy-of-a", pools=[pool], host_id=first.host_id)
    first.start_heartbeat()
    copy.start_heartbeat(wait=False)
    eventually(lambda: (sight := see(witness, first)) and sight.disputed)
    first.kill_heartbeat()
    copy.kill_heartbeat()
    eventually(lambda: (sight := see(witness, first)) and (sight.moved_age_s or 0.0) > 1.0)
    sight = see(witness, first)
    assert sight is not None
    assert sight.disputed


def test_a_restarted_witness_still_knows_when_the_heartbeat_moved(
    agents: AgentFactory, pool: Path, tmp_path: Path
) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    witness = agents("b", pools=[pool], extra={"MEMORY_FOLDER": str(memory)}).start()
    writer = agents("a", pools=[pool])
    writer.start_heartbeat()
    eventually(lambda: (sight := see(witness, writer)) and sight.moved_age_s is not None)
    writer.kill_heartbeat()
    eventually(lambda: (sight := see(witness, writer)) and (sight.moved_age_s or 0.0) > 0.5)
    witness.stop_serve()
    witness.start_serve()
    eventually(lambda: (sight := see(witness, writer)) and sight.code is None)
    sight = see(witness, writer)
    assert sight is not None
    assert sight.moved_age_s is not None
    assert sight.moved_age_s > 0.5
