"""What a storage probe is: it looks at targets and never touches them.

``file`` reads every target that is a path. For ``scheme:anything`` a distribution adds a probe with an entry point in
the group ``hostfence.storage_probes``: its name is the scheme (``rbd`` for ``rbd:pool/image``), its value is called
with the scheme's table of the agent's probe settings and gives a :class:`StorageProbe`. docs/storage-probes.md has an
example. A probe runs in the child process of one mount or pool; one that hangs there is *unknown* and delays nobody.

The contract of :meth:`StorageProbe.read` (tests/contracts/test_storage_probes.py):

- one reading per target, in the order asked, duplicates too; it never raises for a target's sake;
- a reading without a code was made fresh from the storage during this call, and says how and how long it took;
- every way of not seeing is a code, never an invented value (rule 3): an error is never *nobody holds it*;
- what is changed in the storage changes the reading; looking does not;
- after ``until`` (``time.monotonic``) the rest is ``timed_out``, at once.
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
    held_by: tuple[str, ...] = ()


class StorageProbe(Protocol):
    """Looks at targets of one kind."""

    def read(self, root: str, targets: Sequence[str], *, until: float, plain_folders: bool) -> Sequence[Reading]:
        """Return one reading per target below ``root``, in order, never raising for a target's sake.

        ``root`` is the mount, or the target up to its last slash; ``plain_folders`` is the lab's and only for paths.
        """
        ...
