"""CloudStack's check of a signed request, as its ApiServer does it.

The text that is signed: every parameter but `signature`, sorted by name, each value encoded as Java's URLEncoder does
with blanks as `%20`, all in lower case. How the request itself was encoded (`+` or `%20`, `~` or `%7E`) does not
matter: it is decoded first. Java encodes `~`; a client that leaves it as it is gets a 401.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

LONGEST = timedelta(minutes=15)
"""How far ahead `expires` may lie where POST and expiry are enforced (4.21+)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """`rights`: the commands its role allows; None: all. Only a root administrator's answers show hosts and paths."""

    key: str = "test-api-key"
    secret: str = "test-secret-key"
    account: str = "admin"
    rights: frozenset[str] | None = None
    root_admin: bool = True

    def may(self, command: str) -> bool:
        return self.rights is None or command in self.rights


def signed_text(parameters: Mapping[str, str]) -> str:
    """What the signature is made over."""
    names = sorted(name for name in parameters if name.lower() != "signature")
    return "&".join(f"{name}={java_encoded(parameters[name])}" for name in names).lower()


def java_encoded(value: str) -> str:
    """Leaves `A-Za-z0-9.-*_`; Python's `quote` also leaves `~`."""
    return quote(value, safe="*").replace("~", "%7E")


def signature(parameters: Mapping[str, str], secret: str) -> str:
    digest = hmac.new(secret.encode(), signed_text(parameters).encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_fresh(parameters: Mapping[str, str], now: datetime, *, enforced: bool) -> bool:
    """Version 3 needs an `expires` in the future; without `enforced` older versions have none."""
    folded = {name.lower(): value for name, value in parameters.items()}
    if folded.get("signatureversion") != "3":
        return not enforced
    try:
        expires = datetime.strptime(folded.get("expires", ""), "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return False
    return expires >= now and not (enforced and expires > now + LONGEST)


def is_genuine(parameters: Mapping[str, str], secret: str) -> bool:
    given = next((value for name, value in parameters.items() if name.lower() == "signature"), "")
    return hmac.compare_digest(given.encode(), signature(parameters, secret).encode())
