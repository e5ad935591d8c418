"""A small process whose forks look at the mounts: they share its pages, instead of 8 MB for each.

It is forked off before the service imports anything big, touches no storage and so never hangs, and dies with the
service; its forks die with it. One that has died is not replaced: from then on each mount gets a program of its own.
"""

import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from probe_agent import child
from probe_agent.forked import fork
from probe_agent.kernel import die_with_parent
from probe_agent.leftovers import Kind, carry_nursery_name, has_name, name_of

_SEPARATOR = b"\0"
_MAX_ORDER = 8192


@dataclass(frozen=True, slots=True)
class Fork:
    """A looker as the service sees it: another's child, so that nobody here can wait for it.

    A process is known by its number and its name together. By the time another one has the number, this one has ended.
    """

    pid: int
    name: str

    def poll(self) -> int | None:
        """None while it lives, as with :class:`subprocess.Popen`."""
        return None if has_name(self.pid, self.name) else 0

    def kill(self) -> None:
        """End it, if the kernel lets it end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class Nursery:
    """The service's end of it."""

    def __init__(self) -> None:
        """Start it: only where no thread and nothing big is yet."""
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = fork(partial(_work, theirs, self._orders, os.getpid()))
        self._orders.setblocking(False)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def start(self, root: str, end: socket.socket, *, plain_folders: bool) -> None:
        """Have a looker made that answers on ``end``; it says its number there first.

        Raises:
            OSError: there is no nursery any more, or it takes no orders.
        """
        order = _SEPARATOR.join([b"1" if plain_folders else b"", os.fsencode(root)])
        socket.send_fds(self._orders, [order], [end.fileno()])

    def looker(self, pid: int, root: str) -> Fork:
        """Handle of the one that said its number."""
        return Fork(pid, name_of(Kind.LOOKER, root, self.pid))


def _work(orders: socket.socket, other_end: socket.socket, service_pid: int) -> None:
    """Be the nursery's process."""
    other_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel takes ended forks away by itself
    die_with_parent(service_pid)
    carry_nursery_name(service_pid)
    pid = os.getpid()
    while True:
        order, ends, _, _ = socket.recv_fds(orders, _MAX_ORDER, 1)
        if not order:
            return
        plain, _, root = order.partition(_SEPARATOR)
        with suppress(OSError):  # no process to be had: the service sees its end closed, and asks again
            fork(partial(_look, orders, ends[0], pid, os.fsdecode(root), plain_folders=bool(plain)))
        os.close(ends[0])


def _look(orders: socket.socket, end: int, nursery_pid: int, root: str, *, plain_folders: bool) -> None:
    """Be a looker's process."""
    orders.close()
    child.look(root, end, parent_pid=nursery_pid, plain_folders=plain_folders)
