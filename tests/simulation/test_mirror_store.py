"""What the simulation leaves out on PostgreSQL must not hide a difference: the thinned reads notice it too."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.domain.model import Host
from tests.fixtures import builders as a
from tests.simulation.mirror_store import AGAIN_ONE_IN, MirrorStore, RealDatabase, StoresDiffer


@pytest.fixture
def real(database_url: str) -> Iterator[RealDatabase]:
    database = RealDatabase(database_url)
    yield database
    database.close()


async def test_a_row_that_only_postgresql_has_changed_is_noticed_soon(real: RealDatabase) -> None:
    store, host = await _with_a_host(real)
    await _hosts(store)
    real.loop.run(_rename(real, host))
    for _ in range(AGAIN_ONE_IN - 1):
        await _hosts(store)
    with pytest.raises(StoresDiffer):
        await _hosts(store)


async def test_a_row_that_only_memory_has_changed_is_noticed_at_once(real: RealDatabase) -> None:
    store, host = await _with_a_host(real)
    await _hosts(store)
    store.tables.hosts[host.id] = replace(host, name="renamed")
    with pytest.raises(StoresDiffer):
        await _hosts(store)


async def test_every_schedule_finds_an_empty_database(real: RealDatabase) -> None:
    await _with_a_host(real)
    assert await _hosts(MirrorStore(real)) == []


async def _with_a_host(real: RealDatabase) -> tuple[MirrorStore, Host]:
    store, host = MirrorStore(real), a.host()
    async with store.transaction() as tx:
        await tx.save_cluster(a.cluster())
        await tx.save_host(host)
    return store, host


async def _hosts(store: MirrorStore) -> list[Host]:
    async with store.transaction() as tx:
        return await tx.hosts()


async def _rename(real: RealDatabase, host: Host) -> None:
    async with real.store.transaction() as tx:
        await tx.save_host(replace(host, name="renamed"))
