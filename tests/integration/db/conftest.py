"""The PostgreSQL store alone, and what looks past it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.fixtures.stores import postgres_store

__all__ = ["postgres_store"]


@pytest.fixture
async def past_the_store(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A plain connection to the same database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()
