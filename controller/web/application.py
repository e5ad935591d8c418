"""Puts the pages together, and on an application: twice, once for each face."""

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from controller.web import assets, errors
from controller.web.deps import WebDeps
from controller.web.door import Door
from controller.web.face import EMBEDDED, OWN
from controller.web.foresight import Foresight
from controller.web.headers import PageHeaders
from controller.web.live import Live
from controller.web.pages import (
    access,
    account,
    audit,
    go,
    hosts,
    incident_actions,
    incidents,
    live,
    notifications,
    overview,
    pauses,
    power,
    power_test,
    settings,
    sign_in,
)


def add_web(app: FastAPI, deps: WebDeps) -> FastAPI:
    """Add the pages, and give them back.

    Whoever ends the process closes their ``state.live`` first, as its streams never end by themselves.
    """
    pages = make_web(deps)

    async def to_the_pages(request: Request) -> Response:
        """The address that messages link to."""
        return RedirectResponse(f"{OWN}{request.url.path}", status_code=307)

    for path in ("/", "/incidents/{rest:path}", "/hosts/{rest:path}"):
        app.add_route(path, to_the_pages, include_in_schema=False)
    for prefix in (OWN, EMBEDDED):
        app.add_route(
            prefix, lambda request: RedirectResponse(f"{request.url.path}/", status_code=307), include_in_schema=False
        )
        app.mount(prefix, pages)
    return pages


def make_web(deps: WebDeps) -> FastAPI:
    """The pages as an application of their own: with their own errors, headers and door."""
    pages = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(PageHeaders, options=deps.options),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
            Middleware(Door, deps=deps),
        ],
    )
    pages.state.web = deps
    pages.state.live = Live(deps.store, deps.clock)
    pages.state.foresight = Foresight(deps.explainer, deps.clock)
    pages.state.sign_in_limits = sign_in.limits(deps)
    errors.add_error_pages(pages)
    for module in (
        assets,
        sign_in,
        account,
        overview,
        incidents,
        incident_actions,
        notifications,
        settings,
        access,
        audit,
        power_test,
        power,
        hosts,
        pauses,
        go,
        live,
    ):
        pages.include_router(module.router)
    return pages
