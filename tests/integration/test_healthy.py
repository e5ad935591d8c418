"""The health checks of the images, on services that live, that died, and that hang."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.agents import REPOSITORY, AgentFactory, agents, eventually, pool
from tests.fixtures.certificates import Identity, an_authority
from tests.fixtures.controller import ControllerProcess, controller
from tests.integration.test_agents_tls import takes_connections

__all__ = ["agents", "controller", "pool"]


def healthy(*words: str | Path, **environ: str) -> int:
    command = [sys.executable, REPOSITORY / "deploy/containers/healthy.py", *words]
    plain = {"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY), **environ}
    return subprocess.run(command, env=plain, capture_output=True, check=False, timeout=30).returncode


@pytest.mark.parametrize("enrolled", [True, False])
def test_an_agent_is_asked_with_its_own_certificate(
    agents: AgentFactory, pool: Path, tmp_path: Path, *, enrolled: bool
) -> None:
    agent = agents("a", pools=[pool])
    if enrolled:
        agent.extra = Identity(tmp_path / "identity", an_authority(), agent.host_id).settings
    settings = tmp_path / "agent.conf"
    given = {name: text for name, text in agent.environment.items() if name.startswith("HOSTFENCE_AGENT_")}
    settings.write_text("".join(f"{name}={text}\n" for name, text in given.items()))
    assert healthy("agent", settings) == 1, "nobody listens"
    agent.start_serve(wait=False)
    eventually(lambda: takes_connections(agent.port))
    assert eventually(lambda: healthy("agent", settings) == 0)
    assert agent.serve is not None
    agent.serve.send_signal(signal.SIGSTOP)
    assert healthy("agent", settings) == 1, "it hangs"
    agent.serve.send_signal(signal.SIGCONT)


def test_a_controller_is_healthy_while_it_lives(controller: ControllerProcess) -> None:
    where = {"HOSTFENCE_LISTEN_PORT": str(controller.port)}
    assert healthy("controller", **where) == 1
    controller.start()
    assert healthy("controller", **where) == 0
