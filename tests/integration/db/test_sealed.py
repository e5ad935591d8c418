"""Changing the encryption key on a real database: nothing sealed is forgotten, nothing is left half done."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import LargeBinary
from sqlalchemy.ext.asyncio import AsyncEngine

from controller.db.engine import make_engine
from controller.db.models import Base
from controller.db.repositories.sealed import Seals, sealed_columns
from controller.db.secrecy import KeyMismatchError
from controller.db.types import Sealed
from controller.db.unit_of_work import PostgresStore
from controller.domain.enrolment import Authority
from tests.fixtures import builders as a
from tests.fixtures.stores import KEY, furnish, postgres_store, raising

__all__ = ["postgres_store"]

NEW, OTHER = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = make_engine(database_url)
    yield made
    await made.dispose()


async def fill(store: PostgresStore) -> None:
    """Five sealed values, in every table that holds some."""
    await furnish(store, hosts=2)
    async with store.transaction() as tx:
        await tx.put_setting(a.setting("ipmi.password", "s3cret"), secret=True)
        await tx.put_setting(a.setting("second.password", ""), secret=True)
        await tx.put_setting(a.setting("ipmi.username", "admin"), secret=False)
        await tx.settle_authority(Authority(certificate="a certificate", key="its key"))


def test_every_binary_column_is_a_sealed_one() -> None:
    """A secret in a column of another type would be left behind by a new key."""
    binary = {
        (t.name, c.name) for t in Base.metadata.sorted_tables for c in t.columns if isinstance(c.type, LargeBinary)
    }
    assert binary == {(table.name, column.name) for table, column in sealed_columns()}
    assert binary == {("authority", "key"), ("hosts", "agent_token"), ("settings", "sealed")}
    assert all(isinstance(column.type, Sealed) for _, column in sealed_columns())


async def test_everything_is_sealed_anew_and_the_old_key_is_worth_nothing_then(
    postgres_store: PostgresStore, engine: AsyncEngine
) -> None:
    await fill(postgres_store)
    both = PostgresStore(engine, keys=[NEW, KEY])
    async with both.transaction() as tx:
        assert await tx.seals() == Seals(older=5)
        assert await tx.reseal() == 5
    async with both.transaction() as tx:
        assert await tx.seals() == Seals(current=5)
        assert await tx.reseal() == 0
    async with PostgresStore(engine, keys=[NEW]).transaction() as tx:
        assert await tx.host("h2") == a.host("h2")
        assert {row.field: row.value for row in await tx.setting_rows()}["ipmi.password"] == "s3cret"
        assert await tx.authority() == Authority(certificate="a certificate", key="its key")
    async with postgres_store.transaction() as tx:
        assert await tx.seals() == Seals(lost=5)


async def test_with_a_secret_that_no_key_opens_nothing_is_changed(
    postgres_store: PostgresStore, engine: AsyncEngine
) -> None:
    await fill(postgres_store)
    async with PostgresStore(engine, keys=[OTHER]).transaction() as tx:
        await tx.put_setting(a.setting("ipmi.password", "of another key"), secret=True)
    both = PostgresStore(engine, keys=[NEW, KEY])
    with raising(KeyMismatchError):
        async with both.transaction() as tx:
            await tx.reseal()
    async with both.transaction() as tx:
        assert await tx.seals() == Seals(older=4, lost=1)


async def test_a_secret_that_is_written_meanwhile_is_not_lost(
    postgres_store: PostgresStore, engine: AsyncEngine
) -> None:
    """Controllers with both keys go on working: what one writes comes before the rotation or after it, never under."""
    await fill(postgres_store)
    both = PostgresStore(engine, keys=[NEW, KEY])

    async def write() -> None:
        async with both.transaction() as tx:
            await tx.put_setting(a.setting("ipmi.password", "newer"), secret=True)

    async with both.transaction() as rotating:
        await rotating.guard()
        assert await rotating.reseal() == 5
        writing = asyncio.create_task(write())
        await asyncio.wait({writing}, timeout=0.2)
        assert not writing.done(), "the row is the rotation's"
    await writing
    async with both.transaction() as tx:
        assert await tx.seals() == Seals(current=5)
        assert {row.field: row.value for row in await tx.setting_rows()}["ipmi.password"] == "newer"
