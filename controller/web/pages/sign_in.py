"""Signing in, with a token or with name and password, and out again."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from controller.services import sessions
from controller.services.errors import Forbidden, ServiceError
from controller.services.sessions import Browser, NotSignedIn
from controller.services.sign_in_limits import SignInLimits, TooManyTries, Try
from controller.web import errors
from controller.web.deps import Ports, Viewer, WebDeps
from controller.web.face import Face, path_inside
from controller.web.flash import done
from controller.web.rendering import render

router = APIRouter()
_LONGEST = 512
_Text = Annotated[str, Form(max_length=_LONGEST)]


def limits(deps: WebDeps) -> SignInLimits:
    """This process's."""
    return SignInLimits(deps.clock.boottime)


@router.get("/sign-in")
async def show(request: Request, next: str = "/") -> Response:  # noqa: A002 - what the address calls it
    """The form; whoever is signed in already goes on."""
    if request.state.signed_in is not None:
        return done(request, path_inside(next))
    return _form(request, path_inside(next))


@router.post("/sign-in")
async def sign_in(
    request: Request,
    ports: Ports,
    name: _Text = "",
    password: _Text = "",
    token: _Text = "",
    next: _Text = "/",  # noqa: A002
) -> Response:
    """Try it. Every try counts until it succeeded."""
    to = path_inside(next)
    browser = Browser(
        address=request.client.host if request.client is not None else "",
        name=request.headers.get("user-agent", ""),
    )
    attempt: Try | None = None
    try:
        tries: SignInLimits = request.app.state.sign_in_limits
        attempt = tries.begin(address=browser.address, name="" if token else name.strip())
        if token:
            cookie = await sessions.sign_in_with_token(ports.store, ports.clock, token, browser=browser)
        else:
            cookie = await sessions.sign_in_with_password(
                ports.store, ports.clock, name=name, password=password, browser=browser
            )
    except (NotSignedIn, Forbidden, TooManyTries) as error:
        if attempt is not None and isinstance(error, Forbidden):
            attempt.succeeded()  # it was the right one
        return _form(request, to, error=error, name=name)
    attempt.succeeded()
    face: Face = request.state.face
    answer = RedirectResponse(face.url("/signed-in") + f"?next={to}", status_code=HTTPStatus.SEE_OTHER)
    answer.headers.append("Set-Cookie", face.cookie(face.session_cookie, cookie))
    return answer


@router.get("/signed-in")
async def signed_in(request: Request, next: str = "/") -> Response:  # noqa: A002
    """Where a browser shows whether it kept the cookie: without one it would see the form again and not know why."""
    if request.state.signed_in is not None:
        return done(request, path_inside(next))
    face: Face = request.state.face
    because = (
        "Cookies of this page are for https alone: open it under its https address."
        if face.secure and request.url.scheme != "https"
        else "It may refuse all cookies, or those of a page inside another one."
    )
    return errors.problem(request, HTTPStatus.BAD_REQUEST, "Your browser did not keep the sign-in's cookie", because)


@router.post("/sign-out")
async def sign_out(request: Request, ports: Ports, who: Viewer) -> Response:
    """End this session."""
    await sessions.sign_out(ports.store, ports.clock, who)
    return _signed_out(request, "You are signed out.")


@router.post("/sign-out-everywhere")
async def sign_out_everywhere(request: Request, ports: Ports, who: Viewer) -> Response:
    """End all sessions of the same user or token."""
    ended = await sessions.sign_out_everywhere(ports.store, ports.clock, who)
    return _signed_out(request, f"Signed out everywhere: {ended} session{'s' if ended != 1 else ''} ended.")


def _signed_out(request: Request, said: str) -> Response:
    face: Face = request.state.face
    answer = done(request, "/sign-in", said)
    answer.headers.append("Set-Cookie", face.forget(face.session_cookie))
    return answer


def _form(request: Request, to: str, *, error: ServiceError | None = None, name: str = "") -> Response:
    status = HTTPStatus.OK if error is None else error.status
    answer = render(
        request,
        "sign_in.html",
        status=status,
        to=to,
        error=error.detail if error is not None else "",
        # A token pasted into the wrong field is not shown again.
        name=name if not name.startswith("hf_") else "",
        with_token=error is not None and error.field == "token",
    )
    if isinstance(error, TooManyTries):
        answer.headers["Retry-After"] = f"{error.wait_s:.0f}"
    return answer
