"""Child processes as forks of a small parent, whose pages they share: an interpreter of its own is ten times as big.

Only for a parent with a single thread: of several, a child would inherit the locks and not their owners.
"""

import gc
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Forked:
    """A child process. Nothing here waits for it: one that hangs on dead storage may never end."""

    pid: int
    _ended: bool = field(default=False)

    def has_ended(self) -> bool:
        """Look, and reap it if so."""
        if not self._ended:
            try:
                self._ended = os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
            except ChildProcessError:  # reaped by the kernel: whoever started this program ignores its children
                self._ended = True
        return self._ended

    def send(self, number: int) -> None:
        """Send a signal, unless it has ended: its number may be another's by then."""
        if not self.has_ended():
            os.kill(self.pid, number)


def fork(work: Callable[[], None]) -> Forked:
    """Run ``work`` in a child, which ends with it and gets nothing on its standard input."""
    gc.collect()
    gc.freeze()  # for good, in both: to look again whether what both have is still needed would copy its pages
    pid = os.fork()
    if pid:
        return Forked(pid)
    status = 1
    try:
        _read_nothing()
        os.chdir("/")
        work()
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 1
    except BaseException:  # noqa: BLE001  the parent's stack is above this one and must not see it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _read_nothing() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
