"""Children that outlived an earlier agent: on a mount that hangs, the kernel keeps a killed process until it answers.

Without this every restart would add one more. A child's name carries its mount and the parent it was started by, so
that one whose parent is another now is told apart from a neighbor's. Only ``/proc/PID/stat`` is read: the command line
of a process that waits for a page of dead storage cannot be read without waiting with it.
"""

import os
import zlib
from enum import StrEnum
from pathlib import Path

from probe_agent.kernel import name_process

_PROC = Path("/proc")


class Kind(StrEnum):
    """What a child does; the first letter of its process's name."""

    LOOKER = "l"
    WRITER = "w"


def carry_name(kind: Kind, root: str, parent_pid: int) -> None:
    """Give this process the name by which :func:`left_over` finds it."""
    name_process(f"{_prefix(kind, root)}{parent_pid:06x}")


def left_over(kind: Kind, root: str) -> list[int]:
    """Processes of this user that looked at ``root``, or wrote there, for an agent that is gone."""
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if is_left_over(pid, kind, root)]


def is_left_over(pid: int, kind: Kind, root: str) -> bool:
    """True while this process is one of those."""
    try:
        about = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
        ours = (_PROC / str(pid)).stat().st_uid == os.geteuid()
    except OSError:  # it has ended
        return False
    head, _, tail = about.rpartition(")")
    name = head.partition("(")[2]
    state, parent = tail.split()[:2]
    prefix = _prefix(kind, root)
    return ours and state != "Z" and name.startswith(prefix) and name != f"{prefix}{int(parent):06x}"


def _prefix(kind: Kind, root: str) -> str:
    """With the parent's six digits these are the fifteen characters that the kernel keeps."""
    return f"{kind}{zlib.crc32(os.fsencode(root)):08x}"
