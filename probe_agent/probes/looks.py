"""Looks at files as the kernel answered them: what ``statx`` wrote, passed on as it is.

To make JSON of a look costs a third of it. The child leaves that to the service, which does it for one lot while the
child looks at the next (:func:`probe_agent.fragments.json_of`).
"""

import stat
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from probe_agent.kernel import STAT, WANTED, Stat
from probe_agent.probes.base import Reading
from shared.enums import ReadingCode, ReadingMethod

SECOND = 1_000_000_000
_NOTHING = bytes(STAT.size)

Why = tuple[ReadingCode, str]
"""Why a look told nothing: code and detail."""
Look = tuple[Stat, int, Why | None]
"""What was seen, nanoseconds, and why it tells nothing (None: it does)."""


@dataclass(slots=True)
class Looks:
    """One look at each of several targets, in their order; what failed has nothing in ``seen``."""

    how: ReadingMethod
    seen: list[bytes | bytearray] = field(default_factory=list)
    took_ns: list[int] = field(default_factory=list)
    failed: dict[int, Why] = field(default_factory=dict)

    def fail(self, code: ReadingCode, detail: str, took_ns: int = 0) -> None:
        """Add a look that told nothing."""
        self.failed[len(self.seen)] = code, detail
        self.seen.append(_NOTHING)
        self.took_ns.append(took_ns)

    def header(self) -> dict[str, Any]:
        """The part of an answer that fits into its header."""
        return {"how": self.how, "failed": [(position, *why) for position, why in self.failed.items()]}

    def body(self) -> bytes:
        """The other part."""
        return b"".join([*self.seen, array("q", self.took_ns).tobytes()])

    def readings(self) -> list[Reading]:
        """The same as readings."""
        stats = STAT.iter_unpack(b"".join(self.seen))
        return [
            _reading(seen, self.how, took_ns) if why is None else Reading(*why, took_s=took_ns / SECOND)
            for seen, took_ns, why in _judged(stats, self.took_ns, self.failed)
        ]


def unpacked(header: dict[str, Any], body: bytes, *, count: int) -> tuple[ReadingMethod, Iterator[Look]]:
    """How they were read, and each look, from the two parts of an answer.

    Raises:
        LookupError, TypeError, ValueError: this is not an answer about so many targets.
    """
    end = count * STAT.size
    took = array("q", body[end:])
    if len(took) != count:
        raise ValueError("an answer about other targets")
    failed = {position: (ReadingCode(code), detail) for position, code, detail in header["failed"]}
    return ReadingMethod(header["how"]), _judged(STAT.iter_unpack(memoryview(body)[:end]), took, failed)


def _judged(stats: Iterable[Any], took: Sequence[int], failed: Mapping[int, Why]) -> Iterator[Look]:
    for position, (seen, took_ns) in enumerate(zip(stats, took, strict=True)):
        why = failed.get(position) if failed else None
        if why is None:
            if seen[0] & WANTED != WANTED:
                why = ReadingCode.OTHER, "the file system kept back a field"
            elif not stat.S_ISREG(seen[1]):
                why = ReadingCode.NOT_A_REGULAR_FILE, "not a regular file"
        yield seen, took_ns, why


def _reading(seen: Stat, how: ReadingMethod, took_ns: int) -> Reading:
    _, _, inode, size, blocks, ctime, ctime_ns, mtime, mtime_ns, major, minor = seen
    return Reading(
        None,
        "",
        how,
        took_ns / SECOND,
        f"{major}:{minor}",
        inode,
        size,
        blocks,
        mtime * SECOND + mtime_ns,
        ctime * SECOND + ctime_ns,
    )
