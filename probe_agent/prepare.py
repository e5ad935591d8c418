"""``hostfence-agent prepare-pool``: makes a pool's heartbeat folder for the agents' one fixed uid (root, once)."""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from probe_agent.mounts import read_mounts
from probe_agent.records import FOLDER

_MODE = 0o755
_FLAGS = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class PrepareError(Exception):
    """A pool could not be prepared; the text names it and the remedy, on one line."""


def prepare_pools(roots: Iterable[str], *, uid: int, plain_folders: bool) -> list[str]:
    """Prepare every root; doing it again changes nothing. Returns one error text per pool that failed."""
    errors: list[str] = []
    for root in roots:
        try:
            prepare_pool(root, uid=uid, plain_folders=plain_folders)
        except PrepareError as error:
            errors.append(str(error))
    return errors


def prepare_pool(root: str, *, uid: int, plain_folders: bool) -> None:
    """Make the folder, owned by ``uid``.

    Raises:
        PrepareError: not a mount, or the storage refuses.
    """
    if not plain_folders and root not in read_mounts():
        raise PrepareError(f"{root}: nothing is mounted there; mount the pool first")
    try:
        top = os.open(root, os.O_PATH | _FLAGS)
        try:
            _make(top, uid)
        finally:
            os.close(top)
    except PermissionError as error:
        raise PrepareError(
            f"{root}: not permitted; run as root on a host that the export does not squash, "
            f"or make {FOLDER} there owned by uid {uid}"
        ) from error
    except OSError as error:
        raise PrepareError(f"{root}: {FOLDER}: {error.strerror}") from error


def _make(top: int, uid: int) -> None:
    with suppress(FileExistsError):  # what it is, the open below says
        os.mkdir(FOLDER, _MODE, dir_fd=top)
    folder = os.open(FOLDER, os.O_RDONLY | _FLAGS, dir_fd=top)
    try:
        seen = os.fstat(folder)
        if seen.st_uid != uid:
            os.fchown(folder, uid, uid)
        if stat.S_IMODE(seen.st_mode) != _MODE:
            os.fchmod(folder, _MODE)
    finally:
        os.close(folder)
