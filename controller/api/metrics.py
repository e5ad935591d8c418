"""``/metrics``: all figures, for Prometheus. Names of clusters and hosts are in them, so it takes a viewer's token.

Where the configuration says so it takes none. A token that could be checked a moment ago is good while the database is
away: figures are wanted then of all times, and they tell nothing new about the site while it cannot be read.
"""

import asyncio
import hashlib
from collections import OrderedDict

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from controller.api.auth import READERS, bearer, token_of
from controller.api.deps import Deps
from controller.api.problems import database_unavailable, problem, unauthenticated
from controller.db.store import StoreUnavailable
from controller.services.access import Principal, authenticate
from controller.services.errors import Forbidden
from controller.services.monitoring import ANSWERS_WITHIN_S, FIGURES

PATH = "/metrics"
GOOD_FOR_S = 600.0
"""How long after it was checked last a token is taken while the database does not answer."""
_REMEMBERED = 64


class _Readers:
    """Who may read, checked again each time the database answers."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._checked: OrderedDict[str, float] = OrderedDict()

    async def refusal(self, request: Request) -> Response | None:
        """The answer to one who may not; None for the others. Raises :class:`Forbidden` for a wrong role."""
        if self._deps.metrics_without_token:
            return None
        token = token_of(request.headers)
        if token is None:
            return unauthenticated()
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        try:
            principal = await self._principal(token)
        except StoreUnavailable:
            return None if self._checked_lately(digest) else database_unavailable()
        if principal is None:
            self._checked.pop(digest, None)
            return unauthenticated()
        if principal.role not in READERS:
            raise Forbidden(f"{principal.name} is a {principal.role}; figures need a viewer", code="role_needed")
        self._checked[digest] = self._deps.clock.boottime()
        self._checked.move_to_end(digest)
        if len(self._checked) > _REMEMBERED:
            self._checked.popitem(last=False)
        return None

    async def _principal(self, token: str) -> Principal | None:
        asking = asyncio.create_task(authenticate(self._deps.store, token))
        await asyncio.wait({asking}, timeout=ANSWERS_WITHIN_S)
        if not asking.done():
            asking.cancel()  # not waited for: a hung database lets go of nobody
            raise StoreUnavailable("the database does not answer")
        return await asking

    def _checked_lately(self, digest: str) -> bool:
        at = self._checked.get(digest)
        return at is not None and self._deps.clock.boottime() - at < GOOD_FOR_S


def add_metrics(app: FastAPI, deps: Deps, responses: dict[int | str, dict[str, object]]) -> None:
    """Add the route. ``responses``: how its refusals are described."""
    router = APIRouter(tags=["health"], dependencies=[] if deps.metrics_without_token else [bearer])
    readers = _Readers(deps)
    shown: dict[int | str, dict[str, object]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}

    @router.get(PATH, response_class=Response, responses={**shown, **responses})
    async def metrics(request: Request) -> Response:
        """All figures in Prometheus' text format, for a token of a viewer, operator or admin."""
        refusal = await readers.refusal(request)
        if refusal is not None:
            return refusal
        if deps.monitoring is None:
            return problem(503, title="Not ready", detail="this process keeps no figures", code="starting")
        return Response(await deps.monitoring.figures(), media_type=FIGURES)

    app.include_router(router)
