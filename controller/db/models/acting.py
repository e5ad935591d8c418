"""Intents and what became of them: power commands and other side effects (rule 8)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.models.base import Base
from controller.db.types import Instant, Json, Line, Word
from controller.domain.model import EffectKind, EffectStatus
from controller.domain.power import Accepted, PowerAction, PowerCode


class Attempts(Base):
    """See :class:`controller.domain.model.Attempt`."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix__attempts__unfinished", "intended_at", postgresql_where=text("finished_at IS NULL")),)

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    host_id: Mapped[str] = mapped_column(Line)
    cluster_id: Mapped[str] = mapped_column(Line)
    incident_id: Mapped[str | None] = mapped_column(Line, ForeignKey("incidents.id"), index=True)
    action: Mapped[PowerAction] = mapped_column(Word(PowerAction))
    bmc_identity: Mapped[str] = mapped_column(Line)
    actor: Mapped[str] = mapped_column(Line)
    automatic: Mapped[bool]
    takes_slot: Mapped[bool]
    intended_at: Mapped[datetime] = mapped_column(Instant, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    accepted: Mapped[Accepted | None] = mapped_column(Word(Accepted))
    code: Mapped[PowerCode] = mapped_column(Word(PowerCode))
    said: Mapped[str] = mapped_column(Line)


class Effects(Base):
    """See :class:`controller.domain.model.Effect`."""

    __tablename__ = "effects"
    __table_args__ = (Index("ix__effects__next_try_at", "next_try_at", postgresql_where=text("status = 'intended'")),)

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    host_id: Mapped[str] = mapped_column(Line, index=True)
    incident_id: Mapped[str | None] = mapped_column(Line, ForeignKey("incidents.id"))
    kind: Mapped[EffectKind] = mapped_column(Word(EffectKind))
    intended_at: Mapped[datetime] = mapped_column(Instant)
    next_try_at: Mapped[datetime | None] = mapped_column(Instant)
    give_up_at: Mapped[datetime] = mapped_column(Instant)
    status: Mapped[EffectStatus] = mapped_column(Word(EffectStatus))
    tries: Mapped[int]
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    said: Mapped[str] = mapped_column(Line)
    earlier: Mapped[str] = mapped_column(Line)
    progress: Mapped[dict[str, Any]] = mapped_column(Json)


class DeviceTurns(Base):
    """Who talks to a power device until when, and which command waits for it; see :mod:`controller.db.turns`."""

    __tablename__ = "device_turns"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    device: Mapped[str] = mapped_column(Line, primary_key=True)
    holder: Mapped[str] = mapped_column(Line)
    until: Mapped[datetime] = mapped_column(Instant)
    commanded_at: Mapped[datetime] = mapped_column(Instant)
    wanted_by: Mapped[str] = mapped_column(Line)
    wanted_until: Mapped[datetime] = mapped_column(Instant)
