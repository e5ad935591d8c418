"""The systemd units: what must stand in them, and that systemd itself takes them for valid and well closed."""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from probe_agent.config import DEFAULT_UID, load
from tests.fixtures.agents import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
UNITS = DEPLOY / "systemd"
HEARTBEAT, SERVE, PREPARE, RENEW = (
    "hostfence-agent-heartbeat.service",
    "hostfence-agent.service",
    "hostfence-agent-prepare@.service",
    "hostfence-agent-renew.service",
)
TIMER = "hostfence-agent-renew.timer"
LOOSEST = {HEARTBEAT: 1.0, SERVE: 2.0, PREPARE: 2.5, RENEW: 2.0}
"""The exposure of systemd-analyze, 0 to 10, that a unit may have."""

Unit = dict[str, list[str]]


def unit(name: str) -> Unit:
    """Every setting with all its values; the sections share no names."""
    settings: Unit = defaultdict(list)
    for line in (UNITS / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            settings[key].append(value)
    return settings


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they would be installed, with a program where they expect one."""
    for source in UNITS.iterdir():
        text = source.read_text().replace("/opt/hostfence-agent/bin/hostfence-agent", "/bin/true")
        (tmp_path / source.name.replace("@.", "@mnt-pool.")).write_text(text)
    return tmp_path


@pytest.mark.debian("systemd-analyze")
def test_systemd_finds_nothing_wrong_with_them(installed: Path) -> None:
    done = run("systemd-analyze", "verify", "--man=no", *sorted(p.name for p in installed.iterdir()), cwd=installed)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.debian("systemd-analyze")
@pytest.mark.parametrize("name", LOOSEST)
def test_systemd_finds_them_well_closed(installed: Path, name: str) -> None:
    path = installed / name.replace("@.", "@mnt-pool.")
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(path))
    found = re.search(r"Overall exposure level .*: ([0-9.]+) ", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= LOOSEST[name]


@pytest.mark.debian("systemd-sysusers")
def test_the_user_has_the_number_that_pools_are_prepared_for(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    shutil.copytree(DEPLOY / "sysusers.d", tmp_path / "usr/lib/sysusers.d")
    done = run("systemd-sysusers", f"--root={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert f"hostfence-agent:x:{DEFAULT_UID}:{DEFAULT_UID}:" in (tmp_path / "etc/passwd").read_text()


@pytest.mark.parametrize("name", [HEARTBEAT, SERVE, RENEW])
def test_a_numbered_user_without_any_right_runs_them(name: str) -> None:
    settings = unit(name)
    assert settings["User"] == settings["Group"] == ["hostfence-agent"]
    assert "DynamicUser" not in settings
    assert settings["CapabilityBoundingSet"] == settings["AmbientCapabilities"] == [""]
    assert settings["NoNewPrivileges"] == settings["PrivateTmp"] == ["yes"]
    assert settings["ProtectSystem"] == ["strict"]
    assert "MemoryMax" in settings


@pytest.mark.parametrize("name", [HEARTBEAT, SERVE])
def test_nothing_keeps_them_down_for_good_but_a_wrong_configuration(name: str) -> None:
    settings = unit(name)
    assert settings["Restart"] == ["always"]
    assert settings["StartLimitIntervalSec"] == ["0"]
    assert settings["RestartPreventExitStatus"] == ["78"]


@pytest.mark.parametrize("name", [HEARTBEAT, SERVE, PREPARE, RENEW])
def test_no_pool_is_looked_at_before_they_start(name: str) -> None:
    """A path below /mnt would be one on a storage server that may not answer; conditions are looked at by PID 1."""
    settings = unit(name)
    assert settings["ReadWritePaths"] == [*(["/etc/hostfence-agent"] if name == RENEW else []), "-/mnt"]
    looked_at = [
        key
        for key in settings
        if key.startswith(("Condition", "Assert", "ReadOnly", "Inaccessible", "Bind", "Exec", "ProtectHome", "Working"))
    ]
    assert looked_at == ["ExecStart"]


def test_the_heartbeat_depends_on_nothing_that_may_fail_or_hang() -> None:
    settings = unit(HEARTBEAT)
    assert not {"Requires", "BindsTo", "PartOf", "Requisite", "RequiresMountsFor", "ExecStartPre"} & settings.keys()
    assert settings["Wants"] == ["network-online.target"]
    assert not any("prepare" in after for after in settings["After"])


def test_the_heartbeat_withdraws_before_the_pools_go_and_after_the_guests_went() -> None:
    settings = unit(HEARTBEAT)
    assert "remote-fs.target" in settings["After"][0].split()
    assert {"libvirt-guests.service", "cloudstack-agent.service"} <= set(settings["Before"][0].split())


def test_a_stop_reaches_the_supervisor_alone_and_leaves_time_to_withdraw() -> None:
    settings = unit(HEARTBEAT)
    assert (settings["KillMode"], settings["KillSignal"]) == (["mixed"], ["SIGTERM"])
    assert 3 < int(settings["TimeoutStopSec"][0]) < 20 - 3, "longer than withdrawing, shorter than a silence"


def test_a_stuck_process_does_not_keep_the_agent_away_for_long() -> None:
    assert 4 < int(unit(SERVE)["TimeoutStopSec"][0]) < 10, "longer than its own end, shorter than a suspicion"


def test_the_heartbeat_goes_before_everything_else_on_a_busy_host() -> None:
    heartbeat, serve = unit(HEARTBEAT), unit(SERVE)
    assert int(heartbeat["CPUWeight"][0]) > int(serve["CPUWeight"][0]) > 100
    assert int(heartbeat["IOWeight"][0]) > 100
    assert int(heartbeat["OOMScoreAdjust"][0]) < int(serve["OOMScoreAdjust"][0]) < 0
    assert heartbeat["OOMPolicy"] == ["continue"]


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        (HEARTBEAT, 78, "config file"),
        (SERVE, 78, "config file"),
        (PREPARE, 1, "nothing is mounted there"),
        (RENEW, 78, "config file"),
    ],
)
def test_the_program_understands_their_commands(name: str, status: int, said: str, tmp_path: Path) -> None:
    """On a machine without its settings, and without such a pool: one line, and the status that stops restarting."""
    (command,) = unit(name)["ExecStart"]
    program, *arguments = command.replace("/etc/", f"{tmp_path}/").replace("%f", f"{tmp_path}/pool").split()
    assert Path(program).name == "hostfence-agent"
    done = subprocess.run(
        [sys.executable, "-m", "probe_agent", *arguments],
        env={"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
    assert said in done.stderr


def test_a_renewal_is_tried_every_day_and_never_by_all_hosts_at_once() -> None:
    settings = unit(TIMER)
    assert settings["OnCalendar"] == ["daily"]
    assert settings["RandomizedDelaySec"] == ["8h"]
    assert settings["Persistent"] == ["yes"]
    assert "Unit" not in settings, "the service of the same name"
    restarts = {"Restart", "ExecStartPost", "PropagatesReloadTo", "OnSuccess"} & unit(RENEW).keys()
    assert not restarts, "serve takes a renewed certificate up by itself"


def test_the_settings_they_make_are_settings() -> None:
    (setting,) = unit(SERVE)["Environment"]
    name, _, folder = setting.partition("=")
    config, warnings = load({name: folder}, needs_host=False)
    assert warnings == []
    assert str(config.memory_folder) == f"/run/{unit(SERVE)['RuntimeDirectory'][0]}"


def test_the_boot_id_stays_readable() -> None:
    assert all("ProcSubset" not in unit(name) for name in (HEARTBEAT, SERVE))
