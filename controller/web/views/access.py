"""Users and tokens as the access page shows them: without a password, a hash or a token's text."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from controller.domain.model import ApiToken, Role
from controller.domain.sign_in import User
from controller.web.views.look import Look

ROLES: dict[Role, str] = {
    Role.REPORTER: "may only report that a host is disconnected",
    Role.VIEWER: "sees everything, changes nothing",
    Role.OPERATOR: "acts on incidents, power and pauses",
    Role.ADMIN: "also changes inventory, settings, mode, tokens and users",
}
USER_ROLES = {role: said for role, said in ROLES.items() if role is not Role.REPORTER}
ENABLED = Look("ok", "check", "enabled")
DISABLED = Look("quiet", "cross", "disabled")
VALID = Look("ok", "key", "valid")
REVOKED = Look("quiet", "cross", "revoked")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLine:
    """One user. ``over_at``: since when nobody signs in as this user."""

    id: str
    name: str
    role: Role
    look: Look
    me: bool
    password_set_at: datetime
    created_at: datetime
    over_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLine:
    """One token, without its text. ``over_at``: since when it is worth nothing."""

    id: str
    name: str
    role: Role
    look: Look
    me: bool
    created_at: datetime
    over_at: datetime | None


def user_lines(users: Iterable[User], *, me: str | None) -> tuple[UserLine, ...]:
    """The enabled ones first. ``me``: the id of the user who looks."""
    lines = [
        UserLine(
            id=one.id,
            name=one.name,
            role=one.role,
            look=DISABLED if one.disabled_at else ENABLED,
            me=one.id == me,
            password_set_at=one.password_set_at,
            created_at=one.created_at,
            over_at=one.disabled_at,
        )
        for one in users
    ]
    return tuple(sorted(lines, key=lambda one: one.over_at is not None))


def token_lines(tokens: Iterable[ApiToken], *, me: str | None) -> tuple[TokenLine, ...]:
    """The valid ones first. ``me``: the id of the token that whoever looks signed in with."""
    lines = [
        TokenLine(
            id=one.id,
            name=one.name,
            role=one.role,
            look=REVOKED if one.revoked_at else VALID,
            me=one.id == me,
            created_at=one.created_at,
            over_at=one.revoked_at,
        )
        for one in tokens
    ]
    return tuple(sorted(lines, key=lambda one: one.over_at is not None))
