"""Every failure as problem+json (RFC 9457): what happened, what to do, a stable code; no stack trace, no secret."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from controller.db.store import Conflict, StoreUnavailable
from controller.services.errors import ServiceError

MEDIA_TYPE = "application/problem+json"


class ProblemItem(BaseModel):
    """One of several inputs at fault."""

    field: str
    detail: str


class Problem(BaseModel):
    """What every answer with a status of 400 or more holds."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    reasons: list[str] | None = None
    errors: list[ProblemItem] | None = None


def problem(
    status: int,
    *,
    title: str,
    detail: str,
    code: str,
    field: str | None = None,
    reasons: Sequence[str] = (),
    errors: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer that tells of one problem."""
    body: dict[str, Any] = {
        "type": f"urn:hostfence:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if field is not None:
        body["field"] = field
    if reasons:
        body["reasons"] = list(reasons)
    if errors:
        body["errors"] = [{"field": name, "detail": text} for name, text in errors]
    # ASCII only: what a caller sent may hold half characters that no encoding takes.
    return Response(json.dumps(body), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def unauthenticated() -> Response:
    """No token, or one that is worth nothing: both look the same."""
    return problem(
        401,
        title="Who are you?",
        detail="send a valid token in the header Authorization: Bearer <token>",
        code="unauthenticated",
        headers={"WWW-Authenticate": "Bearer"},
    )


def database_unavailable() -> Response:
    """The store does not answer."""
    return problem(
        503,
        title="The database does not answer",
        detail="nothing was changed, or nobody knows yet; look again in a moment",
        code="database_unavailable",
        headers={"Retry-After": "5"},
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Turn every exception that leaves a route into a problem."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(StoreUnavailable, _store_unavailable)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _unexpected)


def _service_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for it
    return problem(
        error.status,
        title=error.title,
        detail=error.detail,
        code=error.code,
        field=error.field,
        reasons=[reason.value for reason in error.reasons],
        errors=error.problems,
    )


def _store_unavailable(_: Request, __: Exception) -> Response:
    return database_unavailable()


def _conflict(_: Request, error: Exception) -> Response:
    assert isinstance(error, Conflict)  # noqa: S101 - registered for it
    return problem(409, title="Refused", detail=str(error), code="conflict", field=error.field)


def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    # The input itself is left out: it may be a password in the wrong place.
    found = [(_field(one["loc"]), str(one["msg"])) for one in error.errors()][:20]
    field, message = found[0]
    return problem(
        422,
        title="That input can't be used",
        detail=f"{field}: {message}",
        code="bad_input",
        field=field,
        errors=found,
    )


def _field(place: Sequence[Any]) -> str:
    names = [str(one) for one in place]
    return ".".join(names[1:] if len(names) > 1 and names[0] in ("body", "query", "path") else names)


def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    status = HTTPStatus(error.status_code)
    detail = str(error.detail) if error.detail != status.phrase else status.description or status.phrase
    return problem(
        error.status_code,
        title=status.phrase,
        detail=detail,
        code=status.name.lower(),
        headers={"Allow": _allowed(request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers,
    )


def _allowed(request: Request) -> str:
    """The methods of everything described under this path; Starlette names only the first route's."""
    found = {
        method.upper()
        for template, methods in request.app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), request.url.path)
        for method in methods
    }
    return ", ".join(sorted(found))


def _unexpected(_: Request, __: Exception) -> Response:
    return problem(
        500,
        title="Something unexpected went wrong",
        detail="this is a defect of hostfence; the controller's log says more",
        code="unexpected",
    )
