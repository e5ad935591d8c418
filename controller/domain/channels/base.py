"""What every channel has in common, and how its fields are read: errors name the field and never the value.

A kind of channel is a frozen dataclass and a table of :class:`Field`; nothing outside its own module asks which kind a
channel is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.channels.events import EVENTS
from controller.domain.model import Severity

_MAX_TEXT = 255
_MAX_ROUTES = 100


class ChannelError(ValueError):
    """What is wrong with a channel, and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """What every channel has. Empty ``clusters`` (ids) and ``events`` (kinds or groups of notices): all of them.

    ``digest_after``: this many messages in ten minutes, then several notices in one; 0: each on its own, always.
    """

    name: str
    kind: str
    min_severity: Severity = Severity.INFO
    clusters: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    digest_after: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """How one field is read. ``read`` takes the JSON value and what to call it in an error.

    ``secret``: can be written, never read. ``binds``: a secret that was not sent again is kept only while this field
    stays as it is; otherwise whoever may write settings could have it sent to a receiver of their own.
    """

    read: Callable[[Any, str], Any]
    help: str
    required: bool = False
    secret: bool = False
    binds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelKind:
    """One kind of channel.

    ``goes_to``: where its messages go, for people, without a secret. ``confirms``: whether one that was sent without an
    error is known to have reached the receiver's system. ``room``: how many characters of a digest's names fit into one
    message; 0: all of them. ``together``: what is wrong with the fields as a whole, secrets included; "" for nothing.
    """

    name: str
    help: str
    settings: type[ChannelSettings]
    fields: Mapping[str, Field]
    goes_to: Callable[[Any], str]
    confirms: Callable[[Any], bool] = lambda _settings: True
    room: int = 0
    together: Callable[[Any], str] = lambda _settings: ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The fields that nobody can read."""
        return tuple(name for name, field in self.fields.items() if field.secret)

    @property
    def binding(self) -> tuple[str, ...]:
        """The fields that a kept secret is bound to."""
        return tuple(name for name, field in self.fields.items() if field.binds)


def text(raw: Any, where: str) -> str:
    """A short printable text."""
    return long_text(raw, where, longest=_MAX_TEXT)


def long_text(raw: Any, where: str, *, longest: int) -> str:
    """A printable text of one line."""
    if not isinstance(raw, str) or len(raw) > longest or not raw.isprintable():
        raise ChannelError(f"{where} must be a text of at most {longest} printable characters")
    return raw


def whole(least: int, most: int) -> Callable[[Any, str], int]:
    """A reader of whole numbers."""

    def read(raw: Any, where: str) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or not least <= raw <= most:
            raise ChannelError(f"{where} must be a whole number from {least} to {most}")
        return raw

    return read


def one_of(*choices: str) -> Callable[[Any, str], str]:
    """A reader of one of a few words; an enum's members come back as they are."""

    def read(raw: Any, where: str) -> str:
        for choice in choices:
            if raw == choice:
                return choice
        raise ChannelError(f"{where} must be one of {', '.join(choices)}")

    return read


def flag(raw: Any, where: str) -> bool:
    """Yes or no."""
    if not isinstance(raw, bool):
        raise ChannelError(f"{where} must be true or false")
    return raw


def _words(raw: Any, where: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or len(raw) > _MAX_ROUTES:
        raise ChannelError(f"{where} must be a list of at most {_MAX_ROUTES} texts")
    return tuple(dict.fromkeys(text(one, where) for one in raw))


def _events(raw: Any, where: str) -> tuple[str, ...]:
    events = _words(raw, where)
    if unknown := [one for one in events if one not in EVENTS]:
        raise ChannelError(f"{where}: there is no event {', '.join(unknown)}; use {', '.join(EVENTS)}")
    return events


COMMON: dict[str, Field] = {
    "name": Field(read=text, help="what this channel is called; each has its own", required=True),
    "min_severity": Field(read=one_of(*Severity), help="info, warning or critical: quieter notices are not sent"),
    "clusters": Field(read=_words, help="only notices about these clusters (name or id), and those about everything"),
    "events": Field(read=_events, help="only these kinds or groups of notices"),
    "digest_after": Field(
        read=whole(0, 1000), help="this many messages in ten minutes, then several notices in one; 0: never"
    ),
}
"""What may be written for every kind; ``kind`` itself comes on top."""
