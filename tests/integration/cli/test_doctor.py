"""`hostfence doctor` against a real controller: what is wrong with it is found, and the exit code says so."""

import json
from pathlib import Path
from typing import Any

from tests.integration.cli.conftest import Cli, Site


def checks(cli: Cli, *words: str) -> tuple[int, dict[str, Any]]:
    ran = cli("doctor", "--json", *words)
    told = json.loads(ran.out)
    return ran.code, {"state": told["state"], **{one["name"]: one for one in told["checks"]}}


def test_a_laboratory_without_agents_is_told_what_it_lacks(site: Site, cli: Cli) -> None:
    cluster, [host, other] = site.cluster(device="10.1.1.1")
    code, found = checks(cli)
    assert (code, found["state"]) == (7, "problem")
    assert {
        name: found[name]["state"] for name in ("controller", "access", "database", "controllers", "clocks", "key")
    } == (dict.fromkeys(("controller", "access", "database", "controllers", "clocks", "key"), "ok"))
    assert found["armed"]["state"] == "warning", "a fresh install is in observe mode"
    assert checks(cli, "--armed")[1]["armed"]["state"] == "problem"
    assert any(line.startswith(f"{cluster}: observe_mode at {host}, {other}") for line in found["armed"]["details"])
    assert found["notifications"]["details"] == ["there is no notification channel"]
    assert found["host"]["state"] == "problem"
    assert any(f"{cluster}: agent at " in line for line in found["host"]["details"])
    assert found["database"]["text"].startswith("Database: PostgreSQL 18")


def test_people_read_what_is_wrong_and_what_to_do(site: Site, cli: Cli) -> None:
    site.cluster()
    ran = cli("doctor")
    assert (ran.code, ran.err) == (7, "")
    assert ran.out.startswith("PROBLEM  Something is wrong.")
    assert "To do: Write channels (docs/notifications.md)." in ran.out
    assert "Well:" in ran.out
    assert "Database: PostgreSQL" not in ran.out
    assert "Database: PostgreSQL" in cli("doctor", "--all").out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_a_key_that_others_can_read_is_found_while_the_controller_runs(site: Site, cli: Cli) -> None:
    key = Path(site.program.parent / "data" / "encryption.key")
    assert checks(cli)[1]["key"]["state"] == "ok"
    key.chmod(0o644)
    try:
        found = checks(cli)[1]["key"]
    finally:
        key.chmod(0o600)
    assert (found["state"], found["todo"]) == ("problem", [f"chmod 600 {key}"])
    assert key.read_text().strip() not in json.dumps(found)


def test_a_program_that_is_gone_is_found(site: Site, cli: Cli) -> None:
    away = site.program.with_name("outlets.away")
    site.program.rename(away)
    try:
        found = checks(cli)[1]["environment"]
    finally:
        away.rename(site.program)
    assert found["state"] == "warning"
    assert str(site.program) in found["details"][0]


def test_a_reporter_is_told_what_it_may_not_see(site: Site, cli: Cli) -> None:
    ran = cli("doctor", HOSTFENCE_TOKEN=site.tokens["reporter"])
    assert ran.code == 7
    assert "deployment is not shown" in ran.out
    assert "Traceback" not in ran.out + ran.err


def test_channels_are_tested_only_when_asked_for(site: Site, cli: Cli) -> None:
    nobody = {"kind": "email", "host": "127.0.0.1", "port": 1, "tls": "none", "sender": "h@x.example"}
    channel = {"name": "mail", **nobody, "recipients": ["on-call@x.example"]}
    site.call("PATCH", "/settings", {"channels": [channel]})
    try:
        assert checks(cli)[1]["notifications"]["details"] == ["mail: nothing was ever sent through it"]
        found = checks(cli, "--send-tests")[1]["notifications"]
        assert found["state"] == "problem"
        assert found["details"][-1].startswith("mail: a test was not taken: ")
    finally:
        site.call("PATCH", "/settings", {"channels": None})


def test_no_controller_and_no_token(cli: Cli) -> None:
    assert cli("doctor", HOSTFENCE_URL="http://127.0.0.1:1").code == 3
    assert cli("doctor", HOSTFENCE_TOKEN="nonsense").code == 4
