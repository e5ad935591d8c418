"""Intents of power commands and other side effects, and the guard they are made under."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, bindparam, func, select

from controller.db.mapping import Mapping
from controller.db.models import Attempts, Effects
from controller.db.session import Repository
from controller.domain.model import Attempt, Effect, EffectStatus

ATTEMPTS = Mapping(Attempt, Attempts)
EFFECTS = Mapping(Effect, Effects)

_ATTEMPTS = ATTEMPTS.select().order_by(ATTEMPTS.c.intended_at, ATTEMPTS.c.seq)
_SINCE = _ATTEMPTS.where(ATTEMPTS.c.intended_at > bindparam("since"))
_UNFINISHED = _ATTEMPTS.where(ATTEMPTS.c.finished_at.is_(None))
_DUE = (
    EFFECTS.select()
    .where(EFFECTS.c.status == EffectStatus.INTENDED, EFFECTS.c.next_try_at <= bindparam("now"))
    .order_by(EFFECTS.c.next_try_at, EFFECTS.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)

GUARD = 0x686F7374_66656E63
"""Any number, the same for every controller ("hostfenc"): PostgreSQL's advisory locks are told apart by numbers."""


class ActingRepository(Repository):
    """Part of :class:`controller.db.store.Tx`."""

    async def guard(self) -> None:
        """See the port. The lock ends with the transaction, however that ends."""
        await self._session.run(select(func.pg_advisory_xact_lock(GUARD)))

    async def add_attempt(self, attempt: Attempt) -> None:
        """See the port."""
        await self._session.run(ATTEMPTS.inserting, ATTEMPTS.values(attempt))
        self._session.written.append(attempt)

    async def save_attempt(self, attempt: Attempt) -> None:
        """See the port."""
        await self._session.must_touch(ATTEMPTS.updating, f"attempt {attempt.id}", ATTEMPTS.changes(attempt))
        self._session.written.append(attempt)

    async def attempt(self, attempt_id: str) -> Attempt | None:
        """See the port."""
        found = await self._attempts(ATTEMPTS.c.id == attempt_id)
        return found[0] if found else None

    async def attempts_of(self, incident_id: str) -> list[Attempt]:
        """See the port."""
        return await self._attempts(ATTEMPTS.c.incident_id == incident_id)

    async def attempts_since(self, since: datetime) -> list[Attempt]:
        """See the port."""
        return _attempts(await self._session.all(_SINCE, {"since": since}))

    async def attempts_unfinished(self) -> list[Attempt]:
        """See the port."""
        return _attempts(await self._session.all(_UNFINISHED))

    async def _attempts(self, which: ColumnElement[bool]) -> list[Attempt]:
        return _attempts(await self._session.all(_ATTEMPTS.where(which)))

    async def add_effect(self, effect: Effect) -> None:
        """See the port."""
        await self._session.run(EFFECTS.inserting, EFFECTS.values(effect))
        self._session.written.append(effect)

    async def save_effect(self, effect: Effect) -> None:
        """See the port."""
        await self._session.must_touch(EFFECTS.updating, f"effect {effect.id}", EFFECTS.changes(effect))
        self._session.written.append(effect)

    async def effects_due(self, *, now: datetime, limit: int) -> list[Effect]:
        """See the port."""
        return [EFFECTS.entity(row) for row in await self._session.all(_DUE, {"now": now, "most": limit})]

    async def effects_of(self, *, host_id: str) -> list[Effect]:
        """See the port."""
        mine = EFFECTS.select().where(EFFECTS.c.host_id == host_id)
        rows = await self._session.all(mine.order_by(EFFECTS.c.intended_at, EFFECTS.c.seq))
        return [EFFECTS.entity(row) for row in rows]


def _attempts(rows: Sequence[RowMapping]) -> list[Attempt]:
    return [ATTEMPTS.entity(row) for row in rows]
