"""Asking the controller's API: a few times in a host's life, so by the standard library."""

import http.client
import ssl
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import ValidationError

from probe_agent.identity import CredentialsError
from shared.protocol import AgentProblem, Wire

_WITHIN_S = 30
_LONGEST_ANSWER = 64 * 1024
A = TypeVar("A", bound=Wire)


class UnreadableAnswerError(CredentialsError):
    """It answered with success, and something else than what was asked for."""


def parsed_url(text: str) -> SplitResult:
    """The controller's address. Raises :class:`CredentialsError`."""
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise CredentialsError(f"{text!r} is not a controller's address, such as https://hostfence.example.org")
    return url


def ask(url: SplitResult, path: str, request: Wire, kind: type[A], *, ca: Path | None) -> A:
    """Post and read. ``ca``: file of authorities to trust for the URL. Raises :class:`CredentialsError`."""
    try:
        connection = _connection(url, ca)
        try:
            where = url.path.rstrip("/") + path
            connection.request("POST", where, request.model_dump_json(), {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read(_LONGEST_ANSWER)
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CredentialsError(f"{url.geturl()} cannot be asked: {error!r}") from error
    if response.status != http.HTTPStatus.OK:
        raise CredentialsError(_refusal(response.status, body))
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise UnreadableAnswerError("the answer is not a controller's") from error


def _connection(url: SplitResult, ca: Path | None) -> http.client.HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "http":
        return http.client.HTTPConnection(host, url.port, timeout=_WITHIN_S)
    context = ssl.create_default_context(cafile=ca)
    return http.client.HTTPSConnection(host, url.port, timeout=_WITHIN_S, context=context)


def _refusal(status: int, body: bytes) -> str:
    try:
        problem = AgentProblem.model_validate_json(body)
    except ValidationError:
        return f"the controller answered HTTP {status}"
    return f"the controller refused: {problem.detail}"
