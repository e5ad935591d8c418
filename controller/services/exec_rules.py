"""What this controller's machine says about an ``exec`` command when it is saved: its programs, its fence agents."""

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.domain.exec_presets import AGENTS_FOR_TESTS, ExecCommand, Preset, command_of
from controller.domain.exec_rules import actions_needed, agent_shows_password
from controller.domain.exec_template import TemplateError, allowed_program, parse_template
from controller.domain.fence_agents import Agent, AgentError, bad_line, cannot
from controller.domain.policy import Policy
from controller.domain.power import PowerAction
from controller.domain.setting_values import SettingError

AGENT_PREFIX = "fence_"

ReadAgent = Callable[[Path], Awaitable[Agent]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The programs that may run, and what is known of the fence agents among them (an error where nothing is)."""

    allowed: tuple[Path, ...] = ()
    agents: Mapping[Path, Agent | AgentError] = field(default_factory=dict)
    lab: bool = False
    """Accept agents that only pretend, for tests."""


async def look_at(
    names: Iterable[object], *, allowed: tuple[Path, ...], read_agent: ReadAgent | None, lab: bool
) -> Programs:
    """Ask the agents among the named programs for their metadata; with no transaction open, it takes a process each."""
    agents: dict[Path, Agent | AgentError] = {}
    for name in dict.fromkeys(str(name) for name in names):
        try:
            program = Path(allowed_program(name, allowed))
        except TemplateError:
            continue
        if read_agent is not None and program.name.startswith(AGENT_PREFIX):
            try:
                agents[program] = await read_agent(program)
            except AgentError as error:
                agents[program] = error
    return Programs(allowed=allowed, agents=agents, lab=lab)


def program_fault(name: str, allowed: tuple[Path, ...]) -> str:
    """Why ``name`` can't be run here, or an empty string."""
    try:
        program = Path(allowed_program(name, allowed))
    except TemplateError as error:
        return str(error)
    if not program.is_file():
        return f"there is no file {program} on this controller; install it, or correct HOSTFENCE_EXEC_ALLOWED"
    if not os.access(program, os.X_OK):
        return f"{program} is not executable by this controller; chmod +x it, or name another"
    return ""


def unusable_command(policy: Policy, programs: Programs) -> SettingError | None:
    """What this controller finds wrong with a host's command; None for other drivers and for hosts without a device."""
    if policy.bmc.driver != "exec" or not policy.bmc.configured:
        return None
    command = command_of(policy.bmc.options)
    if not command.program:
        return None
    if fault := program_fault(command.program, programs.allowed):
        return SettingError("ipmi.exec", command.program, fault)
    if command.preset is not Preset.FENCE_AGENT:
        return None
    agent = programs.agents.get(Path(allowed_program(command.program, programs.allowed)))
    if agent is None or isinstance(agent, AgentError):
        why = f": {agent}" if agent else f"; its name does not begin with {AGENT_PREFIX}"
        return SettingError("ipmi.exec", command.program, f"name a fence agent{why}")
    return _unusable_agent(command, agent, policy, lab=programs.lab)


def _unusable_agent(command: ExecCommand, agent: Agent, policy: Policy, *, lab: bool) -> SettingError | None:
    name = command.program_name
    if name in AGENTS_FOR_TESTS and not lab:
        return SettingError("ipmi.exec", name, "it only pretends to cut the power; name the agent of the real device")
    if agent.shows_password and not command.may_show_password:
        return agent_shows_password(name)
    if lacking := cannot(agent, command, (PowerAction.STATUS, *actions_needed(policy))):
        return SettingError(
            "ipmi.exec",
            name,
            f"{name} has no action {' nor '.join(lacking)}, so that hostfence can't prove a host off with it; "
            "name another agent",
        )
    if fault := bad_line(agent, parse_template(command.syntax)):
        return SettingError("ipmi.syntax", command.syntax, fault)
    return None
