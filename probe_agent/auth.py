"""Who may ask, and answers that fit one question only: bearer token, remembered nonces, signed answers."""

import hmac
from collections import OrderedDict

from probe_agent.errors import ReplayedNonceError, UnauthorizedError

_REMEMBERED = 20_000
"""Nonces kept: hours of rounds from several controllers. Requests only read, so an older replay learns nothing new."""


def check_bearer(header: str | None, token: str) -> None:
    """Compare in constant time.

    Raises:
        UnauthorizedError: no token or another one.
    """
    scheme, _, given = (header or "").partition(" ")
    matches = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    if scheme.lower() != "bearer" or not matches or not token:
        raise UnauthorizedError


class Nonces:
    """Refuses a nonce it has seen."""

    def __init__(self, limit: int = _REMEMBERED) -> None:
        self._limit = limit
        self._seen: OrderedDict[str, None] = OrderedDict()

    def use(self, nonce: str) -> None:
        """Remember a nonce.

        Raises:
            ReplayedNonceError: it was used before.
        """
        if nonce in self._seen:
            raise ReplayedNonceError
        self._seen[nonce] = None
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
