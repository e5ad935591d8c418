"""People who sign in, and their sessions (digests only)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.models.base import Base
from controller.db.types import Instant, Line, Word
from controller.domain.model import Role


class Users(Base):
    """See :class:`controller.domain.sign_in.User`."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    name: Mapped[str] = mapped_column(Line, unique=True)
    role: Mapped[Role] = mapped_column(Word(Role))
    password: Mapped[str] = mapped_column(Line)
    created_at: Mapped[datetime] = mapped_column(Instant)
    password_set_at: Mapped[datetime] = mapped_column(Instant)
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)


class Sessions(Base):
    """See :class:`controller.domain.sign_in.Session`."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("(user_id IS NULL) <> (token_id IS NULL)", name="whose"),)

    id: Mapped[str] = mapped_column(Line, primary_key=True)
    digest: Mapped[str] = mapped_column(Line, unique=True)
    user_id: Mapped[str | None] = mapped_column(Line, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_id: Mapped[str | None] = mapped_column(Line, ForeignKey("api_tokens.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    address: Mapped[str] = mapped_column(Line)
    browser: Mapped[str] = mapped_column(Line)
