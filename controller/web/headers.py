"""Headers of every page: no script, style or address but our own files', no frame but where the configuration says."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.web.deps import WebOptions
from controller.web.face import face_of

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors "
)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer` browsers would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class PageHeaders:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, options: WebOptions) -> None:
        self._app = app
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and add to what comes back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        embedded = face_of(scope, self._options).embedded
        ancestors = " ".join(self._options.frame_ancestors) if embedded else ""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY + (ancestors or "'none'")
                for name, value in _ALWAYS.items():
                    headers[name] = value
                if not ancestors:
                    headers["X-Frame-Options"] = "DENY"
                    headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)
