"""The agent's packages, as far as they can be looked at without building them (`make try-packages` installs them)."""

import importlib.machinery
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.fixtures.agents import REPOSITORY

SOURCE = REPOSITORY / "deploy" / "packages"
SHELL = [
    *(SOURCE / name for name in ("hostfence-agent", "hostfence-agent-join", "after-install", "before-remove")),
    *(SOURCE / "debian").glob("p*"),
    REPOSITORY / "scripts" / "boot-root",
]


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("build_packages", str(REPOSITORY / "scripts" / "build-packages"))
    spec = importlib.util.spec_from_loader("build_packages", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def run(*command: str | Path, given: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    plain = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **environ}
    return subprocess.run(command, input=given, env=plain, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SHELL, ids=lambda path: path.name)
def test_the_scripts_are_plain_shell(script: Path) -> None:
    done = run("sh", "-n", script)
    assert (done.returncode, done.stderr) == (0, "")


def test_only_what_the_agent_runs_on_is_packed_and_by_its_hash(builder: ModuleType) -> None:
    """Neither what builds the project nor what the controller needs."""
    text = builder.pinned()
    names = re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)
    assert {"pydantic", "pydantic-core", "starlette", "uvicorn"} <= set(names)
    assert not {"hatchling", "fastapi", "sqlalchemy", "httpx"} & set(names)
    assert text.count("--hash=sha256:") >= len(names)
    assert ";" not in text


def test_both_packages_ask_for_a_python_that_the_libraries_are_packed_for(builder: ModuleType) -> None:
    assert set(builder.PYTHONS) == {"3.11", "3.12", "3.13", "3.14"}
    launcher = (SOURCE / "hostfence-agent").read_text()
    assert all(f"/usr/bin/python{one} " in launcher.replace(";", " ") for one in builder.PYTHONS)
    control = builder.filled(SOURCE / "debian/control", DEB_PYTHONS="python3.11 | python3.12")
    assert "Depends: python3.11 | python3.12, openssl, systemd" in control
    assert "Requires: @RPM_PYTHONS@\n" in (SOURCE / "hostfence-agent.spec").read_text()


def test_whatever_is_laid_out_is_in_the_rpm(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rpmbuild fails for a file that no line names, and for a line that names no file."""
    monkeypatch.setattr(builder, "libraries", lambda *_: None)
    monkeypatch.setattr(builder, "ours", lambda *_: None)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    stage = builder.lay_out(tmp_path, "x86_64")
    spec = (SOURCE / "hostfence-agent.spec").read_text().partition("%files\n")[2].partition("\n\n")[0]
    named = [line.removeprefix("%doc ").lstrip("/") for line in spec.splitlines()]
    for pattern in named:
        assert list(stage.glob(pattern)), pattern
    for path in stage.rglob("*"):
        if path.is_file():
            place = path.relative_to(stage)
            assert any(one.match(pattern) for one in (place, *place.parents) for pattern in named), place
    units = {path.name for path in (REPOSITORY / "deploy/systemd").iterdir()}
    assert {path.name for path in (stage / "usr/lib/systemd/system").iterdir()} == units
    programs = {line.split()[0] for unit in units for line in execs(REPOSITORY / "deploy/systemd" / unit)}
    assert programs == {"/opt/hostfence-agent/bin/hostfence-agent"}
    assert stat.S_IMODE((stage / "opt/hostfence-agent/bin/hostfence-agent").stat().st_mode) == 0o755
    assert (stage / "usr/bin/hostfence-agent").resolve() == stage / "opt/hostfence-agent/bin/hostfence-agent"


def execs(unit: Path) -> list[str]:
    return re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The launcher with a home here, where `start.py` says how it was called; Pythons are looked for in `bin`."""
    home = tmp_path / "home"
    (home / "lib").mkdir(parents=True)
    (home / "lib" / "pythons").write_text("3.11 3.12 3.13 3.14\n")
    (home / "start.py").write_text("import sys; print(sys.flags.isolated, sys.flags.no_site, sys.argv[1:])\n")
    (tmp_path / "bin").mkdir()
    text = (SOURCE / "hostfence-agent").read_text().replace("home=/opt/hostfence-agent", f"home={home}")
    (home / "launcher").write_text(text.replace("/usr/bin/", f"{tmp_path}/bin/"))
    return home


def test_the_launcher_takes_the_first_python_that_fits(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "python3").write_text("#!/bin/sh\nexit 1\n")  # too old, or too new
    (tmp_path / "bin" / "python3").chmod(0o755)
    (tmp_path / "bin" / "python3.12").symlink_to(sys.executable)
    done = run("sh", home / "launcher", "--config", "/x y", "serve", PYTHONPATH="/nowhere")
    assert (done.returncode, done.stdout) == (0, "1 1 ['--config', '/x y', 'serve']\n"), done.stderr


def test_without_a_python_it_says_which_to_install_and_is_not_started_again(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    (home / "lib" / "pythons").write_text("3.98 3.99\n")
    done = run("sh", home / "launcher", "heartbeat")
    assert done.returncode == 78, "RestartPreventExitStatus of the units"
    assert "3.98 3.99" in done.stderr


@pytest.fixture
def join(tmp_path: Path) -> Path:
    """The command that joins, on a machine without systemd, with an agent that writes down how it was called."""
    agent = tmp_path / "agent"
    agent.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/arguments\ncat >{tmp_path}/given\nexit ${{REFUSED:-0}}\n')
    agent.chmod(0o755)
    text = (SOURCE / "hostfence-agent-join").read_text()
    text = text.replace("/opt/hostfence-agent/bin/hostfence-agent", str(agent)).replace(
        "/run/systemd/system", "/nowhere"
    )
    script = tmp_path / "join"
    script.write_text(text.replace('"$(id -u)" = 0', '"${AS:-0}" = 0'))
    return script


def test_joining_gives_the_token_on_standard_input_alone(join: Path, tmp_path: Path) -> None:
    done = run(
        "sh", join, "--controller", "https://c", "--ca-fingerprint", "ab:cd", "/mnt/a", "/mnt/b", given="s3cret\n"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "arguments").read_text() == "enroll --controller https://c --ca-fingerprint ab:cd\n"
    assert (tmp_path / "given").read_text() == "s3cret\n"
    assert "s3cret" not in done.stdout + done.stderr
    done = run(
        "sh", join, "--controller", "u", "--controller-ca", "/ca", "--no-start", "--ca-fingerprint", "f", given="t\n"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "arguments").read_text() == "enroll --controller u --ca-fingerprint f --controller-ca /ca\n"


@pytest.mark.parametrize(
    ("words", "environ", "said"),
    [
        ((), {}, "Usage: hostfence-agent-join"),
        (("--controller", "https://c"), {}, "Usage: hostfence-agent-join"),
        (("--token", "s3cret"), {}, "Usage: hostfence-agent-join"),
        (("--controller", "u", "--ca-fingerprint", "f"), {"AS": "1000"}, "run it as root"),
        (("--controller", "u", "--ca-fingerprint", "f", "/srv/pool"), {}, "/srv/pool is not below /mnt"),
    ],
)
def test_joining_refuses_before_anything_is_asked(
    join: Path, tmp_path: Path, words: tuple[str, ...], environ: dict[str, str], said: str
) -> None:
    done = run("sh", join, *words, given="t\n", **environ)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "arguments").exists()


def test_a_refused_enrolment_starts_nothing(join: Path) -> None:
    done = run("sh", join, "--controller", "u", "--ca-fingerprint", "f", given="t\n", REFUSED="1")
    assert done.returncode == 1
    assert "enrolled" not in done.stderr


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_a_package_that_is_only_configured_again_or_upgraded_keeps_its_credentials(name: str, tmp_path: Path) -> None:
    """What each of Debian's scripts is called with, and whether `/etc/hostfence-agent` survives it."""
    text = (
        (SOURCE / "debian" / name).read_text().replace("/opt/", f"{tmp_path}/opt/").replace("/etc/", f"{tmp_path}/etc/")
    )
    (tmp_path / "opt/hostfence-agent/lib/__pycache__").mkdir(parents=True)
    (tmp_path / "opt/hostfence-agent/libexec").mkdir()
    for step in ("after-install", "before-remove"):
        (tmp_path / "opt/hostfence-agent/libexec" / step).write_text(f"echo {step} >>{tmp_path}/done\n")
    script = tmp_path / name
    script.write_text(text.replace("/run/systemd/system", "/nowhere"))
    did = {}
    for word in ("configure", "remove", "upgrade", "abort-upgrade", "purge"):
        (tmp_path / "etc/hostfence-agent").mkdir(parents=True, exist_ok=True)
        (tmp_path / "done").unlink(missing_ok=True)
        assert run("sh", script, word).returncode == 0
        steps = (tmp_path / "done").read_text().split() if (tmp_path / "done").exists() else []
        did[word] = (steps, (tmp_path / "etc/hostfence-agent").exists())
    own = {"postinst": {"configure": "after-install"}, "prerm": {"remove": "before-remove"}, "postrm": {}}[name]
    for word, (steps, kept) in did.items():
        assert steps == ([own[word]] if word in own else [])
        assert kept is not (name == "postrm" and word == "purge")
    shutil.rmtree(tmp_path / "opt")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "after-install",
            ["daemon-reload", "try-restart hostfence-agent-heartbeat.service hostfence-agent.service"],
        ),
        (
            "before-remove",
            [
                (
                    "--quiet disable --now hostfence-agent-heartbeat.service hostfence-agent.service"
                    " hostfence-agent-renew.timer"
                ),
                "list-units --plain --no-legend --all hostfence-agent-prepare@*",
                "--quiet disable hostfence-agent-prepare@mnt-a.service",
            ],
        ),
    ],
)
def test_what_the_packages_do_to_the_services(tmp_path: Path, script: str, expected: list[str]) -> None:
    """Restart only what runs; at the end stop it in order. Programs of ours stand in for systemd's."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("systemctl", "systemd-sysusers", "systemd-tmpfiles"):
        (programs / name).write_text(
            f'#!/bin/sh\necho "$@" >>{tmp_path}/{name}\n'
            'case $1 in list-units) echo "hostfence-agent-prepare@mnt-a.service loaded" ;; esac\n'
        )
        (programs / name).chmod(0o755)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "pythons").write_text("3.99\n")
    text = (SOURCE / script).read_text().replace("/opt/hostfence-agent", str(tmp_path))
    (tmp_path / script).write_text(text.replace("/run/systemd/system", str(tmp_path)))
    done = run("sh", tmp_path / script, PATH=f"{programs}:{os.defpath}")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "systemctl").read_text().splitlines() == expected
