import asyncio
from collections.abc import AsyncIterator

import pytest

from controller.domain.incident import State
from controller.domain.marks import Mark, Marked
from controller.web.live import Live, Viewer, topics_of
from tests.fakes.clock import FakeClock
from tests.fixtures import builders as a
from tests.fixtures.stores import furnish
from tests.simulation.memory_store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def live(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Looks only when a test says so."""
    made = Live(store, FakeClock())

    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(made, "_watch", never)
    return made


@pytest.fixture
async def viewer(live: Live) -> AsyncIterator[Viewer]:
    with live.viewer(("overview", "incident:i1", "host:*")) as made:
        yield made
    assert live._task is not None
    live._task.cancel()


async def news(viewer: Viewer) -> tuple[str, ...]:
    return await viewer.news(within_s=0.01)


async def test_a_viewer_is_told_what_it_wants_and_nothing_else(store: MemoryStore, live: Live, viewer: Viewer) -> None:
    await furnish(store)
    await live.look()
    assert await news(viewer) == ()
    async with store.transaction() as tx:
        await tx.open_incident(a.incident())
    await live.look()
    assert await news(viewer) == ("host:h1", "incident:i1", "overview")
    async with store.transaction() as tx:
        await tx.add_audit(a.audit_row())
    await live.look()
    assert await news(viewer) == ()


async def test_news_do_not_pile_up_for_a_slow_reader(store: MemoryStore, live: Live, viewer: Viewer) -> None:
    await furnish(store)
    incident = a.incident()
    async with store.transaction() as tx:
        await tx.open_incident(incident)
    for rounds in range(50):
        async with store.transaction() as tx:
            await tx.save_incident(a.incident(rounds=rounds, state=State.CHECKING), end_lease=True)
        await live.look()
    assert await news(viewer) == ("host:h1", "incident:i1", "overview")
    assert await news(viewer) == ()


async def test_a_database_that_is_away_is_said_once_and_again_when_it_is_back(
    store: MemoryStore, live: Live, viewer: Viewer
) -> None:
    said = []
    for unavailable in (False, True, True, False, False):
        store.unavailable = unavailable
        await live.look()
        said.append((live.trouble, viewer._stirred.is_set()))
        await news(viewer)
    assert said == [(False, False), (True, True), (True, False), (False, True), (False, False)]
    assert live.looked_at is not None


async def test_closing_wakes_everybody(live: Live, viewer: Viewer) -> None:
    live.close()
    assert live.closed
    assert await viewer.news(within_s=60) == ()


@pytest.mark.parametrize("kind", list(Marked))
def test_every_mark_is_news_to_somebody(kind: Marked) -> None:
    assert topics_of(Mark(kind=kind, id="x", version="1", incident_id="i", host_id="h", cluster_id="c")) >= {
        "incident:i",
        "host:h",
        "cluster:c",
    }
