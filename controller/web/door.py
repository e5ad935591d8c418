"""Nothing but the sign-in is reached without a session, and nothing is sent that no page of ours sent.

Done before routing, so that no page can forget it; roles stand in each page's signature (:mod:`controller.web.deps`).
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.db.store import StoreUnavailable
from controller.services.sessions import SignedIn, who_is
from controller.web import csrf, errors
from controller.web.deps import WebDeps
from controller.web.face import Face, face_of, from_htmx, in_background, path_in_pages, same_origin

LIVE = "/live"
SIGN_IN = "/sign-in"
_OPEN = (SIGN_IN, "/signed-in")
_STATIC = "/static/"
_SAFE = frozenset({"GET", "HEAD"})
_LARGEST_FORM = 256 * 1024


class Door:
    """ASGI middleware: finds who is signed in, or ends the request."""

    def __init__(self, app: ASGIApp, *, deps: WebDeps) -> None:
        self._app = app
        self._deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        face = face_of(scope, self._deps.options)
        scope.setdefault("state", {}).update(face=face, signed_in=None, cookie="")
        if path_in_pages(scope).startswith(_STATIC):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            answer, receive = await self._refusal(request, face, receive)
        except StoreUnavailable:
            answer = errors.database_unavailable(request)
        await (answer or self._app)(scope, receive, send)

    async def _refusal(self, request: Request, face: Face, receive: Receive) -> tuple[Response | None, Receive]:
        """The answer to a request that may not go on, and what its body is read from from now on."""
        if face.embedded and not self._deps.options.frame_ancestors:
            return errors.not_embeddable(request), receive
        if request.method not in _SAFE and not same_origin(request.scope, self._deps.options):
            return errors.foreign(request), receive
        cookie = request.cookies.get(face.session_cookie, "")
        path = path_in_pages(request.scope)
        acts = path != LIVE and not in_background(request)
        signed_in = await self._who(cookie, acts=acts)
        if signed_in is not None:
            request.scope["state"].update(signed_in=signed_in, cookie=cookie)
        if path in _OPEN:
            return None, receive
        if signed_in is None:
            return _to_sign_in(request, face, path), receive
        if request.method in _SAFE:
            return None, receive
        return await _checked_form(request, cookie, receive)

    async def _who(self, cookie: str, *, acts: bool) -> SignedIn | None:
        if not cookie:
            return None
        return await who_is(self._deps.store, self._deps.clock, cookie, acts=acts)


def _to_sign_in(request: Request, face: Face, path: str) -> Response:
    if request.method in _SAFE and not from_htmx(request) and path != LIVE:
        here = path + (f"?{request.url.query}" if request.url.query else "")
        target = face.url(SIGN_IN) + ("" if here == "/" else f"?next={quote(here, safe='/')}")
        return RedirectResponse(target, status_code=HTTPStatus.SEE_OTHER)
    return errors.signed_out(request)


async def _checked_form(request: Request, cookie: str, receive: Receive) -> tuple[Response | None, Receive]:
    """A form's token stands in the form, or in a header where htmx sends it."""
    if (token := request.headers.get(csrf.HEADER)) is not None:
        return (None if csrf.csrf_matches(cookie, token) else errors.stale_form(request)), receive
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return errors.no_form(request), receive
    body = await _read(receive, _LARGEST_FORM)
    if body is None:
        return errors.too_large(request), receive
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=1000) if body else {}
    if not csrf.csrf_matches(cookie, next(iter(fields.get(csrf.FIELD, ())), "")):
        return errors.stale_form(request), receive
    return None, _again(body, receive)


async def _read(receive: Receive, most: int) -> bytes | None:
    """The whole body; None when it is larger than ``most``."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > most:
            return None
        if message["type"] != "http.request" or not message.get("more_body", False):
            return body


def _again(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """A receive that gives the body once more."""
    given = False

    async def once_more() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once_more
