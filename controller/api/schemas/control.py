"""Settings, mode, pauses and tokens on the wire."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, StrictInt

from controller.api.schemas.base import AS_WHOLE, Answer, Body, Name, Reason
from controller.domain.catalogue import Kind
from controller.domain.inheritance import Origin
from controller.domain.model import Level, Role
from controller.domain.policy import Mode
from controller.services.pauses import LONGEST, NewPause

Fields = Annotated[dict[str, Any], Field(max_length=100)]
"""Setting name -> value; null inherits."""


class EffectiveOut(Answer):
    """A value and the level it comes from. Of a secret it says only whether it is set."""

    value: Any
    source: Origin


class SettingOut(Answer):
    """One setting of the catalogue."""

    name: str
    kind: Kind
    levels: list[Level]
    help: str
    unit: str
    default: Any
    minimum: float
    maximum: float
    choices: list[str]
    host_choices: list[str]
    secret: bool


class ModeIn(Body):
    """Arm (``enforce``) or disarm (``observe``) a level; null inherits."""

    mode: Mode | None
    reason: Reason


class PauseIn(Body):
    """Pause fencing. ``owner``: the cluster or host. ``for_seconds`` null: until a person lifts it."""

    level: Level
    owner: Annotated[str, Field(max_length=255)] = ""
    reason: Reason
    for_seconds: Annotated[StrictInt, Field(ge=1, le=int(LONGEST.total_seconds())), AS_WHOLE] | None = 3600

    def new(self) -> NewPause:
        """The service's form of it."""
        lasts = timedelta(seconds=self.for_seconds) if self.for_seconds is not None else None
        return NewPause(level=self.level, owner=self.owner, reason=self.reason, lasts=lasts)


class PauseOut(Answer):
    """A pause."""

    id: str
    level: Level
    owner_id: str
    reason: str
    by: str
    created_at: datetime
    until: datetime | None
    lifted_at: datetime | None
    lifted_by: str


class TokenIn(Body):
    """A token to make."""

    name: Name
    role: Role


class TokenOut(Answer):
    """A token without its text."""

    id: str
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None


class TokenWithText(TokenOut):
    """A new token. The text is shown only here."""

    token: str


Password = Annotated[str, Field(max_length=1024, repr=False)]
"""Write-only. How long it must be is the service's rule, which says so in words."""


class UserIn(Body):
    """A user to make. ``role``: not ``reporter``; give reporters a token."""

    name: Name
    role: Role
    password: Password


class RoleIn(Body):
    """The role that a user has from now on."""

    role: Role


class PasswordIn(Body):
    """A user's new password."""

    password: Password


class UserOut(Answer):
    """A user; of the password it says only when it was set."""

    id: str
    name: str
    role: Role
    created_at: datetime
    password_set_at: datetime
    disabled_at: datetime | None


class PrincipalOut(Answer):
    """Who the token belongs to."""

    name: str
    role: Role
