"""What a confused or hostile caller sends over real HTTP: a bad path spoils itself only, a bad request says where."""

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.enums import PROTOCOL_VERSION, ReadingCode, ReadingStatus
from shared.protocol import MAX_TARGETS, AgentProblem, ProbeAnswer
from tests.fixtures.agents import AgentFactory, AgentProcess, eventually, offspring_of

MEGABYTE = 1024 * 1024
MOST_MEMORY = 400 * MEGABYTE
"""Of all processes together, at any moment of the largest request; the unit's MemoryMax lies above."""


@pytest.fixture
def agent(agents: AgentFactory, pool: Path) -> AgentProcess:
    agent = agents("b", pools=[pool])
    agent.start_serve()
    return agent


@pytest.fixture
def client(agent: AgentProcess) -> Iterator[httpx.Client]:
    """One kept connection, as a controller has it."""
    headers = {"Authorization": f"Bearer {agent.token}"}
    with httpx.Client(base_url=agent.url, headers=headers, timeout=90, trust_env=False) as client:
        yield client


def a_request(paths: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    return {"nonce": uuid.uuid4().hex, "subject_host_id": "x", "paths": paths or [], "deadline_s": 60, **fields}


def answer(response: httpx.Response) -> ProbeAnswer:
    assert response.status_code == 200, response.text
    return ProbeAnswer.model_validate_json(response.content)


def refusal(response: httpx.Response) -> AgentProblem:
    assert response.headers["content-type"] == "application/problem+json"
    parsed = AgentProblem.model_validate_json(response.content)
    assert parsed.status == response.status_code
    return parsed


def memory(agent: AgentProcess, field: str = "VmRSS") -> int:
    """Of the service and its children together, in bytes; ``VmHWM``: the most each ever had."""
    assert agent.serve is not None
    total = 0
    for pid in [agent.serve.pid, *offspring_of(agent.serve.pid)]:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                total += int(line.split()[1]) * 1024
    return total


# -- paths: each bad one is refused by its code, every good one is answered


BAD_PATHS = {
    "/etc/passwd": ReadingCode.OUTSIDE_ROOTS,
    "{pool}": ReadingCode.OUTSIDE_ROOTS,
    "{pool}-beside/disk": ReadingCode.OUTSIDE_ROOTS,
    "nobody:knows/this": ReadingCode.OUTSIDE_ROOTS,
    "disk": ReadingCode.BAD_PATH,
    "./disk": ReadingCode.BAD_PATH,
    "": ReadingCode.BAD_PATH,
    "{pool}/../{name}/disk": ReadingCode.BAD_PATH,
    "{pool}/..": ReadingCode.BAD_PATH,
    "{pool}//disk": ReadingCode.BAD_PATH,
    "{pool}/disk\0.qcow2": ReadingCode.BAD_PATH,
    "{pool}/long": ReadingCode.BAD_PATH,
    "{pool}/none": ReadingCode.MISSING,
}


def test_each_bad_path_is_refused_by_its_code_and_every_other_one_is_read(
    agent: AgentProcess, client: httpx.Client, pool: Path
) -> None:
    good = pool / "disk"
    good.touch()
    bad = [path.format(pool=pool, name=pool.name) for path in BAD_PATHS]
    bad[bad.index(f"{pool}/long")] += "/x" * 4096
    asked = [path for one in bad for path in (one, str(good))]
    readings = answer(client.post("/v1/probes", json=a_request(asked))).readings
    assert [r.path for r in readings] == asked
    assert [r.code for r in readings[::2]] == list(BAD_PATHS.values())
    assert {r.status for r in readings[1::2]} == {ReadingStatus.OK}
    assert all(r.detail for r in readings[::2])
    assert agent.serve is not None
    assert agent.serve.poll() is None


def test_the_same_path_many_times_is_answered_as_many_times(client: httpx.Client, pool: Path) -> None:
    (pool / "disk").touch()
    readings = answer(client.post("/v1/probes", json=a_request([f"{pool}/disk"] * 500))).readings
    assert len(readings) == 500
    assert {r.inode for r in readings} == {(pool / "disk").stat().st_ino}


def test_nothing_asked_is_nothing_answered(client: httpx.Client) -> None:
    empty = answer(client.post("/v1/probes", json=a_request()))
    assert (empty.readings, empty.pools, empty.reach) == ([], [], [])


def test_a_pool_root_that_is_none_is_unknown_beside_one_that_is(agent: AgentProcess, pool: Path) -> None:
    bad = ["/etc", "relative", f"{pool}/..", f"{pool}/", "", "a\0b", "x" * 5000]

    def sights() -> list[ReadingStatus]:
        return [p.status for p in agent.probe(pool_roots=[*bad, str(pool)]).pools]

    eventually(lambda: sights() == [ReadingStatus.UNKNOWN] * len(bad) + [ReadingStatus.OK])


# -- requests: refused as a whole, and it is said where


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"paths": ["/mnt/a", 7]}, "paths.1"),
    ({"paths": ["/mnt/a", None]}, "paths.1"),
    ({"paths": "/mnt/a"}, "paths"),
    ({"paths": {"0": "/mnt/a"}}, "paths"),
    ({"pool_roots": ["/mnt/p"] * 257}, "pool_roots"),
    ({"reach": [{"address": "a", "port": 1}] * 9}, "reach"),
    ({"reach": [{"address": "a", "port": 65536}]}, "reach.0.port"),
    ({"reach": [{"address": "", "port": 1}]}, "reach.0.address"),
    ({"deadline_s": 1e9}, "deadline_s"),
    ({"deadline_s": -1}, "deadline_s"),
    ({"nonce": "x" * 65}, "nonce"),
    ({"nonce": None}, "nonce"),
    ({"subject_host_id": None}, "subject_host_id"),
]


def test_a_field_that_does_not_fit_is_named(client: httpx.Client) -> None:
    for changes, where in UNFIT:
        problem = refusal(client.post("/v1/probes", json={**a_request(), **changes}))
        assert (problem.status, problem.code) == (422, "bad_request"), where
        assert problem.detail.startswith(f"{where}: ")


NO_JSON_OF_OURS = {
    "not UTF-8": b'{"nonce":"123456789","subject_host_id":"x","paths":["/mnt/\xff\xfe"]}',
    "half a character": b'{"nonce":"123456789","subject_host_id":"x","paths":["/mnt/\\udc80"]}',
    "UTF-16": '{"nonce":"123456789","subject_host_id":"x"}'.encode("utf-16"),
    "no number": b'{"nonce":"123456789","subject_host_id":"x","deadline_s":NaN}',
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"paths":' * 50_000,
    "NULs": b"\0" * 1000,
}


def test_a_body_that_is_no_json_of_ours_is_refused_and_the_next_one_answered(client: httpx.Client) -> None:
    for name, body in NO_JSON_OF_OURS.items():
        problem = refusal(client.post("/v1/probes", content=body))
        assert (problem.status, problem.code) == (422, "bad_request"), name
        assert len(problem.detail) < 300
        assert answer(client.post("/v1/probes", json=a_request())).readings == []


def test_versions_mixed_on_one_connection_are_refused_one_by_one(client: httpx.Client, pool: Path) -> None:
    (pool / "disk").touch()
    for version in (PROTOCOL_VERSION, PROTOCOL_VERSION + 1, 0, PROTOCOL_VERSION, -1, 10**30, PROTOCOL_VERSION):
        response = client.post("/v1/probes", json=a_request([f"{pool}/disk"], protocol=version))
        if version == PROTOCOL_VERSION:
            assert answer(response).readings[0].status is ReadingStatus.OK
        else:
            assert refusal(response).status in {400, 422}


def test_a_refusal_repeats_nothing_of_what_was_sent(client: httpx.Client) -> None:
    secret = "s3cret-" + "x" * 40
    assert secret not in client.post("/v1/probes", json={**a_request(), "paths": [{"p": secret}]}).text
    assert secret not in client.post("/v1/probes", content=f'{{"nonce": "{secret}'.encode()).text


# -- size


def test_as_many_paths_as_one_may_send_are_answered_in_order_within_bounded_memory(
    agent: AgentProcess, client: httpx.Client, pool: Path
) -> None:
    (pool / "disk").touch()
    asked = [f"{pool}/disk" if n % 3 else f"{pool}/none-{n}" for n in range(MAX_TARGETS)]
    asked[500], asked[99_999] = "/etc/passwd", f"{pool}/../x"
    readings: list[dict[str, Any]] = []
    resident: list[int] = []
    for _ in range(3):
        response = client.post("/v1/probes", json=a_request(asked, deadline_s=90))
        assert response.status_code == 200
        readings = response.json()["readings"]
        resident.append(memory(agent))
    assert [r["path"] for r in readings] == asked
    assert (readings[500]["code"], readings[99_999]["code"]) == (ReadingCode.OUTSIDE_ROOTS, ReadingCode.BAD_PATH)
    assert {r["status"] for r in readings[1:500:3]} == {ReadingStatus.OK}
    assert {r.get("code") for r in readings[0:500:3]} == {ReadingCode.MISSING}
    assert memory(agent, "VmHWM") < MOST_MEMORY
    assert resident[-1] < resident[0] + 50 * MEGABYTE, "it does not grow with each request"


def test_one_path_more_is_refused_as_a_whole(client: httpx.Client) -> None:
    problem = refusal(client.post("/v1/probes", json=a_request(["/mnt/a"] * (MAX_TARGETS + 1))))
    assert (problem.code, problem.detail.partition(":")[0]) == ("bad_request", "paths")


def test_a_body_without_end_is_cut_off(agent: AgentProcess, client: httpx.Client) -> None:
    before = memory(agent)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"nonce":"'
        while sent < 400 * MEGABYTE:
            sent += MEGABYTE
            yield b"x" * MEGABYTE

    with contextlib.suppress(httpx.TransportError):  # cut off in the middle of sending
        assert refusal(client.post("/v1/probes", content=endless())).code == "too_large"
    assert sent < 200 * MEGABYTE
    assert memory(agent) < before + 150 * MEGABYTE
    assert agent.answers()


def test_a_large_body_is_refused_with_a_reason(client: httpx.Client) -> None:
    body = json.dumps(a_request(["/mnt/" + "x" * 4000] * 9000)).encode()
    assert len(body) > 32 * MEGABYTE
    assert refusal(client.post("/v1/probes", content=body)).code == "too_large"


def test_while_the_largest_request_is_worked_on_others_are_answered(
    agent: AgentProcess, client: httpx.Client, pool: Path
) -> None:
    asked = [f"{pool}/none-{n}" for n in range(MAX_TARGETS)]
    waited: list[float] = []
    large = threading.Thread(target=lambda: client.post("/v1/probes", json=a_request(asked, deadline_s=90)))
    large.start()
    while large.is_alive():
        begun = time.monotonic()
        assert agent.answers()
        waited.append(time.monotonic() - begun)
    large.join()
    assert waited
    assert max(waited) < 5.0
