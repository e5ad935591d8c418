"""Settings as a form: every field with what holds, where it comes from, and its own value here if it has one.

A field has two inputs: whether this level has a value of its own, and that value. What a form sends back is compared
with what it showed, so that only what a person changed is written, and nobody's change of the same minute is undone.
Carries rule 7 for these pages: a secret is never part of a row.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from controller.domain.catalogue import CATALOGUE, Kind, Setting
from controller.domain.inheritance import Effective, Origin
from controller.domain.model import Level

OWN, VALUE, WAS_OWN, WAS = "own.", "value.", "was_own.", "was."
_WIDGETS = {
    Kind.DURATION: "number",
    Kind.INTEGER: "number",
    Kind.BOOLEAN: "select",
    Kind.CHOICE: "select",
    Kind.STATE_MAP: "area",
    Kind.CERTIFICATES: "area",
    Kind.CHANNELS: "area",
    Kind.TEMPLATE: "area",
}
_YES_OR_NO = (("true", "yes"), ("false", "no"))
_JSON = frozenset({Kind.STATE_MAP, Kind.CHANNELS})
_SHORTENED = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A tab. ``levels``: where something of it can be set."""

    key: str
    title: str
    says: str
    names: tuple[str, ...]

    @property
    def levels(self) -> frozenset[Level]:
        """Where at least one of its settings may be written."""
        return frozenset(level for name in self.names for level in CATALOGUE[name].levels)


def _of_device(prefix: str) -> tuple[str, ...]:
    return tuple(name for name in CATALOGUE if name.startswith(prefix))


GROUPS: tuple[Group, ...] = (
    Group(
        key="ipmi",
        title="IPMI",
        says="How a host's power is reached, and what is done to a host found dead. Despite its name it may be any "
        "device: IPMI, Redfish, or any program.",
        names=("action", *_of_device("ipmi.")),
    ),
    Group(
        key="second",
        title="Second device",
        says="Tried when the first one fails, with its own proof of off.",
        names=_of_device("second."),
    ),
    Group(
        key="checking",
        title="Checking",
        says="When a host is suspected, how often it is looked at, and what counts as silence.",
        names=(
            "watch_timeout",
            "grace",
            "check_interval",
            "additional_checks",
            "min_silence",
            "require_heartbeat",
            "heartbeat_interval",
            "witnesses_required",
            "accept_uncheckable_disks",
            "checking_limit",
        ),
    ),
    Group(
        key="limits",
        title="Limits",
        says="What keeps hostfence from doing too much at once.",
        names=(
            "max_actions",
            "action_window",
            "max_concurrent",
            "max_commands_per_incident",
            "max_unhealthy_percent",
            "storm_cooldown",
            "global_max_actions",
            "global_action_window",
            "startup_quiet",
            "vanish_window",
        ),
    ),
    Group(
        key="proof",
        title="Proof of off",
        says="When a device's word that the power is off is believed.",
        names=("off_reads", "read_spacing", "off_deadline", "bmc_settle"),
    ),
    Group(
        key="return",
        title="Return",
        says="When a host that is back is used again.",
        names=("healthy_for", "auto_return"),
    ),
    Group(
        key="channels",
        title="Channels",
        says="Where notifications go, as JSON. Passwords in it are not shown; leave them out to keep them.",
        names=("channels",),
    ),
)
"""Every setting but ``mode``, which is changed with a reason, is in one of them."""

LABELS = {
    "action": "Default fencing action",
    "ipmi.driver": "Driver",
    "ipmi.host": "Hostname or IP",
    "ipmi.port": "Port",
    "ipmi.username": "Username",
    "ipmi.password": "Password",
    "ipmi.plug": "Outlet or system",
    "ipmi.tls": "TLS",
    "ipmi.tls_ca": "Trusted certificates",
    "ipmi.exec": "Exec",
    "ipmi.syntax": "Execution syntax",
    "ipmi.secret_via": "Password handed over by",
    "ipmi.unsafe_password_in_argv": "Password in the command line (unsafe)",
    "ipmi.cipher": "Cipher suite",
}
"""The request's own words where it has some; others are made from the setting's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldView:
    """One row. ``value``: what the input holds; empty for secrets. ``elsewhere``: hosts below with their own value."""

    name: str
    label: str
    help: str
    widget: str
    choices: tuple[tuple[str, str], ...]
    holds: str
    origin: str
    own: bool
    value: str
    was_own: bool
    was: str
    editable: bool
    settable_at: str
    unit: str
    minimum: float
    maximum: float
    secret: bool
    warning: str
    elsewhere: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What a person sent: own value or not, and which."""

    own: bool
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the rows are made from. ``names``: what each origin is called. ``elsewhere``: field to number of hosts."""

    level: Level
    effective: Mapping[str, Effective]
    written: Mapping[str, Any]
    names: Mapping[Origin, str]
    elsewhere: Mapping[str, int] = field(default_factory=dict)


def tabs_for(level: Level) -> tuple[Group, ...]:
    """Those that have something to say at this level: what is set above is shown too, to be read."""
    return tuple(one for one in GROUPS if level in one.levels or (level is Level.HOST and one.key != "channels"))


def group_named(key: str, level: Level) -> Group:
    """The tab of that name, else the first."""
    tabs = tabs_for(level)
    return next((one for one in tabs if one.key == key), tabs[0])


def rows(group: Group, sources: Sources) -> tuple[FieldView, ...]:
    """The tab's settings as they are."""
    return tuple(_row(CATALOGUE[name], sources) for name in group.names)


def with_typed(
    shown: tuple[FieldView, ...], typed: Mapping[str, Typed], problems: Mapping[str, str]
) -> tuple[FieldView, ...]:
    """The same rows with what a person typed and what is wrong with it; a secret has to be typed again."""
    return tuple(
        replace(
            one,
            own=typed[one.name].own if one.name in typed else one.own,
            value=typed[one.name].value if one.name in typed and not one.secret else one.value,
            error=problems.get(one.name, ""),
        )
        for one in shown
    )


def typed_in(form: Mapping[str, str], group: Group, level: Level) -> dict[str, Typed]:
    """What the form says of each setting that may be written here."""
    return {
        name: Typed(own=bool(form.get(OWN + name)), value=_lines(form.get(VALUE + name, "")))
        for name in group.names
        if level in CATALOGUE[name].levels
    }


def changes_in(form: Mapping[str, str], group: Group, level: Level) -> dict[str, Any]:
    """What was changed, as JSON; None: inherit again. What cannot be read stays text, for the service to refuse."""
    changes = {}
    for name, typed in typed_in(form, group, level).items():
        was = Typed(own=bool(form.get(WAS_OWN + name)), value=_lines(form.get(WAS + name, "")))
        if CATALOGUE[name].secret and CATALOGUE[name].kind is not Kind.CHANNELS:
            changed = typed.own != was.own or (typed.own and bool(typed.value))
        else:
            changed = typed.own != was.own or (typed.own and typed.value != was.value)
        if changed:
            changes[name] = _json_of(CATALOGUE[name], typed.value) if typed.own else None
    return changes


def _row(setting: Setting, sources: Sources) -> FieldView:
    name = setting.name
    effective = sources.effective[name]
    own = name in sources.written
    value = _in_the_input(setting, sources.written[name] if own else effective.value, own=own)
    editable = sources.level in setting.levels
    return FieldView(
        name=name,
        label=_label(name),
        help=setting.help,
        widget="password" if _hidden(setting) else _WIDGETS.get(setting.kind, "text"),
        choices=_choices(setting, sources.level),
        holds=_holds(setting, effective.value),
        origin="set here" if own else sources.names[effective.source],
        own=own,
        value=value,
        was_own=own,
        was=value,
        editable=editable,
        settable_at="" if editable else " or ".join(one.value for one in Level if one in setting.levels),
        unit=setting.unit,
        minimum=setting.minimum,
        maximum=setting.maximum,
        secret=_hidden(setting),
        warning=_warning(setting, effective.value),
        elsewhere=sources.elsewhere.get(name, 0),
    )


def _in_the_input(setting: Setting, value: Any, *, own: bool) -> str:
    """A choice always shows one: what is inherited, so that no untouched row seems to say something else."""
    if _hidden(setting) or (not own and _WIDGETS.get(setting.kind) != "select"):
        return ""
    return _text_of(setting, value)


def _label(name: str) -> str:
    first = "ipmi." + name.removeprefix("second.") if name.startswith("second.") else name
    if first in LABELS:
        return LABELS[first]
    words = first.removeprefix("ipmi.").replace("_", " ")
    return words[:1].upper() + words[1:]


def _hidden(setting: Setting) -> bool:
    return setting.secret and setting.kind is not Kind.CHANNELS


def _choices(setting: Setting, level: Level) -> tuple[tuple[str, str], ...]:
    if setting.kind is Kind.BOOLEAN:
        return _YES_OR_NO
    allowed = setting.host_choices if level is Level.HOST and setting.host_choices else setting.choices
    return tuple((one, one or "(none)") for one in allowed)


def _holds(setting: Setting, value: Any) -> str:
    if _hidden(setting):
        return "set, never shown" if value["set"] else "not set"
    if setting.kind is Kind.CHANNELS:
        return f"{len(value)} channels" if value else "none"
    if setting.kind is Kind.CERTIFICATES:
        return "given" if value else "the system's"
    text = dict(_YES_OR_NO)[str(value).lower()] if setting.kind is Kind.BOOLEAN else _text_of(setting, value)
    text = " ".join(text.split())
    text = text if len(text) <= _SHORTENED else text[: _SHORTENED - 1] + "…"
    return f"{text} s" if setting.unit and text else text or "(empty)"


def _warning(setting: Setting, value: Any) -> str:
    """What a setting that is on lets happen, where that is a risk."""
    risky = {
        "unsafe_password_in_argv": (True, "every local user of the controller's machine can read the password"),
        "tls": ("insecure", "whoever is in the way learns the password"),
        "require_heartbeat": (False, "a live host whose guests are idle may be taken for dead"),
        "accept_uncheckable_disks": (True, "machines on storage that no neighbor sees may be lost"),
    }
    at, words = risky.get(setting.name.rpartition(".")[2], (None, ""))
    return words if at is not None and value == at else ""


def _text_of(setting: Setting, value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return ""
        case _ if setting.kind in _JSON:
            return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
        case _:
            return str(value)


def _json_of(setting: Setting, text: str) -> Any:
    match setting.kind:
        case Kind.DURATION | Kind.INTEGER:
            return _number(text)
        case Kind.BOOLEAN:
            return {"true": True, "false": False}.get(text, text)
        case Kind.STATE_MAP | Kind.CHANNELS:
            return _read_json(text, empty={} if setting.kind is Kind.STATE_MAP else [])
        case _:
            return text


def _number(text: str) -> Any:
    for read in (int, float):
        try:
            return read(text.strip())
        except ValueError:
            continue
    return text


def _read_json(text: str, *, empty: Any) -> Any:
    if not text.strip():
        return empty
    try:
        return json.loads(text)
    except ValueError:
        return text


def _lines(text: str) -> str:
    """Browsers send line ends of their own."""
    return text.replace("\r\n", "\n").strip("\n")
