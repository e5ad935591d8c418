"""The settings of a channel that sends SNMP notifications: traps, or informs, which are confirmed."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.domain.channels.base import ChannelError, ChannelKind, ChannelSettings, Field, flag, one_of, text, whole

BASE_OID = "1.3.6.1.4.1.32473.8440"
"""Where HOSTFENCE-MIB begins unless an operator has a place of their own (docs/decisions/0012-snmp-oid.md)."""

_LEAST_PASSWORD = 8
_LONGEST_USER = 32
_OID = re.compile(r"1\.3\.6\.1(\.(0|[1-9]\d{0,9})){1,20}")
_HIGHEST_NUMBER = 2**32 - 1


class SnmpVersion(StrEnum):
    """Which SNMP is spoken."""

    V2C = "2c"
    V3 = "3"


class SnmpAuth(StrEnum):
    """How version 3 proves who sends."""

    NONE = "none"
    SHA = "sha"
    SHA224 = "sha224"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


class SnmpPrivacy(StrEnum):
    """How version 3 hides what is sent."""

    NONE = "none"
    AES = "aes"
    AES192 = "aes192"
    AES256 = "aes256"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnmpChannel(ChannelSettings):
    """Notifications to one receiver.

    Management systems want one notification for each decision, and correlate by themselves: no digest unless asked for.
    """

    kind: str = "snmp"
    host: str
    version: SnmpVersion
    port: int = 162
    inform: bool = True
    community: str = field(default="", repr=False)
    username: str = ""
    auth: SnmpAuth = SnmpAuth.SHA256
    auth_password: str = field(default="", repr=False)
    privacy: SnmpPrivacy = SnmpPrivacy.AES
    privacy_password: str = field(default="", repr=False)
    base_oid: str = BASE_OID
    digest_after: int = 0


def _username(raw: Any, where: str) -> str:
    name = text(raw, where)
    if len(name.encode()) > _LONGEST_USER:
        raise ChannelError(f"{where} must have at most {_LONGEST_USER} bytes")
    return name


def _password(raw: Any, where: str) -> str:
    password = text(raw, where)
    if password and len(password.encode()) < _LEAST_PASSWORD:
        raise ChannelError(f"{where} must have at least {_LEAST_PASSWORD} bytes, as SNMP demands")
    return password


def _oid(raw: Any, where: str) -> str:
    oid = text(raw, where).removeprefix(".")
    if not _OID.fullmatch(oid) or any(int(number) > _HIGHEST_NUMBER for number in oid.split(".")):
        raise ChannelError(f"{where} must be numbers like {BASE_OID}")
    return oid


def _together(channel: SnmpChannel) -> str:
    if channel.version is SnmpVersion.V2C:
        return "" if channel.community else "community is missing: version 2c needs one"
    if not channel.username:
        return "username is missing: version 3 needs one"
    if channel.auth is SnmpAuth.NONE and channel.privacy is not SnmpPrivacy.NONE:
        return "privacy needs auth: write auth sha256, or privacy none"
    if channel.auth is not SnmpAuth.NONE and not channel.auth_password:
        return "auth_password is missing: write one, or auth none and privacy none"
    if channel.privacy is not SnmpPrivacy.NONE and not channel.privacy_password:
        return "privacy_password is missing: write one, or privacy none"
    return ""


def _goes_to(channel: SnmpChannel) -> str:
    return f"{channel.host}:{channel.port} (v{channel.version} {'inform' if channel.inform else 'trap'})"


SNMP = ChannelKind(
    name="snmp",
    help="SNMP traps or informs, as HOSTFENCE-MIB describes them",
    settings=SnmpChannel,
    fields={
        "host": Field(read=text, help="the receiver", required=True, binds=True),
        "port": Field(read=whole(1, 65535), help="its UDP port; 162 unless written", binds=True),
        "version": Field(read=one_of(*SnmpVersion), help="2c or 3", required=True, binds=True),
        "inform": Field(
            read=flag, help="true (unless written): informs, which are confirmed; false: traps, which get lost"
        ),
        "community": Field(read=text, help="of version 2c; it crosses the network readable", secret=True),
        "username": Field(read=_username, help="of version 3", binds=True),
        "auth": Field(
            read=one_of(*SnmpAuth), help="none, sha, sha224, sha256 (unless written), sha384 or sha512", binds=True
        ),
        "auth_password": Field(read=_password, help="8 bytes or more", secret=True),
        "privacy": Field(read=one_of(*SnmpPrivacy), help="none, aes (unless written), aes192 or aes256", binds=True),
        "privacy_password": Field(read=_password, help="8 bytes or more", secret=True),
        "base_oid": Field(read=_oid, help="where HOSTFENCE-MIB begins, if you gave it a place of your own"),
    },
    goes_to=_goes_to,
    confirms=lambda channel: channel.inform,
    together=_together,
    room=260,  # of the 280 bytes that hostfenceWhat has
)
