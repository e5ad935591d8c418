"""Readings as finished JSON, made where they are read and only spliced afterwards.

A thousand Pydantic models made twice would cost more than the thousand looks; the tests hold these bytes against
:class:`shared.protocol.FileReading`.
"""

from json.encoder import encode_basestring_ascii as quote

from probe_agent.probes.base import Reading
from shared.enums import ReadingCode

SEPARATOR = "\n"
"""Between the fragments of one answer; JSON text on one line never contains it."""


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
