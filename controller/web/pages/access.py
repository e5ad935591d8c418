"""Who may come in: users and API tokens. For admins. A token's text is in one answer, and in no other."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from controller.domain.model import ApiToken, Role
from controller.domain.sign_in import User
from controller.services import access, users
from controller.services.errors import BadInput, NotFound, ServiceError
from controller.web.deps import Admin, Ports, WebDeps
from controller.web.flash import done
from controller.web.rendering import render
from controller.web.views.access import ROLES, USER_ROLES, token_lines, user_lines

router = APIRouter(prefix="/access")
_PATH = "/access"
_Typed = Annotated[str, Form(max_length=255)]
_Password = Annotated[str, Form(max_length=1024)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that is done to a user or token: what is asked, what it does, and what the button says."""

    title: str
    does: str
    button: str
    dangerous: bool = False


@router.get("")
async def show(request: Request, ports: Ports, who: Admin) -> Response:
    """All users and all tokens."""
    return render(
        request,
        "access.html",
        section="access",
        now=await ports.clock.now(),
        users=user_lines(await users.list_users(ports.store), me=who.session.user_id),
        tokens=token_lines(await access.list_tokens(ports.store), me=who.session.token_id),
        roles=ROLES,
    )


@router.get("/users/new")
async def ask_for_user(request: Request, who: Admin) -> Response:
    """Name, role and first password."""
    del who
    return _user_page(request)


@router.post("/users/new")
async def create_user(
    request: Request, ports: Ports, who: Admin, name: _Typed = "", role: _Typed = "", password: _Password = ""
) -> Response:
    """Make it. What was typed comes back with a refusal, the password never."""
    try:
        made = await users.create_user(
            ports.store, ports.clock, name=name, role=_role(role), password=password, actor=who.name
        )
    except ServiceError as error:
        return _user_page(request, name=name, role=role, error=error)
    return done(request, _PATH, f"User {made.name} is made, with the role {made.role}.")


@router.get("/users/{user_id}/role")
async def ask_for_role(request: Request, ports: Ports, who: Admin, user_id: str) -> Response:
    """Which one."""
    del who
    return await _change_page(request, ports, user_id, "role")


@router.post("/users/{user_id}/role")
async def set_role(request: Request, ports: Ports, who: Admin, user_id: str, role: _Typed = "") -> Response:
    """Do it."""
    try:
        user = await users.set_role(ports.store, ports.clock, user_id, role=_role(role), actor=who.name)
    except ServiceError as error:
        return await _change_page(request, ports, user_id, "role", role=role, error=error)
    return done(request, _next(user, who.session.user_id), f"{user.name} has the role {user.role} now.")


@router.get("/users/{user_id}/password")
async def ask_for_password(request: Request, ports: Ports, who: Admin, user_id: str) -> Response:
    """The new one."""
    del who
    return await _change_page(request, ports, user_id, "password")


@router.post("/users/{user_id}/password")
async def set_password(request: Request, ports: Ports, who: Admin, user_id: str, password: _Password = "") -> Response:
    """Do it."""
    try:
        user = await users.set_password(ports.store, ports.clock, user_id, password=password, actor=who.name)
    except ServiceError as error:
        return await _change_page(request, ports, user_id, "password", error=error)
    return done(request, _PATH, f"{user.name} has a new password, and is signed out everywhere.")


@router.get("/users/{user_id}/disable")
async def ask_to_disable(request: Request, ports: Ports, who: Admin, user_id: str) -> Response:
    """Whether."""
    del who
    return await _change_page(request, ports, user_id, "disable")


@router.post("/users/{user_id}/disable")
async def disable(request: Request, ports: Ports, who: Admin, user_id: str) -> Response:
    """Do it."""
    try:
        user = await users.disable_user(ports.store, ports.clock, user_id, actor=who.name)
    except ServiceError as error:
        return await _change_page(request, ports, user_id, "disable", error=error)
    return done(request, _PATH, f"{user.name} is disabled, and signed out everywhere.")


@router.get("/users/{user_id}/enable")
async def ask_to_enable(request: Request, ports: Ports, who: Admin, user_id: str) -> Response:
    """Whether."""
    del who
    return await _change_page(request, ports, user_id, "enable")


@router.post("/users/{user_id}/enable")
async def enable(request: Request, ports: Ports, who: Admin, user_id: str) -> Response:
    """Do it."""
    user = await users.enable_user(ports.store, ports.clock, user_id, actor=who.name)
    return done(request, _PATH, f"{user.name} may sign in again.")


@router.get("/tokens/new")
async def ask_for_token(request: Request, who: Admin) -> Response:
    """Name and role."""
    del who
    return _token_page(request)


@router.post("/tokens/new")
async def create_token(request: Request, ports: Ports, who: Admin, name: _Typed = "", role: _Typed = "") -> Response:
    """Make it. This answer shows its text, and nothing does afterwards: there is no redirect that could carry it."""
    try:
        made, text = await access.create_token(ports.store, ports.clock, name=name, role=_role(role), actor=who.name)
    except ServiceError as error:
        return _token_page(request, name=name, role=role, error=error)
    return _token_page(request, name=made.name, role=made.role, text=text)


@router.get("/tokens/{token_id}/revoke")
async def ask_to_revoke(request: Request, ports: Ports, who: Admin, token_id: str) -> Response:
    """Whether."""
    del who
    return await _revoke_page(request, ports, token_id)


@router.post("/tokens/{token_id}/revoke")
async def revoke(request: Request, ports: Ports, who: Admin, token_id: str) -> Response:
    """Do it."""
    try:
        token = await access.revoke_token(ports.store, ports.clock, token_id, actor=who.name)
    except ServiceError as error:
        return await _revoke_page(request, ports, token_id, error=error)
    return done(request, _PATH, f"Token {token.name} is revoked.")


def _role(typed: str) -> Role:
    if typed not in tuple(Role):
        raise BadInput("choose a role", code="bad_role", field="role")
    return Role(typed)


def _next(user: User, me: str | None) -> str:
    """Whoever took their own role of admin away may not see this page any more."""
    return "/" if user.id == me and user.role is not Role.ADMIN else _PATH


def _deed(what: str, user: User) -> Deed:
    match what:
        case "role":
            return Deed(
                title=f"Role of {user.name}",
                does="It holds from the next click of this user on.",
                button="Set the role",
            )
        case "password":
            return Deed(
                title=f"New password for {user.name}",
                does="Whoever is signed in as this user is signed out. Tell it in person; the user can change it.",
                button="Set the password",
            )
        case "disable":
            return Deed(
                title=f"Disable {user.name}",
                does="Nobody signs in as this user any more, and whoever is signed in is signed out. "
                "The name stays in the audit.",
                button=f"Disable {user.name}",
                dangerous=True,
            )
        case _:
            return Deed(
                title=f"Enable {user.name}",
                does=f"This user may sign in again, as {user.role}, with the password there was.",
                button=f"Enable {user.name}",
            )


async def _change_page(
    request: Request, ports: WebDeps, user_id: str, what: str, *, role: str = "", error: ServiceError | None = None
) -> Response:
    user = next((one for one in await users.list_users(ports.store) if one.id == user_id), None)
    if user is None:
        raise NotFound("there is no such user", code="unknown_user")
    return render(
        request,
        "access_user.html",
        section="access",
        what=what,
        deed=_deed(what, user),
        path=f"{_PATH}/users/{user.id}/{what}",
        roles=USER_ROLES,
        role=role or user.role,
        **_refusal(error),
    )


def _user_page(request: Request, *, name: str = "", role: str = "", error: ServiceError | None = None) -> Response:
    return render(
        request,
        "access_user_new.html",
        section="access",
        name=name,
        role=role or Role.VIEWER,
        roles=USER_ROLES,
        **_refusal(error),
    )


def _token_page(
    request: Request, *, name: str = "", role: str = "", text: str = "", error: ServiceError | None = None
) -> Response:
    return render(
        request,
        "access_token_new.html",
        section="access",
        name=name,
        role=role or Role.VIEWER,
        roles=ROLES,
        text=text,
        **_refusal(error),
    )


async def _revoke_page(
    request: Request, ports: WebDeps, token_id: str, *, error: ServiceError | None = None
) -> Response:
    token: ApiToken | None = next((one for one in await access.list_tokens(ports.store) if one.id == token_id), None)
    if token is None:
        raise NotFound("there is no such token", code="unknown_token")
    return render(request, "access_token_revoke.html", section="access", token=token, **_refusal(error))


def _refusal(error: ServiceError | None) -> dict[str, Any]:
    if error is None:
        return {"status": 200, "error": "", "error_field": ""}
    return {"status": error.status, "error": error.detail, "error_field": error.field or ""}
