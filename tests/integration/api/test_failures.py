"""What callers see when the controller itself is in trouble."""

import pytest

from tests.integration.api.conftest import Api
from tests.simulation.memory_store import MemoryStore


@pytest.fixture
def broken(store: MemoryStore) -> MemoryStore:
    """The store behind ``site``, with its switches."""
    return store


async def test_a_database_that_does_not_answer_is_said_so(site: Api, broken: MemoryStore) -> None:
    broken.unavailable = True
    for path in ("/hosts", "/whoami"):
        answer = await site.call("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert answer.headers["retry-after"]


async def test_a_defect_shows_no_stack_trace(site: Api, broken: MemoryStore) -> None:
    broken.before_commit = lambda: 1 // 0
    answer = await site.call("GET", "/hosts")
    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert "ZeroDivision" not in answer.text


async def test_health_says_that_the_database_is_away(site: Api) -> None:
    site.clock.broken = True
    answer = await site.nobody.get("/healthz")
    assert (answer.status_code, answer.json()["database"]) == (200, "unavailable")
