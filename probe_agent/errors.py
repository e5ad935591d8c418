"""What the agent refuses to answer, as ``application/problem+json``.

``AgentError`` ─ ``UnauthorizedError`` 401, ``BadRequestError`` 422, ``ProtocolMismatchError`` 400,
``ReplayedNonceError`` 409, ``TooLargeError`` 413.
"""

from typing import ClassVar


class AgentError(Exception):
    """Base: each has a stable code and an HTTP status."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "The agent failed"
    hangs_up: ClassVar[bool] = False
    """True where the rest of the request is not worth reading."""


class UnauthorizedError(AgentError):
    """No bearer token, or not this host's."""

    status = 401
    code = "unauthorized"
    title = "A valid bearer token is needed"


class BadRequestError(AgentError):
    """The body is not what the protocol says."""

    status = 422
    code = "bad_request"
    title = "The request does not fit the protocol"


class ProtocolMismatchError(AgentError):
    """The caller speaks another version of the protocol."""

    status = 400
    code = "protocol_mismatch"
    title = "This agent speaks another version of the protocol"


class ReplayedNonceError(AgentError):
    """The nonce was used before."""

    status = 409
    code = "replayed_nonce"
    title = "The nonce was used before"


class TooLargeError(AgentError):
    """The body is larger than any honest request."""

    status = 413
    code = "too_large"
    title = "The request is too large"
    hangs_up = True
