"""The settings of a channel that sends mail."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.domain.channels.base import (
    ChannelError,
    ChannelKind,
    ChannelSettings,
    Field,
    one_of,
    text,
    whole,
)


class Tls(StrEnum):
    """How the connection to a mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChannel(ChannelSettings):
    """Mail to people through one server."""

    kind: str = "email"
    host: str
    sender: str
    recipients: tuple[str, ...]
    port: int = 25
    tls: Tls = Tls.STARTTLS
    username: str = ""
    password: str = field(default="", repr=False)


def _address(raw: Any, where: str) -> str:
    address = text(raw, where)
    name, at, domain = address.rpartition("@")
    if not (name and at and domain) or " " in address or "," in address:
        raise ChannelError(f"{where} must be a mail address like fencing@example.org")
    return address


def _recipients(raw: Any, where: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= 100:
        raise ChannelError(f"{where} must be a list of 1 to 100 mail addresses")
    return tuple(_address(one, f"{where.removesuffix('s')}") for one in raw)


EMAIL = ChannelKind(
    name="email",
    help="mail to people through one server",
    settings=EmailChannel,
    fields={
        "host": Field(read=text, help="the mail server", required=True, binds=True),
        "port": Field(read=whole(1, 65535), help="its port; 25 unless written", binds=True),
        "tls": Field(read=one_of(*Tls), help="starttls (unless written), tls or none", binds=True),
        "sender": Field(read=_address, help="the address it comes from", required=True),
        "recipients": Field(read=_recipients, help="1 to 100 addresses", required=True),
        "username": Field(read=text, help="where the server wants a login", binds=True),
        "password": Field(read=text, help="that user's password", secret=True),
    },
    goes_to=lambda settings: f"{', '.join(settings.recipients)} through {settings.host}:{settings.port}",
)
