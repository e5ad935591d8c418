"""Makes a TCP address look like a host without power: whoever connects hears nothing, not even a refusal.

A killed process answers with a reset, which shows a living kernel. A listening socket that nobody accepts from and
whose queue is full lets the kernel drop what comes.
"""

import contextlib
import socket
import time
from types import TracebackType
from typing import Self

_FILLED_AFTER_S = 0.3
_BIND_WITHIN_S = 3.0
_QUEUE_AT_MOST = 32


class BlackHole:
    """Swallows connections to ``address:port`` from construction to :meth:`close`."""

    def __init__(self, address: str, port: int) -> None:
        self._sockets = [_listening(address, port)]
        for _ in range(_QUEUE_AT_MOST):
            filler = socket.socket()
            self._sockets.append(filler)
            filler.settimeout(_FILLED_AFTER_S)
            try:
                filler.connect((address, port))
            except TimeoutError:
                return
        self.close()
        raise OSError(f"the queue of {address}:{port} does not fill")

    def close(self) -> None:
        """Give the address back."""
        for one in self._sockets:
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _listening(address: str, port: int) -> socket.socket:
    """Old connections of the killed service may still wait for their end on this port."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    until = time.monotonic() + _BIND_WITHIN_S
    while True:
        with contextlib.suppress(OSError):
            listening.bind((address, port))
            listening.listen(0)
            return listening
        if time.monotonic() > until:
            listening.close()
            raise OSError(f"{address}:{port} cannot be taken over")
        time.sleep(0.01)
