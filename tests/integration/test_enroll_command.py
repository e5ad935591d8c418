"""``hostfence-agent enroll`` against a real controller's API, and what a host is left with when it does not work."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
import uvicorn

from controller.app import Deps, create_app
from controller.domain.enrolment import Authority
from controller.domain.model import Host
from controller.probing.agents import HttpAgents
from controller.probing.tls import SecureClients
from controller.services.device_rules import DeviceRules
from controller.services.enrolment import make_join_token
from probe_agent.config import file_settings, load
from probe_agent.identity import make_key
from shared.enums import Reach
from tests.fakes.clock import FakeClock
from tests.fakes.operations import RefusingOperations
from tests.fixtures import builders as a
from tests.fixtures.agents import REPOSITORY, AgentFactory, agents, eventually, free_port, pool
from tests.fixtures.authority import Authority as WebAuthority
from tests.fixtures.explainers import an_explainer
from tests.simulation.memory_store import MemoryStore

__all__ = ["agents", "pool"]

HOST = "6f0f3c9e-57a7-4b3e-9d1a-0c9a52f3b111"


@dataclass
class Controller:
    """A controller's API on loopback, with one host."""

    url: str
    agent_port: int
    store: MemoryStore
    clock: FakeClock = field(default_factory=lambda: FakeClock(datetime.now().astimezone()))

    async def join_token(self) -> tuple[str, str]:
        made = await make_join_token(self.store, self.clock, HOST, actor="test")
        return made.join_token, made.ca_fingerprint

    async def host(self) -> Host:
        async with self.store.transaction() as tx:
            found = await tx.host(HOST)
        assert found is not None
        return found

    async def trust(self) -> tuple[Authority | None, datetime]:
        async with self.store.transaction() as tx:
            return await tx.authority(), await self.clock.now()


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    async for made in a_controller():
        yield made


async def a_controller(**tls: str) -> AsyncIterator[Controller]:
    port = free_port()
    scheme = "https" if tls else "http"
    made = Controller(f"{scheme}://127.0.0.1:{port}", free_port(), MemoryStore())
    async with made.store.transaction() as tx:
        await tx.save_cluster(a.cluster())
        await tx.save_host(a.host(HOST, name="kvm1", address="127.0.0.1", agent_port=made.agent_port))
    rules = DeviceRules(drivers=frozenset({"ipmi"}))
    app = create_app(
        Deps(
            store=made.store,
            clock=made.clock,
            operations=RefusingOperations(),
            device_rules=rules,
            explainer=an_explainer(made.store, made.clock),
            version="1",
        )
    )
    config = uvicorn.Config(app, port=port, log_level="warning", lifespan="off", **tls)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield made
    server.should_exit = True
    await serving


async def enroll(config: Path, *arguments: str, stdin: str = "", path: str = os.defpath) -> tuple[int, str]:
    """Exit status and everything it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "probe_agent",
        "--config",
        str(config),
        "enroll",
        *arguments,
        env={"PATH": path, "PYTHONPATH": str(REPOSITORY)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_an_agent_enrols_serves_and_is_asked_over_tls(
    controller: Controller, agents: AgentFactory, pool: Path, tmp_path: Path
) -> None:
    config = tmp_path / "etc" / "agent.conf"
    config.parent.mkdir()
    config.write_text("# ours\nHOSTFENCE_AGENT_POOLS=/mnt/a\nHOSTFENCE_AGENT_TOKEN=an-old-one-of-before\n")
    token, fingerprint = await controller.join_token()
    status, said = await enroll(config, "--controller", controller.url, "--ca-fingerprint", fingerprint, stdin=token)
    assert status == 0, said
    assert "enrolled as kvm1" in said
    assert fingerprint in said
    assert token not in said

    settings = file_settings(config)
    assert settings["POOLS"] == "/mnt/a"
    assert "TOKEN" not in settings
    assert config.read_text().startswith("# ours\n")
    loaded, warnings = load({}, config)
    assert (loaded.host_id, loaded.port, warnings) == (HOST, controller.agent_port, [])
    for file in Path(settings["TLS_KEY"]).parent.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file
    assert Path(settings["TLS_KEY"]).parent.stat().st_mode & 0o777 == 0o700

    del settings["POOLS"]
    agent = agents("a", pools=[pool], host_id=HOST, port=controller.agent_port, extra=settings)
    agent.start_serve(wait=False)
    client = HttpAgents(secure=SecureClients(controller.trust, limit=4))
    host = await controller.host()
    assert host.agent_tls
    eventually(lambda: _listens(controller.agent_port))
    seen = await client.watch(host, deadline_s=5)
    assert (seen.reach, seen.boot_id) == (Reach.AGENT_ANSWERED, agent.boot_id), (seen.detail, agent.log)
    await client.aclose()


async def test_enrolling_again_replaces_everything_and_leaves_nothing_behind(
    controller: Controller, tmp_path: Path
) -> None:
    config = tmp_path / "agent.conf"
    first, _ = await controller.join_token()
    assert (await enroll(config, "--controller", controller.url, "--token", first))[0] == 0
    before = file_settings(config)
    second, _ = await controller.join_token()
    assert (await enroll(config, "--controller", controller.url, "--token", second))[0] == 0
    after = file_settings(config)
    assert after["TLS_KEY"] != before["TLS_KEY"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent.conf", Path(after["TLS_KEY"]).parent.name]
    assert load({}, config)[0].token == (await controller.host()).agent_token
    assert len(config.read_text().splitlines()) == len(after)


async def test_what_does_not_work_leaves_the_host_as_it_was(controller: Controller, tmp_path: Path) -> None:
    config = tmp_path / "agent.conf"
    config.write_text("HOSTFENCE_AGENT_POOLS=/mnt/a\n")
    token, fingerprint = await controller.join_token()
    cases = {
        "refused": ("--controller", controller.url, "--token", "hfj_x_y"),
        "give the join token": ("--controller", controller.url),
        "cannot be asked": ("--controller", f"http://127.0.0.1:{free_port()}", "--token", token),
        "in plain text": ("--controller", "http://hostfence.example.org", "--token", token),
        "is not a controller's address": ("--controller", "ftp://127.0.0.1", "--token", token),
        f"fingerprint is {fingerprint}": (
            *("--controller", controller.url, "--token", token),
            *("--ca-fingerprint", "0" * 64),
        ),
    }
    for expected, arguments in cases.items():
        status, said = await enroll(config, *arguments)
        assert status == 1, said
        assert expected in said
        assert said.count("\n") == 1, said
        assert [path.name for path in tmp_path.iterdir()] == ["agent.conf"]
        assert config.read_text() == "HOSTFENCE_AGENT_POOLS=/mnt/a\n"


async def test_a_host_without_openssl_is_told_what_is_missing(controller: Controller, tmp_path: Path) -> None:
    token, _ = await controller.join_token()
    status, said = await enroll(
        tmp_path / "agent.conf", "--controller", controller.url, "--token", token, path=str(tmp_path)
    )
    assert (status, "install it" in said) == (1, True), said
    assert not (await controller.host()).agent_tls


async def test_the_controllers_own_certificate_is_checked(tmp_path: Path) -> None:
    web = WebAuthority(tmp_path)
    certificate, key = web.issue()
    trusted = tmp_path / "web.pem"
    trusted.write_text(web.pem)
    config = tmp_path / "agent.conf"
    async for controller in a_controller(ssl_certfile=str(certificate), ssl_keyfile=str(key)):
        token, _ = await controller.join_token()
        status, said = await enroll(config, "--controller", controller.url, "--token", token)
        assert (status, "CERTIFICATE_VERIFY_FAILED" in said) == (1, True), said
        status, said = await enroll(
            config, "--controller", controller.url, "--token", token, "--controller-ca", str(trusted)
        )
        assert status == 0, said


async def test_serve_says_what_is_wrong_with_its_files(controller: Controller, tmp_path: Path) -> None:
    config = tmp_path / "agent.conf"
    token, _ = await controller.join_token()
    assert (await enroll(config, "--controller", controller.url, "--token", token))[0] == 0
    settings = file_settings(config)
    Path(settings["TLS_CA"]).write_text("nothing")
    assert "TLS_CA" in await _serve(config)
    Path(settings["TLS_CERTIFICATE"]).write_text("nothing")
    Path(settings["TLS_KEY"]).chmod(0o640)
    assert "chmod 600" in await _serve(config)
    Path(settings["TLS_KEY"]).unlink()
    assert "TLS_KEY" in await _serve(config)


async def _serve(config: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "probe_agent", "--config", str(config), "serve"),
        env={"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY), "HOSTFENCE_AGENT_LISTEN": "127.0.0.1"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 78, said
    return said.decode()


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    assert make_key(tmp_path).startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
