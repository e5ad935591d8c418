"""The few Linux calls Python has no function for: ``statx``, ``openat2``, ``prctl``; through ctypes and glibc.

``statx`` with ``AT_STATX_FORCE_SYNC`` is what makes a reading fresh from the server: a plain ``stat`` was measured to
show a 22 s old mtime on a default NFS mount.
"""

import ctypes
import errno
import os
import signal
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_AT_SYMLINK_NOFOLLOW = 0x100
_AT_NO_AUTOMOUNT = 0x800
_AT_STATX_FORCE_SYNC = 0x2000
_LOOK = _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT | _AT_STATX_FORCE_SYNC
WANTED = 0x7C1  # type, mtime, ctime, inode, size, blocks
_STATX_SIZE = 256
# mask; mode; inode, size, blocks; ctime; mtime; device major and minor (linux/stat.h, struct statx)
STAT = struct.Struct("=I24xH2xQQQ8x16x16xqI4xqI4x8xII")
_seen = bytearray(_STATX_SIZE)
_into = ctypes.byref((ctypes.c_char * _STATX_SIZE).from_buffer(_seen))  # made once: a fifth of a look otherwise

_SYS_OPENAT2 = 437  # the same number on every architecture
_BENEATH = 0x01 | 0x02 | 0x04 | 0x08  # RESOLVE_NO_XDEV | NO_MAGICLINKS | NO_SYMLINKS | BENEATH

try:
    # Without `argtypes`: their conversion was a tenth of a batch, and every argument fits as it is.
    _statx = _LIBC.statx
    HAS_STATX = True
except AttributeError:  # musl before 1.2.5, glibc before 2.28
    HAS_STATX = False


Stat = tuple[int, int, int, int, int, int, int, int, int, int, int]
"""Mask, mode, inode, size, blocks, ctime (s, ns), mtime (s, ns), device (major, minor).

Times are the storage server's. A bare tuple: a named one costs a tenth of the whole look, a thousand times a round.
"""


def statx_fresh(folder: int, name: bytes) -> bytes | bytearray:
    """Look at ``name`` in the open folder, fresh from the server, never through a symbolic link.

    One call does it: nothing is opened, so neither a FIFO nor a device can notice. Not for threads (one buffer). The
    answer is as the kernel wrote it: :data:`STAT` takes it apart, and :data:`WANTED` must be in its mask.

    Raises:
        OSError: as the kernel said.
    """
    if _statx(folder, name, _LOOK, WANTED, _into) != 0:
        raise _os_error()
    return _seen[: STAT.size]


def open_folder_beneath(root: int, relative: str) -> int:
    """Open a folder below ``root`` as ``O_PATH``: no symbolic link, no ``..``, no other mount on the way.

    Raises:
        OSError: ``ELOOP`` for a symbolic link, ``EXDEV`` for another mount, and the usual ones.
    """
    if not relative:
        return os.dup(root)
    if _HAS_OPENAT2:
        return _openat2(root, relative)
    return _walk(root, relative)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends; end now if that has happened already."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        raise SystemExit(0)


def name_process(name: str) -> None:
    """Set this process's name as ``ps -o comm`` shows it: of more than 15 bytes the kernel keeps the first."""
    _LIBC.prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0)


def _openat2(root: int, relative: str) -> int:
    how = struct.pack("=QQQ", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, 0, _BENEATH)
    fd = int(
        _LIBC.syscall(
            ctypes.c_long(_SYS_OPENAT2),
            ctypes.c_long(root),
            ctypes.c_char_p(os.fsencode(relative)),
            ctypes.c_char_p(how),
            ctypes.c_size_t(len(how)),
        )
    )
    if fd < 0:
        raise _os_error()
    return fd


def _walk(root: int, relative: str) -> int:
    """Go down one component at a time: slower, and a mount on the way is not noticed."""
    if ".." in relative.split("/"):
        raise OSError(errno.EXDEV, "a way up")
    current = os.dup(root)
    for part in relative.split("/"):
        try:
            below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=current)
        finally:
            os.close(current)
        current = below
    return current


def _os_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _openat2_works() -> bool:
    """Find out once: kernels before 5.6 lack it, and sandboxes refuse it with assorted errors."""
    root = os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        os.close(_openat2(root, "."))
    except OSError:
        return False
    finally:
        os.close(root)
    return True


_HAS_OPENAT2 = _openat2_works()
