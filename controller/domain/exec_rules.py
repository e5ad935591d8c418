"""Which settings of the ``exec`` driver make no sense together.

What needs the controller's own machine (the list of programs, an agent's metadata) is looked at in
:mod:`controller.services.exec_rules`.
"""

from collections.abc import Callable

from controller.domain.exec_presets import (
    ACTION_SETTINGS,
    IPMI_AGENTS,
    ExecCommand,
    Preset,
    SecretVia,
    command_of,
)
from controller.domain.exec_template import parse_template
from controller.domain.fence_agents import LONGEST_LINE, bad_value
from controller.domain.policy import Action, BmcSettings, Policy
from controller.domain.power import PowerAction
from controller.domain.setting_values import SettingError

_NEEDED = {
    Action.NONE: (),
    Action.BLINK: (PowerAction.BLINK,),
    Action.OFF: (PowerAction.OFF,),
    Action.REBOOT: (PowerAction.OFF, PowerAction.ON),
}
_LONGEST_KEY = len("password=\n")


def actions_needed(policy: Policy) -> tuple[PowerAction, ...]:
    """The power actions that the policy's action comes down to."""
    return _NEEDED[policy.action]


def exec_problem(policy: Policy) -> SettingError | None:
    """The first thing wrong with the command this policy describes. None for other drivers."""
    if policy.bmc.driver != "exec":
        return None
    command = command_of(policy.bmc.options)
    checks: tuple[Callable[[], SettingError | None], ...] = (
        lambda: _program(command, policy.bmc),
        lambda: _syntax(command, policy.bmc),
        lambda: _actions(command, policy),
        lambda: _handing_over(command, policy.bmc),
        lambda: _agent_values(command, policy.bmc),
    )
    return next((problem for check in checks if (problem := check()) is not None), None)


def password_in_argv(bmc: BmcSettings) -> SettingError | None:
    """Refuse what puts the password into a command line, unless the unsafe setting allows it (rule 7)."""
    command = command_of(bmc.options)
    if command.may_show_password:
        return None
    remedy = (
        "leave the password out of the command line, where every local user can read it: set ipmi.secret_via to env"
    )
    if command.secret_via is SecretVia.ARGV:
        return SettingError("ipmi.secret_via", "argv", remedy)
    if not command.shows_password:
        return None
    if command.preset is Preset.FENCE_AGENT:
        return agent_shows_password(command.program_name)
    return SettingError("ipmi.syntax", "$IPMI_PASSWORD", remedy)


def agent_shows_password(name: str) -> SettingError:
    """The refusal of a fence agent that hands the password on in a command line of its own."""
    other = "set ipmi.driver to ipmi, or ipmi.preset to ipmitool" if name in IPMI_AGENTS else "name another agent"
    return SettingError(
        "ipmi.exec",
        name,
        "it hands the password to another program in a command line, where every local user can read it: "
        f"{other}; or accept that with ipmi.unsafe_password_in_argv",
    )


def _program(command: ExecCommand, bmc: BmcSettings) -> SettingError | None:
    if command.program or not bmc.configured:
        return None
    return SettingError("ipmi.exec", "", "name the program to run, for example fence_apc or /usr/local/sbin/power")


def _syntax(command: ExecCommand, bmc: BmcSettings) -> SettingError | None:
    if command.preset is Preset.FENCE_AGENT:
        return None
    if not command.syntax:
        remedy = "write the command line, or choose an ipmi.preset"
        return SettingError("ipmi.syntax", "", remedy) if bmc.configured else None
    if parse_template(command.syntax).names_program_first:
        return None
    return SettingError("ipmi.syntax", command.syntax, "begin with $IPMI_EXEC; the program itself stands in ipmi.exec")


def _actions(command: ExecCommand, policy: Policy) -> SettingError | None:
    if not policy.bmc.configured:
        return None
    names = {action: f"ipmi.{name}" for name, action in ACTION_SETTINGS.items()}
    for action in actions_needed(policy):
        if action not in command.words:
            remedy = f"the action {policy.action} needs it: write what the device calls it, or choose another action"
            return SettingError(names[action], "", remedy)
    return None


def _handing_over(command: ExecCommand, bmc: BmcSettings) -> SettingError | None:
    via = command.secret_via
    if command.preset is Preset.FENCE_AGENT and via is not SecretVia.STDIN:
        return SettingError("ipmi.secret_via", via, "leave it empty: fence agents read the password on standard input")
    if command.preset is Preset.IPMITOOL and via is not SecretVia.ENV and "syntax" not in dict(bmc.options):
        return SettingError("ipmi.secret_via", via, "leave it empty: this preset's ipmitool -E reads the environment")
    if command.may_show_password and via is SecretVia.ARGV and not command.shows_password:
        return SettingError("ipmi.secret_via", via, "put $IPMI_PASSWORD into ipmi.syntax, or choose env")
    return None


def _agent_values(command: ExecCommand, bmc: BmcSettings) -> SettingError | None:
    if command.preset is not Preset.FENCE_AGENT:
        return None
    longest = LONGEST_LINE.get(command.program_name, 0)
    for name, value in (("username", bmc.username), ("password", bmc.password), ("plug", bmc.plug)):
        shown = "" if name == "password" else value
        if remedy := bad_value(value):
            return SettingError(f"ipmi.{name}", shown, remedy)
        if longest and len(value.encode()) + _LONGEST_KEY > longest:
            remedy = f"{command.program_name} takes lines of {longest} bytes; choose a shorter one"
            return SettingError(f"ipmi.{name}", shown, remedy)
    return None
