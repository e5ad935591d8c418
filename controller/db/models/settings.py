"""Settings and pauses, each at a level; those of a cluster or host go with it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.models.base import Base
from controller.db.types import Instant, Json, Line, Sealed, Word
from controller.domain.model import Level

_CLUSTER = "CASE WHEN level = 'cluster' THEN owner_id END"
_HOST = "CASE WHEN level = 'host' THEN owner_id END"

IS_DEVICE = text("field IN ('ipmi.host', 'second.host')")


class Settings(Base):
    """See :class:`controller.domain.model.SettingRow`. Secrets are in ``sealed``, everything else in ``value``."""

    __tablename__ = "settings"
    __table_args__ = (
        PrimaryKeyConstraint("level", "owner_id", "field"),
        CheckConstraint("level <> 'global' OR owner_id = ''", name="owner_id"),
        CheckConstraint("(value IS NULL) <> (sealed IS NULL)", name="value_or_sealed"),
        Index("ix__settings__device", "value", postgresql_where=IS_DEVICE),
    )

    level: Mapped[Level] = mapped_column(Word(Level))
    owner_id: Mapped[str] = mapped_column(Line)
    field: Mapped[str] = mapped_column(Line)
    value: Mapped[Any | None] = mapped_column(Json)
    sealed: Mapped[bytes | None] = mapped_column(Sealed)
    cluster_id: Mapped[str | None] = mapped_column(
        Line,
        Computed(_CLUSTER, persisted=True),
        ForeignKey("clusters.id", ondelete="CASCADE", name="fk__settings__owner_id"),
    )
    host_id: Mapped[str | None] = mapped_column(
        Line,
        Computed(_HOST, persisted=True),
        ForeignKey("hosts.id", ondelete="CASCADE", name="fk__settings_host__owner_id"),
    )


class Pauses(Base):
    """See :class:`controller.domain.model.Pause`."""

    __tablename__ = "pauses"
    __table_args__ = (CheckConstraint("level <> 'global' OR owner_id = ''", name="owner_id"),)

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    level: Mapped[Level] = mapped_column(Word(Level))
    owner_id: Mapped[str] = mapped_column(Line)
    reason: Mapped[str] = mapped_column(Line)
    by: Mapped[str] = mapped_column(Line)
    created_at: Mapped[datetime] = mapped_column(Instant)
    until: Mapped[datetime | None] = mapped_column(Instant)
    lifted_at: Mapped[datetime | None] = mapped_column(Instant)
    lifted_by: Mapped[str] = mapped_column(Line)
    cluster_id: Mapped[str | None] = mapped_column(
        Line,
        Computed(_CLUSTER, persisted=True),
        ForeignKey("clusters.id", ondelete="CASCADE", name="fk__pauses__owner_id"),
    )
    host_id: Mapped[str | None] = mapped_column(
        Line,
        Computed(_HOST, persisted=True),
        ForeignKey("hosts.id", ondelete="CASCADE", name="fk__pauses_host__owner_id"),
    )
