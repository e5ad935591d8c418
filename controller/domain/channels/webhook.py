"""The settings of a channel that posts CloudEvents to a web address, signed."""

import base64
import binascii
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from controller.domain.channels.base import ChannelError, ChannelKind, ChannelSettings, Field, long_text, text
from controller.domain.pem import certificates

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret in base64 begins with (Standard Webhooks)
_LEAST_KEY_BYTES = 16
_LONGEST_URL = 1024
MACHINE_ITSELF = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChannel(ChannelSettings):
    """CloudEvents by HTTPS. ``ca``: PEM, trusted instead of the system's certificates.

    Programs want one event for each decision, and can count: no digest unless it is asked for.
    """

    kind: str = "webhook"
    url: str
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca: str = ""
    digest_after: int = 0


def signing_key(secret: str) -> bytes:
    """The bytes that sign: what follows ``whsec_`` is base64, anything else is taken as it is."""
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)


def refused_for_webhook(host: str) -> str:
    """Why nothing is posted to the address ``host``; empty when it may be, or when it is a name.

    Link-local addresses are where clouds answer with credentials to whoever asks (169.254.169.254).
    """
    try:
        known = ip_address(host)
    except ValueError:
        return ""
    if isinstance(known, IPv6Address):
        known = known.ipv4_mapped or known
    if known.is_link_local or known.is_multicast or known.is_unspecified:
        return "is an address to which no notice is posted (link-local, multicast or none at all)"
    return ""


def _url(raw: Any, where: str) -> str:
    url = long_text(raw, where, longest=_LONGEST_URL)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ChannelError(f"{where} must be an address like https://hooks.example.org/fencing") from None
    if parts.scheme not in ("http", "https") or not host or " " in url:
        raise ChannelError(f"{where} must be an address like https://hooks.example.org/fencing")
    if parts.scheme == "http" and host not in MACHINE_ITSELF:
        raise ChannelError(f"{where} must begin with https:// (http:// only to this machine itself)")
    if parts.username is not None or parts.password is not None:
        raise ChannelError(f"{where} must hold no user and password, because it is shown; use token")
    if refused := refused_for_webhook(host):
        raise ChannelError(f"{where}: {host} {refused}")
    return url


def _secret(raw: Any, where: str) -> str:
    secret = text(raw, where)
    try:
        enough = not secret or len(signing_key(secret)) >= _LEAST_KEY_BYTES
    except binascii.Error:
        raise ChannelError(f"{where} must be base64 after {SECRET_PREFIX}") from None
    if not enough:
        raise ChannelError(f"{where} must have at least {_LEAST_KEY_BYTES} bytes: make it with openssl rand -base64 32")
    return secret


def _token(raw: Any, where: str) -> str:
    token = text(raw, where)
    if not token.isascii() or " " in token:
        raise ChannelError(f"{where} must be ASCII without spaces")
    return token


def _certificates(raw: Any, where: str) -> str:
    try:
        return certificates(raw)
    except ValueError as problem:
        raise ChannelError(f"{where}: {problem}") from None


WEBHOOK = ChannelKind(
    name="webhook",
    help="CloudEvents 1.0 by HTTPS POST, signed",
    settings=WebhookChannel,
    fields={
        "url": Field(read=_url, help="where to post; it is shown, so no secrets in it", required=True, binds=True),
        "secret": Field(
            read=_secret,
            help="signs every message; 16 bytes or more; base64 after whsec_, else as it is",
            required=True,
            secret=True,
        ),
        "token": Field(read=_token, help="sent as Authorization: Bearer, where the receiver wants one", secret=True),
        "ca": Field(
            read=_certificates, help="certificates in PEM that are trusted instead of the system's", binds=True
        ),
    },
    goes_to=lambda settings: settings.url,
)
