"""Settings: typed by their catalogue, secrets never on the line, and out and in again as a file."""

import json
from pathlib import Path

import pytest
import yaml

from controller.cli.errors import Exit
from tests.integration.cli.conftest import Cli, Site

SECRET = "correct-horse"


def test_values_are_written_as_what_they_are(site: Site, cli: Cli) -> None:
    cluster, _ = site.cluster()
    cli.done(
        *("settings", "set", "check_interval=20", "require_heartbeat=false", "min_silence=130", "action=off"),
        *("ipmi.username=0123", "--cluster", cluster),
    )
    assert site.call("GET", f"/clusters/{cluster}/settings") == {
        "check_interval": 20,
        "require_heartbeat": False,
        "min_silence": 130,
        "action": "off",
        "ipmi.username": "0123",
    }
    shown = cli.done("settings", "get", "check_interval", "--cluster", cluster)
    assert "20 s" in shown
    assert "cluster" in shown
    cli.done("settings", "unset", "check_interval", "--cluster", cluster)
    assert "check_interval" not in site.call("GET", f"/clusters/{cluster}/settings")


def test_a_secret_is_typed_or_read_and_never_shown(site: Site, cli: Cli, tmp_path: Path) -> None:
    _, [host, _] = site.cluster()
    ran = cli("settings", "set", "ipmi.password=-", "--host", host, typed=f"{SECRET}\n")
    assert (ran.code, SECRET in ran.out + ran.err) == (0, False)
    assert site.call("GET", f"/hosts/{host}/settings") == {"ipmi.password": {"set": True}}
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    cli.done("settings", "set", f"ipmi.password=@{file}", "--host", host)
    for words in (("get",), ("get", "--written"), ("export",), ("get", "--json"), ("export", "--json")):
        assert SECRET not in cli.done("settings", *words, *(("--host", host) if "get" in words else ()))


def test_channels_come_from_a_file(site: Site, cli: Cli, tmp_path: Path) -> None:
    cluster, _ = site.cluster()
    file = tmp_path / "channels.yaml"
    file.write_text(
        f"- name: mail\n  kind: email\n  host: mail.example\n  sender: a@example.org\n  recipients: [b@example.org]\n"
        f"  username: u\n  password: {SECRET}\n  clusters: [{cluster}]\n"
    )
    ran = cli("settings", "set", f"channels=@{file}")
    assert (ran.code, SECRET in ran.out) == (0, False), ran.err
    document = yaml.safe_load(cli.done("settings", "export"))
    [channel] = document["global"]["channels"]
    assert (channel["password_set"], channel["clusters"]) == (True, [cluster]), "by name: ids differ elsewhere"

    channel["recipients"] = ["c@example.org"]
    file.write_text(yaml.safe_dump({"hostfence_settings": 1, "global": {"channels": [channel]}}))
    cli.done("settings", "import", str(file), "--yes-i-mean", "import")
    [kept] = site.call("GET", "/settings")["channels"]
    assert (kept["recipients"], kept["password_set"]) == (["c@example.org"], True)
    cli.done("settings", "unset", "channels")


@pytest.fixture
def exported(site: Site, cli: Cli, tmp_path: Path) -> tuple[str, str, Path]:
    """A cluster with something at each level, and the file it was written to."""
    cluster, [host, _] = site.cluster()
    cli.done("settings", "set", "check_interval=20", "action=off", "--cluster", cluster)
    cli.done("settings", "set", "ipmi.host=10.7.0.1", "ipmi.password=-", "--host", host, typed=f"{SECRET}\n")
    site.call("PUT", f"/hosts/{host}/mode", {"mode": "observe", "reason": "new"})
    file = tmp_path / "settings.yaml"
    cli.done("settings", "export", "--output", str(file))
    site.call("PATCH", f"/hosts/{host}/settings", {"ipmi.host": None})  # the next test may use it
    return cluster, host, file


def test_out_and_in_again_is_the_same(site: Site, cli: Cli, exported: tuple[str, str, Path]) -> None:
    cluster, host, file = exported
    assert SECRET not in file.read_text()
    before = cli.done("settings", "get", "--written", "--host", host, "--json")
    cli.done("settings", "set", "check_interval=30", "grace=1", "--cluster", cluster)
    site.call("PUT", f"/hosts/{host}/mode", {"mode": None, "reason": "x"})

    words = ("settings", "import", str(file), "--replace", "--with-mode", "--reason", "restored")
    ran = cli(*words, "--dry-run", "--yes-i-mean", "import")
    assert ran.code == 0
    assert "check_interval: 30 -> 20" in ran.err
    assert "grace: 1 -> (inherited)" in ran.err
    assert "mode: (inherited) -> observe" in ran.err
    assert site.call("GET", f"/clusters/{cluster}/settings")["check_interval"] == 30, "a dry run writes nothing"

    cli.done(*words, "--yes-i-mean", "import")
    document = yaml.safe_load(file.read_text())
    assert site.call("GET", f"/clusters/{cluster}/settings") == document["clusters"][cluster]["settings"]
    assert site.call("GET", f"/hosts/{host}/settings") == document["clusters"][cluster]["hosts"][host]
    assert site.call("GET", f"/hosts/{host}/settings") == {**json.loads(before), "ipmi.host": "10.7.0.1"}
    assert "Nothing would change" in cli(*words).err
    site.call("PATCH", f"/hosts/{host}/settings", {"ipmi.host": None})


def test_a_file_without_with_mode_arms_nobody(site: Site, cli: Cli, tmp_path: Path) -> None:
    cluster, _ = site.cluster()
    file = tmp_path / "s.yaml"
    file.write_text(
        f"hostfence_settings: 1\nclusters: {{{cluster}: {{settings: {{mode: enforce, check_interval: 21}}}}}}"
    )
    ran = cli("settings", "import", str(file), "--yes-i-mean", "import")
    assert "left as it is without --with-mode" in ran.err
    assert site.call("GET", f"/clusters/{cluster}/settings") == {"check_interval": 21}
    assert cli("settings", "import", str(file), "--with-mode", "--yes-i-mean", "import").code == Exit.USAGE


def test_a_file_is_not_written_unless_confirmed(site: Site, cli: Cli, exported: tuple[str, str, Path]) -> None:
    cluster, _, file = exported
    file.write_text(file.read_text().replace("check_interval: 20", "check_interval: 22"))
    assert cli("settings", "import", str(file)).code == Exit.NOT_CONFIRMED
    assert site.call("GET", f"/clusters/{cluster}/settings")["check_interval"] == 20


def test_words_that_yaml_takes_for_booleans_stay_words(site: Site, cli: Cli, tmp_path: Path) -> None:
    cluster, _ = site.cluster()
    file = tmp_path / "s.yaml"
    file.write_text(
        f"hostfence_settings: 1\nclusters:\n  {cluster}:\n    settings:\n      action: off\n      auto_return: false\n"
    )
    cli.done("settings", "import", str(file), "--yes-i-mean", "import")
    assert site.call("GET", f"/clusters/{cluster}/settings") == {"action": "off", "auto_return": False}


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("hostfence_settings: 2\n", Exit.USAGE, "hostfence_settings: 1"),
        ("[]", Exit.USAGE, "cannot be used"),
        ("hostfence_settings: 1\nglobal: {chek_interval: 5}", Exit.USAGE, "chek_interval is not known"),
        ("hostfence_settings: 1\nglobal: {grace: 5, grace: 6}", Exit.USAGE, "stands twice"),
        ("hostfence_settings: 1\nclusters: {nowhere: {settings: {grace: 5}}}", Exit.NOT_FOUND, "no cluster 'nowhere'"),
        ("hostfence_settings: 1\nglobal: [", Exit.USAGE, "no YAML"),
        ("hostfence_settings: 1\nglobal: !!python/object/apply:os.abort []", Exit.USAGE, "no YAML"),
    ],
)
def test_a_file_that_is_wrong_writes_nothing(
    site: Site, cli: Cli, tmp_path: Path, text: str, code: Exit, said: str
) -> None:
    before = site.call("GET", "/audit?limit=1")["items"]
    file = tmp_path / "s.yaml"
    file.write_text(text)
    ran = cli("settings", "import", str(file), "--yes-i-mean", "import")
    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert site.call("GET", "/audit?limit=1")["items"] == before


def test_a_level_that_is_refused_stops_it_and_it_says_what_was_written(site: Site, cli: Cli, tmp_path: Path) -> None:
    cluster, [one, other] = site.cluster()
    file = tmp_path / "s.yaml"
    hosts = {one: {"ipmi.host": "10.8.0.1", "off_reads": 1}, other: {"ipmi.host": "10.8.0.2"}}
    file.write_text(
        yaml.safe_dump(
            {"hostfence_settings": 1, "clusters": {cluster: {"settings": {"check_interval": 23}, "hosts": hosts}}},
            sort_keys=False,
        )
    )
    ran = cli("settings", "import", str(file), "--yes-i-mean", "import")
    assert ran.code == Exit.FAILED
    assert "off_reads: 1 is not possible" in ran.err
    assert f"written: cluster {cluster}\n" in ran.err
    assert f"not written: host {one} of {cluster}\n" in ran.err
    assert f"not tried: host {other} of {cluster}\n" in ran.err
    assert site.call("GET", f"/clusters/{cluster}/settings") == {"check_interval": 23}
    assert site.call("GET", f"/hosts/{one}/settings") == {}, "a level is written completely or not at all"
    assert site.call("GET", f"/hosts/{other}/settings") == {}


def test_replacing_keeps_secrets_and_modes_that_the_file_leaves_out(site: Site, cli: Cli, tmp_path: Path) -> None:
    cluster, [host, _] = site.cluster()
    cli.done("settings", "set", "ipmi.username=u", "ipmi.password=-", "--host", host, typed=f"{SECRET}\n")
    site.call("PUT", f"/hosts/{host}/mode", {"mode": "observe", "reason": "new"})
    file = tmp_path / "s.yaml"
    file.write_text(
        yaml.safe_dump({"hostfence_settings": 1, "clusters": {cluster: {"hosts": {host: {"off_reads": 4}}}}})
    )
    words = ("settings", "import", str(file), "--replace", "--with-mode", "--reason", "x", "--yes-i-mean", "import")
    cli.done(*words)
    kept = {"off_reads": 4, "ipmi.password": {"set": True}, "mode": "observe"}
    assert site.call("GET", f"/hosts/{host}/settings") == kept


def test_a_secret_in_the_file_is_written_and_not_shown(site: Site, cli: Cli, tmp_path: Path) -> None:
    cluster, [host, other] = site.cluster()
    file = tmp_path / "s.yaml"
    hosts = {host: {"ipmi.password": SECRET}, other: {"ipmi.password": {"set": True}}}
    file.write_text(yaml.safe_dump({"hostfence_settings": 1, "clusters": {cluster: {"hosts": hosts}}}))
    ran = cli("settings", "import", str(file), "--yes-i-mean", "import", "--json")
    assert (ran.code, SECRET in ran.out + ran.err) == (0, False)
    assert site.call("GET", f"/hosts/{host}/settings") == {"ipmi.password": {"set": True}}
    assert "ipmi.password: is set in the file, and not here; set it by hand" in ran.err
