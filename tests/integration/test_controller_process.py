"""The controller as a process: it starts, survives being killed, and refuses a user's mistakes in one clear line."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller.descriptors import NEEDED
from tests.fixtures.controller import REPOSITORY, ControllerProcess, controller

__all__ = ["controller"]


def test_killed_without_warning_it_leaves_no_server_and_loses_nothing(controller: ControllerProcess) -> None:
    controller.start()
    assert controller.get("/api/v1/clusters").status_code == 200
    servers = servers_of(controller.folder)
    assert servers

    controller.end(signal.SIGKILL)

    until = time.monotonic() + 10
    while any(_runs(pid) for pid in servers) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [pid for pid in servers if _runs(pid)]
    controller.start()
    assert controller.get("/api/v1/clusters").status_code == 200, "the token of the first start is still good"
    assert controller.log.read_text().count("first admin token") == 1


def test_sigterm_ends_it_in_order(controller: ControllerProcess) -> None:
    controller.start()

    assert controller.end(signal.SIGTERM) == 0, "not by the signal: its engine and database are to end in order"
    assert not [pid for pid in servers_of(controller.folder) if _runs(pid)]
    assert "Traceback" not in controller.log.read_text()


def test_it_takes_as_many_open_files_as_it_needs(controller: ControllerProcess) -> None:
    """Started with as few as many systems give."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    try:
        controller.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert controller.process is not None
    soft, hard = resource.prlimit(controller.process.pid, resource.RLIMIT_NOFILE)
    assert soft == min(NEEDED, hard)
    assert ("few files" in controller.log.read_text()) is (hard < NEEDED)


def test_the_first_token_is_printed_once_and_every_api_route_wants_one(controller: ControllerProcess) -> None:
    controller.start()
    assert controller.token
    controller.token = "wrong"
    answer = controller.get("/api/v1/clusters")
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert controller.get("/healthz").status_code == 200


def test_a_taken_port_is_named_with_the_remedy(controller: ControllerProcess) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", controller.port))
        taken.listen()
        _refuses(controller, f"127.0.0.1:{controller.port}", "HOSTFENCE_LISTEN_PORT")


def test_an_unreachable_database_is_named(tmp_path: Path) -> None:
    nobody = ControllerProcess(
        tmp_path / "data",
        HOSTFENCE_DATABASE_URL="postgresql://u:verysecret@127.0.0.1:1/none",
        HOSTFENCE_ENCRYPTION_KEY="A" * 43 + "=",
    )
    said = _refuses(nobody, "database", "HOSTFENCE_DATABASE_URL")
    assert "verysecret" not in said


def test_a_database_url_without_a_key_is_refused(tmp_path: Path) -> None:
    keyless = ControllerProcess(tmp_path / "data", HOSTFENCE_DATABASE_URL="postgresql://u:p@127.0.0.1:1/none")
    _refuses(keyless, "HOSTFENCE_ENCRYPTION_KEY")


def test_an_unwritable_data_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    _refuses(ControllerProcess(tmp_path / "file" / "data"), "HOSTFENCE_DATA_DIR")


def test_an_unmigrated_external_database_names_the_command(empty_database_url: str, tmp_path: Path) -> None:
    own = ControllerProcess(
        tmp_path / "data", HOSTFENCE_DATABASE_URL=empty_database_url, HOSTFENCE_ENCRYPTION_KEY="A" * 43 + "="
    )
    _refuses(own, "hostfence-controller db upgrade")


def test_an_external_database_is_served_after_its_upgrade(empty_database_url: str, tmp_path: Path) -> None:
    own = ControllerProcess(
        tmp_path / "data", HOSTFENCE_DATABASE_URL=empty_database_url, HOSTFENCE_ENCRYPTION_KEY="A" * 43 + "="
    )
    assert own.fail("db", "upgrade")[0] == 0
    assert own.fail("db", "check")[0] == 0
    try:
        own.start()
        assert own.get("/api/v1/hosts").status_code == 200
    finally:
        own.close()


@pytest.mark.timeout(180)
def test_an_installed_wheel_upgrades_a_database(empty_database_url: str, tmp_path: Path) -> None:
    def pip(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
            check=True,
            cwd=REPOSITORY,
        )

    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path / "wheel"), ".")
    (wheel,) = (tmp_path / "wheel").glob("hostfence-*.whl")
    pip("install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel))
    environ = os.environ | {
        "PYTHONPATH": str(tmp_path / "site"),
        "HOSTFENCE_DATABASE_URL": empty_database_url,
        "HOSTFENCE_ENCRYPTION_KEY": "A" * 43 + "=",
    }
    where = "import controller; print(controller.__file__)"
    for arguments in (["-c", where], ["-m", "controller", "db", "upgrade"], ["-m", "controller", "db", "check"]):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        if "-c" in arguments:
            assert done.stdout.startswith(str(tmp_path / "site")), "it must be the wheel's code, not the checkout's"


def _refuses(process: ControllerProcess, *words: str) -> str:
    code, said = process.fail()
    assert code == 2, said
    assert "Traceback" not in said
    for word in words:
        assert word in said
    return said


def servers_of(folder: Path) -> list[int]:
    """PostgreSQL processes that have this data folder, by their command lines or working directory."""
    found = []
    real = str((folder / "postgres").resolve())
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            where = str((entry / "cwd").readlink())
        except OSError:
            continue
        if where.startswith((real, str(folder))):
            found.append(int(entry.name))
    return found


def _runs(pid: int) -> bool:
    """A zombie does not run: its end may take seconds to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
