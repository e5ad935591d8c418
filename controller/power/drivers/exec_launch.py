"""Becomes the program that the ``exec`` driver runs. A script (``python -I -S``): nothing imports it.

Does, between fork and exec, what must not be done in a process with threads, in this order: asks the kernel for SIGKILL
when the controller dies, sets an alarm, looks at the clock, and becomes the program.

- *Death signal*: a controller that dies can no longer tell what the command did; whether it was carried out is unknown
  either way. But a program that ran on would still be talking to the device when the next controller, after the lease,
  reads and commands it: two operations at once (rule 4). So it goes with the controller.
- *Alarm*: survives exec. A program that was stopped for long is killed by it before its next instruction, also when no
  controller is left to do that (rule 9).
- *Clock*: nothing is started once ``NOT_AFTER`` (CLOCK_BOOTTIME seconds) has passed.

Usage: ``exec_launch.py PARENT_PID REPORT_FD HANDED_FD LIFETIME_S NOT_AFTER PROGRAM ARGUMENT...``, ``-`` for no
HANDED_FD and no NOT_AFTER. Writes ``stalled``, or ``go`` and, where the program can't be run, the reason to REPORT_FD,
which the program itself does not get. HANDED_FD, a file with the secret, becomes descriptor 3.
"""

import ctypes
import fcntl
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
HANDED_FD = 3


def main() -> None:
    """Prepare, check the clock last of all, become the program."""
    parent, report_fd, handed, lifetime_s, not_after, program, *arguments = sys.argv[1:]
    report = fcntl.fcntl(int(report_fd), fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(int(report_fd))
    if handed != "-":
        high = fcntl.fcntl(int(handed), fcntl.F_DUPFD_CLOEXEC, 10)
        os.close(int(handed))
        os.dup2(high, HANDED_FD, inheritable=True)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # died before the kernel was asked
        os._exit(1)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGALRM):  # Python ignores the first two
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.chdir("/")
    life = float(lifetime_s)
    if not_after != "-":
        life = min(life, float(not_after) - time.clock_gettime(time.CLOCK_BOOTTIME))
    if life <= 0:
        os.write(report, b"stalled")
        os._exit(1)
    signal.setitimer(signal.ITIMER_REAL, life)
    os.write(report, b"go")
    try:
        os.execv(program, [program, *arguments])  # noqa: S606 - no shell is the point
    except OSError as error:
        os.write(report, b"failed: " + (error.strerror or "cannot be run").encode())
        os._exit(1)


if __name__ == "__main__":
    main()
