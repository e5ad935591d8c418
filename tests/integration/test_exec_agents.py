"""Real fence agents of the Debian archive, and ipmitool's ciphers."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.exec_presets import AGENTS_SHOWING_PASSWORD, AGENTS_WITHOUT_STATE
from controller.domain.exec_template import parse_template
from controller.domain.fence_agents import AgentError, bad_line
from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerCode, PowerState
from controller.power.drivers.exec import ExecDriver
from controller.power.drivers.fence_agent import AgentShelf
from demo.bmc import DemoBmc
from tests.contracts.exec_rigs import exec_target, write_program
from tests.contracts.rig import SECRET, boottime
from tests.fixtures.counterparts import debian_program
from tests.fixtures.ipmi_sim import PASSWORD, USER, ipmi_sim


def program(name: str) -> Path:
    found = debian_program(name)
    assert found is not None
    return found


@pytest.fixture
async def shelf() -> AsyncIterator[AgentShelf]:
    made = AgentShelf()
    yield made
    made.close()


@pytest.mark.debian("fence_dummy")
class TestDummy:
    async def test_off_reads_off_and_on_reads_on(self, tmp_path: Path) -> None:
        driver = ExecDriver(allowed=[program("fence_dummy")])
        syntax = f"status_file={tmp_path}/status"
        target = exec_target(623, preset="fence-agent", exec="fence_dummy", syntax=syntax)
        for action, state in ((PowerAction.ON, PowerState.ON), (PowerAction.OFF, PowerState.OFF)):
            outcome = await driver.act(target, action, deadline_s=10, not_after=boottime() + 10)
            assert (outcome.accepted, outcome.code) == (Accepted.YES, PowerCode.NONE)
            reading = await driver.status(target, deadline_s=10)
            assert (reading.state, reading.code) == (state, PowerCode.NONE)
        await driver.aclose()

    async def test_a_device_that_never_obeys(self, tmp_path: Path) -> None:
        """The agent's `fail` type waits for a state that does not come: exit 1, which proves nothing."""
        driver = ExecDriver(allowed=[program("fence_dummy")])
        syntax = f"type=fail power_timeout=1 status_file={tmp_path}/status"
        target = exec_target(623, preset="fence-agent", exec="fence_dummy", syntax=syntax)
        outcome = await driver.act(replace(target, plug="7"), PowerAction.OFF, deadline_s=10, not_after=boottime() + 10)
        assert (outcome.accepted, outcome.code) == (Accepted.UNKNOWN, PowerCode.TIMED_OUT)
        await driver.aclose()

    async def test_an_agent_is_given_no_argument_and_always_the_hosts_name(self, tmp_path: Path) -> None:
        agent = write_program(
            tmp_path / "fence_echo",
            '#!/bin/sh\n[ "$*" = "-o metadata" ] && exec fence_dummy -o metadata\n'
            f'echo "$# arguments" >{tmp_path}/got; cat >>{tmp_path}/got; echo "Status: OFF"; exit 2\n',
        )
        driver = ExecDriver(allowed=[agent])
        target = exec_target(623, preset="fence-agent", exec="fence_echo", syntax="verbose=1")
        reading = await driver.status(replace(target, nodename="kvm7"), deadline_s=10)
        assert reading.state is PowerState.OFF
        got = (tmp_path / "got").read_text().splitlines()
        assert got == ["0 arguments", "action=status", "nodename=kvm7", "verbose=1"]
        await driver.aclose()


@pytest.mark.debian("fence_dummy")
class TestMetadata:
    async def test_every_agent_that_lacks_a_state_is_known(self, shelf: AgentShelf) -> None:
        for name in sorted(AGENTS_WITHOUT_STATE - {"fence_ack_manual"}):
            assert "status" not in (await shelf.agent(program(name))).actions
        with pytest.raises(AgentError, match="exit code 1"):
            await shelf.agent(program("fence_ack_manual"))

    @pytest.mark.slow
    async def test_all_others_can_be_read_and_have_one(self, shelf: AgentShelf) -> None:
        folder = program("fence_dummy").parent
        for path in sorted(folder.glob("fence_*")):
            if path.name not in AGENTS_WITHOUT_STATE and path.name not in _NO_AGENTS:
                agent = await shelf.agent(path)
                assert {"off", "status"} <= agent.actions, path

    @pytest.mark.slow
    async def test_none_that_hands_the_password_on_in_a_command_line_goes_unnoticed(self, shelf: AgentShelf) -> None:
        """By their own source: net-snmp's programs and ipmitool get it as an argument, and VMware's."""
        found = set()
        for path in sorted(program("fence_dummy").parent.glob("fence_*")):
            source = path.read_bytes()
            if b"fencing_snmp" in source or b"ipmitool_path" in source or b"--password '%s'" in source:
                known_by_name = path.name in AGENTS_SHOWING_PASSWORD
                assert known_by_name or (await shelf.agent(path)).shows_password, path
                found.add(path.name)
        assert {"fence_apc_snmp", "fence_ipmilan", "fence_vmware"} <= found

    @pytest.mark.slow
    async def test_no_agent_can_be_told_by_settings_which_program_to_run(self, shelf: AgentShelf) -> None:
        refused = set()
        for name in ("fence_apc_snmp", "fence_ilo_ssh", "fence_virsh", "fence_vmware", "fence_gce", "fence_amt"):
            agent = await shelf.agent(program(name))
            for key in agent.parameters:
                if bad_line(agent, parse_template(f"{key}=1")):
                    refused.add(key)
        assert {
            "snmpget_path",
            "ssh_path",
            "sudo_path",
            "password_script",
            "exec",
            "runonfail",
            "debug_file",
        } <= refused
        assert {"ssh_options", "amttool_path", "telnet_path"} <= refused
        assert not {"snmp_version", "identity_file", "power_wait", "ssh"} & refused

    async def test_it_is_read_once_for_each_version_of_the_file(self, shelf: AgentShelf, tmp_path: Path) -> None:
        script = f"#!/bin/sh\necho x >>{tmp_path}/count\nexec fence_dummy -o metadata\n"
        agent = write_program(tmp_path / "fence_x", script)
        assert await shelf.agent(agent) == await shelf.agent(agent)
        assert (tmp_path / "count").read_text() == "x\n"
        write_program(agent, script + "# newer\n")
        await shelf.agent(agent)
        assert (tmp_path / "count").read_text() == "x\nx\n"

    @pytest.mark.parametrize("body", ["echo hello", "exit 3", "sleep 60", "yes '<x>'", "echo '<!DOCTYPE x><x/>'"])
    async def test_what_is_no_agent(self, shelf: AgentShelf, tmp_path: Path, body: str) -> None:
        agent = write_program(tmp_path / "fence_x", f"#!/bin/sh\n{body}\n")
        with pytest.raises(AgentError, match="fence_x"):
            await shelf.agent(agent, until=time.monotonic() + 0.5)

    async def test_an_agent_without_metadata_is_never_run(self, tmp_path: Path) -> None:
        agent = write_program(tmp_path / "fence_x", f'#!/bin/sh\necho "$*" >>{tmp_path}/got; exit 1\n')
        driver = ExecDriver(allowed=[agent])
        target = exec_target(623, preset="fence-agent", exec="fence_x")
        outcome = await driver.act(target, PowerAction.OFF, deadline_s=5, not_after=boottime() + 5)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.DRIVER_FAILED)
        assert set((tmp_path / "got").read_text().splitlines()) == {"-o metadata"}
        assert (await driver.status(exec_target(1, preset="fence-agent", exec="gone"), deadline_s=1)).said
        await driver.aclose()

    async def test_an_action_that_the_agent_lacks_is_not_tried(self, tmp_path: Path) -> None:
        driver = ExecDriver(allowed=[program("fence_dummy")])
        syntax = f"status_file={tmp_path}/status"
        target = exec_target(623, preset="fence-agent", exec="fence_dummy", syntax=syntax, action_blink="flash")
        outcome = await driver.act(target, PowerAction.BLINK, deadline_s=5, not_after=boottime() + 5)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.NOT_CONFIGURED)
        assert outcome.said == "fence_dummy has no action 'flash'"
        await driver.aclose()


_NO_AGENTS = frozenset({"fence_scsi_check", "fence_mpath_check", "fence_tool", "fence_node"})


def _counting_ipmitool(folder: Path) -> Path:
    return write_program(
        folder / "ipmitool", f'#!/bin/sh\necho "$@" >>{folder}/calls\nexec {program("ipmitool")} "$@"\n'
    )


def _ciphers(folder: Path) -> list[str]:
    return [line.split("-C ")[1].split()[0] for line in (folder / "calls").read_text().splitlines()]


@pytest.mark.debian("ipmitool", "ipmi_sim")
class TestCiphers:
    async def test_17_then_3_and_what_worked_is_remembered(self, tmp_path: Path) -> None:
        driver = ExecDriver(allowed=[_counting_ipmitool(tmp_path)])
        (tmp_path / "sim").mkdir()
        async with ipmi_sim(tmp_path / "sim") as sim:
            target = replace(exec_target(sim.port, preset="ipmitool"), username=USER, password=PASSWORD)
            outcome = await driver.act(target, PowerAction.OFF, deadline_s=10, not_after=boottime() + 10)
            assert outcome.accepted is Accepted.YES
            assert _ciphers(tmp_path) == ["17", "3", "3"]
            assert (await driver.status(target, deadline_s=5)).state is PowerState.OFF
            assert _ciphers(tmp_path)[3:] == ["3"]
        await driver.aclose()

    async def test_a_pinned_one_is_the_only_one(self, tmp_path: Path) -> None:
        driver = ExecDriver(allowed=[_counting_ipmitool(tmp_path)])
        bmc = await DemoBmc(user="admin", password=SECRET).start()
        target: BmcTarget = exec_target(bmc.port, preset="ipmitool", cipher="17")
        outcome = await driver.act(target, PowerAction.OFF, deadline_s=10, not_after=boottime() + 10)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.UNSUPPORTED)
        assert _ciphers(tmp_path) == ["17"]
        assert bmc.commands() == []
        bmc.close()
        await driver.aclose()

    async def test_a_wrong_password_is_tried_once(self, tmp_path: Path) -> None:
        driver = ExecDriver(allowed=[_counting_ipmitool(tmp_path)])
        bmc = await DemoBmc(user="admin", password=SECRET).start()
        target = exec_target(bmc.port, preset="ipmitool")
        assert (await driver.status(target, deadline_s=5)).state is PowerState.ON
        before = len(_ciphers(tmp_path))
        wrong = replace(target, password="wrong")
        outcome = await driver.act(wrong, PowerAction.OFF, deadline_s=5, not_after=boottime() + 5)
        assert outcome.code is PowerCode.BAD_CREDENTIALS
        assert len(_ciphers(tmp_path)) == before + 1
        bmc.close()
        await driver.aclose()

    async def test_a_wrong_password_is_not_tried_with_the_next_cipher(self, tmp_path: Path) -> None:
        """BMCs lock accounts. (A BMC with suite 17 is not at hand: the words are ipmitool's own.)"""
        words = "> RAKP 2 HMAC is invalid\nError: Unable to establish IPMI v2 / RMCP+ session"
        text = f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\necho "{words}" >&2\nexit 1\n'
        driver = ExecDriver(allowed=[write_program(tmp_path / "ipmitool", text)])
        reading = await driver.status(exec_target(623, preset="ipmitool"), deadline_s=5)
        assert reading.code is PowerCode.BAD_CREDENTIALS
        assert _ciphers(tmp_path) == ["17"]
        await driver.aclose()

    async def test_sessions_exhausted(self) -> None:
        driver = ExecDriver(allowed=[program("ipmitool")])
        bmc = await DemoBmc(user="admin", password=SECRET).start()
        bmc.behaviour.max_sessions = 0
        reading = await driver.status(exec_target(bmc.port, preset="ipmitool", cipher="3"), deadline_s=5)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.SESSIONS_EXHAUSTED)
        bmc.close()
        await driver.aclose()
