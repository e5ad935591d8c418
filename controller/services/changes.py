"""One change of our data: a short transaction that cannot interleave with an intent, and its audit row."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

from controller.db.store import Conflict, Store, Tx
from controller.domain.model import AuditRow
from controller.services.errors import BadInput, Refused

_LONGEST_NAME = 255


@asynccontextmanager
async def changing(store: Store) -> AsyncIterator[Tx]:
    """A transaction serialised with every intent: its change holds for the next one, and no earlier one is half done.

    A broken unique rule comes out as :class:`Refused`.
    """
    try:
        async with store.transaction() as tx:
            await tx.guard()
            yield tx
    except Conflict as conflict:
        raise Refused(str(conflict), code="conflict", field=conflict.field) from conflict


async def record(tx: Tx, *, at: datetime, actor: str, action: str, target: str, **data: Any) -> None:
    """Write who changed what. ``data`` must hold no secret."""
    await tx.add_audit(AuditRow(id=new_id(), at=at, actor=actor, action=action, target=target, data=data))


def new_id() -> str:
    """An id nobody has used."""
    return str(uuid4())


def checked_name(text: str, *, field: str = "name") -> str:
    """``text`` as a name that can stand in an address bar and a log line."""
    name = text.strip()
    if not name or len(name) > _LONGEST_NAME or "/" in name or not name.isprintable():
        raise BadInput(
            f"{field} must have 1 to {_LONGEST_NAME} printable characters and no slash", code="bad_name", field=field
        )
    return name


def checked_reason(text: str) -> str:
    """``text`` as the reason a person gives; never empty, because somebody will read it at night."""
    reason = text.strip()
    if not reason or len(reason) > 1000:
        raise BadInput("say why, in at most 1000 characters", code="reason_needed", field="reason")
    return reason
