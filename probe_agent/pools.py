"""Opening a pool's root so that what is seen there is that pool, and telling why when it is not.

An unmounted mount point is an ordinary empty folder in which every disk is "missing" and every heartbeat silent; so a
root must be a mount and carry the pool's own folder, else everything in it is *unknown* (rule 3).
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from probe_agent.mounts import Mount, below, mounts_at, read_mounts
from probe_agent.records import FOLDER
from shared.enums import ReadingCode

_FDINFO_AT_MOST = 1024
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
    mounts = _mounts_of(root, plain_folders=plain_folders)
    fd = _open(root, os.O_PATH | _FOLDER_FLAGS, None)
    try:
        if mounts:
            _refuse_another(_mount_id(fd), mounts)
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


def _mounts_of(root: str, *, plain_folders: bool) -> list[Mount]:
    """What is mounted there; none only where a plain folder will do. Before anything there is touched."""
    mounts = mounts_at(root)
    if not mounts and not plain_folders:
        raise SeenNothingError(ReadingCode.NOT_MOUNTED, "nothing is mounted there")
    if mounts and all(mount.refused_because for mount in mounts):
        raise SeenNothingError(ReadingCode.MOUNT_REFUSED, mounts[-1].refused_because)
    return mounts


def _refuse_another(opened: int, mounts: list[Mount]) -> None:
    """Raise unless the mount that was opened is one of them, and not refused."""
    refusal = next((mount.refused_because for mount in mounts if mount.mount_id == opened), None)
    if refusal is None:
        raise SeenNothingError(ReadingCode.NOT_MOUNTED, "the mount changed during the look")
    if refusal:
        raise SeenNothingError(ReadingCode.MOUNT_REFUSED, refusal)


def _open(name: str, flags: int, folder: int | None) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            detail = f"{name} is missing or no folder: not mounted, or not prepared as a pool"
            raise SeenNothingError(ReadingCode.NOT_MOUNTED, detail) from error
        raise SeenNothingError(code_of(error), f"{name}: {error.strerror}") from error


def _mount_id(fd: int) -> int:
    """Of the mount that an open folder lies on: as the kernel knows it, without a question to the storage."""
    info = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _, _, behind = os.read(info, _FDINFO_AT_MOST).partition(b"mnt_id:")
    finally:
        os.close(info)
    return int(behind.split(None, 1)[0])
