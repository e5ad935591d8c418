"""Opening a pool's root so that what is seen there is that pool, and telling why when it is not.

An unmounted mount point is an ordinary empty folder in which every disk is "missing" and every heartbeat silent; so a
root must be a mount and carry the pool's own folder, else everything in it is *unknown* (rule 3).
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from probe_agent.mounts import Mount, below, read_mounts
from probe_agent.records import FOLDER
from shared.enums import ReadingCode

_FOLDER_FLAGS = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CODES = {
    errno.ENOENT: ReadingCode.MISSING,
    errno.EACCES: ReadingCode.NOT_PERMITTED,
    errno.EPERM: ReadingCode.NOT_PERMITTED,
    errno.ESTALE: ReadingCode.STALE_HANDLE,
    errno.EIO: ReadingCode.IO_ERROR,
    errno.EREMOTEIO: ReadingCode.IO_ERROR,
    errno.ENOTCONN: ReadingCode.IO_ERROR,
    errno.EHOSTDOWN: ReadingCode.IO_ERROR,
    errno.ETIMEDOUT: ReadingCode.TIMED_OUT,
    errno.ELOOP: ReadingCode.NOT_A_REGULAR_FILE,
    errno.ENOTDIR: ReadingCode.BAD_PATH,
    errno.ENAMETOOLONG: ReadingCode.BAD_PATH,
}


class SeenNothingError(Exception):
    """A look told nothing; ``code`` says why."""

    def __init__(self, code: ReadingCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class OpenPool:
    """A pool's root and its heartbeat folder, both open."""

    root: int
    folder: int


def code_of(error: OSError) -> ReadingCode:
    """Translate the kernel's error number."""
    return _CODES.get(error.errno or 0, ReadingCode.OTHER)


@contextmanager
def open_pool(root: str, *, plain_folders: bool) -> Iterator[OpenPool]:
    """Open and check a root. Nothing stays open afterwards, so that an administrator can unmount it.

    Raises:
        SeenNothingError: not mounted, not prepared, refused, or as the kernel said.
    """
    mount = _mount_of(root, plain_folders=plain_folders)
    fd = _open(root, os.O_PATH | _FOLDER_FLAGS, None)
    try:
        if mount and _mount_id(fd) != mount.mount_id:
            raise SeenNothingError(ReadingCode.NOT_MOUNTED, "the mount changed during the look")
        folder = _open(FOLDER, os.O_RDONLY | _FOLDER_FLAGS, fd)
        try:
            yield OpenPool(fd, folder)
        finally:
            os.close(folder)
    finally:
        os.close(fd)


def pool_roots(pools: tuple[str, ...], allowed: tuple[str, ...]) -> list[str]:
    """Roots of this host's pools: the configured ones, or else every mount at or below the allowed roots."""
    if pools:
        return list(pools)
    mounts = read_mounts()
    return sorted({point for root in allowed for point in below(root, mounts)})


def _mount_of(root: str, *, plain_folders: bool) -> Mount | None:
    mount = read_mounts().get(root)
    if mount is None:
        if plain_folders:
            return None
        raise SeenNothingError(ReadingCode.NOT_MOUNTED, "nothing is mounted there")
    if mount.refused_because:
        raise SeenNothingError(ReadingCode.MOUNT_REFUSED, mount.refused_because)
    return mount


def _open(name: str, flags: int, folder: int | None) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            detail = f"{name} is missing or no folder: not mounted, or not prepared as a pool"
            raise SeenNothingError(ReadingCode.NOT_MOUNTED, detail) from error
        raise SeenNothingError(code_of(error), f"{name}: {error.strerror}") from error


def _mount_id(fd: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii").splitlines():
        key, _, value = line.partition(":")
        if key == "mnt_id":
            return int(value)
    return -1
