"""API tokens (digests only), the audit trail, the controllers, and the base of hostfence time."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Interval, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.models.base import Base
from controller.db.types import Instant, Json, Line, Word
from controller.domain.model import Role


class ApiTokens(Base):
    """See :class:`controller.domain.model.ApiToken`."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    name: Mapped[str] = mapped_column(Line, unique=True)
    role: Mapped[Role] = mapped_column(Word(Role))
    digest: Mapped[str] = mapped_column(Line, unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class Audit(Base):
    """See :class:`controller.domain.model.AuditRow`."""

    __tablename__ = "audit"

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant, index=True)
    actor: Mapped[str] = mapped_column(Line)
    action: Mapped[str] = mapped_column(Line)
    target: Mapped[str] = mapped_column(Line)
    data: Mapped[dict[str, Any]] = mapped_column(Json)


class Controllers(Base):
    """See :class:`controller.domain.model.ControllerRow`."""

    __tablename__ = "controllers"

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    started_at: Mapped[datetime] = mapped_column(Instant)
    alive_at: Mapped[datetime] = mapped_column(Instant)
    version: Mapped[str] = mapped_column(Line)


class DatabaseIdentities(Base):
    """At most one row: see :class:`controller.domain.restored.DatabaseIdentity`."""

    __tablename__ = "database_identity"
    __table_args__ = (CheckConstraint("one = 1", name="one_row"),)

    one: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Line)
    place: Mapped[str] = mapped_column(Line)


class TimeBase(Base):
    """One row: see :class:`controller.domain.steady.Base`."""

    __tablename__ = "time_base"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    correction: Mapped[timedelta] = mapped_column(Interval)
    epoch: Mapped[int] = mapped_column(BigInteger)
    high_water: Mapped[datetime | None] = mapped_column(Instant)
