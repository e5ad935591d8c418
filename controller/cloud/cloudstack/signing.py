"""Signs a request as CloudStack's management server will check it: version 3, which carries its own expiry.

Source: ``ApiServer.verifyRequest``: parameters but the signature sorted by name, values encoded as Java's
``URLEncoder`` does with ``%20`` for blanks, the whole text in lower case, HMAC-SHA1 with the secret, Base64.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

VALID_FOR = timedelta(minutes=10)
"""How long a request may travel; also how far the management server's clock may be ahead of ours."""

_OURS = frozenset({"apikey", "command", "expires", "response", "signature", "signatureversion"})


def signed_form(command: str, params: Mapping[str, str | bool | int], *, key: str, secret: str, now: datetime) -> str:
    """The body of a form POST for ``command``. ``now``: this machine's wall clock, aware.

    Raises:
        ValueError: a parameter has a name that the signature or the call itself uses.
    """
    if reserved := _OURS.intersection(name.lower() for name in params):
        raise ValueError(f"{command}: no parameter may be called {', '.join(sorted(reserved))}")
    words = {name: _text(value) for name, value in params.items()} | {
        "apikey": key,
        "command": command,
        "expires": (now.astimezone(UTC) + VALID_FOR).strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "response": "json",
        "signatureversion": "3",
    }
    plain = _joined(words)
    return f"{plain}&signature={encoded(signature(plain, secret))}"


def signature(plain: str, secret: str) -> str:
    """The signature of an encoded, sorted query text."""
    digest = hmac.new(secret.encode(), plain.lower().encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def encoded(value: str) -> str:
    """``value`` as Java's URLEncoder writes it, blanks as ``%20``. Python would leave a tilde alone, Java does not."""
    return quote(value, safe="*").replace("~", "%7E")


def _joined(words: Mapping[str, str]) -> str:
    """Sorted by the bytes of the names, as Java sorts them; all of ours are lower case."""
    return "&".join(f"{name}={encoded(words[name])}" for name in sorted(words))


def _text(value: str | bool | int) -> str:  # noqa: FBT001 - a value of a parameter, not a switch
    return str(value).lower() if isinstance(value, bool) else str(value)
