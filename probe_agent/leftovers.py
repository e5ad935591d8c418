"""Children that outlived an earlier agent: on a mount that hangs, the kernel keeps a killed process until it answers.

Without this every restart would add one more. A child's name carries its mount and the parent it was started by, so
that one whose parent is another now is told apart from a neighbor's. Only ``/proc/PID/stat`` is read: the command line
of a process that waits for a page of dead storage cannot be read without waiting with it.
"""

import os
import zlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from probe_agent.kernel import name_process

_PROC = Path("/proc")
_NURSERY = "nursery:"


class Kind(StrEnum):
    """What a child does; the first letter of its process's name."""

    LOOKER = "l"
    WRITER = "w"


@dataclass(frozen=True, slots=True)
class _Process:
    name: str
    state: str
    parent: int


def carry_name(kind: Kind, root: str, parent_pid: int) -> None:
    """Give this process the name by which :func:`left_over` finds it."""
    name_process(name_of(kind, root, parent_pid))


def name_of(kind: Kind, root: str, parent_pid: int) -> str:
    """That name."""
    return f"{_prefix(kind, root)}{parent_pid:06x}"


def carry_nursery_name(parent_pid: int) -> None:
    """Give this process, the parent of lookers, the name by which its own parent can be told."""
    name_process(f"{_NURSERY}{parent_pid:06x}")


def has_name(pid: int, name: str) -> bool:
    """True while this process lives and is still the one of that name."""
    process = _look_at(pid)
    return process is not None and process.state != "Z" and process.name == name


def left_over(kind: Kind, root: str) -> list[int]:
    """Processes of this user that looked at ``root``, or wrote there, for an agent that is gone."""
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if is_left_over(pid, kind, root)]


def is_left_over(pid: int, kind: Kind, root: str) -> bool:
    """True while this process is one of those."""
    process = _look_at(pid)
    if process is None or process.state == "Z" or not process.name.startswith(_prefix(kind, root)):
        return False
    return _is_ours(pid) and not _has_its_parent(process)


def _has_its_parent(process: _Process) -> bool:
    """Whether the parent is the one in the name; a nursery that lost its own is about to end, and none any more."""
    if not process.name.endswith(f"{process.parent:06x}"):
        return False
    parent = _look_at(process.parent)
    return parent is not None and (not parent.name.startswith(_NURSERY) or parent.name.endswith(f"{parent.parent:06x}"))


def _look_at(pid: int) -> _Process | None:
    try:
        about = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # it has ended
        return None
    head, _, tail = about.rpartition(")")
    state, parent = tail.split()[:2]
    return _Process(head.partition("(")[2], state, int(parent))


def _is_ours(pid: int) -> bool:
    try:
        return (_PROC / str(pid)).stat().st_uid == os.geteuid()
    except OSError:
        return False


def _prefix(kind: Kind, root: str) -> str:
    """With the parent's six digits these are the fifteen characters that the kernel keeps."""
    return f"{kind}{zlib.crc32(os.fsencode(root)):08x}"
