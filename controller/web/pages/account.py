"""Who is signed in, where else, and with which password."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from controller.services import sessions, users
from controller.services.errors import BadInput, Forbidden, ServiceError
from controller.services.sessions import SignedIn
from controller.web.deps import Ports, Viewer, WebDeps
from controller.web.flash import done
from controller.web.rendering import render

router = APIRouter()
_Password = Annotated[str, Form(max_length=1024)]


@router.get("/account")
async def account(request: Request, ports: Ports, who: Viewer) -> Response:
    """The page."""
    return await _page(request, ports, who)


@router.post("/account/password")
async def change_password(
    request: Request, ports: Ports, who: Viewer, current: _Password, password: _Password, again: _Password
) -> Response:
    """A user's own."""
    try:
        await _change(ports, who, current, password, again)
    except (Forbidden, BadInput) as error:
        return await _page(request, ports, who, error)
    return done(request, "/sign-in", "Your password is changed, and you are signed out everywhere. Sign in with it.")


async def _change(ports: WebDeps, who: SignedIn, current: str, password: str, again: str) -> None:
    if who.session.user_id is None:
        raise Forbidden("a token has no password", code="no_password")
    if password != again:
        raise BadInput("the two new passwords are not the same", code="bad_password", field="again")
    await users.change_own_password(ports.store, ports.clock, who.session.user_id, current=current, password=password)


async def _page(request: Request, ports: WebDeps, who: SignedIn, error: ServiceError | None = None) -> Response:
    return render(
        request,
        "account.html",
        status=error.status if error is not None else 200,
        section="account",
        now=await ports.clock.now(),
        sessions=await sessions.list_sessions(ports.store, ports.clock, who),
        error=error.detail if error is not None else "",
        field=(error.field or "current") if error is not None else "",
    )
