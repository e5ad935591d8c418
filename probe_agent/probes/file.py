"""The ``file`` probe: regular files on NFS, SharedMountPoint or any other path.

It looks, and never opens what it looks at (except in the fallback without ``statx``, where a regular file is opened for
reading and nothing read). Every way of not seeing is a code, never a value (rule 3).
"""

import os
import stat
import time
from collections.abc import Sequence
from functools import cache
from typing import Self

from probe_agent.kernel import HAS_STATX, Stat, open_folder_beneath, statx_fresh
from probe_agent.pools import SeenNothingError, code_of, open_pool
from probe_agent.probes.base import Reading
from shared.enums import ReadingCode, ReadingMethod

_MAX_OPEN_FOLDERS = 128
_SECOND = 1_000_000_000
_NOT_REACHED = Reading(ReadingCode.TIMED_OUT, "not reached before the deadline")


class FileProbe:
    """Reads inode, size, blocks and times of files below one root."""

    def __init__(self, *, use_statx: bool = HAS_STATX) -> None:
        self._look = statx_fresh if use_statx else _open_fstat
        self._how = ReadingMethod.STATX_FORCE_SYNC if use_statx else ReadingMethod.OPEN_FSTAT

    def read(self, root: str, targets: Sequence[str], *, until: float, plain_folders: bool) -> Sequence[Reading]:
        """Return one reading per absolute path (below ``root``, made plain by the caller)."""
        try:
            with open_pool(root, plain_folders=plain_folders) as pool:
                return self._read_all(pool.root, len(root.rstrip("/")) + 1, targets, until)
        except SeenNothingError as error:
            return [Reading(error.code, error.detail)] * len(targets)

    def _read_all(self, root: int, skip: int, targets: Sequence[str], until: float) -> Sequence[Reading]:
        readings: list[Reading] = []
        look, how = self._look, self._how
        with _Folders(root) as folders:
            begun = time.monotonic()
            for target in targets:
                if begun > until:
                    readings.append(_NOT_REACHED)
                    continue
                folder, _, name = target[skip:].rpartition("/")
                try:
                    seen = look(folders.open(folder), name.encode())
                except OSError as error:
                    ended = time.monotonic()
                    reading = Reading(code_of(error), error.strerror or "", took_s=ended - begun)
                else:
                    ended = time.monotonic()
                    reading = _reading(seen, how, ended - begun)
                readings.append(reading if ended <= until else _too_late(ended - begun))
                begun = ended
        return readings


def _reading(seen: Stat, how: ReadingMethod, took_s: float) -> Reading:
    _, mode, inode, size, blocks, ctime, ctime_ns, mtime, mtime_ns, major, minor = seen
    if not stat.S_ISREG(mode):
        return Reading(ReadingCode.NOT_A_REGULAR_FILE, "not a regular file", took_s=took_s)
    return Reading(
        None,
        "",
        how,
        took_s,
        _device(major, minor),
        inode,
        size,
        blocks,
        mtime * _SECOND + mtime_ns,
        ctime * _SECOND + ctime_ns,
    )


def _too_late(took_s: float) -> Reading:
    return Reading(ReadingCode.TIMED_OUT, "the answer came after the deadline", took_s=took_s)


class _Folders:
    """Folders opened during one batch: disks lie many in a folder, so each is resolved once."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._open: dict[str, int] = {"": root}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_all()

    def open(self, relative: str) -> int:
        fd = self._open.get(relative)
        if fd is None:
            if len(self._open) >= _MAX_OPEN_FOLDERS:
                self._close_all()
            fd = self._open[relative] = open_folder_beneath(self._root, relative)
        return fd

    def _close_all(self) -> None:
        for relative, fd in self._open.items():
            if relative:
                os.close(fd)
        self._open = {"": self._root}


def _open_fstat(folder: int, name: bytes) -> Stat:
    """Look without ``statx``: an open makes an NFS client ask the server (measured: 0.1-1.8 s behind)."""
    path_fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
    try:
        seen = os.fstat(path_fd)
        if stat.S_ISREG(seen.st_mode):
            fd = os.open(f"/proc/self/fd/{path_fd}", os.O_RDONLY)
            try:
                seen = os.fstat(fd)
            finally:
                os.close(fd)
    finally:
        os.close(path_fd)
    return (
        0,
        seen.st_mode,
        seen.st_ino,
        seen.st_size,
        seen.st_blocks,
        *divmod(seen.st_ctime_ns, _SECOND),
        *divmod(seen.st_mtime_ns, _SECOND),
        os.major(seen.st_dev),
        os.minor(seen.st_dev),
    )


@cache
def _device(major: int, minor: int) -> str:
    return f"{major}:{minor}"
