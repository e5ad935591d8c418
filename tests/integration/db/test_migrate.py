"""Migrations on a real database: from nothing, at the same time, and when the code and the tables disagree."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import Connection

from controller.db import migrate
from controller.db.store import StoreUnavailable
from tests.fixtures.stores import raising


async def test_an_empty_database_becomes_ours_and_again_is_fine(empty_database_url: str) -> None:
    assert await migrate.check(empty_database_url) != []
    await migrate.upgrade(empty_database_url)
    await migrate.upgrade(empty_database_url)
    assert await migrate.check(empty_database_url) == []


async def test_controllers_that_start_together_migrate_once(empty_database_url: str) -> None:
    await asyncio.gather(*(migrate.upgrade(empty_database_url) for _ in range(3)))
    assert await migrate.check(empty_database_url) == []


@pytest.mark.debian("postgres")
async def test_an_older_server_gets_the_same_tables(debian_database_url: str) -> None:
    assert await migrate.check(debian_database_url) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("ALTER TABLE hosts ADD COLUMN extra text", "extra"),
        ("ALTER TABLE hosts DROP COLUMN excluded", "excluded"),
        ("DROP INDEX uq__incidents__host_id", "uq__incidents__host_id"),
        ("ALTER TABLE health ALTER COLUMN armed TYPE text", "armed"),
    ],
)
async def test_drift_is_named(database_url: str, past_the_store: asyncpg.Connection, change: str, word: str) -> None:
    await past_the_store.execute(change)
    [line] = await migrate.check(database_url)
    assert word in line


async def test_a_newer_versions_database_is_left_alone(database_url: str, past_the_store: asyncpg.Connection) -> None:
    await past_the_store.execute("UPDATE alembic_version SET version_num = '29991231_future'")
    with raising(migrate.SchemaError) as caught:
        await migrate.upgrade(database_url)
    assert "29991231_future" in str(caught.error)


async def test_a_migration_that_fails_leaves_nothing(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = migrate._upgrade

    def fail_at_the_end(connection: Connection) -> None:
        upgrade(connection)
        raise ZeroDivisionError

    monkeypatch.setattr(migrate, "_upgrade", fail_at_the_end)
    with raising(ZeroDivisionError):
        await migrate.upgrade(empty_database_url)
    connection = await asyncpg.connect(empty_database_url)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()


async def test_no_database_is_said_as_such() -> None:
    with raising(StoreUnavailable):
        await migrate.upgrade("postgresql://u:p@127.0.0.1:1/db")
