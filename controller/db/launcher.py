"""Becomes another program that dies with the process that started it. A script: nothing imports it.

A small program of its own instead of ``preexec_fn``, because that runs Python between fork and exec in a process that
has threads, which can deadlock. Uses only the standard library: it starts without the environment's packages.

Usage: ``launcher.py PARENT_PID UID GID PROGRAM ARGUMENT...``, with UID and GID ``-`` to stay who we are.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Change identity, ask the kernel for the death signal, become the program."""
    parent, uid, gid, program, *arguments = sys.argv[1:]
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    # After setuid, which clears the request. SIGQUIT is PostgreSQL's immediate shutdown: the next start replays a log.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
    if os.getppid() != int(parent):  # died before the kernel was asked: nobody will send the signal any more
        os._exit(1)
    os.execv(program, [program, *arguments])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
