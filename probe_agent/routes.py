"""The agent's three HTTP routes: token first, then body, nonce, answer, signature."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from probe_agent.auth import Nonces, check_bearer
from probe_agent.errors import BadRequestError, ProtocolMismatchError, TooLargeError
from probe_agent.service import Service
from shared.enums import PROTOCOL_VERSION
from shared.protocol import SIGNATURE_HEADER, ProbeRequest, Request, WatchRequest, sign

_MAX_BODY = 32 * 1024 * 1024
_DISCARDED = 32 * 1024 * 1024
"""Of a body that is too large so much is still read, so that an honest caller gets to see the refusal."""
_R = TypeVar("_R", bound=Request)


class Gate:
    """Lets a request in and signs what goes out, with this host's token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._nonces = Nonces()

    async def answer(self, http: HttpRequest, model: type[_R], work: Callable[[_R], Awaitable[bytes]]) -> Response:
        """Look at the token before anything of the body is read; then parse, work, sign."""
        check_bearer(http.headers.get("authorization"), self._token)
        request = _parse(model, await _body_of(http))
        self._nonces.use(request.nonce)
        body = await work(request)
        signature = sign(self._token, request.nonce, body)
        return Response(body, media_type="application/json", headers={SIGNATURE_HEADER: signature})


def make_routes(service: Service, gate: Gate) -> list[Route]:
    """The routes around one service."""

    async def healthz(_: HttpRequest) -> Response:
        return Response(service.health(), media_type="application/json")

    async def watch(http: HttpRequest) -> Response:
        return await gate.answer(http, WatchRequest, service.watch)

    async def probes(http: HttpRequest) -> Response:
        return await gate.answer(http, ProbeRequest, service.probe)

    return [
        Route("/healthz", healthz),
        Route("/v1/watch", watch, methods=["POST"]),
        Route("/v1/probes", probes, methods=["POST"]),
    ]


async def _body_of(http: HttpRequest) -> bytes:
    body = bytearray()
    length = 0
    async for chunk in http.stream():
        length += len(chunk)
        if length <= _MAX_BODY:
            body += chunk
        elif length > _MAX_BODY + _DISCARDED:
            break
    if length > _MAX_BODY:
        raise TooLargeError(f"more than {_MAX_BODY} bytes")
    return bytes(body)


def _parse(model: type[_R], body: bytes) -> _R:
    try:
        request = model.model_validate_json(body)
    except ValidationError as error:
        _refuse_other_protocol(body)
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequestError(f"{where}: {first['msg']}") from error
    if request.protocol != PROTOCOL_VERSION:
        raise ProtocolMismatchError(_speaks(request.protocol))
    return request


def _refuse_other_protocol(body: bytes) -> None:
    """A newer request may have another shape altogether: its version is looked at first of all."""
    try:
        request = Request.model_validate_json(body)
    except ValidationError:
        return
    if request.protocol != PROTOCOL_VERSION:
        raise ProtocolMismatchError(_speaks(request.protocol))


def _speaks(version: int) -> str:
    return f"this agent speaks version {PROTOCOL_VERSION}, the request is version {version}"
