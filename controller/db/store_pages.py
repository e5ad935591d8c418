"""What the web pages need of a transaction besides what the engine needs; part of :class:`controller.db.store.Tx`."""

from datetime import datetime
from typing import Protocol

from controller.domain.marks import Mark
from controller.domain.model import ApiToken
from controller.domain.sign_in import Session, User


class PagesTx(Protocol):
    """People who sign in, their sessions, and what was changed."""

    async def users(self) -> list[User]:
        """All, the disabled ones too, by name."""
        ...

    async def user(self, user_id: str) -> User | None:
        """One user."""
        ...

    async def user_by_name(self, name: str) -> User | None:
        """The one with exactly this name."""
        ...

    async def save_user(self, user: User) -> None:
        """Insert or update; :class:`Conflict` on the name."""
        ...

    async def token(self, token_id: str) -> ApiToken | None:
        """One API token, revoked or not."""
        ...

    async def add_session(self, session: Session) -> None:
        """Insert; :class:`Conflict` on a user or token that is not there."""
        ...

    async def session_by_digest(self, digest: str) -> Session | None:
        """The session with this SHA-256, over or not."""
        ...

    async def sessions(self, *, user_id: str | None = None, token_id: str | None = None) -> list[Session]:
        """All, or those of a user or a token, newest first."""
        ...

    async def touch_session(self, session_id: str, *, seen_at: datetime) -> None:
        """A person did something with it; no matter when it is gone."""
        ...

    async def delete_session(self, session_id: str) -> bool:
        """False when it was gone already."""
        ...

    async def delete_sessions(self, *, user_id: str | None = None, token_id: str | None = None) -> int:
        """All those of the user or token that is given; how many there were."""
        ...

    async def delete_sessions_over(self, *, now: datetime, idle_since: datetime) -> int:
        """Those that had expired at ``now`` or were last seen at or before ``idle_since``."""
        ...

    async def marks(self) -> list[Mark]:
        """What tells of changes: open incidents, what is under way, the inventory, the newest of growing records."""
        ...
