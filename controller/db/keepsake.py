"""What a controller keeps outside of the database, to know a restored one by: its newest committed sign of life.

Carries rule 9: a memory that is written after the commit is never ahead of an unharmed database.
"""

import asyncio
import json
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Protocol

import structlog

from controller.domain.restored import Remembered

log = structlog.get_logger(__name__)

FILE = "last-alive.json"

LONGEST_S = 2.0
"""A disk that hangs must not keep a power command waiting."""


class Keepsake(Protocol):
    """The memory of one controller, over its restarts as far as it can be had."""

    async def recall(self) -> Remembered | None:
        """The newest that was kept; None when there is none, or it can't be read."""
        ...

    async def keep(self, remembered: Remembered) -> None:
        """Remember. Never raises for a folder that takes no files: then it lasts as long as the process."""
        ...


class ProcessMemory:
    """Lasts as long as the process."""

    def __init__(self) -> None:
        self._remembered: Remembered | None = None

    async def recall(self) -> Remembered | None:
        """See :class:`Keepsake`."""
        return self._remembered

    async def keep(self, remembered: Remembered) -> None:
        """See :class:`Keepsake`."""
        self._remembered = remembered


class FileKeepsake:
    """Lasts in a file of the data folder. Controllers that share the folder overwrite each other: each is as good."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._remembered: Remembered | None = None
        self._told = False

    @property
    def lasts(self) -> bool:
        """False once the folder took no file."""
        return not self._told

    async def recall(self) -> Remembered | None:
        """See :class:`Keepsake`. A process remembers its own; the file tells only what was before it."""
        if self._remembered is None:
            self._remembered = await asyncio.to_thread(_read, self.path)
        return self._remembered

    async def keep(self, remembered: Remembered) -> None:
        """See :class:`Keepsake`."""
        self._remembered = remembered
        try:
            await asyncio.wait_for(asyncio.to_thread(_write, self.path, remembered), LONGEST_S)
        except OSError as error:  # a time-out is one too
            if not self._told:
                log.warning(
                    "cannot keep a sign of life outside of the database: one restored from a physical backup while no"
                    " controller runs will not be noticed; give HOSTFENCE_DATA_DIR a folder this user can write",
                    path=str(self.path),
                    error=error.strerror or repr(error),
                )
            self._told = True


def _read(path: Path) -> Remembered | None:
    try:
        kept = json.loads(path.read_text())
        return Remembered(
            database_id=str(kept["database_id"]),
            controller_id=str(kept["controller_id"]),
            alive_at=datetime.fromisoformat(kept["alive_at"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("cannot read what was kept outside of the database", path=str(path), error=repr(error))
        return None


def _write(path: Path, remembered: Remembered) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        "database_id": remembered.database_id,
        "controller_id": remembered.controller_id,
        "alive_at": remembered.alive_at.isoformat(),
    }
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        partial.write_text(json.dumps(kept) + "\n")
        os.replace(partial, path)  # noqa: PTH105 - atomic by name
    finally:
        partial.unlink(missing_ok=True)
