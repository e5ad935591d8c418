"""What was seen of the heartbeats, kept over a restart of the agent.

Without it a witness that is upgraded in the middle of an incident, or the day before, could not say any more that it
had seen the silent host's heartbeat moving. Times are boot-time seconds, so what an earlier boot left is not read. It
is a hint for the next start and never more: a file that is missing, torn or foreign is nothing.
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from probe_agent.boot import read_boot_id
from probe_agent.sampling import Sample
from probe_agent.tracker import PoolTrack, Track

FORMAT = 1
KEPT_EVERY_S = 10.0
_NAME = "heartbeats.json"

_log = logging.getLogger(__name__)


class Recollection:
    """One file in a folder of the agent's own that no pool can make hang (``/run``); without a folder, nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / _NAME if folder else None
        self._said = False

    def keep(self, pools: Iterable[PoolTrack]) -> None:
        """Write it anew. Never raises: the agent is more than its memory."""
        if self._file is None:
            return
        known = {pool.root: [_told(t) for t in pool.tracks.values() if t.good is not None] for pool in pools}
        text = json.dumps({"format": FORMAT, "boot": read_boot_id(None), "pools": known}, separators=(",", ":"))
        fresh = self._file.with_suffix(".new")
        try:
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._file)
        except OSError as error:
            if not self._said:
                _log.warning("what is seen of heartbeats is not kept over a restart: %s", error)
            self._said = True

    def recall(self) -> dict[str, dict[str, Track]]:
        """Tracks by pool root and host id, as they were when kept in this boot of the machine."""
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8")) if self._file else {}
            if not kept or kept["format"] != FORMAT or kept["boot"] != read_boot_id(None):
                return {}
            return {
                str(root): {track.last.name: track for track in map(_recalled, tracks)}
                for root, tracks in kept["pools"].items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            _log.warning("what was seen of heartbeats before is not readable: %s", error)
            return {}


def _told(track: Track) -> list[Any]:
    return [track.since, track.good, track.moved_at, sorted(track.left_boots), track.disputed_at]


def _recalled(told: list[Any]) -> Track:
    since, good, moved_at, left_boots, disputed_at = told
    name, at, code, detail, boot_id, counter, withdrawn = good
    if code is not None:
        raise ValueError("a failed look was kept")
    sample = Sample(str(name), float(at), None, str(detail), str(boot_id), int(counter), bool(withdrawn))
    return Track(
        since=float(since),
        last=sample,
        good=sample,
        moved_at=None if moved_at is None else float(moved_at),
        left_boots={str(boot) for boot in left_boots},
        disputed_at=None if disputed_at is None else float(disputed_at),
    )
