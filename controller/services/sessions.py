"""Sessions of the web pages: made from a token or a name and password, looked up on every request, ended.

What is kept of a session's cookie is a digest. Whoever it belongs to is read anew each time, so that a revoked token,
a disabled user or another role holds from the next request on.
"""

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from controller.db.store import Clock, Store, Tx
from controller.domain.model import ApiToken, Role
from controller.domain.sign_in import IDLE, LASTS, Session, User
from controller.services.access import Principal, authenticate
from controller.services.changes import new_id, record
from controller.services.errors import Forbidden, ServiceError
from controller.services.passwords import hashed, matches, outdated

log = structlog.get_logger(__name__)

_PREFIX = "hfs_"
"""Lets secret scanners and people see what a leaked string is."""
_TOUCHED_EVERY = timedelta(minutes=1)
_LONGEST_NOTE = 200


class NotSignedIn(ServiceError):  # noqa: N818 - reads as what it is
    """Nobody is signed in with that; why is not said to whoever might be guessing."""

    status = 401
    title = "Not signed in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Where a sign-in comes from, in the browser's own words."""

    address: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Whose session this is. ``name`` is the actor of whatever is done with it."""

    session: Session = field(repr=False)
    name: str
    role: Role

    @property
    def acts(self) -> bool:
        """May act on incidents, power and pauses."""
        return self.role in (Role.OPERATOR, Role.ADMIN)

    @property
    def is_user(self) -> bool:
        """False for a session that a token opened."""
        return self.session.user_id is not None


async def sign_in_with_token(store: Store, clock: Clock, text: str, *, browser: Browser) -> str:
    """The text of a new session's cookie, which nobody can read again."""
    principal = await authenticate(store, text.strip())
    if principal is None:
        raise NotSignedIn("that token is not known, or was revoked", code="wrong_token", field="token")
    return await _begin(store, clock, _token_session(principal), principal.name, principal.role, browser)


async def sign_in_with_password(store: Store, clock: Clock, *, name: str, password: str, browser: Browser) -> str:
    """The same for a user. Unknown names, disabled users and wrong passwords look the same and take as long."""
    async with store.transaction() as tx:
        user = await tx.user_by_name(name.strip())
    right = await matches(password, user.password if user is not None else "")
    if user is None or not right or user.disabled_at is not None:
        raise NotSignedIn("name or password is wrong", code="wrong_password", field="password")
    if outdated(user.password):
        await _hash_again(store, user, password)
    return await _begin(store, clock, {"user_id": user.id, "token_id": None}, user.name, user.role, browser)


async def who_is(store: Store, clock: Clock, cookie: str, *, acts: bool) -> SignedIn | None:
    """Who is signed in with this cookie; None when nobody is.

    ``acts``: a person does something, which keeps the session from ending as idle; a page that fetches what is new
    does not.
    """
    now = await clock.now()
    async with store.transaction() as tx:
        session = await tx.session_by_digest(_digest(cookie))
        if session is None or session.over(now):
            return None
        signed_in = await _whose(tx, session)
        if signed_in is not None and acts and now - session.seen_at >= _TOUCHED_EVERY:
            await tx.touch_session(session.id, seen_at=now)
    return signed_in


async def list_sessions(store: Store, clock: Clock, signed_in: SignedIn) -> list[Session]:
    """All that are open of the same user or token, newest first."""
    now = await clock.now()
    own = signed_in.session
    async with store.transaction() as tx:
        found = await tx.sessions(user_id=own.user_id, token_id=own.token_id)
    return [session for session in found if not session.over(now)]


async def sign_out(store: Store, clock: Clock, signed_in: SignedIn) -> None:
    """End this session."""
    now = await clock.now()
    async with store.transaction() as tx:
        if await tx.delete_session(signed_in.session.id):
            await record(tx, at=now, actor=signed_in.name, action="sign_out", target=signed_in.name)


async def sign_out_everywhere(store: Store, clock: Clock, signed_in: SignedIn) -> int:
    """End all sessions of the same user or token, this one too; how many there were."""
    now = await clock.now()
    own = signed_in.session
    async with store.transaction() as tx:
        ended = await tx.delete_sessions(user_id=own.user_id, token_id=own.token_id)
        await record(
            tx, at=now, actor=signed_in.name, action="sign_out_everywhere", target=signed_in.name, sessions=ended
        )
    return ended


async def _begin(
    store: Store, clock: Clock, whose: dict[str, str | None], name: str, role: Role, browser: Browser
) -> str:
    if role is Role.REPORTER:
        raise Forbidden(f"{name} is a reporter, which may not look at anything", code="role_needed", field="token")
    now = await clock.now()
    text = _PREFIX + secrets.token_urlsafe(32)
    session = Session(
        id=new_id(),
        digest=_digest(text),
        created_at=now,
        seen_at=now,
        expires_at=now + LASTS,
        address=browser.address[:_LONGEST_NOTE],
        browser=browser.name[:_LONGEST_NOTE],
        **whose,
    )
    async with store.transaction() as tx:
        await tx.delete_sessions_over(now=now, idle_since=now - IDLE)
        await tx.add_session(session)
        await record(tx, at=now, actor=name, action="sign_in", target=name, address=session.address)
    log.info("signed in", name=name, role=role.value, address=session.address)
    return text


def _token_session(principal: Principal) -> dict[str, str | None]:
    return {"user_id": None, "token_id": principal.token_id}


async def _hash_again(store: Store, user: User, password: str) -> None:
    """With today's parameters, unless the user was changed meanwhile."""
    kept = await hashed(password)
    async with store.transaction() as tx:
        if await tx.user(user.id) == user:
            await tx.save_user(replace(user, password=kept))


async def _whose(tx: Tx, session: Session) -> SignedIn | None:
    owner: User | ApiToken | None = None
    gone: datetime | None = None
    if session.user_id is not None:
        owner = user = await tx.user(session.user_id)
        gone = user.disabled_at if user is not None else None
    elif session.token_id is not None:
        owner = token = await tx.token(session.token_id)
        gone = token.revoked_at if token is not None else None
    if owner is None or gone is not None or owner.role is Role.REPORTER:
        return None
    return SignedIn(session=session, name=owner.name, role=owner.role)


def _digest(text: str) -> str:
    """Plain SHA-256 is enough: the text has 256 random bits, so nobody can guess it from its digest."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
