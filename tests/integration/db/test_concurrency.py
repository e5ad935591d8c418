"""Several controllers on one PostgreSQL: who gets what, who waits, who is refused."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

from controller.db.store import Conflict, StoreUnavailable
from controller.db.unit_of_work import PostgresStore
from tests.fixtures import builders as a
from tests.fixtures.builders import T0, at
from tests.fixtures.stores import furnish, raising

SOON = 0.2
"""Long enough for a statement that is not blocked."""


async def claim(store: PostgresStore, token: str, limit: int = 100) -> list[str]:
    async with store.transaction() as tx:
        claimed = await tx.claim_due(now=T0, lease_until=at(30), token=token, limit=limit)
        return [i.id for i in claimed]


async def test_many_claimers_share_no_incident_and_leave_none(postgres_store: PostgresStore) -> None:
    await furnish(postgres_store, hosts=40)
    async with postgres_store.transaction() as tx:
        for number in range(1, 41):
            await tx.open_incident(a.incident(f"i{number}", host_id=f"h{number}"))
    rounds = await asyncio.gather(*(claim(postgres_store, f"w{n}", limit=7) for n in range(10)))
    claimed = [incident_id for found in rounds for incident_id in found]
    claimed += await claim(postgres_store, "last")
    assert len(claimed) == len(set(claimed)) == 40


async def test_a_claim_skips_rows_another_controller_holds(postgres_store: PostgresStore) -> None:
    await furnish(postgres_store)
    async with postgres_store.transaction() as tx:
        await tx.open_incident(a.incident("i1"))
        await tx.open_incident(a.incident("i2", host_id="h2"))
    async with postgres_store.transaction() as tx:
        assert await tx.incident_for_update("i1", token=None)
        async with asyncio.timeout(SOON):
            assert await claim(postgres_store, "w2") == ["i2"]


async def test_an_apply_waits_for_the_row_and_then_finds_its_lease_lost(postgres_store: PostgresStore) -> None:
    await furnish(postgres_store)
    async with postgres_store.transaction() as tx:
        await tx.open_incident(a.incident())
    assert await claim(postgres_store, "w1") == ["i1"]

    async def apply() -> object:
        async with postgres_store.transaction() as tx:
            return await tx.incident_for_update("i1", token="w1")

    async with postgres_store.transaction() as tx:
        await tx.claim_due(now=at(60), lease_until=at(90), token="w2", limit=1)
        late = asyncio.create_task(apply())
        await asyncio.sleep(SOON)
        assert not late.done()
    assert await late is None


async def test_only_one_of_many_opens_an_incident_for_a_host(postgres_store: PostgresStore) -> None:
    await furnish(postgres_store)

    async def report(number: int) -> bool:
        async with postgres_store.transaction() as tx:
            won = await tx.open_incident(a.incident(f"i{number}"))
            await asyncio.sleep(0.01)
            return won

    assert sum(await asyncio.gather(*(report(n) for n in range(8)))) == 1


async def test_the_guard_makes_intents_one_after_the_other(postgres_store: PostgresStore) -> None:
    # A cap of three (rule 5), and eight controllers that all want to act now.
    await furnish(postgres_store)
    async with postgres_store.transaction() as tx:
        await tx.open_incident(a.incident())

    async def intend(number: int) -> bool:
        async with postgres_store.transaction() as tx:
            await tx.guard()
            if len(await tx.attempts_since(T0 - timedelta(hours=1))) >= 3:
                return False
            await asyncio.sleep(0.005)
            await tx.add_attempt(a.attempt(f"a{number}"))
            return True

    assert sum(await asyncio.gather(*(intend(n) for n in range(8)))) == 3


async def test_the_guard_is_free_after_a_rollback(postgres_store: PostgresStore) -> None:
    with raising(ZeroDivisionError):
        async with postgres_store.transaction() as tx:
            await tx.guard()
            raise ZeroDivisionError
    async with asyncio.timeout(SOON), postgres_store.transaction() as tx:
        await tx.guard()


async def test_two_notifiers_take_different_deliveries_and_effects(postgres_store: PostgresStore) -> None:
    await furnish(postgres_store)
    async with postgres_store.transaction() as tx:
        await tx.open_incident(a.incident())
        for number in (1, 2):
            await tx.add_notice(a.notice(f"n{number}"), channels=("mail",))
        await tx.add_effect(a.effect("x1"))
        await tx.add_effect(a.effect("x2"))
    taken: list[str] = []
    async with AsyncExitStack() as stack:
        for _ in range(3):
            tx = await stack.enter_async_context(postgres_store.transaction())
            taken += [d.id for d, _ in await tx.deliveries_due(channel="mail", now=T0, limit=1)]
            taken += [e.id for e in await tx.effects_due(now=T0, limit=1)]
    assert sorted(taken) == ["n1/mail", "n2/mail", "x1", "x2"]


async def test_a_channels_turn_is_not_had_twice_at_once(postgres_store: PostgresStore) -> None:
    async with postgres_store.transaction() as first, postgres_store.transaction() as second:
        assert await first.channel_turn("mail")
        assert not await second.channel_turn("mail")
        assert await second.channel_turn("pager")
    async with postgres_store.transaction() as tx:
        assert await tx.channel_turn("mail")


async def test_a_notice_told_by_two_at_once_is_told_once(postgres_store: PostgresStore) -> None:
    async def tell(number: int) -> bool:
        async with postgres_store.transaction() as tx:
            return await tx.add_notice(a.notice(f"n{number}", key="same"), channels=("mail",))

    assert sum(await asyncio.gather(*(tell(n) for n in range(6)))) == 1
    async with postgres_store.transaction() as tx:
        assert len(await tx.notices()) == 1


async def test_no_incident_is_opened_for_a_host_while_it_is_deleted(postgres_store: PostgresStore) -> None:
    await furnish(postgres_store)

    async def open_one() -> bool:
        async with postgres_store.transaction() as tx:
            return await tx.open_incident(a.incident())

    async with postgres_store.transaction() as tx:
        assert await tx.delete_host("h1")
        opening = asyncio.create_task(open_one())
        await asyncio.sleep(SOON)
        assert not opening.done()
    with raising(Conflict):
        await opening


async def test_two_transactions_that_wait_for_each_other_do_not_wait_for_ever(postgres_store: PostgresStore) -> None:
    await furnish(postgres_store)
    async with postgres_store.transaction() as tx:
        await tx.open_incident(a.incident("i1"))
        await tx.open_incident(a.incident("i2", host_id="h2"))

    each_has_one = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with postgres_store.transaction() as tx:
            await tx.incident_for_update(first, token=None)
            await each_has_one.wait()
            await tx.incident_for_update(second, token=None)

    results = await asyncio.gather(lock("i1", "i2"), lock("i2", "i1"), return_exceptions=True)
    assert [type(r) for r in results if r is not None] == [StoreUnavailable]


async def test_two_that_change_what_is_remembered_of_a_host_lose_nothing(postgres_store: PostgresStore) -> None:
    """A lost `fenced_by` would let a fenced host be suspected again, and never undo its quarantine."""
    await furnish(postgres_store)
    read = asyncio.Event()

    async def fenced() -> None:
        async with postgres_store.transaction() as tx:
            health = await tx.health_for_update("h1")
            read.set()
            await asyncio.sleep(0.2)
            await tx.save_health(replace(health, fenced_by="i1"))

    async def seen() -> None:
        await read.wait()
        async with postgres_store.transaction() as tx:
            health = await tx.health_for_update("h1")
            await tx.save_health(replace(health, boot_id="b2"))

    await asyncio.gather(fenced(), seen())
    async with postgres_store.transaction() as tx:
        health = await tx.health("h1")
    assert (health.fenced_by, health.boot_id) == ("i1", "b2")
