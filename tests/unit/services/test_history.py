from dataclasses import replace

import pytest

from controller.db.store import Store
from controller.domain.incident import State
from controller.domain.model import RoundRun
from controller.services import history
from controller.services.errors import BadInput, NotFound
from tests.fixtures import builders
from tests.simulation.memory_store import MemoryStore


@pytest.fixture
async def store() -> Store:
    """25 closed incidents of which 12 opened in the same instant (a storm), and an open one of h2."""
    store = MemoryStore()
    async with store.transaction() as tx:
        await tx.save_cluster(builders.cluster())
        for name in ("h1", "h2"):
            await tx.save_host(builders.host(name))
        for number in range(25):
            opened = builders.at(100 if 5 <= number < 17 else number)
            one = builders.incident(f"i{number:02}", opened_at=opened)
            assert await tx.open_incident(one)
            await tx.save_incident(replace(one, state=State.CANCELLED, next_step_at=None), end_lease=True)
        assert await tx.open_incident(builders.incident("open", host_id="h2", opened_at=builders.at(500)))
    return store


@pytest.mark.parametrize("limit", [1, 2, 5, 7, 12, 100])
async def test_pages_hold_every_incident_exactly_once(store: Store, limit: int) -> None:
    found: list[str] = []
    cursor = None
    while True:
        page = await history.incidents(store, host=None, cluster=None, only_open=False, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        found += [one.id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(found) == sorted([f"i{number:02}" for number in range(25)] + ["open"])
    assert found[0] == "open"


async def test_incidents_of_a_host_and_open_ones(store: Store) -> None:
    page = await history.incidents(store, host="h2", cluster=None, only_open=False, cursor=None, limit=10)
    assert [one.id for one in page.items] == ["open"]
    page = await history.incidents(store, host=None, cluster="c1", only_open=True, cursor=None, limit=10)
    assert [one.id for one in page.items] == ["open"]
    page = await history.incidents(store, host="h1", cluster=None, only_open=True, cursor=None, limit=10)
    assert page.items == []


@pytest.mark.parametrize(
    "cursor", ["x", "W10=", "bnVsbA==", "WyIyMDI2IiwwXQ==", "WyI5OTk5LTAxLTAxVDAwOjAwWiIsMF0=", "é"]
)
async def test_a_made_up_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(BadInput):
        await history.incidents(store, host=None, cluster=None, only_open=False, cursor=cursor, limit=10)


async def test_what_belongs_to_an_unknown_incident(store: Store) -> None:
    for asked in (
        history.timeline(store, "nope"),
        history.rounds(store, "nope", limit=5),
        history.attempts(store, "nope"),
        history.effects(store, "nope"),
    ):
        with pytest.raises(NotFound):
            await asked


async def test_what_belongs_to_an_incident(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.add_event(builders.event(incident_id="open"))
        await tx.add_round(builders.round_record(incident_id="open"))
        await tx.add_attempt(builders.attempt(incident_id="open", host_id="h2"))
        await tx.add_effect(builders.effect(incident_id="open", host_id="h2"))
        await tx.add_effect(builders.effect("x2", incident_id="i01", host_id="h2"))
        await tx.add_audit(builders.audit_row())
        await tx.add_notice(builders.notice(incident_id="open"), channels=("mail",))
    assert len(await history.timeline(store, "open")) == 1
    assert len(await history.rounds(store, "open", limit=5)) == 1
    assert len(await history.attempts(store, "open")) == 1
    assert [one.id for one in await history.effects(store, "open")] == ["x1"]
    page = await history.notices(store, incident_id="open", cursor=None, limit=5)
    assert (len(page.items), page.next_cursor) == (1, None)
    assert len((await history.audit(store, cursor=None, limit=5)).items) == 1


def runs(*lengths: int) -> list[RoundRun]:
    made, first = [], 1
    for length in lengths:
        made.append(
            RoundRun(
                first=first,
                last=first + length - 1,
                first_at=builders.at(first),
                last_at=builders.at(first + length - 1),
                verdict="dead",
                reasons=(),
                counted=0,
            )
        )
        first += length
    return made


class TestRoundsWorthReading:
    def test_of_few_rounds_all_are_read(self) -> None:
        assert history.numbers_worth_reading(runs(3, 2), most=5) == {1, 2, 3, 4, 5}
        assert history.numbers_worth_reading([], most=5) == frozenset()

    def test_of_many_the_ends_the_changes_and_a_sample(self) -> None:
        chosen = history.numbers_worth_reading(runs(1234, 3, 2000), most=40)
        assert {*range(1, 11), *range(3228, 3238), 1235, 1238} <= chosen
        assert len(chosen) <= 40

    def test_verdicts_that_change_with_every_round_do_not_make_it_longer(self) -> None:
        assert len(history.numbers_worth_reading(runs(*[1] * 5000), most=40)) <= 40


async def test_a_picture_gets_all_rounds_as_runs_and_some_evidence() -> None:
    store = MemoryStore()
    async with store.transaction() as tx:
        await tx.save_cluster(builders.cluster())
        await tx.save_host(builders.host())
        assert await tx.open_incident(builders.incident())
        for number in range(1, 101):
            await tx.add_round(builders.round_record(number))
    seen = await history.rounds_seen(store, "i1", most=20)
    assert (seen.total, len(seen.runs)) == (100, 1)
    assert len(seen.sample) <= 20
