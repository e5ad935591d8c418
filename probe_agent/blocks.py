"""Reading and writing a heartbeat block past every cache: O_DIRECT where the file system has it.

O_DIRECT makes an NFS client ask (or tell) the server at every call; elsewhere O_DSYNC makes a write final.
"""

import errno
import mmap
import os
import stat

from probe_agent.pools import SeenNothingError
from probe_agent.records import RECORD_SIZE
from shared.enums import ReadingCode

_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_aligned = mmap.mmap(-1, RECORD_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
"""What O_DIRECT reads into; one for all reads, which are never at once (a mount's process has one thread). Private, as
forks share the other kind and would read each other's records."""
_NO_DIRECT_IO = {errno.EINVAL, errno.EOPNOTSUPP}


def read_block(folder: int, name: str) -> bytes:
    """Read one record's bytes, fresh.

    Raises:
        SeenNothingError: it is not a regular file.
        OSError: as the kernel said.
    """
    try:
        return _read(folder, name, os.O_DIRECT)
    except OSError as error:
        if error.errno not in _NO_DIRECT_IO:
            raise
        return _read(folder, name, 0)


def write_block(folder: int, name: str, block: bytes) -> None:
    """Write one record over the earlier one, in the same inode, and return when the storage has it.

    Raises:
        SeenNothingError: something that is not a regular file has this name.
        OSError: as the kernel said.
    """
    try:
        _write(folder, name, block, os.O_DIRECT)
    except OSError as error:
        if error.errno not in _NO_DIRECT_IO:
            raise
        _write(folder, name, block, 0)


def _read(folder: int, name: str, extra: int) -> bytes:
    fd = _open_regular(folder, name, os.O_RDONLY | extra)
    try:
        count = os.preadv(fd, [_aligned], 0)
        return _aligned[:count]
    finally:
        os.close(fd)


def _write(folder: int, name: str, block: bytes, extra: int) -> None:
    fd = _open_regular(folder, name, os.O_WRONLY | os.O_CREAT | os.O_DSYNC | extra)
    try:
        with mmap.mmap(-1, RECORD_SIZE) as aligned:
            aligned[:] = block
            if os.pwritev(fd, [aligned], 0) != RECORD_SIZE:
                raise OSError(errno.EIO, "only a part was written")
    finally:
        os.close(fd)


def _open_regular(folder: int, name: str, flags: int) -> int:
    fd = os.open(name, flags | _SAFE, 0o644, dir_fd=folder)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise SeenNothingError(ReadingCode.NOT_A_REGULAR_FILE, "not a regular file")
