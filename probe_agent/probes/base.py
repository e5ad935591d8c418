"""What a storage probe is: a plug-in that looks at targets and never touches them.

A distribution adds one with an entry point in the group ``hostfence.probes``: its name is the scheme of the targets it
reads (``rbd`` for ``rbd:pool/image``), its value a class without constructor arguments that fits :class:`StorageProbe`.
Probes run in the child process of one mount or scheme; a hanging one is *unknown*.

The contract of :meth:`StorageProbe.read`: one reading per target, in the order asked; an error is a reading with a
code (rule 3: never an invented value); after ``until`` (``time.monotonic``) the rest is ``timed_out``.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from shared.enums import ReadingCode, ReadingMethod


class Reading(NamedTuple):
    """One look at one target; the fields of :class:`shared.protocol.FileReading`, but cheap to make."""

    code: ReadingCode | None = None
    detail: str = ""
    how: ReadingMethod | None = None
    took_s: float = 0.0
    device: str = ""
    inode: int = 0
    size: int = 0
    blocks: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0


class StorageProbe(Protocol):
    """Looks at targets of one kind."""

    def read(self, root: str, targets: Sequence[str], *, until: float, plain_folders: bool) -> Sequence[Reading]:
        """Return one reading per target below ``root``, in order, never raising for a target's sake."""
        ...
