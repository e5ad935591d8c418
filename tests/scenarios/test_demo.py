"""The end-to-end test: the demo from outside. What happened in it the demo asserts itself, by its exit status."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
STORY_WITHIN_S = 300


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the demo makes its own folder. Not ``tmp_path``, which root's PostgreSQL account could not pass through."""
    with tempfile.TemporaryDirectory(prefix="hf-e2e-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "demo", *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.defpath, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_of(folder: Path) -> list[str]:
    """Living processes that work in the folder or were told of it; a zombie has neither."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (process / "cmdline").read_bytes() + b"\0" + (process / "environ").read_bytes()
            told += b"\0" + os.fsencode((process / "cwd").readlink())
            if os.fsencode(folder) in told:
                found.append(f"{process.name}: {(process / 'cmdline').read_bytes().decode()}")
    return found


def gone_within(folder: Path, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while processes_of(folder) and time.monotonic() < until:
        time.sleep(0.1)
    return not processes_of(folder)


def running_demo(demo: subprocess.Popen[str]) -> None:
    """Read on until its agents were started."""
    assert demo.stdout is not None
    for line in demo.stdout:
        if "probe agent runs" in line:
            return
    pytest.fail("it ended before it was set up")


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(STORY_WITHIN_S + 30)
def test_a_dead_host_is_fenced_its_machines_run_elsewhere_and_two_living_hosts_are_left_alone(folder: Path) -> None:
    demo = start(folder, "--once")
    try:
        said, _ = demo.communicate(timeout=STORY_WITHIN_S)
    finally:
        demo.kill()
    assert demo.returncode == 0, said
    assert "NO " not in said
    assert "death to proof of off" in said
    assert "CloudStack: kvm-a: Up/Enabled -> Up/Disabled" in said
    assert processes_of(folder) == []
    assert list(folder.iterdir()) == []


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_half_way_it_leaves_nothing_behind(folder: Path, how: signal.Signals) -> None:
    demo = start(folder)
    running_demo(demo)
    demo.send_signal(how)
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, said
    assert processes_of(folder) == []
    assert list(folder.iterdir()) == []


@pytest.mark.e2e
@pytest.mark.slow
def test_killed_half_way_it_leaves_no_process_behind(folder: Path) -> None:
    demo = start(folder)
    running_demo(demo)
    demo.kill()
    demo.communicate(timeout=60)
    assert gone_within(folder, 20), processes_of(folder)
