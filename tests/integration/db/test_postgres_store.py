"""What only a real database can show: its errors, what lies in its files, what it refuses past us."""

import asyncio
from datetime import datetime

import asyncpg
import pytest
from cryptography.fernet import Fernet
from sqlalchemy.exc import StatementError

from controller.db.engine import make_engine
from controller.db.secrecy import KeyMismatchError
from controller.db.store import StoreError, StoreUnavailable
from controller.db.unit_of_work import PostgresStore
from controller.domain.model import Level
from tests.fixtures import builders as a
from tests.fixtures.stores import KEY, furnish, raising

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


async def test_no_secret_lies_in_the_database_in_plain_text(
    postgres_store: PostgresStore, past_the_store: asyncpg.Connection
) -> None:
    await furnish(postgres_store, hosts=0)
    async with postgres_store.transaction() as tx:
        await tx.save_host(a.host(agent_token="s3cret-agent"))
        await tx.put_setting(a.setting("ipmi.password", "s3cret-global"), secret=True)
        await tx.put_setting(a.setting("ipmi.password", "s3cret-host", level=Level.HOST, owner_id="h1"), secret=True)
        await tx.put_setting(a.setting("ipmi.username", "admin"), secret=False)
    rows = []
    for table in await past_the_store.fetch(TABLES):
        rows += await past_the_store.fetch(f'SELECT textin(record_out(t)) AS line FROM "{table["tablename"]}" AS t')  # noqa: S608
    everything = "\n".join(row["line"] for row in rows)
    assert "admin" in everything
    assert "s3cret" not in everything
    assert b"s3cret".hex() not in everything  # bytea shows as hex


async def test_a_new_key_writes_while_the_old_one_still_reads(postgres_store: PostgresStore, database_url: str) -> None:
    await furnish(postgres_store, hosts=1)
    new_key = Fernet.generate_key().decode()
    engine = make_engine(database_url)
    rotated = PostgresStore(engine, keys=[new_key, KEY])
    async with rotated.transaction() as tx:
        assert await tx.host("h1") == a.host("h1")
        await tx.save_host(a.host("h1"))
    async with PostgresStore(engine, keys=[new_key]).transaction() as tx:
        assert await tx.host("h1") == a.host("h1")
    with raising(KeyMismatchError):
        async with postgres_store.transaction() as tx:
            await tx.host("h1")
    await engine.dispose()


@pytest.mark.parametrize("keys", [[], ["not a key"]])
async def test_a_store_needs_a_proper_key(postgres_store: PostgresStore, keys: list[str]) -> None:
    with pytest.raises(ValueError, match=r"key"):
        PostgresStore(postgres_store._engine, keys=keys)


@pytest.mark.parametrize("table", ["events", "rounds", "audit"])
@pytest.mark.parametrize("change", ["UPDATE {} SET at = at", "DELETE FROM {}"])
async def test_history_cannot_be_changed_past_the_store_either(
    postgres_store: PostgresStore, past_the_store: asyncpg.Connection, table: str, change: str
) -> None:
    await furnish(postgres_store)
    async with postgres_store.transaction() as tx:
        await tx.open_incident(a.incident())
        await tx.add_event(a.event())
        await tx.add_round(a.round_record())
        await tx.add_audit(a.audit_row())
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await past_the_store.execute(change.format(table))


async def test_a_naive_time_is_refused_before_it_is_stored(postgres_store: PostgresStore) -> None:
    await furnish(postgres_store)
    naive = datetime(2026, 3, 1)  # noqa: DTZ001
    with raising(StatementError) as caught:
        async with postgres_store.transaction() as tx:
            await tx.save_health(a.health(seen_at=naive))
    assert "without a zone" in str(caught.error)


async def test_a_value_too_big_is_our_error_and_no_outage(postgres_store: PostgresStore) -> None:
    with raising(StoreError) as caught:
        async with postgres_store.transaction() as tx:
            await tx.save_cluster(a.cluster("".join(map(str, range(100_000)))))
    assert type(caught.error) is StoreError


class TestUnavailable:
    async def test_when_nobody_listens(self) -> None:
        engine = make_engine("postgresql://u:p4ssword@127.0.0.1:1/db")
        with raising(StoreUnavailable) as caught:
            async with PostgresStore(engine, keys=[KEY]).transaction() as tx:
                await tx.clusters()
        assert isinstance(caught.error.__cause__, OSError)
        assert "p4ssword" not in repr(caught.error)

    async def test_when_the_password_is_wrong(self, database_url: str) -> None:
        user_and_host = database_url.partition("@")[2]
        engine = make_engine(f"postgresql://hostfence:wrong@{user_and_host}")
        with raising(StoreUnavailable) as caught:
            async with PostgresStore(engine, keys=[KEY]).transaction() as tx:
                await tx.clusters()
        assert caught.error.__cause__ is not None

    async def test_when_the_database_is_read_only(
        self, postgres_store: PostgresStore, past_the_store: asyncpg.Connection
    ) -> None:
        name = await past_the_store.fetchval("SELECT current_database()")
        await past_the_store.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        with raising(StoreUnavailable):
            async with postgres_store.transaction() as tx:
                await tx.save_cluster(a.cluster())

    async def test_when_a_lock_or_a_statement_takes_too_long(
        self, postgres_store: PostgresStore, database_url: str
    ) -> None:
        engine = make_engine(database_url, lock_timeout_s=0.1)
        impatient = PostgresStore(engine, keys=[KEY])
        async with postgres_store.transaction() as holder:
            await holder.guard()
            with raising(StoreUnavailable) as caught:
                async with impatient.transaction() as tx:
                    await tx.guard()
        assert "LockNotAvailable" in str(caught.error)
        async with impatient.transaction() as tx:
            await tx.guard()
        await engine.dispose()

    async def test_when_the_pool_is_exhausted(self, database_url: str) -> None:
        engine = make_engine(database_url, pool_size=1, queue_timeout_s=0.2)
        store = PostgresStore(engine, keys=[KEY])
        async with store.transaction() as tx:
            await tx.clusters()
            with raising(StoreUnavailable):
                async with store.transaction():
                    pytest.fail("there was a second connection")
        await engine.dispose()

    async def test_when_the_connection_dies_and_then_all_is_well_again(
        self, postgres_store: PostgresStore, past_the_store: asyncpg.Connection
    ) -> None:
        with raising(StoreUnavailable) as caught:
            async with postgres_store.transaction() as tx:
                await tx.save_cluster(a.cluster())
                await past_the_store.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                await tx.save_cluster(a.cluster("c2"))
        assert caught.error.__cause__ is not None
        async with postgres_store.transaction() as tx:
            assert await tx.clusters() == []

    async def test_the_blocks_own_errors_stay_its_own(self, postgres_store: PostgresStore) -> None:
        with raising(OSError):
            async with postgres_store.transaction() as tx:
                await tx.save_cluster(a.cluster())
                raise OSError("the block's own")


async def test_a_transaction_cancelled_in_a_statement_keeps_no_lock(postgres_store: PostgresStore) -> None:
    async def wait_in_the_database() -> None:
        async with postgres_store.transaction() as tx:
            await tx.save_cluster(a.cluster())
            await tx.guard()

    async with postgres_store.transaction() as tx:
        await tx.guard()
        task = asyncio.create_task(wait_in_the_database())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(2), postgres_store.transaction() as tx:
        await tx.guard()
        await tx.save_cluster(a.cluster())


async def test_a_cancelled_transaction_stores_nothing_and_keeps_no_lock(postgres_store: PostgresStore) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with postgres_store.transaction() as tx:
            await tx.guard()
            await tx.save_cluster(a.cluster())
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(2), postgres_store.transaction() as tx:
        await tx.guard()
        assert await tx.clusters() == []
