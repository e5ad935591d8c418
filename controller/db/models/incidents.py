"""Incidents with their schedule and lease, their append-only timeline and rounds.

Incidents name hosts and clusters without a foreign key: history outlives the inventory.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.models.base import Base
from controller.db.types import Body, Instant, Json, Line, Word, Words
from controller.domain.incident import Incident, State
from controller.domain.reasons import Reason

OPEN = text("open")


class Incidents(Base):
    """``body`` is the whole :class:`~controller.domain.incident.Incident`; the columns are what is searched by."""

    __tablename__ = "incidents"
    __table_args__ = (
        Index("uq__incidents__host_id", "host_id", unique=True, postgresql_where=OPEN),
        Index("ix__incidents__next_step_at", "next_step_at", postgresql_where=OPEN),
        Index("ix__incidents__opened_at", "opened_at"),
        Index("ix__incidents__host_id_opened_at", "host_id", "opened_at"),
        Index("ix__incidents__cluster_id_closed_at", "cluster_id", "closed_at"),
    )

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    host_id: Mapped[str] = mapped_column(Line)
    cluster_id: Mapped[str] = mapped_column(Line)
    state: Mapped[State] = mapped_column(Word(State))
    open: Mapped[bool]
    opened_at: Mapped[datetime] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    next_step_at: Mapped[datetime | None] = mapped_column(Instant)
    lease_token: Mapped[str | None] = mapped_column(Line)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    body: Mapped[Incident] = mapped_column(Body(Incident))


class Events(Base):
    """See :class:`controller.domain.model.Event`. ``seq`` keeps the order of one moment's events."""

    __tablename__ = "events"
    __table_args__ = (Index("ix__events__incident_id_seq", "incident_id", "seq"),)

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    incident_id: Mapped[str] = mapped_column(Line, ForeignKey("incidents.id"))
    at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(Line)
    text: Mapped[str] = mapped_column(Line)
    actor: Mapped[str] = mapped_column(Line)
    from_state: Mapped[str] = mapped_column(Line)
    to_state: Mapped[str] = mapped_column(Line)
    reasons: Mapped[tuple[Reason, ...]] = mapped_column(Words(Reason))
    data: Mapped[dict[str, Any]] = mapped_column(Json)


class Rounds(Base):
    """See :class:`controller.domain.model.RoundRecord`."""

    __tablename__ = "rounds"
    __table_args__ = (PrimaryKeyConstraint("incident_id", "number", name="pk__rounds__number"),)

    incident_id: Mapped[str] = mapped_column(Line, ForeignKey("incidents.id"))
    number: Mapped[int]
    at: Mapped[datetime] = mapped_column(Instant)
    verdict: Mapped[str] = mapped_column(Line)
    reasons: Mapped[tuple[Reason, ...]] = mapped_column(Words(Reason))
    counted: Mapped[int]
    evidence: Mapped[dict[str, Any]] = mapped_column(Json)
