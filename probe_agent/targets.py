"""Sorting the targets of a request to the mount each lies on; a bad one is answered here and touches nothing.

The agent gives nothing away: only plain paths below the allowed roots, without ``..``, ever reach a child process.
"""

import os.path
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from probe_agent.mounts import below, read_mounts
from probe_agent.plugins import installed_schemes, pool_of, scheme_of
from probe_agent.pools import pool_roots
from shared.enums import ReadingCode

_MAX_PATH = 4095
_ODD = re.compile(r"/[/.\0]")


@dataclass(frozen=True, slots=True)
class Roots:
    """Which folders this agent may look below: read anew at every use, as pools come and go."""

    pools: tuple[str, ...]
    allowed: tuple[str, ...]

    def of_pools(self) -> list[str]:
        """Roots of the pools that carry heartbeats."""
        return pool_roots(self.pools, self.allowed)

    def of_targets(self) -> list[str]:
        """Every root a target may lie on, the deepest first: pools, allowed roots, mounts below these."""
        mounts = read_mounts()
        inner = {point for root in (*self.pools, *self.allowed) for point in below(root, mounts)}
        return sorted({*self.pools, *self.allowed, *inner}, key=len, reverse=True)


@dataclass(slots=True)
class Sorted:
    """Positions of the request's targets per root (or plug-in's pool), and of those that are refused.

    ``all_below``: the one root of all of them, where that was seen at once; the others are empty then.
    """

    by_root: dict[str, list[int]] = field(default_factory=dict)
    refused: dict[int, tuple[ReadingCode, str]] = field(default_factory=dict)
    all_below: str | None = None


def sort_targets(targets: Sequence[str], roots: Sequence[str]) -> Sorted:
    """Give every target its root, the deepest that holds it."""
    result = Sorted()
    prefixes = [(root.rstrip("/") + "/", root) for root in roots]
    for prefix, root in prefixes:
        if targets and targets[0].startswith(prefix) and _all_plain_below(prefix, targets):
            if sum(other.startswith(prefix) for other, _ in prefixes) == 1:  # no deeper root
                return Sorted(all_below=root)
            break
    for position, target in enumerate(targets):
        refusal = _refusal(target)
        if refusal is not None:
            result.refused[position] = refusal
            continue
        for prefix, root in prefixes:
            if target.startswith(prefix):
                result.by_root.setdefault(root, []).append(position)
                break
        else:
            _sort_other(result, position, target)
    return result


def _sort_other(result: Sorted, position: int, target: str) -> None:
    scheme = scheme_of(target)
    if scheme and scheme in installed_schemes():
        result.by_root.setdefault(pool_of(target), []).append(position)
    else:
        outside = "below no root that this agent may look at"
        result.refused[position] = (ReadingCode.OUTSIDE_ROOTS, outside)


def _all_plain_below(prefix: str, targets: Sequence[str]) -> bool:
    """Whether nothing needs a closer look, as for the disks of one pool: ten thousand in half a millisecond.

    ``False`` is always right; ``True`` only where :func:`_refusal` has nothing against any, and ``prefix`` begins each.
    """
    text = "\0".join(targets) + "\0"
    return (
        text.isascii()
        and text.count("\0") == len(targets)
        and not _ODD.search(text)
        # What lies between two texts in the order of sorting begins with whatever both of them begin with.
        and min(targets).startswith(prefix)
        and max(targets).startswith(prefix)
        and max(map(len, targets)) <= _MAX_PATH
    )


def _refusal(target: str) -> tuple[ReadingCode, str] | None:
    if len(target) > _MAX_PATH or "\0" in target or not _is_text(target):
        return ReadingCode.BAD_PATH, "too long, or holds what no path may hold"
    if target.startswith("/"):
        if not _is_plain(target):
            return ReadingCode.BAD_PATH, "not a plain absolute path"
    elif not scheme_of(target):
        return ReadingCode.BAD_PATH, "not an absolute path"
    return None


def _is_plain(path: str) -> bool:
    if "//" in path or path.endswith("/"):
        return False
    return "/." not in path or os.path.normpath(path) == path  # names may begin with a dot


def _is_text(target: str) -> bool:
    if target.isascii():
        return True
    try:
        target.encode()
    except UnicodeEncodeError:
        return False
    return True
