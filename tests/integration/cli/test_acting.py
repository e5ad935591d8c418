"""What changes something: dangerous commands show what they hit and want its name; the rest says what it did."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from controller.cli.errors import Exit
from tests.integration.cli.conftest import Cli, Site


@pytest.fixture
def off_limits(site: Site) -> tuple[str, str]:
    """A host with a power device that works: (its name, the device)."""
    device = f"10.1.0.{len(site.call('GET', '/hosts')) + 1}"
    _, [host, _] = site.cluster(device=device)
    return host, device


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A full backlog: further connects get no answer, as from a host without power."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=0)
    address = listening.getsockname()
    waiting = [socket.socket() for _ in range(2)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(address)
    yield int(address[1])
    for one in (*waiting, listening):
        one.close()


DANGEROUS = [
    ("fence", "{host}", "--reason", "drill"),
    ("power", "off", "{host}", "--reason", "drill"),
    ("power", "reboot", "{host}", "--reason", "drill", "--force"),
]


@pytest.mark.parametrize("words", DANGEROUS, ids=" ".join)
@pytest.mark.parametrize("how", [(), ("--yes-i-mean", "yes"), ("--yes-i-mean", "{other}")])
def test_not_confirmed_it_does_nothing(
    site: Site, cli: Cli, off_limits: tuple[str, str], words: tuple[str, ...], how: tuple[str, ...]
) -> None:
    host, device = off_limits
    before = site.call("GET", "/audit?limit=1")["items"]
    ran = cli(*(word.format(host=host) for word in words), *(word.format(other=host[:-1] + "b") for word in how))
    assert (ran.code, ran.out) == (Exit.NOT_CONFIRMED, "")
    assert "nothing was done" in ran.err
    assert site.power(device) == "on"
    assert site.call("GET", f"/incidents?only_open=true&host={host}")["items"] == []
    assert site.call("GET", "/audit?limit=1")["items"] == before


def test_a_name_from_a_pipe_is_no_confirmation(site: Site, cli: Cli, off_limits: tuple[str, str]) -> None:
    host, device = off_limits
    ran = cli("power", "off", host, "--reason", "x", typed=f"{host}\n")
    assert (ran.code, site.power(device)) == (Exit.NOT_CONFIRMED, "on")


@pytest.mark.parametrize("words", [*DANGEROUS, ("acknowledge", "{host}", "--reason", "x"), ("cancel", "{host}")])
def test_without_a_reason_nothing_is_done(site: Site, cli: Cli, words: tuple[str, ...]) -> None:
    _, [host, _] = site.cluster()
    given = [word.format(host=host) for word in words if word not in ("--reason", "drill", "x")]
    assert cli(*given, *(("--yes-i-mean", host) if "cancel" not in words else ())).code == Exit.USAGE


def test_a_dangerous_command_shows_what_it_hits(cli: Cli, off_limits: tuple[str, str]) -> None:
    host, _ = off_limits
    err = cli("power", "off", host, "--reason", "drill").err
    for text in ("CUT THE POWER OF", host, "1: web1", "does not answer", host.rpartition("-")[0]):
        assert text in err


def test_power_off_and_its_state(site: Site, cli: Cli, off_limits: tuple[str, str]) -> None:
    host, device = off_limits
    assert "power on" in cli.done("power", "status", host)
    ran = cli("power", "off", host, "--reason", "smoke", "--yes-i-mean", host)
    assert (ran.code, ran.out) == (0, "off: accepted\n")
    assert site.power(device) == "off"
    assert "power off" in cli.done("power", "status", host)
    assert "test: accepted: power state off" in cli.done("test", host)
    assert "accepted" in cli.done("power", "on", host, "--reason", "again")
    assert "accepted" in cli.done("power", "blink", host)
    last = site.call("GET", "/audit?limit=10")["items"]
    assert next(one["data"]["reason"] for one in last if one["action"] == "power_off") == "smoke"


def test_a_host_is_confirmed_by_its_name_even_if_it_was_given_by_its_id(
    site: Site, cli: Cli, off_limits: tuple[str, str]
) -> None:
    host, device = off_limits
    host_id = site.call("GET", f"/hosts/{host}")["id"]
    words = ("power", "off", host_id, "--reason", "x", "--yes-i-mean")
    assert cli(*words, host_id).code == Exit.NOT_CONFIRMED
    assert cli(*words, host).code == 0
    assert site.power(device) == "off"


def test_a_device_that_refuses_is_a_failure(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster(device="10.9.9.9")
    ran = cli("power", "off", host, "--reason", "x", "--yes-i-mean", host)
    assert ran.code == Exit.FAILED
    assert "NOT accepted" in ran.out
    assert "the breaker is locked" in ran.out


def test_json_of_a_command_is_the_controllers_answer(cli: Cli, off_limits: tuple[str, str]) -> None:
    host, _ = off_limits
    ran = cli("power", "off", host, "--reason", "x", "--yes-i-mean", host, "--json")
    assert json.loads(ran.out)["accepted"] == "yes"
    assert "CUT THE POWER" in ran.err, "what it hits is shown all the same, out of the way"


def test_a_host_is_reported_checked_and_cancelled(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster()
    ran = cli("fence", host, "--reason", "no ping", "--yes-i-mean", host)
    assert ran.code == 0
    assert "if it is dead   it tells people, and leaves the host alone" in ran.err
    assert "BLOCKED  observe_mode" in ran.err
    assert "opened (suspect)" in ran.out
    assert "was open already" in cli.done("fence", host, "--reason", "again", "--yes-i-mean", host)

    shown = cli.done("incidents", "show", host)
    assert "report: no ping" in shown
    assert "Timeline" in shown
    [incident] = site.call("GET", f"/incidents?only_open=true&host={host}")["items"]
    assert incident["id"] in cli.done("incidents", "show", incident["id"][:8])
    assert host in cli.done("incidents", "--open")

    too_early = cli("retry", host, "--reason", "x")
    assert (too_early.code, "held" in too_early.err) == (Exit.FAILED, True), too_early
    refused = cli("acknowledge", host, "--reason", "I looked", "--yes-i-mean", host)
    assert refused.code == Exit.FAILED
    assert "You vouch that this host is OFF" in refused.err
    assert "kernel_answers: The host's address accepts or refuses connections at once" in refused.err
    assert cli.done("cancel", host, "--reason", "drill") == f"{host}: the incident is cancelled now\n"
    assert site.call("GET", f"/incidents/{incident['id']}")["state"] == "cancelled"
    gone = cli("incidents", "show", host)
    assert (gone.code, "is open" in gone.err) == (Exit.NOT_FOUND, True)


def test_acknowledged_only_with_the_hosts_name(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster()
    cli.done("fence", host, "--reason", "no ping", "--yes-i-mean", host)
    assert cli("acknowledge", host, "--reason", "x").code == Exit.NOT_CONFIRMED
    assert cli("acknowledge", host, "--reason", "x", "--yes-i-mean", f"{host} ").code == Exit.NOT_CONFIRMED
    assert site.call("GET", f"/incidents?only_open=true&host={host}")["items"][0]["acknowledged"] is None
    cli.done("cancel", host, "--reason", "drill")


@pytest.mark.slow
def test_wait_follows_an_incident_until_it_is_held_and_a_person_vouches(site: Site, cli: Cli, silent_port: int) -> None:
    cluster, [host, _] = site.cluster(silent_port=silent_port)
    site.call("PATCH", f"/clusters/{cluster}/settings", {"grace": 0, "checking_limit": 30, "check_interval": 5})
    started = time.monotonic()
    ran = cli("fence", host, "--reason", "drill", "--yes-i-mean", host, "--wait")
    assert ran.code == Exit.FAILED, "it ends held: nobody could witness"
    assert ran.out == f"{host}: held\n"
    assert "[new → suspect]" in ran.err
    assert "[suspect → checking]" in ran.err
    assert "[checking → held]" in ran.err
    assert time.monotonic() - started < 60
    shown = cli.done("incidents", "show", host)
    assert shown.startswith("HELD")
    assert "To do: " in shown
    assert "HELD for you" in cli.done("status")

    wrong = cli("acknowledge", host, "--reason", "pulled the cords", "--yes-i-mean", host[:-1])
    assert wrong.code == Exit.NOT_CONFIRMED
    [incident] = site.call("GET", f"/incidents?only_open=true&host={host}")["items"]
    assert incident["acknowledged"] is None
    ran = cli("acknowledge", host, "--reason", "pulled the cords", "--yes-i-mean", host)
    assert (ran.code, "acknowledged; the incident is releasing now" in ran.out) == (0, True), ran
    assert "machines there" in ran.err
    assert site.call("GET", f"/incidents/{incident['id']}")["acknowledged"]["reason"] == "pulled the cords"
    assert "acknowledged" in cli.done("incidents", "show", incident["id"])


def test_a_pause_and_its_end(site: Site, cli: Cli) -> None:
    cluster, _ = site.cluster()
    out = cli.done("pause", "--cluster", cluster, "--reason", "storage work", "--for", "2h")
    assert "(in 2 h)" in out
    short = out.split()[-1]
    assert short in cli.done("pauses")
    assert "lifted by first-admin" in cli.done("unpause", short, "--reason", "done")
    assert short not in cli.done("pauses")
    ever: dict[str, Any] = json.loads(cli.done("pause", "--reason", "x", "--for", "ever", "--json"))
    assert ever["until"] is None
    cli.done("unpause", ever["id"], "--reason", "done")
    assert cli("unpause", "nothing", "--reason", "x").code == Exit.NOT_FOUND


def test_arming_is_confirmed_and_disarming_is_not(site: Site, cli: Cli) -> None:
    cluster, [host, _] = site.cluster()
    for where, name in ((("--cluster", cluster), cluster), (("--host", host), host)):
        for word in ("enforce", "inherit"):
            ran = cli("mode", word, *where, "--reason", "drill done")
            assert ran.code == Exit.NOT_CONFIRMED
            assert "may cut power by itself" in ran.err
        assert cli("mode", "enforce", *where, "--reason", "x", "--yes-i-mean", "global").code == Exit.NOT_CONFIRMED
        cli.done("mode", "enforce", *where, "--reason", "x", "--yes-i-mean", name)
    assert site.call("GET", f"/clusters/{cluster}/settings") == {"mode": "enforce"}
    assert "observe (from default)" in cli.done("mode", "--cluster", cluster)
    cli.done("mode", "observe", "--cluster", cluster, "--reason", "stop")
    assert site.call("GET", f"/clusters/{cluster}/settings") == {"mode": "observe"}
    assert cli("mode", "enforce", "--reason", "x").code == Exit.NOT_CONFIRMED
    assert "global" not in json.dumps(site.call("GET", "/settings"))
