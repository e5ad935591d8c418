"""All mounts' child processes: other mounts, ``/healthz`` and the exit never wait for a mount that hangs."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from probe_agent.fragments import SEPARATOR, TARGETS_SEPARATOR, json_of, unknown
from probe_agent.mount_child import MountChild, Reply
from probe_agent.nursery import Nursery
from probe_agent.pools import SeenNothingError
from probe_agent.sampling import Sample
from shared.enums import ReadingCode

MAX_CHILDREN = 64
MAX_PLUG_IN_CHILDREN = 16
"""Of these, for pools that are no mounts: their names come with the questions and are not looked up anywhere."""
_BATCH = 500
"""Targets per question: the sampling of heartbeats gets its turn between two of them, or three."""
_AHEAD = 1
"""Questions that the child has beside the one whose answer is taken apart here: it goes on meanwhile."""


class Runner:
    """Hands questions to the child of the mount they are about."""

    def __init__(
        self,
        *,
        plain_folders: bool,
        patience_s: float,
        probe_settings: Path | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        self._nursery = nursery
        self._plain_folders = plain_folders
        self._probe_settings = probe_settings
        self._patience_s = patience_s
        self._children: dict[str, MountChild] = {}

    @property
    def pids(self) -> dict[str, list[int]]:
        """Living processes per mount."""
        return {root: child.pids for root, child in self._children.items()}

    async def read(self, root: str, targets: Sequence[str], *, within_s: float) -> list[str]:
        """One JSON fragment per target, in order; at the deadline the missing ones are unknown."""
        return [line async for lines in self._read(root, targets, within_s) for line in lines]

    async def read_array(self, root: str, targets: Sequence[str], *, within_s: float) -> list[bytes]:
        """The same as pieces of one JSON array, without its brackets: each made while the next ones are looked at."""
        pieces: list[bytes] = []
        async for lines in self._read(root, targets, within_s):
            pieces.append((("," if pieces else "") + ",".join(lines)).encode())
        return pieces

    async def sample(self, root: str, known: Iterable[str], *, within_s: float) -> dict[str, Any]:
        """What :func:`probe_agent.sampling.sample_pool` answers, with ``samples`` as :class:`Sample`.

        Raises:
            SeenNothingError: the pool could not be looked at.
        """
        question = {"op": "sample", "known": list(known)}
        reply = await self._child(root).ask(question, within_s=within_s)
        header = reply.header
        if header["code"] is not None:
            raise SeenNothingError(ReadingCode(header["code"]), header["detail"])
        header["samples"] = [
            Sample(name, at, code and ReadingCode(code), *rest) for name, at, code, *rest in header["samples"]
        ]
        return header

    def retain(self, roots: Collection[str]) -> None:
        """End the children of roots that are gone; one that can't die is kept in mind."""
        gone = [root for root in self._children if root.startswith("/") and root not in roots]
        for root in gone:
            child = self._children[root]
            child.kill()
            if not child.pids:
                del self._children[root]

    async def close(self) -> None:
        """End all children; one that cannot die is left to the kernel."""
        await asyncio.gather(*(child.close() for child in self._children.values()))

    async def _read(self, root: str, targets: Sequence[str], within_s: float) -> AsyncIterator[list[str]]:
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        asked: deque[asyncio.Task[list[str]]] = deque()
        try:
            for start in range(0, len(targets), _BATCH):
                batch = targets[start : start + _BATCH]
                asked.append(asyncio.create_task(self._read_batch(root, batch, until - loop.time())))
                if len(asked) > _AHEAD:
                    yield await asked.popleft()
            while asked:
                yield await asked.popleft()
        finally:
            for task in asked:
                task.cancel()

    async def _read_batch(self, root: str, batch: Sequence[str], within_s: float) -> list[str]:
        if within_s <= 0:
            return _all_unknown(batch, ReadingCode.TIMED_OUT, "not reached before the deadline")
        try:
            targets = TARGETS_SEPARATOR.join(batch).encode()
            reply = await self._child(root).ask({"op": "read"}, targets, within_s=within_s)
            return _json_of(batch, reply)
        except SeenNothingError as error:
            return _all_unknown(batch, error.code, error.detail)
        except (LookupError, TypeError, ValueError):
            return _all_unknown(batch, ReadingCode.OTHER, "the process answered something else")

    def _child(self, root: str) -> MountChild:
        child = self._children.get(root)
        if child is None:
            if len(self._children) >= MAX_CHILDREN:
                raise SeenNothingError(ReadingCode.OTHER, f"more than {MAX_CHILDREN} mounts")
            plug_ins = sum(not known.startswith("/") for known in self._children)
            if not root.startswith("/") and plug_ins >= MAX_PLUG_IN_CHILDREN:
                raise SeenNothingError(ReadingCode.OTHER, f"more than {MAX_PLUG_IN_CHILDREN} pools of plug-ins")
            child = self._children[root] = MountChild(
                root,
                plain_folders=self._plain_folders,
                patience_s=self._patience_s,
                probe_settings=self._probe_settings,
                nursery=self._nursery,
            )
        return child


def _all_unknown(targets: Sequence[str], code: ReadingCode, detail: str) -> list[str]:
    return [unknown(target, code, detail) for target in targets]


def _json_of(targets: Sequence[str], reply: Reply) -> list[str]:
    if "how" in reply.header:
        return json_of(targets, reply.header, reply.body)
    lines = reply.body.decode().split(SEPARATOR)
    if len(lines) != len(targets):
        raise ValueError("an answer about other targets")
    return lines
