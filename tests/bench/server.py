"""The benchmark's PostgreSQL: the wheel's, durable as in production, and the yardstick that is laid beside it."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit

import asyncpg

from controller.db.embedded import EmbeddedPostgres
from controller.db.migrate import upgrade

_SETTINGS = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "top"}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server. ``admin_url`` names a database nobody measures in."""

    admin_url: str
    pid: int

    def url(self, database: str) -> str:
        return f"{self.admin_url.rpartition('/')[0]}/{database}"

    async def fresh(self, database: str) -> str:
        """A migrated database of that name."""
        await self._run(f'CREATE DATABASE "{database}"')
        await upgrade(self.url(database))
        return self.url(database)

    async def drop(self, database: str) -> None:
        await self._run(f'DROP DATABASE "{database}" WITH (FORCE)')

    async def calls(self, database: str) -> int:
        """Statements run in a database so far, transaction control included."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            return int(
                await connection.fetchval(
                    "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s"
                    " JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1",
                    database,
                )
            )
        finally:
            await connection.close()

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def cpu_s(self) -> float:
        """CPU seconds of the server and everything it started, those that ended included."""
        ticks = 0
        for pid in self._pids():
            try:
                text = Path(f"/proc/{pid}/stat").read_text()
            except OSError:
                continue
            own = text.rpartition(")")[2].split()
            # fields 14 to 17: utime, stime, and for the postmaster those of its ended children
            ticks += sum(int(x) for x in (own[11:15] if pid == self.pid else own[11:13]))
        return ticks / _TICKS

    def memory_mb(self) -> float:
        """Proportional share of every process, shared buffers counted once."""
        total = 0
        for pid in self._pids():
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
            total += int(found[1]) if found else 0
        return total / 1024

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    """Start one on a folder of its own, and leave nothing behind."""
    folder = Path(mkdtemp(prefix="hostfence-bench-"))
    folder.chmod(0o711)
    postgres = EmbeddedPostgres(folder / "postgres", settings=_SETTINGS)
    try:
        url = await postgres.start()
        process = postgres._process
        assert process is not None
        made = Server(admin_url=url, pid=process.pid)
        await made._run("CREATE EXTENSION pg_stat_statements")
        yield made
    finally:
        await postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """How many simple updates a second the same server does, and what measured it."""

    rate: float
    by: str


async def simple_updates(made: Server, *, seconds: int, clients: int) -> Yardstick:
    """``pgbench``'s simple-update script, prepared, with as many clients as a controller has connections."""
    await made._run('CREATE DATABASE "yardstick"')
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    try:
        if programs:
            return await _pgbench(programs[-1], made.url("yardstick"), seconds=seconds, clients=clients)
        return await _the_same_loop(made.url("yardstick"), seconds=seconds, clients=clients)
    finally:
        await made.drop("yardstick")


async def _pgbench(program: Path, url: str, *, seconds: int, clients: int) -> Yardstick:
    parts = urlsplit(url)
    where = ("-h", parts.hostname or "", "-p", str(parts.port), "-U", parts.username or "", parts.path.strip("/"))
    environment = os.environ | {"PGPASSWORD": parts.password or ""}
    await _output([str(program), "-i", "-q", "-s", "10", *where], environment)
    run = ["-N", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds)]
    said = await _output([str(program), *run, *where], environment)
    version = (await _output([str(program), "--version"], environment)).strip()
    found = re.search(r"tps = ([\d.]+)", said)
    if found is None:
        raise RuntimeError(f"pgbench said no rate: {said}")
    return Yardstick(rate=float(found[1]), by=f"{version}, simple-update, {clients} clients")


async def _output(command: Sequence[str], environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {said.decode()}")
    return said.decode()


_ROWS = 1_000_000


async def _the_same_loop(url: str, *, seconds: int, clients: int) -> Yardstick:
    """pgbench is not installed: its simple-update transaction, statement by statement, by asyncpg."""
    setup = await asyncpg.connect(url)
    await setup.execute(
        "CREATE TABLE pgbench_accounts (aid int, bid int, abalance int, filler char(84)) WITH (fillfactor=100);"
        "CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));"
        "INSERT INTO pgbench_accounts SELECT n, 1, 0, '' FROM generate_series(1, 1000000) n;"
        "ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)"
    )
    await setup.close()
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds

    async def client(number: int) -> int:
        connection = await asyncpg.connect(url)
        done = 0
        while loop.time() < until:
            aid = (number * 7919 + done * 104_729) % _ROWS + 1
            async with connection.transaction():
                await connection.execute("UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2", 1, aid)
                await connection.fetchval("SELECT abalance FROM pgbench_accounts WHERE aid = $1", aid)
                await connection.execute(
                    "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, $1, 1, current_timestamp)",
                    aid,
                )
            done += 1
        await connection.close()
        return done

    done = await asyncio.gather(*(client(number) for number in range(clients)))
    return Yardstick(rate=sum(done) / seconds, by=f"no pgbench here: its simple-update by asyncpg, {clients} clients")
