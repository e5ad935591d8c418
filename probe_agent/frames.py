"""How a mount's child process and its parent talk: length-prefixed frames, each a JSON line and then raw bytes."""

import json
import struct
from typing import Any

_LENGTH = struct.Struct(">I")
PREFIX = _LENGTH.size
MAX_FRAME = 256 * 1024 * 1024


def pack(header: dict[str, Any], body: bytes = b"") -> bytes:
    """Make one frame."""
    line = json.dumps(header, separators=(",", ":")).encode()
    return _LENGTH.pack(len(line) + 1 + len(body)) + line + b"\n" + body


def length_of(prefix: bytes) -> int:
    """How many bytes follow the prefix.

    Raises:
        ValueError: more than any frame has.
    """
    length = int(_LENGTH.unpack(prefix)[0])
    if length > MAX_FRAME:
        message = f"frame of {length} bytes"
        raise ValueError(message)
    return length


def unpack(payload: bytes) -> tuple[dict[str, Any], bytes]:
    """Take the payload of one frame apart."""
    line, _, body = payload.partition(b"\n")
    header: dict[str, Any] = json.loads(line)
    return header, body
