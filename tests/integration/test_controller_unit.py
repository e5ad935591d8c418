"""The controller's systemd unit: valid, well closed, and true to what the controller does."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from controller.__main__ import EXIT_USER, SHUTDOWN_S
from controller.config import Config
from controller.descriptors import NEEDED
from tests.fixtures.agents import REPOSITORY

UNIT = REPOSITORY / "deploy" / "controller" / "hostfence-controller.service"


def setting(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.debian("systemd-analyze")
def test_systemd_takes_it_for_valid_and_well_closed(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/opt/hostfence/bin/hostfence-controller", "/bin/true"))
    done = run("systemd-analyze", "verify", "--man=no", here.name, cwd=tmp_path)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(here), cwd=tmp_path)
    found = re.search(r"Overall exposure level .*: ([0-9.]+) ", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= 2.5


def test_it_fits_what_the_controller_does() -> None:
    assert setting("RestartPreventExitStatus") == [str(EXIT_USER)]
    assert int(setting("TimeoutStopSec")[0]) > 2 * SHUTDOWN_S, "steps, then PostgreSQL"
    assert setting("LimitNOFILE") == [str(NEEDED)]
    assert setting("User") == ["hostfence"]
    known = {f"HOSTFENCE_{name.upper()}" for name in Config.model_fields}
    known |= {"HOSTFENCE_DATABASE_URL_FILE", "HOSTFENCE_ENCRYPTION_KEY_FILE"}
    named = set(re.findall(r"HOSTFENCE_[A-Z_]+", UNIT.read_text()))
    assert named <= known
    assert "u hostfence 64840 " in (UNIT.parent / "hostfence.conf").read_text()
