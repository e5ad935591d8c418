"""The process that touches one mount for the agent, one question after the other, and may hang there.

``python -m probe_agent.child PARENT_PID ROOT [--plain-folders]``, questions on stdin, answers on stdout. It imports
nothing that is big or slow, holds nothing open on the mount between questions, and dies with its parent.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import IO, Any

from probe_agent.fragments import SEPARATOR, fragment, unknown
from probe_agent.frames import PREFIX, length_of, pack, unpack
from probe_agent.kernel import die_with_parent
from probe_agent.leftovers import Kind, carry_name
from probe_agent.probes.base import StorageProbe
from probe_agent.probes.file import FileProbe
from probe_agent.sampling import sample_pool
from shared.enums import ReadingCode


class Server:
    """Answers questions about one root (or, for a plug-in's targets, one scheme)."""

    def __init__(self, root: str, *, plain_folders: bool) -> None:
        self._root = root
        self._plain_folders = plain_folders
        self._probe: StorageProbe | None = None

    def answer(self, question: dict[str, Any]) -> bytes:
        """Answer one question with one frame that carries its id."""
        header: dict[str, Any] = {"id": question["id"]}
        if question["op"] == "sample":
            header |= sample_pool(self._root, question["known"], plain_folders=self._plain_folders)
            return pack(header)
        return pack(header, self._read(question["targets"], question["budget_s"]))

    def _read(self, targets: Sequence[str], budget_s: float) -> bytes:
        until = time.monotonic() + budget_s
        try:
            self._probe = self._probe or _probe_for(targets[0])
            readings = self._probe.read(self._root, targets, until=until, plain_folders=self._plain_folders)
            lines = [fragment(*pair) for pair in zip(targets, readings, strict=True)]
        except Exception as error:  # noqa: BLE001  a plug-in's defect is unknown, not a crash
            detail = f"{type(error).__name__}: {error}"
            lines = [unknown(target, ReadingCode.OTHER, detail) for target in targets]
        return SEPARATOR.join(lines).encode()


def serve(server: Server, source: IO[bytes], sink: IO[bytes]) -> None:
    """Answer until the parent closes its end."""
    while len(prefix := source.read(PREFIX)) == PREFIX:
        question, _ = unpack(source.read(length_of(prefix)))
        sink.write(server.answer(question))
        sink.flush()


def main() -> None:
    """Run as a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent, root = int(sys.argv[1]), sys.argv[2]
    die_with_parent(parent)
    carry_name(Kind.LOOKER, root, parent)
    os.chdir("/")
    server = Server(root, plain_folders="--plain-folders" in sys.argv[3:])
    serve(server, sys.stdin.buffer, sys.stdout.buffer)


def _probe_for(target: str) -> StorageProbe:
    if target.startswith("/"):
        return FileProbe()
    from probe_agent.probes.registry import load, scheme_of  # noqa: PLC0415  slow import, rare use

    return load(scheme_of(target))


if __name__ == "__main__":
    main()
