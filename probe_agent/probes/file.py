"""The ``file`` probe: regular files on NFS, SharedMountPoint or any other path.

It looks, and never opens what it looks at (except in the fallback without ``statx``, where a regular file is opened for
reading and nothing read). Every way of not seeing is a code, never a value (rule 3).
"""

import os
import stat
import time
from collections.abc import Sequence
from typing import Self

from probe_agent.kernel import HAS_STATX, STAT, WANTED, open_folder_beneath, statx_fresh
from probe_agent.pools import SeenNothingError, code_of, open_pool
from probe_agent.probes.base import Reading
from probe_agent.probes.looks import Looks, Why
from shared.enums import ReadingCode, ReadingMethod

_MAX_OPEN_FOLDERS = 128
_SECOND = 1_000_000_000


class FileProbe:
    """Reads inode, size, blocks and times of files below one root."""

    def __init__(self, *, use_statx: bool = HAS_STATX) -> None:
        self._look = statx_fresh if use_statx else _open_fstat
        self._how = ReadingMethod.STATX_FORCE_SYNC if use_statx else ReadingMethod.OPEN_FSTAT

    def read(self, root: str, targets: Sequence[str], *, until: float, plain_folders: bool) -> Sequence[Reading]:
        """Return one reading per absolute path (below ``root``, made plain by the caller)."""
        return self.look(root, targets, until=until, plain_folders=plain_folders).readings()

    def look(self, root: str, targets: Sequence[str], *, until: float, plain_folders: bool) -> Looks:
        """The same, as the kernel answered it."""
        looks = Looks(self._how)
        try:
            with open_pool(root, plain_folders=plain_folders) as pool, _Folders(pool.root) as folders:
                self._look_at_all(looks, folders, len(root.rstrip("/")) + 1, targets, int(until * _SECOND))
        except SeenNothingError as error:
            looks = Looks(self._how)
            for _ in targets:
                looks.fail(error.code, error.detail)
        return looks

    def _look_at_all(self, looks: Looks, folders: "_Folders", skip: int, targets: Sequence[str], until_ns: int) -> None:
        look, keep, keep_time = self._look, looks.seen.append, looks.took_ns.append
        inside, folder = "", -1
        begun = time.monotonic_ns()
        for target in targets:
            if begun > until_ns:
                looks.fail(ReadingCode.TIMED_OUT, "not reached before the deadline")
                continue
            where, _, name = target.rpartition("/")
            why: Why | None = None
            try:
                if where != inside:  # disks lie many in a folder
                    inside = ""
                    folder = folders.open(where[skip:])
                    inside = where
                seen = look(folder, name.encode())
            except OSError as error:
                seen, why = b"", (code_of(error), error.strerror or "")
            ended = time.monotonic_ns()
            if ended > until_ns:
                why = ReadingCode.TIMED_OUT, "the answer came after the deadline"
            if why is None:
                keep(seen)
                keep_time(ended - begun)
            else:
                looks.fail(*why, ended - begun)
            begun = ended


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


def _open_fstat(folder: int, name: bytes) -> bytes:
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
    return STAT.pack(
        WANTED,
        seen.st_mode,
        seen.st_ino,
        seen.st_size,
        seen.st_blocks,
        *divmod(seen.st_ctime_ns, _SECOND),
        *divmod(seen.st_mtime_ns, _SECOND),
        os.major(seen.st_dev),
        os.minor(seen.st_dev),
    )
