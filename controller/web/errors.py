"""What went wrong, as a page in the layout: what happened, what to do; no stack trace, no secret.

Asked for by htmx it is the same page's inner part, for the dialog whose form was refused.
"""

from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from controller.db.store import Conflict, StoreUnavailable
from controller.domain.words import label, words_for
from controller.services.errors import ServiceError
from controller.web.rendering import render

STALE_FORM = 419
"""Not in any standard, and widely used for it."""


def add_error_pages(app: FastAPI) -> None:
    """Turn every exception that leaves a page into one."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(StoreUnavailable, lambda request, _: database_unavailable(request))
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(RequestValidationError, _bad_input)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _unexpected)


def problem(request: Request, status: int, title: str, *says: str, facts: dict[str, object] | None = None) -> Response:
    """One problem's page. ``says``: what happened and what to do, a sentence or two each."""
    about: dict[str, object] = {"reasons": (), **(facts or {})}
    return render(request, "problem.html", status=status, title=title, says=says, **about)


def database_unavailable(request: Request) -> Response:
    """The store does not answer."""
    answer = problem(
        request,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The database does not answer",
        "Nothing was changed, or nobody knows yet.",
        "Load the page again in a moment. While the database is away hostfence sends no power command.",
    )
    answer.headers["Retry-After"] = "5"
    return answer


def not_embeddable(request: Request) -> Response:
    """Nobody said in whose frames we may be."""
    return problem(
        request,
        HTTPStatus.NOT_FOUND,
        "Embedding is not set up",
        "Set HOSTFENCE_FRAME_ANCESTORS to the origin of the page around this frame, for example "
        "https://cloud.example.org, and start the controller again.",
    )


def foreign(request: Request) -> Response:
    """Sent by another site's page, or by something that does not say where from."""
    return problem(
        request,
        HTTPStatus.FORBIDDEN,
        "This did not come from a page of hostfence",
        "Nothing was done. If you sent it from here, a proxy may change the Host header: set HOSTFENCE_PUBLIC_URL to "
        "the address you use.",
        "Programs use the REST interface with a token.",
    )


def signed_out(request: Request) -> Response:
    """The session is over."""
    return problem(
        request, HTTPStatus.UNAUTHORIZED, "You are not signed in any more", "Nothing was done. Sign in again."
    )


def stale_form(request: Request) -> Response:
    """The form is from before the present sign-in."""
    return problem(
        request,
        STALE_FORM,
        "This page is from an earlier sign-in",
        "Nothing was done. Load the page again and repeat what you did.",
    )


def no_form(request: Request) -> Response:
    """Another content type than a form's."""
    return problem(request, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "That is not a form", "Nothing was done.")


def too_large(request: Request) -> Response:
    """More than any form of ours holds."""
    return problem(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That form is too large", "Nothing was done.")


def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for it
    reasons = tuple((label(reason), words_for(reason)) for reason in error.reasons)
    more = tuple(f"{field}: {detail}" for field, detail in error.problems)
    return problem(request, error.status, error.title, _sentence(error.detail), *more, facts={"reasons": reasons})


def _conflict(request: Request, error: Exception) -> Response:
    return problem(request, HTTPStatus.CONFLICT, "Refused", _sentence(str(error)))


def _bad_input(request: Request, error: Exception) -> Response:
    """The input itself is left out: it may be a password in the wrong place."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    says = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()][:20]
    return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, "That input can't be used", *says)


def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(
            request, error.status_code, "There is no such page", "It may have been about something that was deleted."
        )
    status = HTTPStatus(error.status_code)
    return problem(request, error.status_code, status.phrase, status.description or status.phrase)


def _unexpected(request: Request, _: Exception) -> Response:
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something unexpected went wrong",
        "This is a defect of hostfence; the controller's log says more.",
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")
