"""ClusterLabs fence agents: what one says of itself, and the lines it is given. Pure.

Agents read ``key=value`` lines on standard input, and nothing else when they have any argument. The metadata (their
own XML) says which keys and actions an agent has; old ones call the address ``ipaddr`` and the user ``login``.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.domain.exec_presets import IPMI_AGENTS, ExecCommand
from controller.domain.exec_template import Template, TemplateError, parse_template
from controller.domain.policy import BmcSettings
from controller.domain.power import PowerAction

DEFAULT_PORT = BmcSettings().port
"""An ``ipmi.port`` left at this is not sent: every agent knows its own device's port."""

LONGEST_LINE: Mapping[str, int] = {"fence_kdump": 1023, "fence_virt": 255, "fence_xvm": 255}
"""Bytes of one input line that agents written in C take; they cut the rest off silently."""

_BOOLEANS = frozenset({"1", "yes", "on", "true", "0", "no", "off", "false"})
_NAMES = {
    "host": ("ip", "ipaddr"),
    "port": ("ipport",),
    "username": ("username", "login"),
    "password": ("password", "passwd"),
    "plug": ("plug", "port"),
}
_OF_PROGRAMS_WITH_PASSWORDS = frozenset({"lanplus", "snmp_version"})
_PROGRAMS = frozenset({"exec", "runonfail", "runonwarn"})
_DATA = frozenset({"api_path", "store_path"})
_FILES = frozenset({"debug", "debug_file", "logfile"})
_SSH_OPTIONS = frozenset(
    {"ciphers", "connecttimeout", "hostkeyalgorithms", "kexalgorithms", "macs", "preferredauthentications"}
    | {"pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes", "stricthostkeychecking", "userknownhostsfile"}
)
"""Options of ssh that old devices need. Others run programs (``ProxyCommand``), or read files that do."""
_RESERVED = frozenset({"action", "nodename", "option"} | {key for keys in _NAMES.values() for key in keys})


class AgentError(Exception):
    """An agent whose metadata can't be read; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent's word on itself. ``parameters``: key → type (``boolean``, ``string``, ``second`` …)."""

    actions: frozenset[str]
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def shows_password(self) -> bool:
        """Whether it is one of those that run ipmitool or net-snmp's programs, password and all in the command line."""
        return not _OF_PROGRAMS_WITH_PASSWORDS.isdisjoint(self.parameters)

    def key(self, variable: str) -> str:
        """What this agent calls an address, a user …; empty where it takes none."""
        return next((name for name in _NAMES[variable] if name in self.parameters), "")


def parse_metadata(text: str) -> Agent:
    """Read what ``-o metadata`` prints.

    Raises:
        AgentError: it is no metadata, or declares entities (which can make a small document huge).
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise AgentError("its metadata has a document type, which no fence agent needs")
    try:
        root = ET.fromstring(text.strip())  # noqa: S314 - without a document type there is nothing to expand
    except ET.ParseError as error:
        raise AgentError(f"it does not print a fence agent's metadata ({error})") from None
    if root.tag != "resource-agent":
        raise AgentError("it does not print a fence agent's metadata")
    return Agent(
        actions=frozenset(one.get("name", "") for one in root.iterfind("actions/action")),
        parameters={one.get("name", ""): _type(one) for one in root.iterfind("parameters/parameter")},
    )


def agent_lines(agent: Agent, command: ExecCommand, values: Mapping[str, str], *, action: str) -> tuple[str, ...]:
    """What the agent is to read: always the action and the host's name, and each value it has a key for.

    ``values`` has every template variable. The words of ``ipmi.syntax`` are more ``key=value`` lines of the operator's.

    Raises:
        TemplateError: a word that is no such line.
    """
    lines = {"action": action, "nodename": values["nodename"]}
    for variable in ("host", "port", "username", "password", "plug"):
        key, value = agent.key(variable), values[variable]
        if key and value and not (variable == "port" and value == str(DEFAULT_PORT)):
            lines[key] = value
    if command.program_name in IPMI_AGENTS:  # else it does not say why: a wrong password looks like a silent BMC
        lines |= {"verbose": "1", "verbose_level": "2"}
    for line in parse_template(command.syntax).fill(values):
        key, equals, value = line.partition("=")
        if not equals or not key:
            raise TemplateError("write words such as lanplus=1; each becomes one line for the agent")
        if fault := _reaches_too_far(key, value):
            raise TemplateError(fault)
        lines[key] = value
    return tuple(f"{key}={value}" for key, value in lines.items())


def cannot(agent: Agent, command: ExecCommand, wanted: Iterable[PowerAction]) -> tuple[str, ...]:
    """The actions among ``wanted`` that the agent lacks, by its own names for them."""
    words = (command.words.get(action, action.value) for action in wanted)
    return tuple(word for word in dict.fromkeys(words) if word not in agent.actions)


def bad_line(agent: Agent, template: Template) -> str:
    """What is wrong with the operator's own ``key=value`` words for this agent, or an empty string."""
    for word in template.words:
        whole = "".join(f"${piece.text}" if piece.variable else piece.text for piece in word)
        key, equals, value = whole.partition("=")
        if not equals or not key:
            return f"{whole!r} is no key=value; write words such as lanplus=1"
        if key in ("action", "nodename", "option"):
            return f"{key} is given by hostfence; leave it out"
        if key not in agent.parameters:
            return (
                f"the agent has no parameter {key!r}; it has {', '.join(sorted(agent.parameters.keys() - _RESERVED))}"
            )
        if fault := _reaches_too_far(key, value):
            return fault
        if agent.parameters[key] == "boolean" and value.lower() not in _BOOLEANS:
            return f"{key} is a switch, and the agent ignores {value!r}; write 1 or 0"
    return ""


def _reaches_too_far(key: str, value: str) -> str:
    """Why an agent may not be told this by settings, or an empty string.

    What may run is the controller's own configuration; no file is to be written with what an agent knows; and what is
    not found is unknown, never off (rule 3).
    """
    plain = key.replace("-", "_")
    if plain not in _DATA and (plain in _PROGRAMS or plain.endswith(("_path", "_script"))):
        return f"{key} names a program for the agent to run, which is not for settings to say; leave it out"
    if plain == "missing_as_off":
        return f"{key} takes a machine that the device can't find for one without power; leave it out"
    if plain in _FILES:
        return f"{key} makes the agent write down what it does, passwords included; leave it out"
    if plain == "ssh_options" and not all(_harmless(word) for word in value.split()):
        known = ", ".join(sorted(_SSH_OPTIONS))
        return f"{key} may only hold words like -oKexAlgorithms=…; the known ones are {known}"
    return ""


def _harmless(word: str) -> bool:
    name, equals, _ = word.removeprefix("-o").partition("=")
    return word.startswith("-o") and bool(equals) and name.lower() in _SSH_OPTIONS


def bad_value(value: str) -> str:
    """Why an agent would not read ``value`` as it is, or an empty string: lines are stripped and unquoted by them."""
    if value != value.strip():
        return "fence agents cut off blanks at its ends; choose one without"
    if len(value) > 1 and value[0] == value[-1] == '"':
        return "fence agents take a pair of quotes around it away; choose one without"
    return ""


def _type(parameter: ET.Element) -> str:
    content = parameter.find("content")
    return "" if content is None else content.get("type", "")
