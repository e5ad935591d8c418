"""Who is asking, and may they: nothing under ``/api`` is reached without a valid token, no route without a role.

The exceptions stand in :mod:`controller.api.open_door`.

The first is done before routing, so that no route can forget it; the second stands in each route's signature.
"""

from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.api.open_door import OpenDoor
from controller.api.problems import database_unavailable, unauthenticated
from controller.db.store import Store, StoreUnavailable
from controller.domain.model import Role
from controller.services.access import Principal, authenticate
from controller.services.errors import Forbidden

PREFIX = "/api"
_LONGEST_TOKEN = 512


class Authenticate:
    """ASGI middleware: finds the principal of every request under :data:`PREFIX`, or ends the request with 401."""

    def __init__(self, app: ASGIApp, *, store: Store, door: OpenDoor) -> None:
        self._app = app
        self._store = store
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        if self._door.leads_to(scope):
            await (self._door.refusal(scope) or self._app)(scope, receive, send)
            return
        try:
            principal = await self._principal(Headers(scope=scope))
        except StoreUnavailable:
            await database_unavailable()(scope, receive, send)
            return
        if principal is None:
            await unauthenticated()(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)

    async def _principal(self, headers: Headers) -> Principal | None:
        token = token_of(headers)
        return None if token is None else await authenticate(self._store, token)


def token_of(headers: Headers) -> str | None:
    """The bearer token that a request brings; None for none, and for what cannot be one."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    return token if kind.lower() == "bearer" and 0 < len(token) <= _LONGEST_TOKEN else None


_bearer = HTTPBearer(auto_error=False, description="a token made by POST /api/v1/tokens, or printed at the first start")


class _May:
    """Dependency: the principal, when its role is one of these."""

    def __init__(self, *roles: Role) -> None:
        self._roles = frozenset(roles)

    def __call__(self, request: Request) -> Principal:
        principal = request.state.principal
        assert isinstance(principal, Principal)  # noqa: S101 - the middleware put it there
        if principal.role not in self._roles:
            needed = " or ".join(role.value for role in Role if role in self._roles)
            raise Forbidden(f"{principal.name} is a {principal.role}; this needs {needed}", code="role_needed")
        return principal


READERS = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
"""Roles that may read; a reporter may not."""

Viewer = Annotated[Principal, Security(_May(*READERS))]
"""Whoever may read."""
Reporter = Annotated[Principal, Security(_May(Role.REPORTER, Role.OPERATOR, Role.ADMIN))]
"""Whoever may say that a host is gone or back."""
Operator = Annotated[Principal, Security(_May(Role.OPERATOR, Role.ADMIN))]
"""Whoever may act on incidents, power and pauses."""
Admin = Annotated[Principal, Security(_May(Role.ADMIN))]
"""Whoever may change inventory, settings, mode and tokens."""
Anyone = Annotated[Principal, Security(_May(*Role))]
"""Whoever has a token."""
bearer = Security(_bearer)
"""Declares the scheme in the OpenAPI; the middleware does the checking."""
