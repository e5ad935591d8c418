"""Makes the web application from what the composition root brings. Names nothing concrete."""

from fastapi import FastAPI

from controller.api.deps import Deps
from controller.api.v1 import OPENAPI_URL, add_api

__all__ = ["Deps", "create_app"]


def create_app(deps: Deps) -> FastAPI:
    """The application: REST interface, its description, ``/healthz``; ``deps.lifespan`` runs around it."""
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
    return app
