"""What a receiver said, made fit for logs, the API and mails: one line, printable, without the secrets sent to it."""

import base64
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

MIN_SECRET = 3
"""Shorter pieces would blot out ordinary words."""


def cleaned(said: str, *secrets: str) -> str:
    """``said`` in one line without any of ``secrets``, in whichever of their usual forms it was repeated."""
    line = "".join(letter if letter.isprintable() else " " for letter in said)
    for form in sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True):
        line = line.replace(form, "(secret)")
    return " ".join(line.split())


def _forms(secret: str) -> Iterable[str]:
    if len(secret) < MIN_SECRET:
        return
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield unquote(secret)
    yield base64.b64encode(secret.encode()).decode()
