"""The process that touches one mount for the agent, one question after the other, and may hang there.

``python -m probe_agent.child PARENT_PID ROOT [--plain-folders] [--settings=FILE]``, questions on stdin, answers on
stdout. It imports nothing that is big or slow, holds nothing open on the mount between questions, and dies with its
parent.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from probe_agent.fragments import SEPARATOR, fragment, unknown
from probe_agent.frames import PREFIX, length_of, pack, unpack
from probe_agent.kernel import die_with_parent
from probe_agent.leftovers import Kind, carry_name
from probe_agent.probes.base import Reading
from probe_agent.probes.file import FileProbe
from probe_agent.sampling import sample_pool
from shared.enums import ReadingCode

_SETTINGS = "--settings="


class Server:
    """Answers questions about one root (or, for a plug-in's targets, one pool)."""

    def __init__(self, root: str, *, plain_folders: bool, settings_file: Path | None = None) -> None:
        self._root = root
        self._plain_folders = plain_folders
        self._settings_file = settings_file
        self._read_all: Callable[[Sequence[str], float], Sequence[Reading]] | None = None

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
            self._read_all = self._read_all or self._reader()
            readings = self._read_all(targets, until)
            lines = [fragment(*pair) for pair in zip(targets, readings, strict=True)]
        except Exception as error:  # noqa: BLE001  a plug-in's defect is unknown, not a crash
            detail = f"{type(error).__name__}: {error}"
            lines = [unknown(target, ReadingCode.OTHER, detail) for target in targets]
        return SEPARATOR.join(lines).encode()

    def _reader(self) -> Callable[[Sequence[str], float], Sequence[Reading]]:
        if self._root.startswith("/"):
            probe = FileProbe()
            return lambda targets, until: probe.read(
                self._root, targets, until=until, plain_folders=self._plain_folders
            )
        from probe_agent import plugins  # noqa: PLC0415  slow import, rare use

        plug_in = plugins.load(plugins.scheme_of(self._root), self._settings_file)
        return lambda targets, until: plugins.read(plug_in, self._root, targets, until=until)


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
    flags = sys.argv[3:]
    settings = [Path(flag.removeprefix(_SETTINGS)) for flag in flags if flag.startswith(_SETTINGS)]
    server = Server(root, plain_folders="--plain-folders" in flags, settings_file=settings[0] if settings else None)
    source, sink = _keep_to_ourselves(0, 1)
    serve(server, source, sink)


def _keep_to_ourselves(stdin: int, stdout: int) -> tuple[IO[bytes], IO[bytes]]:
    """Take the parent's ends away from where a plug-in would read and print: that goes to the log instead."""
    source, sink = os.fdopen(os.dup(stdin), "rb"), os.fdopen(os.dup(stdout), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, stdin)
    os.close(nothing)
    os.dup2(sys.stderr.fileno(), stdout)
    return source, sink


if __name__ == "__main__":
    main()
