"""Reads one setting's JSON value into its own type and back, and says clearly what is wrong with it.

What a value may be stands in :mod:`controller.domain.catalogue`; this module knows only how each kind is read.
"""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from controller.domain.addresses import canonical_address
from controller.domain.catalogue import CATALOGUE, Kind, Setting
from controller.domain.channels.base import ChannelError, ChannelSettings
from controller.domain.channels.kinds import channel_to_json, parse_channels, show_channel
from controller.domain.exec_template import parse_template
from controller.domain.model import Level
from controller.domain.pem import certificates
from controller.domain.policy import Action, Mode

_STATES = ("on", "off", "unknown")
_CHOICE_TYPES: dict[str, type[Mode | Action]] = {"mode": Mode, "action": Action}


class SettingError(ValueError):
    """A value that can't be saved. ``shown``: what was given, empty for secrets; ``remedy``: what to write instead."""

    def __init__(self, field: str, shown: str, remedy: str) -> None:
        super().__init__(f"{field}: {shown + ' is not possible; ' if shown else ''}{remedy}")
        self.field = field
        self.shown = shown
        self.remedy = remedy

    def of_group(self, known: str, other: str) -> "SettingError":
        """The same problem of another power device, whose settings begin with ``other`` instead of ``known``."""
        return SettingError(
            self.field.replace(known, other, 1), self.shown.replace(known, other), self.remedy.replace(known, other)
        )


def setting_named(field: str) -> Setting:
    """The catalogue's entry, or a :class:`SettingError` that names the nearest help."""
    setting = CATALOGUE.get(field)
    if setting is None:
        raise SettingError(field, "", "there is no such setting; see the list of settings for the known names")
    return setting


def parse(field: str, raw: Any) -> Any:
    """The value of ``field`` written as JSON ``raw``: timedelta, int, bool, str, an enum, dict or channels.

    Raises:
        SettingError: unknown field, wrong type, out of range.
    """
    setting = setting_named(field)
    try:
        return _READERS[setting.kind](setting, raw)
    except ValueError as problem:
        # In the place of a certificate a private key may have been written.
        unseen = setting.secret or setting.kind is Kind.CERTIFICATES
        raise SettingError(field, "" if unseen else _shorten(raw), str(problem)) from None


def check_level(field: str, level: Level, raw: Any) -> None:
    """Raise :class:`SettingError` unless ``field`` may be written at ``level`` with this value."""
    setting = setting_named(field)
    if level not in setting.levels:
        allowed = " or ".join(one.value for one in Level if one in setting.levels)
        raise SettingError(field, "", f"can't be set at {level} level; set it at {allowed} level")
    if level is Level.HOST and setting.host_choices and raw not in setting.host_choices:
        raise SettingError(field, _shorten(raw), f"a host may only choose {' or '.join(setting.host_choices)}")


def to_json(value: Any) -> Any:
    """Write what :func:`parse` read as JSON again; reading that gives the same value."""
    match value:
        case timedelta():
            seconds = value.total_seconds()
            return int(seconds) if seconds.is_integer() else seconds
        case tuple():
            return [channel_to_json(channel) for channel in value]
        case Mode() | Action():
            return value.value
        case _:
            return value


def shown(field: str, raw: Any) -> Any:
    """A stored JSON value as people may see it: secrets give only whether they are set."""
    setting = CATALOGUE.get(field)
    if setting is None:
        return None
    if setting.kind is Kind.CHANNELS:
        return [show_channel(channel) for channel in raw] if isinstance(raw, list) else []
    if setting.secret:
        return {"set": bool(raw)}
    return raw


def _shorten(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 80 else text[:79] + "…"


def _number(setting: Setting, raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise ValueError(_range(setting))  # noqa: TRY004 - one kind of refusal for every wrong value
    if not math.isfinite(raw) or not setting.minimum <= raw <= setting.maximum:
        raise ValueError(_range(setting))
    return raw


def _range(setting: Setting) -> str:
    what = "a number of seconds" if setting.kind is Kind.DURATION else "a whole number"
    return f"write {what} from {setting.minimum:g} to {setting.maximum:g}"


def _duration(setting: Setting, raw: Any) -> timedelta:
    return timedelta(seconds=_number(setting, raw))


def _integer(setting: Setting, raw: Any) -> int:
    number = _number(setting, raw)
    if not isinstance(number, int):
        raise ValueError(_range(setting))  # noqa: TRY004
    return number


def _boolean(setting: Setting, raw: Any) -> bool:
    del setting
    if not isinstance(raw, bool):
        raise ValueError("write true or false")  # noqa: TRY004
    return raw


def _choice(setting: Setting, raw: Any) -> str:
    if not isinstance(raw, str) or raw not in setting.choices:
        raise ValueError(f"write one of {', '.join(setting.choices)}")
    kind = _CHOICE_TYPES.get(setting.name)
    return kind(raw) if kind else raw


def _text(setting: Setting, raw: Any) -> str:
    if not isinstance(raw, str) or len(raw) > setting.maximum:
        raise ValueError(f"write a text of at most {setting.maximum:g} characters")
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in raw):
        raise ValueError("leave out line breaks and control characters")
    return raw


def _address(setting: Setting, raw: Any) -> str:
    return canonical_address(_text(setting, raw))


def _template(setting: Setting, raw: Any) -> str:
    text = _text(setting, raw)
    parse_template(text)
    return text


def _certificates(setting: Setting, raw: Any) -> str:
    return certificates(raw, longest=int(setting.maximum))


def _state_map(setting: Setting, raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict) or len(raw) > setting.maximum:
        raise ValueError("write an object of exit codes or text patterns, each with on, off or unknown")
    for pattern, state in raw.items():
        if not isinstance(pattern, str) or not pattern or not pattern.isprintable() or state not in _STATES:
            raise ValueError(f"give each exit code or text pattern one of {', '.join(_STATES)}")
    return dict(raw)


def _channels(setting: Setting, raw: Any) -> tuple[ChannelSettings, ...]:
    if not isinstance(raw, list) or len(raw) > setting.maximum:
        raise ValueError(f"write a list of at most {setting.maximum:g} channels")
    try:
        return parse_channels(raw)
    except ChannelError as problem:
        raise ValueError(str(problem)) from None


_READERS: dict[Kind, Callable[[Setting, Any], Any]] = {
    Kind.DURATION: _duration,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    Kind.CHOICE: _choice,
    Kind.TEXT: _text,
    Kind.ADDRESS: _address,
    Kind.TEMPLATE: _template,
    Kind.STATE_MAP: _state_map,
    Kind.CERTIFICATES: _certificates,
    Kind.CHANNELS: _channels,
}
