"""Puts the REST interface on an application: authentication, routes, problems, its own description."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from controller.api import docs, health
from controller.api.auth import Authenticate, bearer
from controller.api.counting import CountRequests
from controller.api.deps import Deps
from controller.api.metrics import add_metrics
from controller.api.open_door import OpenDoor
from controller.api.problems import MEDIA_TYPE, Problem, add_problem_handlers
from controller.api.routes import (
    cloud,
    clusters,
    control,
    deployment,
    enrolment,
    hosts,
    incidents,
    notifications,
    pools,
    power,
    readiness,
    reports,
    settings,
    users,
)

PREFIX = "/api/v1"
OPENAPI_URL = f"{PREFIX}/openapi.json"
_CAN_HAPPEN = {
    400: "The request could not be read",
    401: "No valid token",
    403: "The token's role does not allow this",
    404: "What was named does not exist",
    409: "A rule stands against it",
    422: "The input can't be used",
    503: "The database, or a device, does not answer",
}
_AT_THE_DOOR = {
    400: "The request could not be read",
    403: "The join token, or the renewal's proof, is not good",
    409: "A rule stands against it",
    413: "The request is too large",
    422: "The input can't be used",
    429: "Too many requests",
    503: "The database does not answer",
}


def add_api(app: FastAPI, deps: Deps) -> None:
    """Add everything under ``/api/v1``, ``/healthz``, ``/readyz``, ``/metrics`` and ``/docs``."""
    app.state.deps = deps
    app.add_middleware(Authenticate, store=deps.store, door=OpenDoor(deps.clock.boottime))
    app.add_middleware(CountRequests, meter=deps.meter, boottime=deps.clock.boottime)
    add_problem_handlers(app)
    everything = APIRouter(prefix=PREFIX, dependencies=[bearer], responses=_responses(_CAN_HAPPEN))
    inventory = (clusters, settings, hosts, readiness, enrolment, reports, power, pools, cloud)
    for module in (*inventory, incidents, notifications, control, users, deployment):
        everything.include_router(module.router)
    app.include_router(everything)
    app.include_router(enrolment.open_router, prefix=PREFIX, responses=_responses(_AT_THE_DOOR))
    app.include_router(health.router)
    add_metrics(app, deps, _responses({status: _CAN_HAPPEN[status] for status in (401, 403, 503)}))
    docs.add_docs(app)
    _describe_problems(app)


def _responses(can_happen: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, text in can_happen.items()
    }


def _describe_problems(app: FastAPI) -> None:
    """FastAPI describes only its own kind of validation error; ours is the one that is sent."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = described["components"]["schemas"]
            schemas |= schema.pop("$defs")
            schemas["Problem"] = schema
            app.openapi_schema = described
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
