"""Tells a database that lost what was committed in it: restored from a backup, or failed over to a stale copy. Pure.

Two things give it away: its rows say that they were written in another place than where they lie now (a dump loaded
into a new database), or a controller remembers, outside of it, a sign of life that is not there (a physical backup).
Carries rules 5 and 9 over a restore: what was sent and counted since the backup is not known any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from controller.domain.model import ControllerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseIdentity:
    """Which database this is. ``id``: given by the first controller that ever started on it ("": none did yet).

    ``place``: the server and the tables it was in when a controller last said so; ``place_now``: where it is now.
    """

    id: str
    place: str
    place_now: str

    @property
    def moved(self) -> bool:
        """True when its rows were carried here from elsewhere."""
        return bool(self.id) and self.place != self.place_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a controller knows to have been committed: its sign of life at ``alive_at`` (hostfence time)."""

    database_id: str
    controller_id: str
    alive_at: datetime


def has_lost(
    identity: DatabaseIdentity, rows: Iterable[ControllerRow], remembered: Remembered | None, *, starting: bool
) -> bool:
    """True when commits are missing. ``starting``: memories of another database are then none of this one's business.

    A process that runs meets another database only when somebody has put one in the place of its own.
    """
    if identity.moved:
        return True
    if remembered is None:
        return False
    if remembered.database_id != identity.id:
        return not starting
    mine = next((row for row in rows if row.id == remembered.controller_id), None)
    return mine is None or mine.alive_at < remembered.alive_at
