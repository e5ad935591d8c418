"""What only looks: the controller's own JSON for programs, and for people what matters first."""

import json

import pytest

from tests.integration.cli.conftest import Cli, Site


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("hosts",), "/hosts"),
        (("hosts", "{host}"), "/hosts/{host}"),
        (("hosts", "--cluster", "{cluster}"), "/hosts?cluster={cluster}"),
        (("incidents",), "/incidents?only_open=false&limit=20"),
        (("incidents", "--open", "--host", "{host}"), "/incidents?only_open=true&host={host}&limit=20"),
        (("audit", "--limit", "3"), "/audit?limit=3"),
        (("pauses",), "/pauses?active=true"),
        (("channels",), "/channels"),
        (("notifications",), "/deliveries?limit=20"),
        (("notifications", "--status", "dead", "--channel", "x"), "/deliveries?status=dead&channel=x&limit=20"),
        (("mode",), "/mode"),
        (("mode", "--host", "{host}"), "/hosts/{host}/mode"),
        (("cloud",), "/cloud"),
        (("whoami",), "/whoami"),
        (("settings", "get"), "/settings/effective"),
        (("settings", "get", "--written", "--cluster", "{cluster}"), "/clusters/{cluster}/settings"),
    ],
)
def test_json_is_the_controllers_own_text(site: Site, cli: Cli, words: tuple[str, ...], path: str) -> None:
    cluster, [host, _] = site.cluster()
    names = {"cluster": cluster, "host": host}
    ran = cli(*(word.format(**names) for word in words), "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == site.raw("GET", path.format(**names)).text + "\n"


@pytest.mark.parametrize("words", [("explain", "{host}"), ("readiness",), ("readiness", "{cluster}"), ("status",)])
def test_what_moves_by_itself_is_json_too(site: Site, cli: Cli, words: tuple[str, ...]) -> None:
    cluster, [host, _] = site.cluster()
    ran = cli(*(word.format(cluster=cluster, host=host) for word in words), "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)


def test_status_says_first_what_needs_somebody(site: Site, cli: Cli) -> None:
    cluster, [host, _] = site.cluster()
    site.call("POST", f"/hosts/{host}/disconnect", {"note": "no ping"})
    cli.done("pause", "--cluster", cluster, "--reason", "storage work")
    shown = cli.done("status")
    assert shown.index("Incidents:") < shown.index("FENCING IS PAUSED") < shown.index("Could hosts be fenced")
    assert host in shown
    assert "storage work" in shown
    assert "Mode observe everywhere" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_where_no_cloud_was_read_that_is_said(cli: Cli) -> None:
    assert "No cloud has been read" in cli.done("cloud")


def test_a_host_with_its_health_and_machines(site: Site, cli: Cli) -> None:
    cluster, [host, _] = site.cluster()
    shown = cli.done("hosts", host)
    for text in (host, cluster, "1: web1", "no TLS", "answered -"):
        assert text in shown
    assert cli.done("hosts", "--cluster", cluster).count("127.0.0.1:") == 2


def test_explain_tells_why_not_and_what_to_do(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster()
    shown = cli.done("explain", host)
    assert "would NOT be fenced" in shown
    assert "BLOCKED  observe_mode" in shown
    assert "To do: Enter its BMC address" in shown
    assert "off proven" in shown
    assert "Open gates:" in shown
    assert "Open gates:" not in cli.done("explain", host, "--all")


def test_check_is_for_programs(site: Site, cli: Cli) -> None:
    cluster, [host, _] = site.cluster()
    assert cli("explain", host, "--check").code == 7
    assert cli("readiness", cluster, "--check").code == 7
    assert cli("readiness", cluster).code == 0


def test_a_host_is_named_by_its_id_too(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster()
    found = site.call("GET", f"/hosts/{host}")
    assert json.loads(cli.done("hosts", found["id"], "--json"))["name"] == host


def test_the_audit_names_hosts(site: Site, cli: Cli) -> None:
    _, [host, _] = site.cluster()
    cli.done("rearm", host, "--reason", "drill done")
    shown = cli.done("audit", "--limit", "5")
    assert f"rearm  {host}" in shown
    assert "drill done" in shown
    assert "More: --cursor" in shown
