"""Is this controller process fit for work? Judged from what it knows of itself; each ailment has a code and a remedy.

Not about hosts: what stands against fencing one of them stands in :mod:`controller.domain.gates`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Ailment(StrEnum):
    """Why a controller process is not ready."""

    STARTING = "starting"
    DATABASE_UNAVAILABLE = "database_unavailable"
    DATABASE_READ_ONLY = "database_read_only"
    DATABASE_SCHEMA = "database_schema"
    CLOCK_UNKNOWN = "clock_unknown"
    ENGINE_STUCK = "engine_stuck"
    NOTIFIER_STUCK = "notifier_stuck"


@dataclass(frozen=True, slots=True)
class About:
    """An ailment for people."""

    means: str
    do: str


AILMENTS: dict[Ailment, About] = {
    Ailment.STARTING: About(
        "The process has not done its first round of work yet.",
        "Wait some seconds. If it stays, its log says what it waits for.",
    ),
    Ailment.DATABASE_UNAVAILABLE: About(
        "PostgreSQL does not answer. No new fencing is begun; what was begun is taken up again when it does.",
        "Look at the PostgreSQL server and at the network to it. Restarting the controller does not help.",
    ),
    Ailment.DATABASE_READ_ONLY: About(
        "PostgreSQL answers but takes no writes: a standby, or a server that was set to read only or ran out of disk.",
        "Point HOSTFENCE_DATABASE_URL at the primary; see that the failover has ended and the disk has room.",
    ),
    Ailment.DATABASE_SCHEMA: About(
        "The database's tables are those of another version of hostfence.",
        "Run `hostfence-controller db upgrade` with the newest version installed, and bring every controller to it.",
    ),
    Ailment.CLOCK_UNKNOWN: About(
        "PostgreSQL answers, but too slowly to tell the time by it, and nothing is decided without the time.",
        "Look at the load of the PostgreSQL server and at the network to it.",
    ),
    Ailment.ENGINE_STUCK: About(
        "A loop of the engine has not got through its work for longer than it may take.",
        "Look in the log for `loop failed` and for what the loop named says; restart this process if nothing moves."
        " Other controllers take its incidents over by themselves.",
    ),
    Ailment.NOTIFIER_STUCK: About(
        "Messages to people are not being sent by this process: its notifier has not got through for minutes.",
        "Look in the log for `notification`; restart this process if nothing moves. Nothing is lost, only late.",
    ),
}
"""Every ailment in words (checked by a test); ``docs/monitoring.md`` is generated from this."""

NOTIFIER = "notifier"
"""The loop that sends messages: fencing does not wait for it, so it is told apart from the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopState:
    """One loop. ``since_well_s``: since it last got through a beat, or showed progress in a long one.

    ``beats``: those that ended, ``failed`` ones included.

    ``may_take_s`` None: nobody is kept waiting by this loop, however long it takes.
    """

    name: str
    beats: int
    failed: int = 0
    since_well_s: float
    may_take_s: float | None


class DatabaseState(StrEnum):
    """What became of asking the database for its tables' version."""

    FITS = "fits"
    AWAY = "away"
    READ_ONLY = "read_only"
    OTHER_SCHEMA = "other_schema"


_OF_DATABASE: dict[DatabaseState, Ailment | None] = {
    DatabaseState.FITS: None,
    DatabaseState.AWAY: Ailment.DATABASE_UNAVAILABLE,
    DatabaseState.READ_ONLY: Ailment.DATABASE_READ_ONLY,
    DatabaseState.OTHER_SCHEMA: Ailment.DATABASE_SCHEMA,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One ailment; ``detail`` says what exactly."""

    code: Ailment
    detail: str


def findings(
    database: DatabaseState, loops: Iterable[LoopState], *, clock_said: str, started: bool
) -> tuple[Finding, ...]:
    """Everything that is wrong with the process, none hiding another; empty: it is ready.

    ``clock_said``: why the time is not known, empty when it is. ``started``: all its loops run.
    """
    found = _database(database)
    if not found and clock_said:
        found.append(Finding(code=Ailment.CLOCK_UNKNOWN, detail=clock_said))
    watched = [loop for loop in loops if loop.may_take_s is not None]
    late = [loop for loop in watched if loop.may_take_s is not None and loop.since_well_s > loop.may_take_s]
    if not started or any(not loop.beats for loop in watched if loop not in late):
        found.append(Finding(code=Ailment.STARTING, detail=AILMENTS[Ailment.STARTING].means))
    if engine := [loop for loop in late if loop.name != NOTIFIER]:
        found.append(Finding(code=Ailment.ENGINE_STUCK, detail=_named(engine)))
    if notifier := [loop for loop in late if loop.name == NOTIFIER]:
        found.append(Finding(code=Ailment.NOTIFIER_STUCK, detail=_named(notifier)))
    return tuple(found)


def _database(state: DatabaseState) -> list[Finding]:
    code = _OF_DATABASE[state]
    return [Finding(code=code, detail=AILMENTS[code].means)] if code is not None else []


def _named(loops: Iterable[LoopState]) -> str:
    return "; ".join(f"{loop.name} has not got through for {loop.since_well_s:.0f} s" for loop in loops)
