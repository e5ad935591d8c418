"""Makes the web application from what the composition root brings. Names nothing concrete."""

from fastapi import FastAPI

from controller.api.deps import Deps
from controller.api.v1 import OPENAPI_URL, add_api
from controller.web.application import add_web
from controller.web.deps import WebDeps, WebOptions

__all__ = ["Deps", "WebOptions", "create_app"]


def create_app(deps: Deps, options: WebOptions | None = None) -> FastAPI:
    """The application: REST interface, its description, health, figures, pages; ``deps.lifespan`` runs around it.

    ``app.state.pages.state.live`` must be closed when the process is asked to end: its streams never end by themselves.
    """
    app = FastAPI(
        title="hostfence",
        version=deps.version,
        description="Finds out whether a silent host is dead, cuts its power if and only if it is, and proves it.",
        lifespan=deps.lifespan,
        openapi_url=OPENAPI_URL,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    add_api(app, deps)
    app.state.pages = add_web(
        app,
        WebDeps(
            store=deps.store,
            clock=deps.clock,
            operations=deps.operations,
            device_rules=deps.device_rules,
            explainer=deps.explainer,
            version=deps.version,
            sights=deps.sights,
            channels=deps.channels,
            link_base=deps.link_base,
            options=options or WebOptions(),
        ),
    )
    return app
