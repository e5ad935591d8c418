"""The in-memory store's own switches: crashes around the commit, outages, and one transaction at a time."""

import asyncio

import pytest

from controller.db.store import StoreError, StoreUnavailable
from tests.fixtures import builders as a
from tests.fixtures.stores import raising
from tests.simulation.memory_store import MemoryStore


class CrashError(Exception):
    """The process dies here."""


def crash() -> None:
    raise CrashError


async def clusters(store: MemoryStore) -> list[str]:
    async with store.transaction() as tx:
        return [c.id for c in await tx.clusters()]


async def test_a_crash_before_the_commit_stores_nothing() -> None:
    store = MemoryStore(before_commit=crash)
    with raising(CrashError):
        async with store.transaction() as tx:
            await tx.save_cluster(a.cluster())
    store.before_commit = None
    assert await clusters(store) == []


async def test_a_crash_after_the_commit_stores_everything_and_still_raises() -> None:
    store = MemoryStore(after_commit=crash)
    with raising(CrashError):
        async with store.transaction() as tx:
            await tx.save_cluster(a.cluster())
    store.after_commit = None
    assert await clusters(store) == ["c1"]


async def test_an_outage_refuses_new_transactions_and_those_half_way() -> None:
    store = MemoryStore()
    with raising(StoreUnavailable):
        async with store.transaction() as tx:
            await tx.save_cluster(a.cluster())
            store.unavailable = True
    with raising(StoreUnavailable):
        async with store.transaction():
            pytest.fail("it was open")
    store.unavailable = False
    assert await clusters(store) == []


async def test_transactions_take_turns() -> None:
    store = MemoryStore()
    running = 0

    async def work(number: int) -> None:
        nonlocal running
        async with store.transaction() as tx:
            running += 1
            assert running == 1
            await asyncio.sleep(0)
            await tx.save_cluster(a.cluster(f"c{number}"))
            running -= 1

    await asyncio.gather(*(work(n) for n in range(5)))
    assert len(await clusters(store)) == store.commits - 1 == 5


async def test_a_transaction_inside_a_transaction_is_an_error_and_no_hang() -> None:
    store = MemoryStore()
    with raising(StoreError):
        async with store.transaction(), store.transaction():
            pytest.fail("it was open")


async def test_undoing_restores_what_was_written_over_and_dropped() -> None:
    store = MemoryStore()
    async with store.transaction() as tx:
        await tx.save_cluster(a.cluster())
        await tx.save_pool(a.pool())
    with raising(CrashError):
        async with store.transaction() as tx:
            await tx.delete_pool("p1")
            await tx.save_pool(a.pool("p2"))
            await tx.save_cluster(a.cluster(name="renamed"))
            await tx.save_cluster(a.cluster(name="again"))
            crash()
    async with store.transaction() as tx:
        assert await tx.clusters() == [a.cluster()]
        assert await tx.pools() == [a.pool()]
