"""A controller process as load balancers, Prometheus and a log collector see it, and a database that goes away."""

import json
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


def test_figures_and_the_log_tell_what_happens(controller: ControllerProcess) -> None:
    controller.options = ("--log", "json")
    controller.start()
    site = Site(controller)
    site.post("/clusters", {"name": "kvm"})
    site.post("/hosts", {"cluster": "kvm", "name": "a", "address": "127.0.0.1", "agent_port": 2})
    incident = site.post("/hosts/a/disconnect", {})["incident"]
    until(lambda: site.state(incident["id"]) != "suspect", expected=True)
    site.post(f"/incidents/{incident['id']}/cancel", {"reason": "only a test"})

    told = figures(controller)
    assert told['hostfence_controller_incidents_opened_total{source="report"}'] == 1
    ends = {name: number for name, number in told.items() if name.startswith("hostfence_controller_transitions_total")}
    assert sum(number for name, number in ends.items() if 'to_state="cancelled"' in name) == 1
    assert sum(told[f'hostfence_controller_rounds_total{{verdict="{v}"}}'] for v in ("alive", "dead", "inconclusive"))
    assert told['hostfence_controller_steps_total{result="done",state="suspect"}'] == 1
    assert told["hostfence_controller_step_lateness_seconds_count"] >= 1

    assert controller.end() == 0
    lines = log_lines(controller.log.read_text())
    mine = [one for one in lines if one.get("incident_id") == incident["id"] and "to_state" in one]
    assert [one["to_state"] for one in mine][:2] == ["suspect", "checking"]
    assert mine[-1]["to_state"] == "cancelled"
    assert (mine[-1]["reasons"], mine[-1]["actor"], mine[-1]["text"]) == (["operator"], "first-admin", "only a test")
    assert {one["host"] for one in mine} == {"a"}
    assert {one["level"] for one in mine} == {"info"}


class Site:
    """What a test does at a controller."""

    def __init__(self, process: ControllerProcess) -> None:
        self._process = process

    def post(self, path: str, body: object) -> Any:
        headers = {"Authorization": f"Bearer {self._process.token}"}
        url = f"{self._process.url}/api/v1{path}"
        answer = httpx.post(url, json=body, headers=headers, timeout=10, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()

    def state(self, incident_id: str) -> str:
        return str(self._process.get(f"/api/v1/incidents/{incident_id}").json()["state"])


def log_lines(text: str) -> list[dict[str, Any]]:
    """Every line of the log; what was printed for people goes to standard output, which the fixture mixes in."""
    said = ("first admin token", "hostfence controller listening")
    lines = [line for line in text.replace("\0", "").splitlines() if line and not line.startswith(said)]
    return [json.loads(line) for line in lines]
