"""Writes the database into one file and puts it back, with PostgreSQL's own programs.

The file holds what the tables hold: secrets are sealed in it as they are there, and the key that opens them is not in
it. Putting it back happens in one transaction: what was there before stays whenever anything goes wrong.
"""

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import TextClause, text

from controller.db.engine import make_engine
from controller.db.errors import store_errors
from controller.db.pg_programs import PgProgramsError, Programs, libpq_environ, programs_for, run
from controller.db.repositories.sealed import sealed_columns

_VERSION = text("SELECT current_setting('server_version_num')")
_TABLES = text("SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'")
_CONTROLLERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND application_name = current_setting('application_name')"
)
"""Each of them calls itself by the same name towards the server, as we do (:mod:`controller.db.engine`)."""

_EMPTY = """
SET client_min_messages = warning;
DO $$
DECLARE statement text;
BEGIN
  FOR statement IN
    SELECT format('DROP TABLE %s CASCADE', c.oid::regclass) FROM pg_class AS c
      WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT format('DROP FUNCTION %s CASCADE', p.oid::regprocedure) FROM pg_proc AS p
      WHERE p.pronamespace = current_schema()::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
  LOOP EXECUTE statement; END LOOP;
END $$;
"""
"""Everything of ours goes before the dump comes: one of an older version would leave newer tables standing."""


class DumpError(Exception):
    """It could not be written, read or put back; one line with the remedy. Nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a dump says of itself. ``revision``: of its tables. ``sealed``: every sealed value in it."""

    revision: str
    sealed: tuple[bytes, ...] = field(repr=False)


async def write(url: str, path: Path, *, folder: Path | None = None) -> int:
    """Dump the database into a new file, readable by us alone; it appears at once and whole. Returns its size.

    Raises:
        DumpError: there is such a file already, it cannot be written, or the server or the programs refused.
        StoreUnavailable: the server does not answer.
    """
    partial = await asyncio.to_thread(_begin, path)
    try:
        programs = (await _programs(url, folder))[0]
        options = ("--format=custom", "--no-owner", "--no-privileges", f"--file={partial}")
        await _done(programs, "pg_dump", *options, environ=libpq_environ(url))
        await contents(programs, partial)  # what cannot be read back is no backup
        return await asyncio.to_thread(_settle, partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _begin(path: Path) -> Path:
    """An empty file beside the wanted one."""
    if path.exists():
        raise DumpError(f"{path} exists already: give another name")
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise DumpError(f"{path} cannot be written ({error.strerror}): give a folder this user can write") from error
    return partial


def _settle(partial: Path, path: Path) -> int:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    try:
        path.hardlink_to(partial)  # refuses to replace a file that was made meanwhile
    except OSError as error:
        raise DumpError(f"{path} cannot be written ({error.strerror})") from error
    return path.stat().st_size


@asynccontextmanager
async def opened(url: str, path: Path, *, folder: Path | None = None) -> AsyncIterator[tuple[Programs, Contents]]:
    """The oldest programs that read this dump for this server, and what is in it. Raises :class:`DumpError`."""
    said = ""
    for programs in await _programs(url, folder):
        code, _, said = await run(programs.folder / "pg_restore", "--list", str(path), environ={})
        if code == 0:
            yield programs, await contents(programs, path)
            return
    raise DumpError(f"{path} is no backup that can be read: {_last_line(said)}")


async def contents(programs: Programs, path: Path) -> Contents:
    """Read its revision and its sealed values, without a server. Raises :class:`DumpError`."""
    columns = {table.name: column.name for table, column in sealed_columns()}
    tables = [f"--table={name}" for name in ("alembic_version", *columns)]
    said = await _done(programs, "pg_restore", "--data-only", *tables, "--file=-", str(path), environ={})
    rows = list(_rows(said))
    versions = [row["version_num"] for table, row in rows if table == "alembic_version"]
    if len(versions) != 1:
        raise DumpError(f"{path} is no backup of hostfence: it names no version of its tables")
    sealed = [row[columns[table]] for table, row in rows if table in columns]
    return Contents(
        revision=versions[0], sealed=tuple(bytes.fromhex(text.lstrip("\\x")) for text in sealed if text != "\\N")
    )


def _rows(sql: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The rows of every COPY in a dump in text form, unescaped no further than a backslash before hexadecimals."""
    table, names = "", list[str]()
    for line in sql.splitlines():
        if line.startswith("COPY "):
            head, _, rest = line.removeprefix("COPY ").partition(" (")
            table, names = head.rpartition(".")[2].strip('"'), rest.partition(")")[0].replace('"', "").split(", ")
        elif line == "\\.":
            table = ""
        elif table:
            yield table, dict(zip(names, line.split("\t"), strict=True))


async def put_back(url: str, programs: Programs, path: Path) -> None:
    """Replace everything of ours by what is in the dump, all or nothing.

    Read to its end first: psql would take the end of what broke off half-way for the end of the work, and commit it.

    Raises:
        DumpError: the dump or the server is at fault; nothing was changed.
    """
    with tempfile.TemporaryDirectory(prefix="hostfence-restore-") as folder:
        script = Path(folder) / "restore.sql"
        reading = ("--no-owner", "--no-privileges", f"--file={script}", str(path))
        await _done(programs, "pg_restore", *reading, environ={})
        writing = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
        what = (f"--command={_EMPTY}", f"--file={script}")
        await _done(programs, "psql", *writing, *what, environ=libpq_environ(url))


async def connected_controllers(url: str) -> int:
    """How many connections controllers have to this database now."""
    return int(await _asked(url, _CONTROLLERS))


async def holds_anything(url: str) -> bool:
    """Whether there are tables in it."""
    return bool(await _asked(url, _TABLES))


async def _programs(url: str, folder: Path | None) -> list[Programs]:
    version = int(await _asked(url, _VERSION))
    try:
        return await programs_for(url, server_major=version // 10_000, folder=folder)
    except PgProgramsError as error:
        raise DumpError(str(error)) from error


async def _asked(url: str, question: TextClause) -> Any:
    engine = make_engine(url, pooled=False)
    try:
        with store_errors():
            async with engine.connect() as connection:
                return (await connection.execute(question)).scalar_one()
    finally:
        await asyncio.shield(engine.dispose())


async def _done(programs: Programs, name: str, *arguments: str, environ: dict[str, str]) -> str:
    code, out, err = await run(programs.folder / name, *arguments, environ=environ)
    if code != 0:
        raise DumpError(f"{name} (PostgreSQL {programs.major}) failed: {_last_line(err)}")
    return out


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if "error" in line.lower() or "FATAL" in line] or said.splitlines()
    return lines[0].strip() if lines else "it said nothing"
