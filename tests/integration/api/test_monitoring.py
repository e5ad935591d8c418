"""`/readyz` and `/metrics`: what they say, to whom, and what is left of them while the database is away."""

import asyncio

import pytest

from controller.api.metrics import GOOD_FOR_S
from controller.domain.model import Role
from tests.integration.api.conftest import Api
from tests.simulation.memory_store import MemoryStore


@pytest.fixture
def broken(store: MemoryStore) -> MemoryStore:
    """The store behind ``api``, with its switches."""
    return store


async def started(api: Api) -> None:
    """As an engine leaves it after its first beats."""
    for name in ("worker", "notifier"):
        api.pulse.begin(name, may_take_s=60, at=api.clock.boottime())
        api.pulse.ended(name, well=True, at=api.clock.boottime())
    api.pulse.started = True


def later(api: Api, seconds: float) -> None:
    api.clock._boottime += seconds


async def codes(api: Api, status: int) -> list[str]:
    answer = await api.nobody.get("/readyz")
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert told["ready"] is (status == 200)
    assert all(one["detail"] and one["do"] for one in told["reasons"])
    return [one["code"] for one in told["reasons"]]


async def scraped(api: Api, role: Role = Role.VIEWER) -> dict[str, str]:
    answer = await api.nobody.get("/metrics", headers=api.as_role(role))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")]
    return dict(lines)


class TestReady:
    async def test_before_the_first_beats_it_is_starting(self, api: Api) -> None:
        assert await codes(api, 503) == ["starting"]
        await started(api)
        later(api, 2)
        assert await codes(api, 200) == []

    async def test_a_database_that_is_away(self, api: Api) -> None:
        await started(api)
        api.clock.broken = True
        assert await codes(api, 503) == ["database_unavailable"]
        api.clock.broken = False
        later(api, 2)
        assert await codes(api, 200) == []

    async def test_a_loop_that_does_not_get_through(self, api: Api) -> None:
        await started(api)
        later(api, 61)
        assert await codes(api, 503) == ["engine_stuck", "notifier_stuck"]
        api.pulse.ended("worker", well=False, at=api.clock.boottime())
        later(api, 2)
        assert await codes(api, 503) == ["engine_stuck", "notifier_stuck"], "one that fails does not get through"
        api.pulse.ended("worker", well=True, at=api.clock.boottime())
        later(api, 2)
        assert await codes(api, 503) == ["notifier_stuck"]

    async def test_whoever_asks_often_does_not_make_the_database_work(self, api: Api) -> None:
        await started(api)
        assert await codes(api, 200) == []
        api.clock.broken = True
        assert await codes(api, 200) == [], "a second has not passed"


class TestFigures:
    async def test_they_tell_of_the_site_and_the_process(self, site: Api) -> None:
        await started(site)
        figures = await scraped(site)
        assert figures['hostfence_site_hosts{cluster="kvm"}'] == "2.0"
        assert figures["hostfence_controller_ready"] == "1.0"
        assert figures['hostfence_controller_info{controller="ctl1",version="1.2.3"}'] == "1.0"
        assert figures['hostfence_controller_hosts{cluster="kvm",readiness="blocked"}'] == "2.0"

    async def test_requests_are_counted_by_route_and_answer(self, site: Api) -> None:
        await site.call("GET", "/hosts/a")
        await site.call("GET", "/hosts/b")
        await site.call("GET", "/hosts/nobody")
        await site.nobody.get("/api/v1/hosts/a")
        await site.nobody.get("/nothing/here")
        await site.nobody.get("/docs")
        await site.nobody.get("/ui/sign-in")
        figures = await scraped(site)

        def count(method: str, route: str, status: int) -> float:
            name = "hostfence_controller_http_requests_total"
            return float(figures[f'{name}{{method="{method}",route="{route}",status="{status}"}}'])

        assert count("GET", "/api/v1/hosts/{host}", 200) == 2
        assert count("GET", "/api/v1/hosts/{host}", 404) == 1
        assert count("POST", "/api/v1/hosts", 201) == 2
        assert count("GET", "", 401) == 1
        assert count("GET", "", 404) == 1
        assert count("GET", "/docs", 200) == 1
        assert [line for line in figures if "http_requests" in line and 'route="/ui/' in line]
        counted = "".join(line for line in figures if "http_request" in line)
        assert "nobody" not in counted
        assert "here" not in counted

    async def test_a_defect_counts_as_500(self, site: Api, broken: MemoryStore) -> None:
        broken.before_commit = lambda: 1 // 0
        await site.call("GET", "/hosts")
        broken.before_commit = None
        figures = await scraped(site)
        assert figures['hostfence_controller_http_requests_total{method="GET",route="",status="500"}'] == "1.0"

    async def test_reading_them_costs_the_database_only_so_much(self, site: Api, broken: MemoryStore) -> None:
        await scraped(site)
        before = broken.commits
        await asyncio.gather(*(scraped(site) for _ in range(20)))
        assert broken.commits - before == 20, "each asks whose token it is, and nothing else"

    async def test_while_the_database_is_away_those_of_the_process_are_left(
        self, site: Api, broken: MemoryStore
    ) -> None:
        await started(site)
        await scraped(site)
        broken.unavailable = site.clock.broken = True
        later(site, 30)
        figures = await scraped(site)
        assert figures["hostfence_controller_database_up"] == "0.0"
        assert figures["hostfence_controller_ready"] == "0.0"
        assert figures['hostfence_controller_ailment{code="database_unavailable"}'] == "1.0"
        assert not [line for line in figures if line.startswith("hostfence_site_") and "clock" not in line]

    async def test_a_token_is_good_without_the_database_only_if_it_was_seen_lately(
        self, site: Api, broken: MemoryStore
    ) -> None:
        await scraped(site)
        broken.unavailable = site.clock.broken = True
        await scraped(site)
        never_seen = await site.nobody.get("/metrics", headers=site.as_role(Role.OPERATOR))
        assert (never_seen.status_code, never_seen.json()["code"]) == (503, "database_unavailable")
        reporter = await site.nobody.get("/metrics", headers=site.as_role(Role.REPORTER))
        assert reporter.status_code == 503
        later(site, GOOD_FOR_S)
        too_late = await site.nobody.get("/metrics", headers=site.as_role(Role.VIEWER))
        assert too_late.status_code == 503

    async def test_a_revoked_token_is_forgotten(self, site: Api, broken: MemoryStore) -> None:
        made = await site.ok("POST", "/tokens", json={"name": "prometheus", "role": "viewer"})
        headers = {"Authorization": f"Bearer {made['token']}"}
        assert (await site.nobody.get("/metrics", headers=headers)).status_code == 200
        await site.ok("DELETE", f"/tokens/{made['id']}")
        assert (await site.nobody.get("/metrics", headers=headers)).status_code == 401
        broken.unavailable = True
        assert (await site.nobody.get("/metrics", headers=headers)).status_code == 503
