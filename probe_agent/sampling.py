"""One look at every heartbeat record of one pool; runs in that pool's child process.

Names already known are opened by name, because a client may show an old folder listing for a minute; the listing only
finds new ones.
"""

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from probe_agent.blocks import read_block
from probe_agent.clock import boottime
from probe_agent.pools import SeenNothingError, code_of, open_pool
from probe_agent.records import WITHDRAWN, MalformedRecordError, decode, is_host_id
from shared.enums import ReadingCode

MAX_RECORDS = 1024
"""More hosts than any cluster has; a folder stuffed with files costs no more than this."""


class Sample(NamedTuple):
    """One look at one record. ``at`` is taken before it; with ``code`` nothing behind ``detail`` means anything."""

    name: str
    at: float
    code: ReadingCode | None
    detail: str = ""
    boot_id: str = ""
    counter: int = 0
    withdrawn: bool = False


def sample_pool(root: str, known: Iterable[str], *, plain_folders: bool) -> dict[str, Any]:
    """Look at all records of a pool; the answer is ready for :func:`probe_agent.frames.pack`."""
    try:
        with open_pool(root, plain_folders=plain_folders) as pool:
            names = list(dict.fromkeys([*known, *_listed(pool.folder)]))[:MAX_RECORDS]
            return {
                "code": None,
                "detail": "",
                "samples": [_sample(pool.folder, name) for name in names],
            }
    except SeenNothingError as error:
        return {"code": error.code, "detail": error.detail}
    except OSError as error:
        return {"code": code_of(error), "detail": error.strerror or ""}


def _listed(folder: int) -> list[str]:
    names: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_host_id(entry.name):
                names.append(entry.name)
                if len(names) >= MAX_RECORDS:
                    break
    return sorted(names)


def _sample(folder: int, name: str) -> Sample:
    at = boottime()
    try:
        record = decode(read_block(folder, name))
    except SeenNothingError as error:
        return Sample(name, at, error.code, error.detail)
    except MalformedRecordError as error:
        return Sample(name, at, ReadingCode.MALFORMED, str(error))
    except OSError as error:
        return Sample(name, at, code_of(error), error.strerror or "")
    if record.host_id != name:
        return Sample(name, at, ReadingCode.FOREIGN, f"the record names {record.host_id}")
    return Sample(name, at, None, "", record.boot_id, record.counter, record.state == WITHDRAWN)
