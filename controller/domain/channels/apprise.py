"""The settings of a channel to a chat or paging service by URL, and which services and parts of URLs are allowed.

The library behind it speaks to far more than chat services: to the desktop and the log of the machine it runs on, to
files, to any address. So these are lists of what is allowed, and not of what is not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from controller.domain.channels.base import ChannelError, ChannelKind, ChannelSettings, Field, long_text
from controller.domain.channels.webhook import MACHINE_ITSELF, refused_for_webhook

_LONGEST_URL = 1024


@dataclass(frozen=True, slots=True)
class Service:
    """``own_host``: the URL says which host (one of the operator's own, perhaps). ``plain``: it is not encrypted."""

    name: str
    own_host: bool = False
    plain: bool = False


def _encrypted_or_not(name: str, schema: str) -> dict[str, Service]:
    return {schema: Service(name, own_host=True, plain=True), f"{schema}s": Service(name, own_host=True)}


SERVICES: Mapping[str, Service] = MappingProxyType(
    {
        "discord": Service("Discord"),
        "dingtalk": Service("DingTalk"),
        "feishu": Service("Feishu"),
        "firehydrant": Service("FireHydrant"),
        "gchat": Service("Google Chat"),
        **_encrypted_or_not("Gotify", "gotify"),
        "ilert": Service("iLert"),
        "incidentio": Service("incident.io"),
        "lark": Service("Lark"),
        **_encrypted_or_not("Matrix", "matrix"),
        **_encrypted_or_not("Mattermost", "mmost"),
        **_encrypted_or_not("Nextcloud Talk", "nctalk"),
        **_encrypted_or_not("ntfy", "ntfy"),
        "opsgenie": Service("Opsgenie"),
        "pagerduty": Service("PagerDuty"),
        "pagertree": Service("PagerTree"),
        "pover": Service("Pushover"),
        "prowl": Service("Prowl"),
        **_encrypted_or_not("Rocket.Chat", "rocket"),
        **_encrypted_or_not("Signal (own gateway)", "signal"),
        "signl4": Service("SIGNL4"),
        "slack": Service("Slack"),
        "sns": Service("Amazon SNS"),
        "spike": Service("Spike.sh"),
        "splunk": Service("Splunk On-Call"),
        "squadcast": Service("Squadcast"),
        "tgram": Service("Telegram"),
        "threema": Service("Threema Gateway"),
        "twilio": Service("Twilio"),
        "twist": Service("Twist"),
        "webex": Service("Webex"),
        "wecombot": Service("WeCom"),
        "workflows": Service("Microsoft Teams"),
        "zulip": Service("Zulip"),
    }
)
"""What a URL may begin with."""

PARAMETERS = frozenset(
    {
        *("action", "alias", "api-version", "auth", "botname", "channel", "channels", "class", "click", "detect"),
        *("entity", "entity_id", "footer", "format", "from", "group", "gwid", "id", "image", "mode", "msgtype", "pa"),
        *("path", "preview", "priority", "region", "route", "routeid", "routing_key", "secret", "service", "severity"),
        *(
            "sid",
            "sig",
            "silent",
            "sound",
            "source",
            "tags",
            "team",
            "thread",
            "tid",
            "to",
            "token",
            "topic",
            "urgency",
        ),
        *("url_prefix", "ver", "version", "workspace", "xtags"),
    }
)
"""What may stand after the question mark: nothing that names a file, fetches an attachment, adds headers or waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseChannel(ChannelSettings):
    """A message to one service. ``url`` holds its keys, so nobody can read it."""

    kind: str = "apprise"
    url: str = field(default="", repr=False)

    @property
    def service(self) -> Service:
        """Which one it is."""
        return SERVICES[self.url.partition("://")[0].lower()]

    @property
    def own_host(self) -> str:
        """The host that the URL names; empty where the service has its own."""
        return (urlsplit(self.url).hostname or "") if self.service.own_host else ""


def unknown_parameters(url: str) -> list[str]:
    """Names, not values, of what stands after the question mark and is not allowed; read as the library reads it."""
    _, _, query = url.partition("?")
    names = [unquote(part.partition("=")[0]).strip().lower() for part in re.split("[&;]", query)]
    return [name for name in names if name and name not in PARAMETERS]


def _url(raw: Any, where: str) -> str:
    url = long_text(raw, where, longest=_LONGEST_URL)
    if not url:
        return url
    schema, found, rest = url.partition("://")
    service = SERVICES.get(schema.lower())
    if not found or service is None:
        raise ChannelError(f"{where} must begin with one of {', '.join(f'{one}://' for one in SERVICES)}")
    if " " in url or not rest:
        raise ChannelError(f"{where} must be one URL without spaces, as Apprise writes it for {service.name}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ChannelError(f"{where} cannot be read: look at its host and port") from None
    if unknown_parameters(url):
        raise ChannelError(f"{where}: after the question mark only these may stand: {', '.join(sorted(PARAMETERS))}")
    if service.own_host:
        _check_host(schema.lower(), service, host, where)
    return url


def _check_host(schema: str, service: Service, host: str, where: str) -> None:
    if service.plain and host not in MACHINE_ITSELF:
        raise ChannelError(f"{where} must begin with {schema}s:// ({schema}:// only to this machine itself)")
    if refused := refused_for_webhook(host):
        raise ChannelError(f"{where}: its host {refused}")


APPRISE = ChannelKind(
    name="apprise",
    help="chat and paging services by URL",
    settings=AppriseChannel,
    fields={
        "url": Field(read=_url, help="as Apprise writes it, like slack://…; it holds keys", required=True, secret=True)
    },
    goes_to=lambda settings: settings.service.name,
)
