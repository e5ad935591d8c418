"""People who sign in, and their sessions, as plain values. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.domain.model import Role

IDLE = timedelta(hours=8)
"""Without a person's doing (what a page fetches by itself does not count) a session ends."""

LASTS = timedelta(days=7)
"""However busy, it ends after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody with a name and a password; only the password's hash is kept."""

    id: str
    name: str
    role: Role
    password: str = field(repr=False)
    created_at: datetime
    password_set_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One signed-in browser: of a user, or of whoever has a token. Only the SHA-256 of its cookie is kept.

    ``address`` and ``browser`` are what the browser said when it signed in, for its owner to know it by.
    """

    id: str
    digest: str = field(repr=False)
    user_id: str | None
    token_id: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str = ""
    browser: str = ""

    def over(self, now: datetime) -> bool:
        """True once it is worth nothing any more."""
        return now >= self.expires_at or now - self.seen_at >= IDLE
