"""The token that every form carries, so that no other site can have a signed-in browser send it.

It is made from the session's cookie, which no page shows, and is masked anew on every page: a compressed page that
also holds an attacker's text would otherwise give it away bit by bit.
"""

import base64
import hashlib
import hmac
import secrets

FIELD = "csrf"
HEADER = "x-csrf-token"
_LENGTH = 32


def csrf_token(cookie: str) -> str:
    """One more token for this session."""
    mask = secrets.token_bytes(_LENGTH)
    return base64.urlsafe_b64encode(mask + _xor(_secret(cookie), mask)).decode()


def csrf_matches(cookie: str, token: str) -> bool:
    """Whether the token is one of this session's."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii"))
    except ValueError:
        return False
    return len(raw) == 2 * _LENGTH and hmac.compare_digest(_xor(raw[:_LENGTH], raw[_LENGTH:]), _secret(cookie))


def _secret(cookie: str) -> bytes:
    return hashlib.sha256(b"csrf:" + cookie.encode("utf-8", "surrogateescape")).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
