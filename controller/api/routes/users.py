"""The users who sign in to the web pages by name and password. For admins."""

from typing import Annotated

from fastapi import APIRouter, Path

from controller.api.auth import Admin
from controller.api.deps import Ports
from controller.api.schemas.control import PasswordIn, RoleIn, UserIn, UserOut
from controller.services import users

router = APIRouter(prefix="/users", tags=["access"])
UserRef = Annotated[str, Path(min_length=1, max_length=255, description="a user's id or name")]


@router.get("")
async def list_users(ports: Ports, caller: Admin) -> list[UserOut]:
    """All users, the disabled ones too, by name."""
    del caller
    return [UserOut.model_validate(one) for one in await users.list_users(ports.store)]


@router.post("", status_code=201)
async def create_user(ports: Ports, caller: Admin, body: UserIn) -> UserOut:
    """Make a user. Refused when a user or a token has the name."""
    made = await users.create_user(
        ports.store, ports.clock, name=body.name, role=body.role, password=body.password, actor=caller.name
    )
    return UserOut.model_validate(made)


@router.put("/{user}/role")
async def set_role(ports: Ports, caller: Admin, user: UserRef, body: RoleIn) -> UserOut:
    """Give a user another role, from the next request on. The last enabled admin stays one."""
    changed = await users.set_role(ports.store, ports.clock, user, role=body.role, actor=caller.name)
    return UserOut.model_validate(changed)


@router.put("/{user}/password")
async def set_password(ports: Ports, caller: Admin, user: UserRef, body: PasswordIn) -> UserOut:
    """Give a user a new password; whoever is signed in as that user is signed out."""
    changed = await users.set_password(ports.store, ports.clock, user, password=body.password, actor=caller.name)
    return UserOut.model_validate(changed)


@router.post("/{user}/disable")
async def disable_user(ports: Ports, caller: Admin, user: UserRef) -> UserOut:
    """Let nobody sign in as this user, and sign out whoever is. The last enabled admin cannot be disabled."""
    return UserOut.model_validate(await users.disable_user(ports.store, ports.clock, user, actor=caller.name))


@router.post("/{user}/enable")
async def enable_user(ports: Ports, caller: Admin, user: UserRef) -> UserOut:
    """Let this user sign in again."""
    return UserOut.model_validate(await users.enable_user(ports.store, ports.clock, user, actor=caller.name))
