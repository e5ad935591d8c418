"""People who sign in, and their sessions."""

from datetime import datetime

from sqlalchemy import delete, or_, update

from controller.db.mapping import Mapping
from controller.db.models import ApiTokens, Sessions, Users
from controller.db.repositories.access import TOKENS
from controller.db.session import Repository
from controller.domain.model import ApiToken
from controller.domain.sign_in import Session, User

USERS = Mapping(User, Users)
SESSIONS = Mapping(Session, Sessions)


class SignInRepository(Repository):
    """Part of :class:`controller.db.store_pages.PagesTx`."""

    async def users(self) -> list[User]:
        """See the port. Sorted in Python: PostgreSQL's order of texts depends on the database's locale."""
        rows = await self._session.all(USERS.select())
        return sorted((USERS.entity(row) for row in rows), key=lambda user: user.name)

    async def user(self, user_id: str) -> User | None:
        """See the port."""
        row = await self._session.first(USERS.select().where(Users.id == user_id))
        return None if row is None else USERS.entity(row)

    async def user_by_name(self, name: str) -> User | None:
        """See the port."""
        row = await self._session.first(USERS.select().where(Users.name == name))
        return None if row is None else USERS.entity(row)

    async def save_user(self, user: User) -> None:
        """See the port."""
        await self._session.run(USERS.upserting, USERS.values(user))

    async def token(self, token_id: str) -> ApiToken | None:
        """See the port."""
        row = await self._session.first(TOKENS.select().where(ApiTokens.id == token_id))
        return None if row is None else TOKENS.entity(row)

    async def add_session(self, session: Session) -> None:
        """See the port."""
        await self._session.run(SESSIONS.inserting, SESSIONS.values(session))

    async def session_by_digest(self, digest: str) -> Session | None:
        """See the port."""
        row = await self._session.first(SESSIONS.select().where(Sessions.digest == digest))
        return None if row is None else SESSIONS.entity(row)

    async def sessions(self, *, user_id: str | None = None, token_id: str | None = None) -> list[Session]:
        """See the port."""
        statement = SESSIONS.select().order_by(Sessions.created_at.desc(), Sessions.id)
        if user_id is not None:
            statement = statement.where(Sessions.user_id == user_id)
        if token_id is not None:
            statement = statement.where(Sessions.token_id == token_id)
        return [SESSIONS.entity(row) for row in await self._session.all(statement)]

    async def touch_session(self, session_id: str, *, seen_at: datetime) -> None:
        """See the port."""
        await self._session.run(update(Sessions).where(Sessions.id == session_id).values(seen_at=seen_at))

    async def delete_session(self, session_id: str) -> bool:
        """See the port."""
        return await self._session.touched(delete(Sessions).where(Sessions.id == session_id))

    async def delete_sessions(self, *, user_id: str | None = None, token_id: str | None = None) -> int:
        """See the port."""
        whose = [(Sessions.user_id, user_id), (Sessions.token_id, token_id)]
        which = or_(*(column == value for column, value in whose if value is not None))
        return (await self._session.run(delete(Sessions).where(which))).rowcount

    async def delete_sessions_over(self, *, now: datetime, idle_since: datetime) -> int:
        """See the port."""
        over = or_(Sessions.expires_at <= now, Sessions.seen_at <= idle_since)
        return (await self._session.run(delete(Sessions).where(over))).rowcount
