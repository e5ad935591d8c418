"""Becomes another program that dies with the process that started it. A script: nothing imports it.

A program of its own instead of ``preexec_fn``, so that no Python runs between fork and exec. Standard library only.
Usage: ``leash.py PARENT_PID PROGRAM ARGUMENT...``.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for the death signal, become the program."""
    parent, program, *arguments = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # died before the kernel was asked
        os._exit(1)
    os.execv(program, [program, *arguments])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
