"""Counts every request with its route and answer. Outermost, so that refusals and failures are counted too."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.metrics.base import Meter

PREFIX = "/api/v1"


class CountRequests:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, meter: Meter, boottime: Callable[[], float]) -> None:
        self._app = app
        self._meter = meter
        self._boottime = boottime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = self._boottime(), 500  # what an exception becomes further out

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._meter.answered(scope["method"], _pattern(scope), status, took_s=self._boottime() - began)


def _pattern(scope: Scope) -> str:
    """The route's own text, never the caller's: there are only so many. Empty for what matched nothing.

    A route of a router that was included under a prefix, or of an application mounted somewhere, tells its path without
    that.
    """
    path = str(getattr(scope.get("route"), "path", ""))
    before = PREFIX if scope["path"].startswith(PREFIX) else str(scope.get("root_path", ""))
    return path if not path or path.startswith(before) else before + path
