"""On a terminal: questions, the live picture, colours, completion."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from controller.cli.errors import Exit
from tests.integration.cli.conftest import Cli, Site

PATIENCE_S = 30.0


class Terminal:
    """`hostfence` on a terminal of 80 columns."""

    def __init__(self, cli: Cli, *words: str, **environ: str | None) -> None:
        self.screen = ""
        ours, its = pty.openpty()
        self._fd = ours
        self._process = subprocess.Popen(
            [sys.executable, "-m", "controller.cli.main", *words],
            env=cli.environment(**environ),
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)

    def until(self, true: Callable[[str], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not true(self.screen):
            assert time.monotonic() < deadline, self.screen
            self._read()

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._fd)
        return self._process.wait(timeout=PATIENCE_S)

    def _read(self) -> bool:
        if not select.select([self._fd], [], [], 0.2)[0]:
            return self._process.poll() is None
        try:
            found = os.read(self._fd, 65536)
        except OSError:
            return False
        self.screen += found.decode(errors="replace")
        return bool(found)


def test_the_name_is_asked_for_and_must_be_right(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster(device="10.2.0.1")
    for typed, code in (("yes", Exit.NOT_CONFIRMED), ("", Exit.NOT_CONFIRMED), (host, Exit.DONE)):
        terminal = Terminal(cli, "power", "off", host, "--reason", "smoke")
        terminal.until(lambda screen: "Type the name" in screen)
        assert site.power("10.2.0.1") == "on"
        assert "CUT THE POWER OF" in terminal.screen
        terminal.type(f"{typed}\n")
        assert terminal.end() == code, terminal.screen
    assert site.power("10.2.0.1") == "off"


def test_a_token_is_not_shown_while_it_is_typed(site: Site, cli: Cli) -> None:
    terminal = Terminal(cli, "login", HOSTFENCE_TOKEN=None)
    terminal.until(lambda screen: "Token for" in screen)
    terminal.type(f"{site.token}\n")
    assert terminal.end() == 0
    assert "first-admin (admin)" in terminal.screen
    assert site.token not in terminal.screen


def test_the_live_picture_moves_and_ends_with_ctrl_c(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster()
    terminal = Terminal(cli, "incidents", "watch", "--host", host, "--every", "0.2", NO_COLOR="1")
    terminal.until(lambda screen: "None: no host is silent" in screen)
    site.call("POST", f"/hosts/{host}/disconnect", {"note": "no ping"})
    terminal.until(lambda screen: "no ping" in screen)
    site.call("POST", f"/incidents/{_open(site, host)}/cancel", {"reason": "drill"})
    seen = terminal.screen.count("None: no host is silent")
    terminal.until(lambda screen: screen.count("None: no host is silent") > seen)
    terminal.interrupt()
    assert terminal.end() == 0
    assert "Traceback" not in terminal.screen
    assert "\x1b[3" not in terminal.screen, "NO_COLOR: nothing is coloured"


def test_a_watch_outlives_a_controller_that_does_not_answer(cli: Cli) -> None:
    terminal = Terminal(cli, "incidents", "watch", "--every", "0.2", HOSTFENCE_URL="http://127.0.0.1:1")
    terminal.until(lambda screen: screen.count("NO ANSWER") > 2)
    terminal.interrupt()
    assert terminal.end() == 0
    terminal = Terminal(cli, "incidents", "watch", "--every", "0.2", HOSTFENCE_TOKEN="hf_wrong")
    assert terminal.end() == Exit.NOT_ALLOWED, "what waiting does not cure ends it"


def test_in_a_pipe_the_watch_is_a_line_for_each_change(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster()
    process = subprocess.Popen(
        [sys.executable, "-m", "controller.cli.main", "incidents", "watch", "--host", host, "--every", "0.2"],
        env=cli.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    site.call("POST", f"/hosts/{host}/disconnect", {"note": "no ping"})
    first = process.stdout.readline()
    assert host in first
    assert "suspect" in first or "checking" in first
    site.call("POST", f"/incidents/{_open(site, host)}/cancel", {"reason": "drill"})
    while "cancelled, closed" not in (line := process.stdout.readline()):
        assert line
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE_S) == 0
    process.stdout.close()


def test_a_watch_for_programs_is_json_by_the_line(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster()
    process = subprocess.Popen(
        [sys.executable, "-m", "controller.cli.main", "incidents", "watch", "--host", host, "--every", "0.2", "--json"],
        env=cli.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"items": [], "next_cursor": None}
    site.call("POST", f"/hosts/{host}/disconnect", {"note": "no ping"})
    assert len(json.loads(process.stdout.readline())["items"]) == 1
    site.call("POST", f"/incidents/{_open(site, host)}/cancel", {"reason": "drill"})
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE_S) == 0
    process.stdout.close()


def test_ctrl_c_stops_following_and_nothing_else(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster()
    terminal = Terminal(cli, "fence", host, "--reason", "drill", "--yes-i-mean", host, "--wait")
    terminal.until(lambda screen: "new → suspect" in screen)
    terminal.interrupt()
    assert terminal.end() == Exit.INTERRUPTED
    assert site.call("GET", f"/incidents/{_open(site, host)}")["open"]
    cli.done("cancel", host, "--reason", "drill")


def test_shells_complete_commands_hosts_and_clusters(site: Site, cli: Cli) -> None:
    cluster, hosts = site.cluster()
    for shell in ("bash", "zsh", "fish"):
        script = cli.done("--show-completion", shell)
        assert "_HOSTFENCE_COMPLETE" in script
    assert _completed(cli, "hostfence ho") == ["hosts"]
    assert _completed(cli, f"hostfence explain {cluster}-") == hosts
    assert cluster in _completed(cli, f"hostfence pause --cluster {cluster}")
    assert _completed(cli, f"hostfence explain {cluster}-", HOSTFENCE_TOKEN="wrong") == []
    assert _completed(cli, f"hostfence explain {cluster}-", HOSTFENCE_URL="http://127.0.0.1:1") == []


def _completed(cli: Cli, line: str, **environ: str | None) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "controller.cli.main"],
        env=cli.environment(
            _HOSTFENCE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(line.count(" ")), **environ
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.stderr == ""
    return done.stdout.split()


def _open(site: Site, host: str) -> str:
    return str(site.call("GET", f"/incidents?only_open=true&host={host}")["items"][0]["id"])
