"""Whose turn it is at a power device, over all controllers on one database: a row a device, held for a few seconds.

Reads of one controller must not meet another's: real BMCs answer "busy" then, which is an *unknown* in the middle of a
proof; and commands of all of them keep their distance. A holder that died is waited for as long as its operation could
have lasted, no longer. The table is unlogged: after a crash of the database every device is free.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Boolean, Executable, and_, bindparam, case, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from controller.db.errors import store_errors
from controller.db.models.acting import DeviceTurns
from controller.db.store import Clock, StoreError

log = structlog.get_logger(__name__)

WANTED_FOR = timedelta(seconds=1)
"""So long a command that was refused keeps reads away from the device; it asks again ten times a second."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

_MINE = DeviceTurns.holder == bindparam("me")
_FREE = or_(DeviceTurns.until <= bindparam("now"), _MINE)
_WANTED_BY_ME = DeviceTurns.wanted_by == bindparam("me")
_UNWANTED = or_(DeviceTurns.wanted_until <= bindparam("now"), _WANTED_BY_ME)
_APART = DeviceTurns.commanded_at <= bindparam("quiet_since")
_TAKE = (
    insert(DeviceTurns)
    .values(
        device=bindparam("of"),
        holder=bindparam("me"),
        until=bindparam("end"),
        commanded_at=_LONG_AGO,
        wanted_by="",
        wanted_until=_LONG_AGO,
    )
    .on_conflict_do_update(
        index_elements=[DeviceTurns.device],
        set_={
            "holder": bindparam("me"),
            "until": bindparam("end"),
            "wanted_until": case((_WANTED_BY_ME, _LONG_AGO), else_=DeviceTurns.wanted_until),
        },
        where=and_(_FREE, case((bindparam("commands", type_=Boolean), _APART), else_=_UNWANTED)),
    )
)
_WANT = (
    update(DeviceTurns)
    .where(DeviceTurns.device == bindparam("of"), _UNWANTED)
    .values(wanted_by=bindparam("me"), wanted_until=bindparam("wanted"))
)
_GIVE_BACK = update(DeviceTurns).where(DeviceTurns.device == bindparam("of"), _MINE).values(until=_LONG_AGO)
_GIVE_BACK_AFTER_A_COMMAND = _GIVE_BACK.values(commanded_at=bindparam("now"))


class PostgresTurns:
    """Implements :class:`controller.power.gate.Turns`. ``holder``: this controller process."""

    def __init__(self, engine: AsyncEngine, clock: Clock, *, holder: str) -> None:
        """``engine``: of :func:`controller.db.engine.make_engine`; its maker disposes of it."""
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")  # one statement each
        self._clock = clock
        self._holder = holder
        self._returning: dict[str, asyncio.Task[None]] = {}
        self._said = ""

    async def take(self, device: str, *, for_s: float, apart_s: float | None) -> bool:
        """One statement: of two controllers that ask in the same moment one gets it. False without a database."""
        if (returning := self._returning.get(device)) is not None:
            await asyncio.wait({returning})  # else it would give back what is taken now
        try:
            now = await self._clock.now()
            values = {
                "of": device,
                "now": now,
                "end": now + timedelta(seconds=for_s),
                "commands": apart_s is not None,
                "quiet_since": now - timedelta(seconds=apart_s or 0),
            }
            taken = await self._run(_TAKE, values)
            if not taken and apart_s is not None:
                await self._run(_WANT, {"of": device, "now": now, "wanted": now + WANTED_FOR})
        except StoreError as error:
            self._say(f"the database gives no turns at power devices: {error}")
            return False
        self._said = ""
        return taken

    async def give_back(self, device: str, *, commanded: bool) -> None:
        """Not waited for: a database that hangs must not hold up what was read. The turn ends by itself anyway."""
        task = asyncio.create_task(self._give_back(device, commanded=commanded))
        self._returning[device] = task
        task.add_done_callback(lambda _: self._returning.pop(device, None))

    async def aclose(self) -> None:
        """Wait until everything is given back."""
        if self._returning:
            await asyncio.wait(set(self._returning.values()))

    async def _give_back(self, device: str, *, commanded: bool) -> None:
        try:
            if commanded:
                await self._run(_GIVE_BACK_AFTER_A_COMMAND, {"of": device, "now": await self._clock.now()})
            else:
                await self._run(_GIVE_BACK, {"of": device})
        except StoreError as error:
            self._say(f"a turn at a power device is left to end by itself: {error}")

    def _say(self, trouble: str) -> None:
        """Once for a trouble that lasts: a turn is asked for ten times a second."""
        if trouble != self._said:
            self._said = trouble
            log.warning(trouble)

    async def _run(self, statement: Executable, values: dict[str, object]) -> bool:
        """True when a row was written."""
        with store_errors():
            async with self._engine.connect() as connection:
                done = await connection.execute(statement, {**values, "me": self._holder})
                return bool(done.rowcount > 0)
