"""The process that touches one mount for the agent, one question after the other, and may hang there.

A fork of the nursery, or, for a plug-in, a program with none of the service's memory in it:
``python -m probe_agent.child PARENT_PID ROOT [--plain-folders] [--settings=FILE]``, questions on stdin, answers on
stdout. It imports nothing that is big or slow, holds nothing open on the mount between questions, and dies with its
parent.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from probe_agent.fragments import SEPARATOR, TARGETS_SEPARATOR, fragment, unknown
from probe_agent.frames import PREFIX, length_of, pack, unpack
from probe_agent.kernel import die_with_parent
from probe_agent.leftovers import Kind, carry_name
from probe_agent.probes.file import FileProbe
from probe_agent.probes.looks import Looks
from probe_agent.sampling import sample_pool
from shared.enums import ReadingCode

_SETTINGS = "--settings="


class Server:
    """Answers questions about one root (or, for a plug-in's targets, one pool)."""

    def __init__(self, root: str, *, plain_folders: bool, settings_file: Path | None = None) -> None:
        self._root = root
        self._plain_folders = plain_folders
        self._settings_file = settings_file
        self._read: Callable[[Sequence[str], float], bytes | Looks] | None = None

    def answer(self, question: dict[str, Any], body: bytes) -> bytes:
        """Answer one question with one frame that carries its id."""
        header: dict[str, Any] = {"id": question["id"]}
        if question["op"] == "sample":
            return pack(header | sample_pool(self._root, question["known"], plain_folders=self._plain_folders))
        targets = body.decode().split(TARGETS_SEPARATOR)
        try:
            self._read = self._read or self._reader()
            found = self._read(targets, question["until"])
        except Exception as error:  # noqa: BLE001  a plug-in's defect is unknown, not a crash
            detail = f"{type(error).__name__}: {error}"
            found = SEPARATOR.join(unknown(target, ReadingCode.OTHER, detail) for target in targets).encode()
        return pack(header, found) if isinstance(found, bytes) else pack(header | found.header(), found.body())

    def _reader(self) -> Callable[[Sequence[str], float], bytes | Looks]:
        """What reads targets: a plug-in's readings as JSON, one a line, and those of files as :class:`Looks`."""
        if self._root.startswith("/"):
            probe = FileProbe()
            return lambda targets, until: probe.look(
                self._root, targets, until=until, plain_folders=self._plain_folders
            )
        from probe_agent import plugins  # noqa: PLC0415  slow import, rare use

        plug_in = plugins.load(plugins.scheme_of(self._root), self._settings_file)

        def read(targets: Sequence[str], until: float) -> bytes:
            readings = plugins.read(plug_in, self._root, targets, until=until)
            return SEPARATOR.join(fragment(*pair) for pair in zip(targets, readings, strict=True)).encode()

        return read


def serve(server: Server, source: IO[bytes], sink: IO[bytes]) -> None:
    """Answer until the parent closes its end."""
    while len(prefix := source.read(PREFIX)) == PREFIX:
        sink.write(server.answer(*unpack(source.read(length_of(prefix)))))
        sink.flush()


def look(root: str, end: int, *, parent_pid: int, plain_folders: bool) -> None:
    """Run as a fork of a process that ignores SIGINT: say the process's number first, then answer on ``end``."""
    die_with_parent(parent_pid)
    carry_name(Kind.LOOKER, root, parent_pid)
    source, sink = os.fdopen(end, "rb"), os.fdopen(os.dup(end), "wb")
    with suppress(BrokenPipeError, ConnectionResetError):  # the service has ended, and this is about to
        sink.write(pack({"pid": os.getpid()}))
        sink.flush()
        serve(Server(root, plain_folders=plain_folders), source, sink)


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
