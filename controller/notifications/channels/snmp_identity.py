"""Who this process is to SNMP receivers: an engine id that no other process has, and how often it has started.

Version 3 tells an old notification that somebody recorded from a new one by the sender's count of starts, so both are
kept over restarts. Processes that share a data folder each take a file of their own.
"""

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from controller.notifications.base import ChannelError

_PROCESSES = 16
_HIGHEST_BOOTS = 2**31 - 1
_RANDOM_OCTETS = bytes([0x80, 0x00, 0x7E, 0xD9, 0x05])
"""How the id begins: the number for examples with the first bit set, and a 5 for "octets follow" (RFC 3411)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """``boots``: 1 at the very first start."""

    engine_id: bytes
    boots: int


class EngineIdentity:
    """Taken once a process, when it first speaks SNMP; the lock on its file lasts as long as the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: int | None = None

    def take(self) -> Identity:
        """Raises :class:`ChannelError` where nothing can be kept: without it version 3 would be refused later."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for number in range(1, _PROCESSES + 1):
                path = self._folder / f"snmp-engine-{number}.json"
                if self._locked(path):
                    return _next_start(path)
        except OSError as error:
            raise ChannelError(
                f"the data folder does not keep who this controller is to SNMP ({error.strerror or error}): "
                "give HOSTFENCE_DATA_DIR a folder this user can write",
                permanent=False,
                channel_down=True,
                not_taken=True,
            ) from error
        raise ChannelError(
            "too many controllers share one data folder", permanent=False, channel_down=True, not_taken=True
        )

    def _locked(self, path: Path) -> bool:
        file = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._lock = file
        return True

    def give_back(self) -> None:
        """At the end of the process."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _next_start(path: Path) -> Identity:
    before = _read(path)
    if before is None or before.boots >= _HIGHEST_BOOTS:
        now = Identity(engine_id=_RANDOM_OCTETS + secrets.token_bytes(8), boots=1)
    else:
        now = Identity(engine_id=before.engine_id, boots=before.boots + 1)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"engine_id": now.engine_id.hex(), "boots": now.boots}) + "\n")
    partial.replace(path)
    return now


def _read(path: Path) -> Identity | None:
    try:
        kept = json.loads(path.read_text())
        return Identity(engine_id=bytes.fromhex(kept["engine_id"]), boots=int(kept["boots"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None  # a new id: receivers that want to know it have to be told, which the test of a channel shows
