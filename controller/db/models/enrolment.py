"""The agents' certificate authority, and the join tokens not used yet (digests only)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.models.base import Base
from controller.db.types import Instant, Line, Sealed


class Authorities(Base):
    """At most one row: see :class:`controller.domain.enrolment.Authority`; the key is sealed."""

    __tablename__ = "authority"
    __table_args__ = (CheckConstraint("one = 1", name="one_row"),)

    one: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    certificate: Mapped[str] = mapped_column(Line)
    key: Mapped[bytes] = mapped_column(Sealed)


class JoinTokens(Base):
    """See :class:`controller.domain.enrolment.JoinToken`."""

    __tablename__ = "join_tokens"

    host_id: Mapped[str] = mapped_column(Line, ForeignKey("hosts.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(Line)
    expires_at: Mapped[datetime] = mapped_column(Instant)
