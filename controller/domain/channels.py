"""Notification channels as values: read from the ``channels`` setting, written back, shown without passwords."""

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from controller.domain.model import Severity


class Tls(StrEnum):
    """How the connection to a mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class ChannelError(ValueError):
    """What is wrong with a channel, and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChannel:
    """Mail to people through one server. Only notices of at least ``min_severity`` are sent."""

    name: str
    host: str
    sender: str
    recipients: tuple[str, ...]
    port: int = 25
    tls: Tls = Tls.STARTTLS
    username: str = ""
    password: str = field(default="", repr=False)
    min_severity: Severity = Severity.INFO
    kind: str = "email"


_TEXTS = ("name", "host", "sender", "username", "password")
_KNOWN = frozenset({*_TEXTS, "kind", "recipients", "port", "tls", "min_severity"})
_MAX_TEXT = 255


def parse_channels(raw: list[Any]) -> tuple[EmailChannel, ...]:
    """The channels written in ``raw``; raises :class:`ChannelError` naming the channel and the remedy."""
    channels = tuple(_parse_one(one, place) for place, one in enumerate(raw, start=1))
    names = [channel.name for channel in channels]
    for name in names:
        if names.count(name) > 1:
            raise ChannelError(f"two channels are called {name!r}; give each its own name")
    return channels


def channel_to_json(channel: EmailChannel) -> dict[str, Any]:
    """All of it, the password too: for the store only."""
    return {**asdict(channel), "recipients": list(channel.recipients)}


def show_channel(raw: Any) -> dict[str, Any]:
    """A stored channel as people may see it."""
    if not isinstance(raw, dict):
        return {}
    return {
        **{key: value for key, value in raw.items() if key != "password"},
        "password_set": bool(raw.get("password")),
    }


def keep_passwords(new: tuple[EmailChannel, ...], raw: list[Any], old: Any) -> tuple[EmailChannel, ...]:
    """``new`` (read from ``raw``) with the ``old`` stored password wherever a channel of that name came without one.

    A password can't be read, so whoever changes another field of a channel can't send it back. It is kept only while
    server and user stay: otherwise whoever may write settings could have it sent to a server of their own.
    """
    earlier = (
        {one["name"]: one for one in old if isinstance(one, dict) and "name" in one} if isinstance(old, list) else {}
    )

    def kept(channel: EmailChannel, written: dict[str, Any]) -> EmailChannel:
        before = earlier.get(channel.name, {})
        same = all(before.get(key) == getattr(channel, key) for key in ("host", "port", "tls", "username"))
        if "password" in written or not same:
            return channel
        return replace(channel, password=str(before.get("password", "")))

    return tuple(kept(channel, written) for channel, written in zip(new, raw, strict=True))


def _parse_one(raw: Any, place: int) -> EmailChannel:
    where = f"channel {place}"
    if not isinstance(raw, dict):
        raise ChannelError(f"{where}: write an object with name, kind, host, sender and recipients")
    if unknown := sorted(str(key) for key in raw if key not in _KNOWN):
        raise ChannelError(f"{where}: {', '.join(unknown)} is not known; use {', '.join(sorted(_KNOWN))}")
    if raw.get("kind") != "email":
        raise ChannelError(f'{where}: kind must be "email"')
    texts = {key: _text(raw.get(key, ""), f"{where}: {key}") for key in _TEXTS}
    for key in ("name", "host"):
        if not texts[key]:
            raise ChannelError(f"{where}: {key} is missing")
    _address(texts["sender"], f"{where}: sender")
    return EmailChannel(
        **texts,
        recipients=_recipients(raw.get("recipients"), where),
        port=_port(raw.get("port", 25), where),
        tls=_tls(raw.get("tls", Tls.STARTTLS), where),
        min_severity=_severity(raw.get("min_severity", Severity.INFO), where),
    )


def _text(raw: Any, where: str) -> str:
    if not isinstance(raw, str) or len(raw) > _MAX_TEXT or not raw.isprintable():
        raise ChannelError(f"{where} must be a text of at most {_MAX_TEXT} printable characters")
    return raw


def _address(text: str, where: str) -> str:
    name, at, domain = text.rpartition("@")
    if not (name and at and domain) or " " in text or "," in text:
        raise ChannelError(f"{where} must be a mail address like fencing@example.org")
    return text


def _recipients(raw: Any, where: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= 100:
        raise ChannelError(f"{where}: recipients must be a list of 1 to 100 mail addresses")
    return tuple(_address(_text(one, f"{where}: recipient"), f"{where}: recipient") for one in raw)


def _port(raw: Any, where: str) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= 65535:
        raise ChannelError(f"{where}: port must be a whole number from 1 to 65535")
    return raw


def _tls(raw: Any, where: str) -> Tls:
    if raw not in tuple(Tls):
        raise ChannelError(f"{where}: tls must be one of {', '.join(Tls)}")
    return Tls(raw)


def _severity(raw: Any, where: str) -> Severity:
    if raw not in tuple(Severity):
        raise ChannelError(f"{where}: min_severity must be one of {', '.join(Severity)}")
    return Severity(raw)
