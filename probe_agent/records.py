"""The heartbeat record: one 4,096-byte block, written in place, with a checksum.

One block so that a writer never leaves half a record behind on a sane server, and a checksum for the others: a torn
record is *malformed*, which is unknown and never silence (rule 3). 4,096 bytes because O_DIRECT needs whole sectors.
No clock value is in it (rule 12): the counter only has to differ from the one before.
"""

import json
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

RECORD_SIZE = 4096
RECORD_FORMAT = 1
FOLDER = ".hostfence"
"""Folder in each pool's root that holds one record per host, named by its host id."""

RUNNING = "running"
WITHDRAWN = "withdrawn"

_HOST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class MalformedRecordError(Exception):
    """The block is torn, foreign to this program or of another format."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one host says of itself. ``counter`` grows with every write within one boot."""

    host_id: str
    boot_id: str
    counter: int
    version: str
    state: str

    @property
    def movement(self) -> tuple[str, int, str]:
        """What must differ between two readings for the record to have moved."""
        return (self.boot_id, self.counter, self.state)


def is_host_id(name: str) -> bool:
    """True for a lower-case uuid, the only kind of name a record may have."""
    return _HOST_ID.fullmatch(name) is not None


def encode(record: Record) -> bytes:
    """Make the block of one record: a JSON line, its CRC-32 on the next line, blanks to the end."""
    fields = {
        "format": RECORD_FORMAT,
        "host_id": record.host_id,
        "boot_id": record.boot_id,
        "counter": record.counter,
        "version": record.version,
        "state": record.state,
    }
    line = json.dumps(fields, separators=(",", ":")).encode()
    block = line + b"\n" + _checksum(line) + b"\n"
    if len(block) >= RECORD_SIZE:
        message = f"heartbeat record of {len(block)} bytes does not fit into {RECORD_SIZE}"
        raise ValueError(message)
    return block.ljust(RECORD_SIZE - 1, b" ") + b"\n"


def decode(block: bytes) -> Record:
    """Read a block back.

    Raises:
        MalformedRecordError: for anything :func:`encode` would not have made.
    """
    if len(block) != RECORD_SIZE:
        raise MalformedRecordError(f"{len(block)} bytes instead of {RECORD_SIZE}")
    line, _, rest = block.partition(b"\n")
    checksum, _, padding = rest.partition(b"\n")
    if checksum != _checksum(line) or padding.strip(b" \n"):
        raise MalformedRecordError("the checksum does not fit: torn or foreign")
    return _from_line(line)


@lru_cache(maxsize=64)
def _from_line(line: bytes) -> Record:
    """Kept, since most looks find what the one before found."""
    try:
        fields = json.loads(line)
        if fields["format"] != RECORD_FORMAT:
            raise MalformedRecordError(f"record format {fields['format']!r} is not known here")
        record = Record(
            host_id=str(fields["host_id"]),
            boot_id=str(fields["boot_id"]),
            counter=int(fields["counter"]),
            version=str(fields["version"]),
            state=str(fields["state"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedRecordError("a field is missing or of the wrong kind") from error
    if record.state not in {RUNNING, WITHDRAWN}:
        raise MalformedRecordError(f"state {record.state!r} is not known here")
    return record


def _checksum(line: bytes) -> bytes:
    return b"%08x" % zlib.crc32(line)
