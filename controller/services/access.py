"""Bearer tokens: made once and shown once, kept as a digest, looked up on every request."""

import hashlib
import secrets
from dataclasses import dataclass, replace

from controller.db.store import Clock, Store, Tx
from controller.domain.model import ApiToken, Role
from controller.services.changes import changing, checked_name, new_id, record
from controller.services.errors import NotFound, Refused

_PREFIX = "hf_"
"""Lets secret scanners and people see what a leaked string is."""
FIRST_ADMIN = "first-admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking."""

    token_id: str
    name: str
    role: Role


async def authenticate(store: Store, bearer: str) -> Principal | None:
    """Whose token this is; None when nobody's, or revoked."""
    async with store.transaction() as tx:
        token = await tx.token_by_digest(_digest(bearer))
    if token is None or token.revoked_at is not None:
        return None
    return Principal(token_id=token.id, name=token.name, role=token.role)


async def list_tokens(store: Store) -> list[ApiToken]:
    """All, the revoked ones too, oldest first."""
    async with store.transaction() as tx:
        return await tx.tokens()


async def create_token(store: Store, clock: Clock, *, name: str, role: Role, actor: str) -> tuple[ApiToken, str]:
    """A new token and its text, which nobody can read again."""
    now = await clock.now()
    text = _new_text()
    token = ApiToken(id=new_id(), name=checked_name(name), role=role, digest=_digest(text), created_at=now)
    async with changing(store) as tx:
        await tx.save_token(token)
        await record(tx, at=now, actor=actor, action="token.create", target=token.name, id=token.id, role=role.value)
    return token, text


async def revoke_token(store: Store, clock: Clock, token_id: str, *, actor: str) -> ApiToken:
    """Make a token worthless from now on. The last admin's is refused: nobody could make another."""
    now = await clock.now()
    async with changing(store) as tx:
        tokens = {token.id: token for token in await tx.tokens()}
        token = tokens.get(token_id)
        if token is None:
            raise NotFound(f"there is no token {token_id!r}; GET /api/v1/tokens lists them", code="unknown_token")
        if token.revoked_at is not None:
            return token
        admins = [one for one in tokens.values() if one.role is Role.ADMIN and one.revoked_at is None]
        if admins == [token]:
            raise Refused(f"{token.name} is the last admin token; make another one first", code="last_admin")
        revoked = replace(token, revoked_at=now)
        await tx.save_token(revoked)
        await record(tx, at=now, actor=actor, action="token.revoke", target=token.name, id=token.id)
    return revoked


async def ensure_first_admin(store: Store, clock: Clock) -> str | None:
    """The first admin's token text where no token was ever made, to be printed once; else None."""
    now = await clock.now()
    text = _new_text()
    async with changing(store) as tx:
        if await tx.tokens():
            return None
        await _save_first(
            tx, ApiToken(id=new_id(), name=FIRST_ADMIN, role=Role.ADMIN, digest=_digest(text), created_at=now)
        )
    return text


async def _save_first(tx: Tx, token: ApiToken) -> None:
    await tx.save_token(token)
    await record(tx, at=token.created_at, actor="hostfence", action="token.create", target=token.name, id=token.id)


def _new_text() -> str:
    return _PREFIX + secrets.token_urlsafe(32)


def _digest(text: str) -> str:
    """Plain SHA-256 is enough: the text has 256 random bits, so nobody can guess it from its digest."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
