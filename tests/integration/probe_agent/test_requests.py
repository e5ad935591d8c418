"""Who may ask, and how an agent refuses."""

import uuid
from pathlib import Path

import httpx
import pytest

from shared.enums import PROTOCOL_VERSION
from shared.protocol import AgentProblem, Health, ProbeRequest, Request, WatchRequest
from tests.fixtures.agents import AgentFactory, AgentProcess


@pytest.fixture
def agent(agents: AgentFactory, pool: Path) -> AgentProcess:
    agent = agents("b", pools=[pool])
    agent.start_serve()
    return agent


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    parsed = AgentProblem.model_validate_json(response.content)
    assert parsed.status == response.status_code
    return parsed.status, parsed.code


def a_watch(**fields: object) -> Request:
    return WatchRequest.model_validate({"nonce": uuid.uuid4().hex, **fields})


def raw(agent: AgentProcess, body: bytes, path: str = "/v1/probes") -> httpx.Response:
    headers = {"Authorization": f"Bearer {agent.token}"}
    return httpx.post(agent.url + path, content=body, headers=headers, trust_env=False)


def test_health_needs_no_token_and_says_little(agent: AgentProcess) -> None:
    response = httpx.get(agent.url + "/healthz", trust_env=False)
    health = Health.model_validate_json(response.content)
    assert (health.host_id, health.boot_id) == (agent.host_id, agent.boot_id)
    assert set(response.json()) == {"status", "host_id", "boot_id", "protocol"}
    assert "server" not in response.headers


@pytest.mark.parametrize("path", ["/v1/watch", "/v1/probes"])
def test_another_token_is_refused_before_the_body_is_read(agent: AgentProcess, path: str) -> None:
    assert problem(agent.post(path, a_watch(), token="x" * 32)) == (401, "unauthorized")
    bare = httpx.post(agent.url + path, content=b"junk", trust_env=False)
    assert problem(bare) == (401, "unauthorized")


def test_a_nonce_is_good_once_for_all_routes(agent: AgentProcess) -> None:
    request = a_watch()
    assert agent.post("/v1/watch", request).status_code == 200
    assert problem(agent.post("/v1/watch", request)) == (409, "replayed_nonce")
    probe = ProbeRequest(nonce=request.nonce, subject_host_id="x")
    assert problem(agent.post("/v1/probes", probe)) == (409, "replayed_nonce")


def test_another_protocol_is_refused_whatever_its_shape(agent: AgentProcess) -> None:
    other = a_watch(protocol=PROTOCOL_VERSION + 1)
    for path in ("/v1/watch", "/v1/probes"):
        assert problem(agent.post(path, other)) == (400, "protocol_mismatch")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk",
        b"[]",
        b"{}",
        b'{"nonce":"12345678"}',
        b'{"nonce":"short","subject_host_id":"x"}',
        b'{"nonce":"12345678","subject_host_id":"x","paths":[1]}',
        b'{"nonce":"12345678","subject_host_id":"x","deadline_s":0}',
    ],
)
def test_what_does_not_fit_is_refused(agent: AgentProcess, body: bytes) -> None:
    assert problem(raw(agent, body)) == (422, "bad_request")


def test_unknown_fields_are_ignored_so_that_a_newer_peer_can_add_some(agent: AgentProcess) -> None:
    body = b'{"nonce":"12345678","subject_host_id":"x","new":1}'
    assert raw(agent, body).status_code == 200


def test_other_addresses_are_problems_too_and_nothing_is_described(agent: AgentProcess) -> None:
    for path in ("/", "/docs", "/openapi.json", "/metrics"):
        response = httpx.get(agent.url + path, trust_env=False)
        assert problem(response) == (404, "not_found")
    response = httpx.get(agent.url + "/v1/watch", trust_env=False)
    assert problem(response) == (405, "method_not_allowed")


def test_a_second_service_on_the_same_port_fails_without_a_traceback(agent: AgentProcess) -> None:
    first = agent.serve
    agent.start_serve(wait=False)
    assert agent.serve is not None
    assert agent.serve.wait(15) != 0
    agent.serve = first
    assert "address already in use" in agent.log
    assert "Traceback" not in agent.log
