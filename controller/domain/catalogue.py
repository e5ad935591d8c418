"""Every setting as data: where it may be written, its default, its range, and one line of help.

The API's checks, the effective view and the documentation are made from this table. Values are those of JSON; a
duration is a number of seconds. :mod:`controller.domain.setting_values` reads and writes them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby
from typing import Any

from controller.domain.model import Level
from controller.domain.policy import Action, BmcSettings, Mode, Policy


class Kind(StrEnum):
    """How a value is read."""

    DURATION = "duration"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    TEXT = "text"
    ADDRESS = "address"
    TEMPLATE = "template"
    STATE_MAP = "state_map"
    CERTIFICATES = "certificates"
    CHANNELS = "channels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting. ``default`` is JSON; None where it depends on the cluster or on another setting.

    ``minimum`` and ``maximum`` are inclusive: seconds for durations, characters for texts. ``host_choices``: what a
    host may choose where that is less than everybody else.
    """

    name: str
    kind: Kind
    levels: frozenset[Level]
    help: str
    default: Any = field(default=None, repr=False)
    minimum: float = 0
    maximum: float = 0
    choices: tuple[str, ...] = ()
    host_choices: tuple[str, ...] = ()
    secret: bool = False

    @property
    def unit(self) -> str:
        """``seconds`` for durations, else empty."""
        return "seconds" if self.kind is Kind.DURATION else ""


_G = frozenset({Level.GLOBAL})
_C = frozenset({Level.CLUSTER})
_H = frozenset({Level.HOST})
_GC = _G | _C
_GCH = _GC | _H

MIN_SILENCE_WITHOUT_HEARTBEAT_S = 130
"""Default and least ``min_silence`` where no heartbeat is required: a live idle guest may write nothing for long."""

_HOUR = 3600
_DAY = 24 * _HOUR
_TEXT_MAX = 1024
_P = Policy()
_B = BmcSettings()


def _duration(name: str, levels: frozenset[Level], minimum: float, maximum: float, text: str) -> Setting:
    default = getattr(_P, name).total_seconds()
    return Setting(
        name=name,
        kind=Kind.DURATION,
        levels=levels,
        help=text,
        default=int(default),
        minimum=minimum,
        maximum=maximum,
    )


def _integer(name: str, levels: frozenset[Level], minimum: int, maximum: int, text: str) -> Setting:
    return Setting(
        name=name,
        kind=Kind.INTEGER,
        levels=levels,
        help=text,
        default=getattr(_P, name),
        minimum=minimum,
        maximum=maximum,
    )


def _boolean(name: str, levels: frozenset[Level], text: str, *, default: bool) -> Setting:
    return Setting(name=name, kind=Kind.BOOLEAN, levels=levels, help=text, default=default)


def _choice(
    name: str, levels: frozenset[Level], choices: tuple[str, ...], text: str, *, host_choices: tuple[str, ...] = ()
) -> Setting:
    return Setting(
        name=name,
        kind=Kind.CHOICE,
        levels=levels,
        help=text,
        default=choices[0],
        choices=choices,
        host_choices=host_choices,
    )


def _text(name: str, text: str, *, default: str = "", secret: bool = False, kind: Kind = Kind.TEXT) -> Setting:
    return Setting(name=name, kind=kind, levels=_GCH, help=text, default=default, maximum=_TEXT_MAX, secret=secret)


_SETTINGS = (
    _choice("mode", _GCH, tuple(Mode), "observe: nothing is ever sent; the strictest level wins"),
    _choice(
        "action",
        _GC | _H,
        tuple(Action),
        "what is done to a host found dead; a host may only choose none",
        host_choices=(Action.NONE,),
    ),
    _text("ipmi.driver", "which power driver reaches the device", default=_B.driver),
    Setting(
        name="ipmi.host",
        kind=Kind.ADDRESS,
        levels=_H,
        help="the power device's address or name; empty: this host has none",
        default=_B.host,
        maximum=253,
    ),
    Setting(
        name="ipmi.port",
        kind=Kind.INTEGER,
        levels=_GCH,
        help="the power device's port; 623, or 443 where ipmi.driver is redfish",
        default=_B.port,
        minimum=1,
        maximum=65535,
    ),
    _text("ipmi.username", "user on the power device; OPERATOR privilege is enough"),
    _text("ipmi.password", "that user's password; can be written, never read", secret=True),
    _text("ipmi.plug", "which outlet or system, where one device serves several hosts"),
    _choice(
        "ipmi.tls",
        _GCH,
        ("verify", "insecure", "plain"),
        "redfish driver: check the device's certificate; insecure: don't, so that whoever is in the way learns the "
        "password; plain: no TLS at all, in a lab only",
    ),
    Setting(
        name="ipmi.tls_ca",
        kind=Kind.CERTIFICATES,
        levels=_GCH,
        help="redfish driver: certificates in PEM that are trusted instead of the system's; empty: the system's",
        default="",
        maximum=64 * 1024,
    ),
    _choice("ipmi.privilege", _GCH, ("operator", "user", "administrator"), "IPMI privilege level to ask for"),
    _choice(
        "ipmi.preset",
        _GCH,
        ("", "ipmitool", "fence-agent", "script"),
        "exec driver: the ready-made description that every empty ipmi.* setting below takes its value from",
    ),
    _text(
        "ipmi.exec",
        "exec driver: the program, by path or file name; what may run is the controller's own HOSTFENCE_EXEC_ALLOWED",
    ),
    _text("ipmi.action_stop", "exec driver: what the action is called that cuts the power"),
    _text("ipmi.action_start", "exec driver: what the action is called that gives power"),
    _text("ipmi.action_reboot", "exec driver: what the action is called that resets"),
    _text("ipmi.action_blink", "exec driver: what the action is called that lights the LED"),
    _text("ipmi.action_blink_off", "exec driver: what the action is called that puts the LED out again"),
    _text("ipmi.action_test", "exec driver: what Test runs before it reads the state; changes nothing"),
    _text("ipmi.action_status", "exec driver: what the action is called that reads the power state"),
    _text(
        "ipmi.syntax",
        "exec driver: the command with $IPMI_EXEC, $IPMI_HOST, $IPMI_USERNAME, $IPMI_ACTION …; never run by a shell. "
        "For fence agents: further key=value words",
        kind=Kind.TEMPLATE,
    ),
    Setting(
        name="ipmi.state_map",
        kind=Kind.STATE_MAP,
        levels=_GCH,
        help="exec driver: exit code or text pattern to on, off or unknown",
        default={},
        maximum=64,
    ),
    _choice(
        "ipmi.secret_via",
        _GCH,
        ("", "env", "stdin", "file", "argv"),
        "exec driver: how the password is handed over; empty: as the preset says, else env",
    ),
    _choice("ipmi.cipher", _GCH, ("auto", "17", "3"), "ipmitool preset: cipher suite; auto: 17, then 3, remembered"),
    _boolean(
        "ipmi.unsafe_password_in_argv",
        _GCH,
        "unsafe: let the password stand in a command line, where every local user can read it",
        default=False,
    ),
    _duration("check_interval", _GC, 5, 300, "time between check rounds"),
    _integer("additional_checks", _GC, 0, 100, "dead rounds needed after the first one"),
    Setting(
        name="min_silence",
        kind=Kind.DURATION,
        levels=_GC,
        help="least time from first to last dead round; 60, or 130 where no heartbeat is required",
        minimum=30,
        maximum=_HOUR,
    ),
    _boolean("require_heartbeat", _GC, "a pool counts only if the host's heartbeat was moving on it", default=True),
    _boolean(
        "accept_uncheckable_disks",
        _GC,
        "fence although some disks are on storage that no neighbor can see",
        default=False,
    ),
    _duration("heartbeat_interval", _GC, 1, 30, "how often an agent writes its heartbeat"),
    _duration("watch_timeout", _GC, 3, 300, "silence after which hostfence suspects a host by itself"),
    _duration("grace", _GC, 0, 300, "time from suspicion to the first check round"),
    _duration("startup_quiet", _G, 10, _HOUR, "no fencing this long after a start when no controller had been alive"),
    _duration("storm_cooldown", _GC, 0, _HOUR, "no fencing this long after a storm ended"),
    _duration("vanish_window", _G, 3, 300, "another host lost this soon after a command stops all fencing"),
    Setting(
        name="witnesses_required",
        kind=Kind.INTEGER,
        levels=_GC,
        help="conclusively silent reports needed; 2, or 1 where the cluster has a single other host",
        minimum=1,
        maximum=64,
    ),
    _integer("max_actions", _C, 0, 1000, "hosts taken down per action_window in one cluster; 0: never"),
    _duration("action_window", _C, 60, 7 * _DAY, "the sliding window of max_actions"),
    _integer("global_max_actions", _G, 0, 1000, "hosts taken down per global_action_window everywhere; 0: never"),
    _duration("global_action_window", _G, 60, 7 * _DAY, "the sliding window of global_max_actions"),
    _integer("max_unhealthy_percent", _GC, 1, 100, "more than this share of a cluster suspect or fenced: hold"),
    _integer("off_reads", _GCH, 2, 20, "off reads in a row that prove off"),
    _duration("read_spacing", _GCH, 1, 60, "least time between two reads of a proof"),
    _duration("off_deadline", _GCH, 5, _HOUR, "time for a device to read off after the command"),
    _duration("bmc_settle", _GCH, 10, _HOUR, "time a device that was out of reach must answer before off counts"),
    _integer("max_concurrent", _C, 1, 100, "power-downs at the same time in one cluster"),
    _integer("max_commands_per_incident", _GC, 1, 20, "power-down commands one incident may send"),
    _duration("checking_limit", _GC, 30, _DAY, "checking without a result this long becomes a hold"),
    _duration("healthy_for", _GC, 10, _HOUR, "a returned host counts as healthy after this long"),
    _boolean("auto_return", _GC, "a returned host is in use again by itself; else a person re-arms it", default=True),
    Setting(
        name="channels",
        kind=Kind.CHANNELS,
        levels=_G,
        help="where notifications go",
        default=[],
        maximum=50,
        secret=True,
    ),
)

GROUPS = ("ipmi.", "second.")
"""What the names of each power device's settings begin with, in the order in which the devices are tried."""

DEVICE_ADDRESSES = frozenset(f"{group}host" for group in GROUPS)


def _with_a_second_device(settings: tuple[Setting, ...]) -> Iterator[Setting]:
    """Every setting of the first power device, once more for the second, behind the last of the first."""
    first, second = GROUPS
    for group, of_devices in groupby(settings, lambda one: one.name.startswith(first)):
        known = tuple(of_devices)
        yield from known
        for one in known if group else ():
            name = second + one.name.removeprefix(first)
            yield replace(one, name=name, help=f"second power device, tried when the first fails: {one.help}")


CATALOGUE: dict[str, Setting] = {setting.name: setting for setting in _with_a_second_device(_SETTINGS)}
"""name -> setting, in the order people read them."""
