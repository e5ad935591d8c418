"""The table of kinds, and everything that is done by it: read, write back, show without secrets, keep secrets."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from controller.domain.channels.apprise import APPRISE
from controller.domain.channels.base import COMMON, ChannelError, ChannelKind, ChannelSettings
from controller.domain.channels.cloudstack import CLOUDSTACK
from controller.domain.channels.email import EMAIL
from controller.domain.channels.snmp import SNMP
from controller.domain.channels.webhook import WEBHOOK

KINDS: dict[str, ChannelKind] = {kind.name: kind for kind in (EMAIL, WEBHOOK, SNMP, APPRISE, CLOUDSTACK)}
"""Every kind of channel there is; bootstrap names what sends each."""

_AS_USUAL = ("clusters", "events", "digest_after")
"""Not stored where they are what the kind has anyway: a later version may have a better default."""

_ALL_SECRETS = frozenset(name for kind in KINDS.values() for name in kind.secrets)


def parse_channels(raw: Sequence[Any]) -> tuple[ChannelSettings, ...]:
    """The channels written in ``raw``; raises :class:`ChannelError` naming the channel and the remedy.

    A secret may be missing: see :func:`keep_secrets`.
    """
    channels = tuple(_parse_one(one, f"channel {place}") for place, one in enumerate(raw, start=1))
    names = [channel.name for channel in channels]
    for name in names:
        if names.count(name) > 1:
            raise ChannelError(f"two channels are called {name!r}; give each its own name")
    return channels


def channel_to_json(channel: ChannelSettings) -> dict[str, Any]:
    """All of it, secrets too: for the store only."""
    found = {one.name: getattr(channel, one.name) for one in fields(channel)}
    unwritten = {one.name for one in fields(channel) if one.name in _AS_USUAL and found[one.name] == one.default}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in found.items()
        if name not in unwritten
    }


def show_channel(raw: Any) -> dict[str, Any]:
    """A stored channel as people may see it. Of a kind that another version wrote: what every channel has."""
    if not isinstance(raw, dict):
        return {}
    kind = KINDS.get(raw["kind"]) if isinstance(raw.get("kind"), str) else None
    if kind is None:
        secrets = sorted(_ALL_SECRETS & raw.keys())
        shown = {key: value for key, value in raw.items() if key in COMMON or key == "kind"}
    else:
        secrets = list(kind.secrets)
        shown = {key: value for key, value in raw.items() if key not in secrets}
    return {**shown, **{f"{name}_set": bool(raw.get(name)) for name in secrets}}


def keep_secrets(new: Sequence[ChannelSettings], raw: Sequence[Any], old: Any) -> tuple[ChannelSettings, ...]:
    """``new`` (read from ``raw``) with the ``old`` stored secrets wherever a channel of that name came without them.

    A secret can't be read, so whoever changes another field of a channel can't send it back. It is kept only while
    the fields stay that say where it goes. Raises :class:`ChannelError` where a needed one is missing then.
    """
    earlier = (
        {one["name"]: one for one in old if isinstance(one, dict) and isinstance(one.get("name"), str)}
        if isinstance(old, list)
        else {}
    )
    return tuple(
        _complete(_kept(channel, written, earlier.get(channel.name, {})))
        for channel, written in zip(new, raw, strict=True)
    )


def _kept(channel: ChannelSettings, written: dict[str, Any], before: dict[str, Any]) -> ChannelSettings:
    kind = KINDS[channel.kind]
    if any(before.get(key) != getattr(channel, key) for key in ("kind", *kind.binding)):
        return channel
    kept: dict[str, Any] = {
        key: before[key] for key in kind.secrets if key not in written and isinstance(before.get(key), str)
    }
    return replace(channel, **kept)


def _complete(channel: ChannelSettings) -> ChannelSettings:
    for name, field in KINDS[channel.kind].fields.items():
        if field.secret and field.required and not getattr(channel, name):
            raise ChannelError(f"channel {channel.name}: {name} is missing")
    if problem := KINDS[channel.kind].together(channel):
        raise ChannelError(f"channel {channel.name}: {problem}")
    return channel


def _parse_one(raw: Any, where: str) -> ChannelSettings:
    if not isinstance(raw, dict):
        raise ChannelError(f"{where}: write an object with name, kind and what its kind needs")
    kind = KINDS.get(raw["kind"]) if isinstance(raw.get("kind"), str) else None
    if kind is None:
        raise ChannelError(f"{where}: kind must be one of {', '.join(KINDS)}")
    known = {**COMMON, **kind.fields}
    if unknown := sorted(str(key) for key in raw if key not in known and key != "kind"):
        raise ChannelError(f"{where}: {', '.join(unknown)} is not known; use {', '.join(sorted((*known, 'kind')))}")
    for name, field in known.items():
        if field.required and not field.secret and raw.get(name) in (None, ""):
            raise ChannelError(f"{where}: {name} is missing")
    values = {name: field.read(raw[name], f"{where}: {name}") for name, field in known.items() if name in raw}
    return kind.settings(**values, kind=kind.name)
