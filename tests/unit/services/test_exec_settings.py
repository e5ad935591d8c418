"""Commands of the exec driver are checked when they are saved, against this machine's programs and agents."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.db.store import Store
from controller.domain.fence_agents import Agent, AgentError
from controller.domain.model import Level
from controller.services.device_rules import DeviceRules
from controller.services.errors import BadInput
from controller.services.settings import Scope, write_settings
from tests.fakes.clock import FakeClock
from tests.fixtures import builders
from tests.simulation.memory_store import MemoryStore

CLOCK = FakeClock()
CLUSTER, HOST = Scope(level=Level.CLUSTER, ref="c1"), Scope(level=Level.HOST, ref="h1")
EVERYTHING = frozenset({"on", "off", "reboot", "status", "monitor"})
AGENTS = {
    "fence_good": Agent(actions=EVERYTHING, parameters={"ip": "string", "ssl": "boolean"}),
    "fence_dummy": Agent(actions=EVERYTHING),
    "fence_stateless": Agent(actions=EVERYTHING - {"status"}),
    "fence_ilo4": Agent(actions=EVERYTHING),
    "fence_apc_snmp": Agent(actions=EVERYTHING, parameters={"snmp_version": "string"}),
    "fence_new_snmp": Agent(actions=EVERYTHING, parameters={"snmp_version": "string"}),
}


async def read_agent(program: Path) -> Agent:
    if program.name not in AGENTS:
        raise AgentError(f"{program}: it does not print a fence agent's metadata")
    return AGENTS[program.name]


@pytest.fixture
def rules(tmp_path: Path) -> DeviceRules:
    programs = [tmp_path / name for name in (*AGENTS, "fence_broken", "script", "plain")]
    for one in programs:
        one.touch(mode=0o600 if one.name == "plain" else 0o700)
    allowed = (*programs, tmp_path / "gone")
    return DeviceRules(drivers=frozenset({"exec", "ipmi"}), exec_allowed=allowed, read_agent=read_agent)


@pytest.fixture
async def store() -> Store:
    store = MemoryStore()
    async with store.transaction() as tx:
        await tx.save_cluster(builders.cluster())
        await tx.save_host(builders.host("h1"))
    return store


async def write(store: Store, rules: DeviceRules, scope: Scope, **changes: Any) -> dict[str, Any]:
    CLOCK.advance(timedelta(seconds=1))
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return await write_settings(store, CLOCK, scope, named, replace=False, rules=rules, actor="ada")


async def refused(store: Store, rules: DeviceRules, **changes: Any) -> BadInput:
    await write(store, rules, HOST, ipmi__host="10.0.0.7")
    with pytest.raises(BadInput) as caught:
        await write(store, rules, CLUSTER, ipmi__driver="exec", **changes)
    return caught.value


@pytest.mark.parametrize(
    "preset", [{"preset": "script", "exec": "script"}, {"preset": "fence-agent", "exec": "fence_good"}]
)
async def test_what_can_run_here_is_saved(store: Store, rules: DeviceRules, preset: dict[str, str]) -> None:
    changes = {f"ipmi__{name}": value for name, value in preset.items()}
    await write(store, rules, HOST, ipmi__host="10.0.0.7")
    await write(store, rules, CLUSTER, ipmi__driver="exec", action="reboot", **changes)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("/bin/sh", "HOSTFENCE_EXEC_ALLOWED"),
        ("sh", "HOSTFENCE_EXEC_ALLOWED"),
        ("plain", "is not executable"),
        ("gone", "there is no file"),
    ],
)
async def test_a_program_that_can_not_run_here(store: Store, rules: DeviceRules, name: str, remedy: str) -> None:
    """At any level, whether or not a host uses it yet."""
    with pytest.raises(BadInput) as caught:
        await write(store, rules, CLUSTER, ipmi__exec=name)
    assert caught.value.field == "ipmi.exec"
    assert remedy in str(caught.value)


async def test_the_presets_own_program_is_looked_at_too(store: Store, rules: DeviceRules) -> None:
    problem = await refused(store, rules, ipmi__preset="ipmitool")
    assert problem.field == "ipmi.exec"
    assert "'ipmitool' is not a program this controller may run" in str(problem)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("fence_broken", "does not print a fence agent's metadata"),
        ("script", "its name does not begin with fence_"),
        ("fence_stateless", "fence_stateless has no action status, so that hostfence can't prove a host off"),
        ("fence_dummy", "only pretends"),
        ("fence_ilo4", "every local user can read it"),
        ("fence_apc_snmp", "every local user can read it"),
        ("fence_new_snmp", "every local user can read it"),
    ],
)
async def test_an_agent_that_will_not_do(store: Store, rules: DeviceRules, name: str, remedy: str) -> None:
    problem = await refused(store, rules, ipmi__preset="fence-agent", ipmi__exec=name)
    assert problem.field == "ipmi.exec"
    assert remedy in str(problem)


async def test_a_lab_may_pretend(store: Store, rules: DeviceRules) -> None:
    lab = DeviceRules(drivers=rules.drivers, exec_allowed=rules.exec_allowed, read_agent=read_agent, allow_local=True)
    await write(store, lab, HOST, ipmi__host="10.0.0.7")
    await write(store, lab, CLUSTER, ipmi__driver="exec", ipmi__preset="fence-agent", ipmi__exec="fence_dummy")


async def test_what_the_agent_does_not_know(store: Store, rules: DeviceRules) -> None:
    agent = {"ipmi__preset": "fence-agent", "ipmi__exec": "fence_good"}
    for syntax, remedy in (
        ("colour=red", "no parameter 'colour'"),
        ("ssl=maybe", "write 1 or 0"),
        ("x", "no key=value"),
    ):
        problem = await refused(store, rules, **agent, ipmi__syntax=syntax)
        assert problem.field == "ipmi.syntax"
        assert remedy in str(problem)
    problem = await refused(store, rules, **agent, ipmi__action_stop="explode", action="off")
    assert "has no action explode" in str(problem)
    problem = await refused(store, rules, **agent, action="blink")
    assert problem.field == "ipmi.action_blink"


async def test_the_requests_own_line_needs_the_unsafe_setting(store: Store, rules: DeviceRules) -> None:
    line = "$IPMI_EXEC --username $IPMI_Username --password  $IPMI_password   --command $IPMI_ACTION --host $IPMI_HOST"
    words = {"ipmi__exec": "script", "ipmi__syntax": line, "ipmi__action_stop": "power off"}
    problem = await refused(store, rules, **words)
    assert problem.field == "ipmi.syntax"
    assert "every local user can read it" in str(problem)
    saved = await write(store, rules, CLUSTER, ipmi__driver="exec", **words, ipmi__unsafe_password_in_argv=True)
    assert saved["ipmi.syntax"] == line


async def test_hosts_without_a_device_wait_for_nothing(store: Store, rules: DeviceRules) -> None:
    await write(store, rules, CLUSTER, ipmi__driver="exec", ipmi__preset="fence-agent")
    with pytest.raises(BadInput, match="name the program to run"):
        await write(store, rules, HOST, ipmi__host="10.0.0.7")
    await write(store, rules, HOST, ipmi__host="10.0.0.7", ipmi__exec="fence_good")


async def test_what_was_broken_before_may_be_mended_step_by_step(store: Store, rules: DeviceRules) -> None:
    """The administrator took the program from the list: other settings can still be written."""
    await write(
        store, rules, HOST, ipmi__host="10.0.0.7", ipmi__driver="exec", ipmi__preset="script", ipmi__exec="script"
    )
    none_left = DeviceRules(drivers=rules.drivers)
    await write(store, none_left, HOST, off_reads=5)
    with pytest.raises(BadInput, match="HOSTFENCE_EXEC_ALLOWED"):
        await write(store, none_left, HOST, ipmi__exec="script")
