"""A pipe of our own for what a hook writes: bounded, and closed when we say so.

asyncio's own pipes collect without limit, and wait for as long as any child of the hook holds them open.
"""
# mypy: disable-error-code="explicit-override"

import asyncio
import os
from types import TracebackType
from typing import Self

KEPT = 64 * 1024
"""Bytes kept; the rest is read, so that the hook does not stall, and dropped."""


class Output(asyncio.Protocol):
    """One output of one hook. ``ended`` is done when nobody can write any more."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._write_end = -1
        self._transport: asyncio.ReadTransport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self) -> int:
        """The end for the hook to write to; to be followed by :meth:`started`."""
        read_end, self._write_end = os.pipe()
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(lambda: self, os.fdopen(read_end, "rb", 0))
        return self._write_end

    def started(self) -> None:
        """The hook has its own copy of the end: ours would keep the pipe open."""
        if self._write_end >= 0:
            os.close(self._write_end)
            self._write_end = -1

    def text(self) -> str:
        """What was written so far."""
        return self._kept.decode(errors="replace").strip()

    def data_received(self, data: bytes) -> None:
        """Keep what there is room for."""
        self._kept += data[: KEPT - len(self._kept)]

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody can write any more, or we stopped listening."""
        del exc
        if not self.ended.done():
            self.ended.set_result(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.started()
        if self._transport is not None:
            self._transport.close()
