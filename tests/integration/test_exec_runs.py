"""The exec driver's programs: whatever they do, the call ends in time, says what is known, and leaves nothing."""

import asyncio
import logging
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.power import Accepted, Outcome, PowerAction, PowerCode, PowerReading, PowerState
from controller.power.drivers.exec import ExecDriver
from controller.power.drivers.exec_run import KEPT, RAGGED_END, Fate, Launch, Runs
from tests.contracts.exec_rigs import exec_target, write_program
from tests.contracts.rig import SECRET, boottime

ROOT = Path(__file__).parents[2]
LATER = 60.0
Options = dict[str, str | dict[str, str]]
READS: Options = {"syntax": "$IPMI_EXEC $IPMI_ACTION", "action_status": "status", "state_map": {"0": "on", "2": "off"}}
ONLY_OFF = {"exec": "power", "syntax": "$IPMI_EXEC $IPMI_ACTION", "action_stop": "off"}


def alive(pid: int) -> bool:
    """A zombie is not alive: its memory and its sockets are gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until(true: Callable[[], object], *, limit_s: float = 5.0) -> None:
    async with asyncio.timeout(limit_s):
        while not true():
            await asyncio.sleep(0.005)


def pids_in(folder: Path) -> list[int]:
    return [int(pid) for pid in (folder / "pids").read_text().split()]


class Bench:
    """One program under the driver, described by a shell script that finds its folder in `$D`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "power"
        self.driver = ExecDriver(allowed=[self.program])
        self.target = exec_target(623, exec="power", action_stop="off", **READS)

    def does(self, script: str, *, shell: str = "#!/bin/sh") -> None:
        write_program(self.program, f'{shell}\nD="{self.folder}"\necho $$ >>"$D/pids"\n{script}\n')

    async def status(self, deadline_s: float = 5.0) -> PowerReading:
        return await self.driver.status(self.target, deadline_s=deadline_s)

    async def off(self, deadline_s: float = 5.0, *, left_s: float = LATER, **options: str) -> Outcome:
        """Without a state map, so that what is seen is the command alone."""
        target = exec_target(623, **(ONLY_OFF | options))
        return await self.driver.act(target, PowerAction.OFF, deadline_s=deadline_s, not_after=boottime() + left_s)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.driver.aclose()


BAD_ENDS = {
    "hangs": "sleep 60",
    "ignores SIGTERM": "trap '' TERM; while :; do sleep 60; done",
    "forks": "sleep 60 & echo $! >>$D/pids; sleep 60 & echo $! >>$D/pids; wait",
    "floods": "yes 's3cret pass' ; sleep 60",
    "floods stderr": "yes >&2; sleep 60",
    "is stopped": "kill -STOP $$",
    "reads its input": "cat; sleep 60",
}


@pytest.mark.parametrize("script", BAD_ENDS.values(), ids=BAD_ENDS)
class TestBadEnds:
    async def test_a_read_is_no_answer_in_time(self, bench: Bench, script: str) -> None:
        bench.does(script)
        began = time.monotonic()
        reading = await bench.status(0.6)
        assert time.monotonic() - began < 0.6 + 1
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.NO_ANSWER)
        assert SECRET not in reading.said
        await until(lambda: not any(map(alive, pids_in(bench.folder))))

    async def test_a_command_may_have_been_carried_out(self, bench: Bench, script: str) -> None:
        bench.does(script)
        began = time.monotonic()
        outcome = await bench.off(0.6)
        assert time.monotonic() - began < 0.6 + 1
        assert (outcome.accepted, outcome.code) == (Accepted.UNKNOWN, PowerCode.TIMED_OUT)
        assert SECRET not in outcome.said
        assert len(pids_in(bench.folder)) in (1, 3)
        await until(lambda: not any(map(alive, pids_in(bench.folder))))


class TestPipes:
    @pytest.mark.parametrize("detach", ["", "setsid "], ids=["same session", "own session"])
    async def test_a_child_that_holds_them_delays_nothing(self, bench: Bench, detach: str) -> None:
        bench.does(f"{detach}sleep 3 & exit 2")
        began = time.monotonic()
        assert (await bench.status()).state is PowerState.OFF
        assert time.monotonic() - began < 2

    async def test_what_it_left_in_its_group_is_ended(self, bench: Bench) -> None:
        bench.does("sleep 60 & echo $! >>$D/pids; exit 0")
        await bench.status()
        await until(lambda: not any(map(alive, pids_in(bench.folder))))

    async def test_a_flood_is_read_to_its_end_and_only_its_beginning_kept(self, tmp_path: Path) -> None:
        program = write_program(tmp_path / "flood", "#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x; echo end >&2\n")
        ending = await Runs().run(Launch(argv=(str(program),)), until=time.monotonic() + 10)
        shown = KEPT - RAGGED_END
        assert (ending.fate, ending.exit_code, len(ending.out), ending.cut) == (Fate.EXITED, 0, shown, True)
        assert ending.err == "end"

    @pytest.mark.parametrize("stream", ["1", "2"])
    async def test_half_a_password_at_the_end_of_a_flood_is_not_shown(self, bench: Bench, stream: str) -> None:
        begun = len(SECRET) // 2
        filler = f"head -c {KEPT - begun} /dev/zero | tr '\\0' x"
        bench.does(f"({filler}; printf '%s' '{SECRET}'; {filler}) >&{stream}; exit 9")
        reading = await bench.status()
        assert reading.code is PowerCode.DRIVER_FAILED
        assert SECRET[:begun] not in reading.said
        assert "xxx" in reading.said

    async def test_a_flood_leaves_the_controller_time(self, bench: Bench) -> None:
        bench.does("yes")
        before = time.process_time()
        await bench.status(1.0)
        assert time.process_time() - before < 0.15

    async def test_broken_pipes_end_programs_as_they_should(self, bench: Bench) -> None:
        """Python ignores SIGPIPE, and what it becomes would go on doing so."""
        bench.does("yes | head -n 1; exit 7")
        assert (await bench.status()).said == "exit code 7: y"


class TestAnswers:
    async def test_a_warning_is_no_error(self, bench: Bench) -> None:
        bench.does("echo 'power is off' >&2; exit 0")
        reading = await bench.status()
        assert (reading.state, reading.code) == (PowerState.ON, PowerCode.NONE)

    async def test_a_state_that_is_none(self, bench: Bench) -> None:
        bench.does("echo 'no such blade' >&2; exit 7")
        reading = await bench.status()
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.DRIVER_FAILED)
        assert reading.said == "exit code 7: no such blade"

    async def test_a_contradiction(self, bench: Bench) -> None:
        bench.target = exec_target(623, exec="power", **{**READS, "state_map": {"0": "on", "power is off": "off"}})
        bench.does("echo power is off")
        reading = await bench.status()
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.MALFORMED)

    async def test_a_command_that_failed_is_unknown(self, bench: Bench) -> None:
        bench.does("exit 1")
        assert (await bench.off()).accepted is Accepted.UNKNOWN

    async def test_a_device_without_a_state_is_only_tried(self, bench: Bench) -> None:
        bench.target = exec_target(623, exec="power", syntax="$EXEC $ACTION", action_stop="off", action_test="ping")
        bench.does('echo "$1"; [ "$1" = ping ]')
        reading = await bench.status()
        assert (reading.state, reading.code, reading.said) == (PowerState.UNKNOWN, PowerCode.NONE, "ping")

    async def test_a_device_that_can_do_nothing(self, bench: Bench) -> None:
        bench.target = exec_target(623, exec="power", syntax="$EXEC $ACTION")
        assert (await bench.status()).code is PowerCode.NOT_CONFIGURED
        outcome = await bench.driver.act(bench.target, PowerAction.BLINK, deadline_s=1, not_after=boottime() + LATER)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.UNSUPPORTED)


class TestOwnTest:
    """The request's *IPMI Action Test*: what the settings name is what *Test* runs."""

    async def test_it_is_run_and_then_the_state_is_read(self, bench: Bench) -> None:
        bench.target = exec_target(623, exec="power", **READS, action_test="mc info")
        bench.does('echo "$1" >>$D/asked; [ "$1" = "mc info" ] && echo "Device ID : 32"; exit 0')
        reading = await bench.driver.test(bench.target, deadline_s=5)
        assert (bench.folder / "asked").read_text().splitlines() == ["mc info", "status"]
        assert (reading.state, reading.code, reading.said) == (PowerState.ON, PowerCode.NONE, "Device ID : 32")

    async def test_where_it_fails_that_is_the_answer(self, bench: Bench) -> None:
        bench.target = exec_target(623, exec="power", **READS, action_test="mc info")
        bench.does('echo "$1" >>$D/asked; [ "$1" = status ] && exit 0; echo "no such blade" >&2; exit 7')
        reading = await bench.driver.test(bench.target, deadline_s=5)
        assert (bench.folder / "asked").read_text() == "mc info\n"
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.DRIVER_FAILED)
        assert reading.said == "no such blade"

    async def test_a_state_that_can_not_be_read_after_it_is_told(self, bench: Bench) -> None:
        bench.target = exec_target(623, exec="power", **READS, action_test="ping")
        bench.does('[ "$1" = ping ] && exit 0; exit 7')
        reading = await bench.driver.test(bench.target, deadline_s=5)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.DRIVER_FAILED)

    async def test_without_one_the_state_is_read(self, bench: Bench) -> None:
        bench.does('echo "$1" >>$D/asked; exit 2')
        assert (await bench.driver.test(bench.target, deadline_s=5)).state is PowerState.OFF
        assert (bench.folder / "asked").read_text() == "status\n"

    async def test_a_device_without_a_state_is_tried_once(self, bench: Bench) -> None:
        bench.target = exec_target(623, exec="power", syntax="$EXEC $ACTION", action_stop="off", action_test="ping")
        bench.does('echo "$1" >>$D/asked; exit 0')
        reading = await bench.driver.test(bench.target, deadline_s=5)
        assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.NONE)
        assert (bench.folder / "asked").read_text() == "ping\n"

    async def test_settings_that_another_version_wrote(self, bench: Bench) -> None:
        bench.target = exec_target(623, preset="telepathy", exec="power")
        assert (await bench.driver.test(bench.target, deadline_s=5)).code is PowerCode.NOT_CONFIGURED


class TestNothingSent:
    @pytest.mark.parametrize("name", ["/bin/sh", "sh", ""])
    async def test_a_program_that_is_not_on_the_list(self, bench: Bench, name: str) -> None:
        outcome = await bench.off(exec=name)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.NOT_CONFIGURED)
        assert "HOSTFENCE_EXEC_ALLOWED" in outcome.said

    async def test_a_program_that_is_gone_or_no_program(self, bench: Bench) -> None:
        outcome = await bench.off()
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.DRIVER_FAILED)
        assert outcome.said == "No such file or directory"
        bench.program.write_text("no program")
        bench.program.chmod(0o700)
        assert (await bench.off()).said == "Exec format error"

    @pytest.mark.parametrize("password", ["a\nb", "a\0b", "a\rb"])
    async def test_a_password_that_can_not_be_handed_over(self, bench: Bench, password: str) -> None:
        bench.does("exit 0")
        reading = await bench.driver.status(replace(bench.target, password=password), deadline_s=1)
        assert reading.code is PowerCode.NOT_CONFIGURED
        assert password not in reading.said

    async def test_a_password_that_ipmi_would_cut_off(self, bench: Bench) -> None:
        bench.does("exit 0")
        target = replace(exec_target(1, preset="ipmitool", exec="power"), password="x" * 21)
        assert (await bench.driver.status(target, deadline_s=1)).code is PowerCode.NOT_CONFIGURED
        assert not (bench.folder / "pids").exists()

    async def test_settings_that_another_version_wrote(self, bench: Bench) -> None:
        assert (await bench.off(preset="telepathy")).code is PowerCode.NOT_CONFIGURED
        assert (await bench.off(syntax="$IPMI_EXEC 'x")).code is PowerCode.NOT_CONFIGURED
        assert (await bench.off(syntax="sudo $IPMI_EXEC")).code is PowerCode.NOT_CONFIGURED

    async def test_not_after_is_looked_at_right_before_the_program_begins(self, bench: Bench) -> None:
        """The clock is the launcher's: the driver's own look at it, long before, let this one through."""
        bench.does("exit 0")
        launch = Launch(argv=(str(bench.program),), not_after=boottime() - 0.001)
        assert (await Runs().run(launch, until=time.monotonic() + 5)).fate is Fate.STALLED
        assert not (bench.folder / "pids").exists()

    async def test_a_device_that_does_not_answer_a_read_gets_no_command(self, bench: Bench) -> None:
        bench.does('echo "$1" >>$D/asked; [ "$1" = off ] || sleep 60')
        outcome = await bench.driver.act(bench.target, PowerAction.OFF, deadline_s=1, not_after=boottime() + LATER)
        assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.NO_ANSWER)
        assert (bench.folder / "asked").read_text() == "status\n"


class TestDeaths:
    async def test_a_stopped_program_sends_nothing_after_the_lease(self, bench: Bench) -> None:
        """As if the controller had been stopped as well: only the alarm set before exec is left to end it."""
        bench.does("kill -STOP $$; echo sent >>$D/sent")
        call = asyncio.create_task(bench.off(20, left_s=0.5))
        await until(lambda: (bench.folder / "pids").exists() and pids_in(bench.folder))
        (pid,) = pids_in(bench.folder)
        await until(lambda: "T" in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0])
        await asyncio.sleep(0.7)
        os.kill(pid, signal.SIGCONT)
        outcome = await call
        assert outcome.accepted is Accepted.UNKNOWN
        assert not (bench.folder / "sent").exists()

    async def test_a_cancelled_call_ends_its_program(self, bench: Bench) -> None:
        bench.does("sleep 60 & echo $! >>$D/pids; wait")
        call = asyncio.create_task(bench.off(30))
        await until(lambda: (bench.folder / "pids").exists() and len(pids_in(bench.folder)) == 2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: not any(map(alive, pids_in(bench.folder))))

    async def test_nothing_is_left_after_aclose(self, bench: Bench) -> None:
        bench.does("sleep 60")
        call = asyncio.create_task(bench.off(30))
        await until(lambda: (bench.folder / "pids").exists() and pids_in(bench.folder))
        await bench.driver.aclose()
        assert (await call).accepted is Accepted.UNKNOWN
        await until(lambda: not any(map(alive, pids_in(bench.folder))))
        with pytest.raises(RuntimeError, match="closed"):
            await bench.status()

    async def test_nothing_is_left_after_kill_9_of_the_controller(self, bench: Bench) -> None:
        bench.does("exec sleep 60")
        story = (
            "import asyncio, sys, time\n"
            "from controller.power.drivers.exec_run import Launch, Runs\n"
            "asyncio.run(Runs().run(Launch(argv=(sys.argv[1],)), until=time.monotonic() + 60))\n"
        )
        controller = await asyncio.create_subprocess_exec(sys.executable, "-c", story, str(bench.program), cwd=ROOT)
        await until(lambda: (bench.folder / "pids").exists() and pids_in(bench.folder))
        controller.kill()
        await controller.wait()
        await until(lambda: not any(map(alive, pids_in(bench.folder))), limit_s=2.0)

    async def test_reads_that_wait_never_take_a_commands_place(self, bench: Bench) -> None:
        driver = ExecDriver(allowed=[bench.program], read_programs=1)
        bench.does('[ "$1" = off ] || sleep 60')
        stuck = asyncio.create_task(driver.status(bench.target, deadline_s=1.0))
        await until(lambda: (bench.folder / "pids").exists() and pids_in(bench.folder))
        crowded = await driver.status(bench.target, deadline_s=0.2)
        assert (crowded.code, crowded.said) == (PowerCode.DRIVER_FAILED, "no free place before the deadline")
        bench.driver = driver
        assert (await bench.off()).accepted is Accepted.YES
        await stuck
        await driver.aclose()


class TestEnvironment:
    async def test_it_is_made_from_scratch(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PCMK_service", "pacemaker-fenced")
        monkeypatch.setenv("HOSTFENCE_DATABASE_URL", "postgresql://someone:dbsecret@db/x")
        bench.does('env >$D/env; pwd >>$D/env; ls /proc/self/fd >$D/fds; [ -z "$(cat)" ] && exit 0')
        assert (await bench.status()).state is PowerState.ON
        told = (bench.folder / "env").read_text().splitlines()
        names = {line.split("=")[0] for line in told}
        facts = {"ACTION", "CIPHER", "EXEC", "HOST", "NODENAME", "PASSWORD", "PLUG", "PORT", "PRIVILEGE", "USERNAME"}
        own = {"PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "PWD"}
        assert names - {"_", "OLDPWD", "SHLVL", "/"} == own | {f"IPMI_{fact}" for fact in facts}
        assert told[-1] == "/"
        assert (bench.folder / "fds").read_text().split() == ["0", "1", "2", "3"]  # 3: the listing itself

    @pytest.mark.parametrize(
        ("via", "script"),
        [
            ("env", 'echo "$IPMI_PASSWORD"'),
            ("stdin", "cat"),
            ("file", 'cat "$IPMI_PASSWORD_FILE"; [ -z "$IPMI_PASSWORD" ] || echo twice'),
            ("file", 'cat "$2"; cat "$2" >/dev/null'),
        ],
    )
    async def test_each_way_of_handing_the_password_over(self, bench: Bench, via: str, script: str) -> None:
        bench.does(f"({script}) >$D/got")
        syntax = "$IPMI_EXEC $IPMI_ACTION $IPMI_PASSWORD_FILE"
        assert (await bench.off(secret_via=via, syntax=syntax)).accepted is Accepted.YES
        assert (bench.folder / "got").read_text() == f"{SECRET}\n"

    async def test_values_arrive_as_they_are(self, bench: Bench) -> None:
        bench.does('for one in "$@"; do echo "[$one]"; done >$D/got')
        nasty = "-rf $(reboot) \"x\" 'y' `z` \\ ; *"
        target = replace(
            exec_target(1, exec="power", syntax="$EXEC -u $IPMI_UserName --p=$PLUG ${host}", action_stop="off"),
            username=nasty,
            plug=nasty,
        )
        await bench.driver.act(target, PowerAction.OFF, deadline_s=5, not_after=boottime() + LATER)
        got = (bench.folder / "got").read_text().splitlines()
        assert got == ["[-u]", f"[{nasty}]", f"[--p={nasty}]", "[127.0.0.1]"]


@pytest.mark.parametrize(
    "form",
    ["s3cret pass", "s3cret%20pass", "s3cret+pass", "'s3cret pass'", "czNjcmV0IHBhc3M="],
    ids=["plain", "url", "form", "quoted", "base64"],
)
async def test_a_program_that_tells_the_password(bench: Bench, form: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench.does(f'echo "login {form} failed"; echo "{form}" >&2; exit 9')
    shown = repr((await bench.status(), await bench.off(), bench.driver, vars(bench.driver), bench.target))
    assert "login *** failed" in shown
    assert form not in shown + caplog.text
    assert not re.search("s3cret|czNj", shown + caplog.text)
