"""A controller process as load balancers and Prometheus see it while its database goes away. See also monitoring/."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.fixtures.controller import ControllerProcess, controller
from tests.integration.test_controller_process import servers_of

__all__ = ["controller"]

KEY = "A" * 43 + "="


@contextmanager
def run(process: ControllerProcess) -> Iterator[ControllerProcess]:
    try:
        process.start()
        yield process
    finally:
        process.close()


def readiness(process: ControllerProcess) -> tuple[int, list[str]]:
    answer = httpx.get(f"{process.url}/readyz", timeout=10, trust_env=False)
    return answer.status_code, [one["code"] for one in answer.json()["reasons"]]


def health(process: ControllerProcess) -> tuple[int, str]:
    """In less time than whoever watches over processes has patience for."""
    answer = httpx.get(f"{process.url}/healthz", timeout=2, trust_env=False)
    return answer.status_code, answer.json()["database"]


def until(said: Callable[[], Any], expected: Any, *, within_s: float = 20) -> None:
    """Real processes: how long things take is theirs to say."""
    deadline = time.monotonic() + within_s
    while (found := said()) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found == expected


def figures(process: ControllerProcess) -> dict[str, float]:
    answer = process.get("/metrics")
    assert answer.status_code == 200, answer.text
    lines = (line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(number) for name, number in lines}


async def test_each_trouble_of_its_database_has_a_code_and_passes_with_it(database_url: str, tmp_path: Path) -> None:
    own = ControllerProcess(tmp_path / "data", HOSTFENCE_DATABASE_URL=database_url, HOSTFENCE_ENCRYPTION_KEY=KEY)
    server, _, name = database_url.rpartition("/")
    admin = await asyncpg.connect(f"{server}/postgres")
    try:
        with run(own):
            until(lambda: readiness(own), (200, []))
            assert figures(own)["hostfence_controller_database_up"] == 1

            await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
            until(lambda: readiness(own), (503, ["database_read_only"]))
            await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            until(lambda: readiness(own), (200, []))

            inside = await asyncpg.connect(database_url)
            head = await inside.fetchval("SELECT version_num FROM alembic_version")
            await inside.execute("UPDATE alembic_version SET version_num = 'of a newer version'")
            until(lambda: readiness(own), (503, ["database_schema"]))
            await inside.execute("UPDATE alembic_version SET version_num = $1", head)
            until(lambda: readiness(own), (200, []))
            await inside.close()

            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
            until(lambda: readiness(own), (503, ["database_unavailable"]))
            assert health(own) == (200, "unavailable")
            until(lambda: figures(own)["hostfence_controller_database_up"], 0)
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            until(lambda: readiness(own), (200, []))
    finally:
        await admin.close()


@pytest.mark.slow
def test_a_database_that_hangs_keeps_nobody_waiting(controller: ControllerProcess) -> None:
    """As a storage that does not answer makes it: connections stay open and nothing comes."""
    controller.start()
    until(lambda: readiness(controller), (200, []))
    assert figures(controller)["hostfence_site_controllers"] == 1
    servers = servers_of(controller.folder)
    for pid in servers:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert health(controller) == (200, "unavailable")
        until(lambda: readiness(controller), (503, ["database_unavailable"]))
        assert figures(controller)["hostfence_controller_database_up"] == 0, "its token was seen a moment ago"
    finally:
        for pid in servers:
            os.kill(pid, signal.SIGCONT)
    until(lambda: readiness(controller), (200, []), within_s=60)
