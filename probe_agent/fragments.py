"""Readings as finished JSON, made one by one and only spliced afterwards.

A thousand Pydantic models made twice would cost more than the thousand looks; the tests hold these bytes against
:class:`shared.protocol.FileReading`.
"""

from collections.abc import Sequence
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from probe_agent.kernel import Stat
from probe_agent.probes.base import Reading
from probe_agent.probes.looks import SECOND, unpacked
from shared.enums import ReadingCode

SEPARATOR = "\n"
"""Between the fragments of one answer; JSON text on one line never contains it."""
TARGETS_SEPARATOR = "\0"
"""Between the targets of one question; one that contains it was refused."""


def json_of(targets: Sequence[str], header: dict[str, Any], body: bytes) -> list[str]:
    """The JSON object of each target's reading, from the two parts of a child's answer (:class:`Looks`).

    Raises:
        LookupError, TypeError, ValueError: this is not an answer about so many targets.
    """
    method, looks = unpacked(header, body, count=len(targets))
    how = method.value  # once: an enum looks it up anew each time
    return [
        _json(target, seen, how, took_ns) if why is None else unknown(target, *why, took_ns / SECOND)
        for target, (seen, took_ns, why) in zip(targets, looks, strict=True)
    ]


def fragment(path: str, reading: Reading) -> str:
    """The JSON object of one reading."""
    code, detail, how, took_s, device, inode, size, blocks, mtime_ns, ctime_ns, held_by = reading
    if code is not None:
        return unknown(path, code, detail, took_s)
    return (
        f'{{"path":{quote(path)},"status":"ok","how":"{how}","took_s":{took_s:.6f},'
        f'"device":{quote(device)},"inode":{inode},"size":{size},"blocks":{blocks},'
        f'"mtime_ns":{mtime_ns},"ctime_ns":{ctime_ns}{_held(held_by) if held_by else ""}}}'
    )


def unknown(path: str, code: ReadingCode, detail: str, took_s: float = 0.0) -> str:
    """The JSON object of a look that told nothing (rule 3: it carries no value at all)."""
    return f'{{"path":{quote(path)},"status":"unknown","code":"{code}","detail":{quote(detail)},"took_s":{took_s:.6f}}}'


def _held(held_by: tuple[str, ...]) -> str:
    return f',"held_by":[{",".join(map(quote, held_by))}]'


def _json(path: str, seen: Stat, how: str, took_ns: int) -> str:
    """What :func:`fragment` makes of the reading, without making that first."""
    _, _, inode, size, blocks, ctime, ctime_ns, mtime, mtime_ns, major, minor = seen
    return (
        f'{{"path":{quote(path)},"status":"ok","how":"{how}","took_s":{took_ns}e-9,'
        f'"device":"{major}:{minor}","inode":{inode},"size":{size},"blocks":{blocks},'
        f'"mtime_ns":{mtime * SECOND + mtime_ns},"ctime_ns":{ctime * SECOND + ctime_ns}}}'
    )
