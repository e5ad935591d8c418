"""A mail catcher: a small SMTP server on loopback that keeps every mail as a file, and reading them.

Standard library only, so that ``make demo`` needs nothing beyond what the controller needs. As a process:
``python -m demo.mail FOLDER [ADDRESS:PORT]``.
"""

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it arrived."""

    recipients: str
    subject: str
    text: str


def read_mails(folder: Path) -> list[Mail]:
    """All mails that arrived so far, oldest first."""
    return [_parse(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]


def _parse(raw: bytes) -> Mail:
    message = message_from_bytes(raw, policy=default)
    if not isinstance(message, EmailMessage):
        raise TypeError("the default policy makes EmailMessage")
    body = message.get_body(("plain",))
    text = body.get_content() if body else ""
    return Mail(str(message["to"]), str(message["subject"]), text.replace("\r\n", "\n"))


class _Catcher:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._caught = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        writer.write(b"220 demo ready\r\n")
        while line := await reader.readline():
            match line[:4].upper().strip():
                case b"EHLO" | b"HELO":
                    writer.write(b"250-demo\r\n250 8BITMIME\r\n")
                case b"DATA":
                    writer.write(b"354 go on, end with a dot\r\n")
                    self._keep(await _content(reader))
                    writer.write(b"250 caught\r\n")
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case b"MAIL" | b"RCPT" | b"RSET" | b"NOOP":
                    writer.write(b"250 fine\r\n")
                case _:
                    writer.write(b"502 not known here\r\n")
            await writer.drain()
        writer.close()

    def _keep(self, content: bytes) -> None:
        """Whole or not at all: the reader looks at any time."""
        self._caught += 1
        partial = self._folder / f"{time.monotonic_ns():020}-{os.getpid()}.part"
        partial.write_bytes(content)
        partial.rename(partial.with_suffix(".eml"))
        mail = _parse(content)
        print(f"mail to {mail.recipients}: {mail.subject}", flush=True)


async def _content(reader: asyncio.StreamReader) -> bytes:
    lines = []
    while (line := await reader.readline()) not in (b".\r\n", b""):
        lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
    return b"".join(lines)


async def _main(folder: Path, listen: str = "127.0.0.1:0") -> None:
    address, _, port = listen.rpartition(":")
    server = await asyncio.start_server(_Catcher(folder).serve, address, int(port))
    print(f"listens on {address}:{server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), *sys.argv[2:]))
