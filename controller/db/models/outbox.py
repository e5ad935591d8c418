"""Notices and their deliveries: written with the change they tell of, sent later."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.models.base import Base
from controller.db.types import Instant, Line, Word, Words
from controller.domain.model import DeliveryStatus, Severity
from controller.domain.reasons import Reason


class Notices(Base):
    """See :class:`controller.domain.model.Notice`."""

    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    key: Mapped[str] = mapped_column(Line, unique=True)
    at: Mapped[datetime] = mapped_column(Instant, index=True)
    kind: Mapped[str] = mapped_column(Line)
    severity: Mapped[Severity] = mapped_column(Word(Severity))
    incident_id: Mapped[str | None] = mapped_column(Line, ForeignKey("incidents.id"), index=True)
    host_id: Mapped[str | None] = mapped_column(Line)
    cluster_id: Mapped[str | None] = mapped_column(Line)
    host_name: Mapped[str] = mapped_column(Line)
    what: Mapped[str] = mapped_column(Line)
    why: Mapped[tuple[Reason, ...]] = mapped_column(Words(Reason))
    next: Mapped[str] = mapped_column(Line)
    how_to_stop: Mapped[str] = mapped_column(Line)


class Deliveries(Base):
    """See :class:`controller.domain.model.Delivery`."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("uq__deliveries__channel", "notice_id", "channel", unique=True),
        Index("ix__deliveries__next_try_at", "next_try_at", postgresql_where=text("status = 'pending'")),
        Index("ix__deliveries__dead", "channel", postgresql_where=text("status = 'dead'")),
        Index("ix__deliveries__sent_at", "channel", "sent_at", postgresql_where=text("status = 'sent'")),
        Index("ix__deliveries__digest_id", "digest_id", postgresql_where=text("status = 'in_digest'")),
    )

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    notice_id: Mapped[str] = mapped_column(Line, ForeignKey("notices.id"))
    channel: Mapped[str] = mapped_column(Line)
    status: Mapped[DeliveryStatus] = mapped_column(Word(DeliveryStatus))
    next_try_at: Mapped[datetime | None] = mapped_column(Instant)
    tries: Mapped[int]
    last_error: Mapped[str] = mapped_column(Line)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    digest_id: Mapped[str | None] = mapped_column(Line, ForeignKey("notices.id"))
    resent_at: Mapped[datetime | None] = mapped_column(Instant)
    doubtful: Mapped[bool]
