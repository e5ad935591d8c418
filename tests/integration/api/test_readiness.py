"""Explanations over the API."""

import pytest

from controller.domain.gates import GateCode
from controller.domain.model import Role
from tests.fixtures import builders as a
from tests.integration.api.conftest import Api


@pytest.fixture
async def host(api: Api) -> str:
    async with api.store.transaction() as tx:
        await tx.save_cluster(a.cluster("c1", name="east"))
        await tx.save_host(a.host("h1", name="kvm1"))
    return "kvm1"


async def test_a_host_is_explained(api: Api, host: str) -> None:
    found = await api.ok("GET", f"/hosts/{host}/explain", role=Role.VIEWER)
    assert found["readiness"] == "blocked"
    assert {gate["code"] for gate in found["gates"]} == {code.value for code in GateCode}
    mode = found["gates"][0]
    assert (mode["code"], mode["group"], mode["reason"], mode["readiness"]) == (
        "mode",
        "armed",
        "observe_mode",
        "blocked",
    )
    assert mode["change"]
    assert found["timeline"]["off_s"] > found["timeline"]["steps"][0]["latest_s"] > 0
    assert found["plan"]["action"] == "none"


async def test_a_cluster_and_all_clusters_at_a_glance(api: Api, host: str) -> None:
    one = await api.ok("GET", "/clusters/east/readiness", role=Role.VIEWER)
    assert (one["ready"], one["blocked"]) == (0, 1)
    assert one["hosts"][0]["name"] == host
    assert "observe_mode" in one["hosts"][0]["codes"]
    assert one["storm"]["max_actions"] == 3
    everything = await api.ok("GET", "/readiness", role=Role.VIEWER)
    assert [cluster["cluster_name"] for cluster in everything] == ["east"]
    assert everything[0]["causes"] == one["causes"]


async def test_what_is_not_there_is_a_problem_and_reporters_see_nothing(api: Api, host: str) -> None:
    for path, code in (("/hosts/x/explain", "unknown_host"), ("/clusters/x/readiness", "unknown_cluster")):
        answer = await api.call("GET", path, role=Role.VIEWER)
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    for path in (f"/hosts/{host}/explain", "/clusters/east/readiness", "/readiness"):
        assert (await api.call("GET", path, role=Role.REPORTER)).status_code == 403
