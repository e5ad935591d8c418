"""What the ``exec`` driver is to run for one power device: a preset's facts, overridden by every setting written.

A preset is data: the command line, what each action is called, how an answer is read, how the password is handed over.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath

from controller.domain.exec_states import can_read_off
from controller.domain.exec_template import Template, parse_template
from controller.domain.policy import BmcSettings
from controller.domain.power import PowerAction


class Preset(StrEnum):
    """Which ready-made description a command starts from; ``plain`` is none at all."""

    PLAIN = ""
    IPMITOOL = "ipmitool"
    FENCE_AGENT = "fence-agent"
    SCRIPT = "script"


class SecretVia(StrEnum):
    """How the password reaches the program. ``argv`` only through ``$IPMI_PASSWORD`` and with the unsafe setting."""

    ENV = "env"
    STDIN = "stdin"
    FILE = "file"
    ARGV = "argv"


AGENTS_FOR_TESTS = frozenset({"fence_dummy"})
"""Agents that do all they are told and cut nobody's power."""

AGENTS_WITHOUT_STATE = frozenset(
    {"fence_ack_manual", "fence_heuristics_ping", "fence_kdump", "fence_ovh", "fence_rcd_serial"}
)
"""Agents of the collection that can't say whether a host is off (their own metadata has no ``status``)."""

IPMI_AGENTS = frozenset(
    {"fence_ipmilan", "fence_ipmilanplus"}
    | {"fence_idrac", "fence_ilo3", "fence_ilo4", "fence_ilo5", "fence_ilo6", "fence_imm"}
)
"""One program under several names. It hands the password to ipmitool in its command line."""

AGENTS_SHOWING_PASSWORD = IPMI_AGENTS | {
    *("fence_apc_snmp", "fence_cisco_mds", "fence_eaton_snmp", "fence_emerson", "fence_ibmblade", "fence_ifmib"),
    *("fence_intelmodular", "fence_ipdu", "fence_lindypdu", "fence_tripplite_snmp", "fence_vmware"),
}
"""Agents that run another program (ipmitool, net-snmp's, VMware's) with the password, or the community, in its command
line. Others of that kind are known by their metadata: :attr:`controller.domain.fence_agents.Agent.shows_password`."""

ACTION_SETTINGS: Mapping[str, PowerAction] = {
    "action_stop": PowerAction.OFF,
    "action_start": PowerAction.ON,
    "action_reboot": PowerAction.REBOOT,
    "action_blink": PowerAction.BLINK,
    "action_blink_off": PowerAction.BLINK_OFF,
    "action_test": PowerAction.TEST,
    "action_status": PowerAction.STATUS,
}
"""Which setting below ``ipmi.`` says what an action is called."""

IPMI_PASSWORD_BYTES, IPMI_USERNAME_BYTES = 20, 16
"""What IPMI 2.0 takes; programs cut the rest off silently, and the login fails."""

_BLINKS = (PowerAction.BLINK, PowerAction.BLINK_OFF)

# -v is what makes ipmitool say why a login failed: without it a wrong password and a silent BMC look the same. A
# command has one try and no more (-R 1): ipmitool repeats what is not answered, which would be a second reset.
_IPMITOOL = (
    "$IPMI_EXEC -v -I lanplus -H $IPMI_HOST -p $IPMI_PORT -U $IPMI_USERNAME -L $IPMI_PRIVILEGE -C $IPMI_CIPHER "
    "-N 2 -R {tries} -E chassis {what} $IPMI_ACTION"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    program: str = ""
    syntax: str = ""
    other_syntax: Mapping[PowerAction, str] = field(default_factory=dict)
    words: Mapping[PowerAction, str] = field(default_factory=dict)
    state_map: Mapping[str, str] = field(default_factory=dict)
    secret_via: SecretVia = SecretVia.ENV


_PRESETS: Mapping[Preset, _Facts] = {
    Preset.PLAIN: _Facts(),
    Preset.IPMITOOL: _Facts(
        program="ipmitool",
        syntax=_IPMITOOL.format(tries=1, what="power"),
        other_syntax={
            PowerAction.STATUS: _IPMITOOL.format(tries=2, what="power"),
            **dict.fromkeys(_BLINKS, _IPMITOOL.format(tries=1, what="identify")),
        },
        words={
            PowerAction.OFF: "off",
            PowerAction.ON: "on",
            PowerAction.REBOOT: "reset",
            PowerAction.BLINK: "force",
            PowerAction.BLINK_OFF: "0",
            PowerAction.STATUS: "status",
        },
        state_map={"Chassis Power is on": "on", "Chassis Power is off": "off"},
    ),
    # No reboot: an agent's own answers 0 even when the host stayed off after it, so that hostfence does off, reads, on.
    Preset.FENCE_AGENT: _Facts(
        words={PowerAction.OFF: "off", PowerAction.ON: "on", PowerAction.STATUS: "status"},
        state_map={"0": "on", "2": "off", "Status: ON": "on", "Status: OFF": "off"},
        secret_via=SecretVia.STDIN,
    ),
    Preset.SCRIPT: _Facts(
        syntax="$IPMI_EXEC $IPMI_ACTION $IPMI_HOST",
        words={
            PowerAction.OFF: "off",
            PowerAction.ON: "on",
            PowerAction.REBOOT: "reboot",
            PowerAction.BLINK: "blink",
            PowerAction.BLINK_OFF: "blink_off",
            PowerAction.STATUS: "status",
        },
        state_map={"0": "on", "2": "off"},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecCommand:
    """What is to be run, settled: nothing empty inherits any more. Holds no secret."""

    preset: Preset
    program: str
    syntax: str
    other_syntax: Mapping[PowerAction, str]
    words: Mapping[PowerAction, str]
    """What each action this device has is called."""
    state_map: Mapping[str, str]
    secret_via: SecretVia
    cipher: str
    privilege: str
    may_show_password: bool
    """Whether the unsafe setting allows the password in a command line."""

    @property
    def program_name(self) -> str:
        """The program's file name."""
        return PurePath(self.program).name

    @property
    def speaks_ipmi(self) -> bool:
        """Whether IPMI's limits hold for its credentials."""
        return self.preset is Preset.IPMITOOL or self.program_name in IPMI_AGENTS | {"ipmitool"}

    @property
    def shows_password(self) -> bool:
        """Whether the password gets into a command line, where every local user can read it (rule 7)."""
        if self.preset is Preset.FENCE_AGENT:
            return self.program_name in AGENTS_SHOWING_PASSWORD
        return any("password" in parse_template(text).variables for text in self.templates)

    @property
    def reads_state(self) -> bool:
        """Whether it can ever say *off*."""
        return PowerAction.STATUS in self.words and can_read_off(self.state_map)

    @property
    def templates(self) -> tuple[str, ...]:
        """Every command line it may use."""
        return tuple(dict.fromkeys((self.syntax, *self.other_syntax.values())))

    def template_for(self, action: PowerAction) -> Template:
        """The command line of one action; raises ``TemplateError`` for one that can't be read."""
        return parse_template(self.other_syntax.get(action, self.syntax))


def command_of(options: Iterable[tuple[str, str]]) -> ExecCommand:
    """Settle the settings below ``ipmi.``: what is written holds, the preset gives the rest."""
    written = {name: value for name, value in options if value}
    preset = Preset(written.get("preset", ""))
    facts = _PRESETS[preset]
    own_words = {action: written[name] for name, action in ACTION_SETTINGS.items() if name in written}
    own_syntax = "syntax" in written and preset is not Preset.FENCE_AGENT
    return ExecCommand(
        preset=preset,
        program=written.get("exec", facts.program),
        syntax=written.get("syntax", facts.syntax),
        other_syntax={} if own_syntax else facts.other_syntax,
        words={**facts.words, **own_words},
        state_map=json.loads(written["state_map"]) if "state_map" in written else facts.state_map,
        secret_via=SecretVia(written.get("secret_via", facts.secret_via)),
        cipher=written.get("cipher", "auto"),
        privilege=written.get("privilege", "operator"),
        may_show_password="unsafe_password_in_argv" in written,
    )


def proves(bmc: BmcSettings) -> bool:
    """Whether the device these settings describe can ever be read *off* and told to go off.

    For the ``exec`` driver that depends on the settings; every other driver of ours reads states.
    """
    if bmc.driver != "exec":
        return True
    try:
        command = command_of(bmc.options)
    except ValueError:  # a row that another version wrote
        return False
    if command.preset is Preset.FENCE_AGENT and command.program_name in AGENTS_WITHOUT_STATE | AGENTS_FOR_TESTS:
        return False
    return command.reads_state and PowerAction.OFF in command.words
