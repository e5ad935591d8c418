"""What every store promises of the agents' authority and of join tokens."""

from dataclasses import replace

import pytest

from controller.db.store import Conflict, Store
from controller.db.unit_of_work import PostgresStore
from controller.domain.enrolment import Authority, JoinToken
from tests.fixtures import builders as a
from tests.fixtures.builders import at
from tests.fixtures.stores import furnish, raising

AUTHORITY = Authority(certificate="-----BEGIN CERTIFICATE-----", key="-----BEGIN PRIVATE KEY-----")
TOKEN = JoinToken(host_id="h1", digest="d1", expires_at=at(3600))


async def test_there_is_one_authority_and_it_stays(store: Store) -> None:
    async with store.transaction() as tx:
        assert await tx.authority() is None
        await tx.settle_authority(AUTHORITY)
    with raising(Conflict):
        async with store.transaction() as tx:
            await tx.settle_authority(replace(AUTHORITY, key="another"))
    async with store.transaction() as tx:
        assert await tx.authority() == AUTHORITY


async def test_a_host_has_one_join_token_until_it_is_used(store: Store) -> None:
    await furnish(store)
    newer = replace(TOKEN, digest="d2", expires_at=at(7200))
    async with store.transaction() as tx:
        assert await tx.join_token("h1") is None
        await tx.save_join_token(TOKEN)
        await tx.save_join_token(newer)
    async with store.transaction() as tx:
        assert await tx.join_token("h1") == newer
        assert await tx.join_token("h2") is None
        assert await tx.delete_join_token("h1")
        assert not await tx.delete_join_token("h1")
        assert await tx.join_token("h1") is None


async def test_a_join_token_goes_with_its_host(store: Store) -> None:
    await furnish(store)
    async with store.transaction() as tx:
        await tx.save_join_token(TOKEN)
        await tx.delete_host("h1")
    async with store.transaction() as tx:
        assert await tx.join_token("h1") is None
    with raising(Conflict) as refusal:
        async with store.transaction() as tx:
            await tx.save_join_token(TOKEN)
    assert refusal.error.field == "host_id"


async def test_that_a_host_has_enrolled_comes_back(store: Store) -> None:
    await furnish(store)
    enrolled = a.host(agent_tls=True, agent_tls_until=at(9))
    async with store.transaction() as tx:
        await tx.save_host(enrolled)
    async with store.transaction() as tx:
        assert await tx.host("h1") == enrolled
        assert await tx.hosts_beside("h1") == [enrolled, a.host("h2")]


@pytest.mark.parametrize("table", ["authority", "join_tokens"])
async def test_no_secret_lies_there_in_plain_text(postgres_store: PostgresStore, table: str) -> None:
    await furnish(postgres_store)
    async with postgres_store.transaction() as tx:
        await tx.settle_authority(AUTHORITY)
        await tx.save_join_token(TOKEN)
    async with postgres_store._engine.connect() as connection:
        rows = (await connection.exec_driver_sql(f"SELECT * FROM {table}")).all()  # noqa: S608 - two known names
    assert rows
    assert "PRIVATE KEY" not in str(rows)
    assert b"PRIVATE KEY" not in b"".join(value for row in rows for value in row if isinstance(value, bytes))
