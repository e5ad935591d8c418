"""`hostfence-controller db`: backups of real servers of two versions, put back; upgrades that look first."""

import asyncio
import os
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from pydantic import SecretStr

from controller.admin import backup, parser, schema
from controller.admin.errors import AdminError
from controller.config import Config, key_id, new_key
from controller.db import dump, migrate
from controller.db.dump import DumpError
from controller.db.engine import make_engine
from controller.db.migrate import SchemaError
from controller.db.pg_programs import PgProgramsError, libpq_environ, programs_for
from controller.db.unit_of_work import PostgresStore
from tests.fixtures import builders as a
from tests.fixtures.controller import ControllerProcess
from tests.fixtures.stores import KEY, furnish

OTHER = new_key()
BEFORE = "20261124_08_enrolment"
BROKEN = """#!/bin/sh
"REAL/pg_restore" "$@" || exit
for word; do case $word in --file=?*.sql) echo "SELECT 1/0;" >>"${word#--file=}" ;; esac; done
"""


def config(url: str, *keys: str) -> Config:
    return Config(database_url=SecretStr(url), encryption_key=SecretStr(",".join(keys or (KEY,))))


def words(*given: str) -> Namespace:
    """As the command line reads them."""
    import argparse  # noqa: PLC0415 - beside Namespace it would look like a second way to do this

    main = argparse.ArgumentParser()
    parser.add_to(main.add_subparsers())
    return main.parse_args(given)


async def run(url: str, *given: str, keys: tuple[str, ...] = (KEY,)) -> None:
    found = words(*given)
    await found.run(found, config(url, *keys))


@asynccontextmanager
async def store_on(url: str, *keys: str) -> AsyncIterator[PostgresStore]:
    engine = make_engine(url)
    yield PostgresStore(engine, keys=keys or (KEY,))
    await engine.dispose()


async def ask(url: str, sql: str, *values: object) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql, *values)
    finally:
        await connection.close()


async def fill(url: str) -> None:
    async with store_on(url) as store:
        await furnish(store)
        async with store.transaction() as tx:
            await tx.put_setting(a.setting("ipmi.password", "s3cret"), secret=True)
            await tx.open_incident(a.incident())
            await tx.add_event(a.event())


async def names(url: str) -> list[str]:
    async with store_on(url) as store, store.transaction() as tx:
        return [host.name for host in await tx.hosts()]


@pytest.fixture(params=["wheel", pytest.param("debian", marks=pytest.mark.debian("postgres"))])
def url(request: pytest.FixtureRequest) -> str:
    """A migrated database on PostgreSQL 18, and on Debian's."""
    name = {"wheel": "database_url", "debian": "debian_database_url"}[request.param]
    return str(request.getfixturevalue(name))


async def test_a_backup_is_put_back_over_what_came_after_it(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup"
    await fill(url)
    await run(url, "db", "backup", str(file))
    assert (file.stat().st_mode & 0o777, list(tmp_path.iterdir())) == (0o600, [file])
    assert f"without the encryption key {key_id(KEY)}" in capsys.readouterr().out
    async with store_on(url) as store, store.transaction() as tx:
        await tx.save_host(a.host("h3", name="later"))
        await tx.put_setting(a.setting("ipmi.password", "changed"), secret=True)
    await ask(url, "CREATE TABLE of_a_newer_version (it int)")

    with pytest.raises(AdminError, match="something in this database already: add --replace"):
        await run(url, "db", "restore", str(file))
    assert len(await names(url)) == 3
    await run(url, "db", "restore", str(file), "--replace")

    assert len(await names(url)) == 2
    async with store_on(url) as store, store.transaction() as tx:
        assert {row.field: row.value for row in await tx.setting_rows()}["ipmi.password"] == "s3cret"
        assert [one.id for one in await tx.open_incidents()] == [a.incident().id]
    assert await migrate.check(url) == [], "nothing is left of what came after"
    said = capsys.readouterr().out
    assert "3 secrets, all of them readable" in said
    assert "everything open is held and all fencing paused" in said


async def test_the_key_is_not_in_the_backup_and_no_secret_is_in_the_clear(database_url: str, tmp_path: Path) -> None:
    await fill(database_url)
    file = tmp_path / "backup"
    await run(database_url, "db", "backup", str(file))
    async with dump.opened(database_url, file) as (programs, contents):
        text = await dump._done(programs, "pg_restore", "--file=-", str(file), environ={})
    assert len(contents.sealed) == 3
    for secret in (KEY, "s3cret", a.host("h1").agent_token):
        assert secret.encode() not in file.read_bytes()
        assert secret not in text
        assert secret.encode().hex() not in text
    assert "s3cret" not in repr(contents)


async def test_without_the_key_of_its_time_it_is_refused_before_anything_is_touched(
    database_url: str, tmp_path: Path
) -> None:
    await fill(database_url)
    file = tmp_path / "backup"
    await run(database_url, "db", "backup", str(file))
    await ask(database_url, "DELETE FROM health")
    await ask(database_url, "DELETE FROM settings")
    with pytest.raises(AdminError, match="not open to the encryption key given") as caught:
        await run(database_url, "db", "restore", str(file), "--replace", keys=(OTHER,))
    assert OTHER not in str(caught.value)
    assert await ask(database_url, "SELECT count(*) FROM settings") == 0, "as it was"
    await run(database_url, "db", "restore", str(file), "--replace", keys=(OTHER, KEY))
    async with store_on(database_url, OTHER, KEY) as store, store.transaction() as tx:
        assert [row.value for row in await tx.setting_rows()] == ["s3cret"]


async def test_a_newer_versions_backup_is_refused_and_an_older_ones_is_brought_up_to_date(
    empty_database_url: str, tmp_path: Path
) -> None:
    url = empty_database_url
    await to_revision(url, BEFORE)
    older, newer = tmp_path / "older", tmp_path / "newer"
    await run(url, "db", "backup", str(older))
    await ask(url, "UPDATE alembic_version SET version_num = '29991231_future'")
    await run(url, "db", "backup", str(newer))
    with pytest.raises(AdminError, match=r"made by a newer version .*29991231_future"):
        await run(url, "db", "restore", str(newer), "--replace")
    await run(url, "db", "restore", str(older), "--replace")
    assert await migrate.check(url) == []


async def to_revision(url: str, revision: str) -> None:
    """The tables of an earlier version."""
    await migrate._in_transaction(url, lambda connection: _partly(connection, revision))


def _partly(connection: Any, revision: str) -> None:
    found = migrate._config()
    found.attributes["connection"] = connection
    command.upgrade(found, revision)


@pytest.mark.parametrize("damage", ["cut short", "nonsense", "missing", "another program's"])
async def test_what_is_no_whole_backup_changes_nothing(database_url: str, tmp_path: Path, damage: str) -> None:
    await fill(database_url)
    file = tmp_path / "backup"
    if damage == "another program's":
        await ask(database_url, "CREATE SCHEMA theirs")
        await ask(database_url, "CREATE TABLE theirs.things (it int)")
        (programs, *_) = await programs_for(database_url, server_major=18, folder=None)
        only = ("--format=custom", "--schema=theirs", f"--file={file}")
        await dump._done(programs, "pg_dump", *only, environ=libpq_environ(database_url))
    elif damage != "missing":
        await run(database_url, "db", "backup", str(file))
        whole = file.read_bytes()
        file.write_bytes(whole[: -len(whole) // 3] if damage == "cut short" else b"nonsense")
    with pytest.raises(DumpError):
        await run(database_url, "db", "restore", str(file), "--replace")
    assert len(await names(database_url)) == 2


async def test_a_restore_that_the_server_refuses_leaves_everything_as_it_was(database_url: str, tmp_path: Path) -> None:
    """In the middle of it: all is one transaction."""
    await fill(database_url)
    file = tmp_path / "backup"
    await run(database_url, "db", "backup", str(file))
    async with store_on(database_url) as store, store.transaction() as tx:
        await tx.save_host(a.host("h3", name="later"))
    async with dump.opened(database_url, file) as (programs, _):
        broken = tmp_path / "bin"
        broken.mkdir()
        for name in ("pg_dump", "psql"):
            (broken / name).symlink_to(programs.folder / name)
        (broken / "pg_restore").write_text(BROKEN.replace("REAL", str(programs.folder)))
        (broken / "pg_restore").chmod(0o755)
    with pytest.raises(DumpError, match="division by zero"):
        await run(database_url, "db", "restore", str(file), "--replace", "--programs", str(broken))
    assert len(await names(database_url)) == 3


async def test_an_existing_file_is_not_written_over(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_text("precious")
    with pytest.raises(DumpError, match="exists already"):
        await run(database_url, "db", "backup", str(file))
    with pytest.raises(DumpError, match="cannot be written"):
        await run(database_url, "db", "backup", str(tmp_path / "no folder" / "backup"))
    assert file.read_text() == "precious"


async def test_while_controllers_are_connected_nothing_is_put_back_and_nothing_migrated(
    empty_database_url: str, tmp_path: Path
) -> None:
    url, file = empty_database_url, tmp_path / "backup"
    await to_revision(url, BEFORE)
    await run(url, "db", "backup", str(file))
    engine = make_engine(url)
    async with engine.connect():
        for given in (("db", "restore", str(file), "--replace"), ("db", "upgrade")):
            with pytest.raises(AdminError, match=r"controllers are connected.*stop every one first"):
                await run(url, *given)
        assert (await migrate.plan(url)).at == BEFORE
        await run(url, "db", "upgrade", "--even-so")
    await engine.dispose()
    assert await migrate.check(url) == []


async def test_an_upgrade_says_what_it_would_do_and_makes_a_backup_first(
    empty_database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, file = empty_database_url, tmp_path / "before"
    await to_revision(url, BEFORE)
    await run(url, "db", "upgrade", "--plan")
    said = capsys.readouterr().out
    assert f"from {BEFORE} to " in said
    assert "  20261124_09_cloud\n" in said
    assert (await migrate.plan(url)).at == BEFORE
    await run(url, "db", "upgrade", "--backup", str(file))
    assert (await migrate.plan(url)).missing == ()
    assert schema.OURS in capsys.readouterr().out
    async with dump.opened(url, file) as (_, contents):
        assert contents.revision == BEFORE
    await run(url, "db", "upgrade")
    assert capsys.readouterr().out == f"{schema.OURS}\n"


async def test_there_is_no_way_back_to_older_tables(database_url: str) -> None:
    await ask(database_url, "UPDATE alembic_version SET version_num = '29991231_future'")
    with pytest.raises(SchemaError, match=r"migrated by a newer version .29991231_future.: upgrade this"):
        await run(database_url, "db", "upgrade")


def test_a_newer_database_is_one_line_to_the_person_at_the_terminal(database_url: str, tmp_path: Path) -> None:
    asyncio.run(ask(database_url, "UPDATE alembic_version SET version_num = '29991231_future'"))
    old = ControllerProcess(tmp_path / "d", HOSTFENCE_DATABASE_URL=database_url, HOSTFENCE_ENCRYPTION_KEY=KEY)
    code, said = old.fail("db", "upgrade")
    assert (code, "Traceback" in said) == (2, False)
    assert said.startswith("hostfence-controller: the database was migrated by a newer version")


def test_hostfences_own_database_is_backed_up_beside_its_controller_and_restored_without_it(tmp_path: Path) -> None:
    process, file = ControllerProcess(tmp_path / "data"), tmp_path / "backup"
    try:
        process.start()
        code, said = process.fail("db", "backup", str(file))
        assert code == 0, said
        password = next((tmp_path / "data" / "postgres").resolve().glob("*/password")).read_text()
        assert password not in said
        process.end()
        code, said = process.fail("db", "restore", str(file), "--replace")
        assert code == 0, said
        process.start()
        pauses = {pause["reason"]: pause["until"] for pause in process.get("/api/v1/pauses").json()}
        assert pauses["database_restored"] is None, "until a person lifts it"
    finally:
        process.close()


async def test_programs_older_than_the_server_are_not_used(tmp_path: Path) -> None:
    for name in ("pg_dump", "pg_restore", "psql"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 13.4'\n")
        (tmp_path / name).chmod(0o755)
    plain = "postgresql://u:p@127.0.0.1/d"
    with pytest.raises(PgProgramsError, match=r"PostgreSQL 15.*version 13.*postgresql-client-15"):
        await programs_for(plain, server_major=15, folder=tmp_path)
    (chosen,) = await programs_for(plain, server_major=13, folder=tmp_path)
    assert (chosen.folder, chosen.major) == (tmp_path, 13)
    with pytest.raises(PgProgramsError, match="has no pg_dump"):
        await programs_for(plain, server_major=13, folder=tmp_path / "none")
    found = await programs_for(plain, server_major=18, folder=None)
    assert {one.major for one in found} >= {18}, "the wheel's are always there"
    with pytest.raises(PgProgramsError, match="do not do"):
        await programs_for(f"{plain}?ssl=require", server_major=999, folder=None)


def test_where_the_server_is_goes_by_environment_and_the_unknown_is_refused() -> None:
    url = "postgresql://us%40er:p%2Fw@db.example:5433/fence?ssl=verify-full&sslrootcert=/ca.pem"
    assert libpq_environ(url) == {
        "PGHOST": "db.example",
        "PGPORT": "5433",
        "PGUSER": "us@er",
        "PGPASSWORD": "p/w",
        "PGDATABASE": "fence",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/ca.pem",
    }
    with pytest.raises(PgProgramsError, match="target_session_attrs"):
        libpq_environ("postgresql://u@h/d?target_session_attrs=primary")


async def test_no_password_is_in_any_argument(database_url: str, tmp_path: Path) -> None:
    """Programs of ours in the place of PostgreSQL's write down how they were called."""
    (real, *_) = await programs_for(database_url, server_major=18, folder=None)
    for name in ("pg_dump", "pg_restore", "psql"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "$0 $@" >>{tmp_path}/calls\nexec "{real.folder}/{name}" "$@"\n')
        (tmp_path / name).chmod(0o755)
    await fill(database_url)
    await run(database_url, "db", "backup", str(tmp_path / "backup"), "--programs", str(tmp_path))
    await run(database_url, "db", "restore", str(tmp_path / "backup"), "--replace", "--programs", str(tmp_path))
    calls = (tmp_path / "calls").read_text()
    assert {"pg_dump", "pg_restore", "psql"} <= {Path(line.split()[0]).name for line in calls.splitlines() if line}
    assert libpq_environ(database_url)["PGPASSWORD"] not in calls
    assert os.environ.get("PGPASSWORD") is None


def test_the_commands_have_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        words("db", "restore", "--help")
    said = capsys.readouterr().out
    assert "--replace" in said
    assert words("db", "backup", "f").run is backup.backup
