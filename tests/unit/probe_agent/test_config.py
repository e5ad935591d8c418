import re
from pathlib import Path

import pytest

from probe_agent.__main__ import main
from probe_agent.config import _PARSERS, AgentConfig, ConfigError, TlsFiles, load
from shared.enums import ReadingCode

HOST = "6f0f3c9e-57a7-4b3e-9d1a-0c9a52f3b111"
TOKEN = "0123456789abcdef"


def env(**settings: str) -> dict[str, str]:
    named = {"HOST_ID": HOST, "TOKEN": TOKEN, **settings}
    return {f"HOSTFENCE_AGENT_{name}": text for name, text in named.items()}


def test_a_host_id_and_a_token_are_enough() -> None:
    config, warnings = load(env())
    assert (config.host_id, config.port, config.allowed_roots) == (HOST, 8441, ("/mnt",))
    assert warnings == []


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "agent.env"
    file.write_text("# a comment\n\nHOSTFENCE_AGENT_PORT=1234\nHOSTFENCE_AGENT_POOLS='/mnt/a,/mnt/b'\n")
    config, _ = load(env(PORT="9000"), file)
    assert (config.port, config.pools) == (9000, ("/mnt/a", "/mnt/b"))


def test_an_unknown_setting_is_a_warning_because_a_refusal_to_start_looks_like_death() -> None:
    _, warnings = load(env(POLLS="/mnt"))
    assert warnings == ["HOSTFENCE_AGENT_POLLS: no such setting, ignored"]


def test_the_token_can_come_from_a_file_only_its_owner_can_read(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    settings = env(TOKEN="", TOKEN_FILE=str(file))
    assert load(settings)[0].token == TOKEN
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        load(settings)


def test_the_token_is_not_in_the_repr() -> None:
    assert TOKEN not in repr(load(env())[0])


def test_a_certificate_is_set_whole_or_not_at_all() -> None:
    files = {"TLS_CERTIFICATE": "/etc/c.pem", "TLS_KEY": "/etc/k.pem", "TLS_CA": "/etc/ca.pem"}
    assert load(env())[0].tls is None
    assert load(env(**files))[0].tls == TlsFiles(Path("/etc/c.pem"), Path("/etc/k.pem"), Path("/etc/ca.pem"))
    for name in files:
        with pytest.raises(ConfigError, match="all three, or none"):
            load(env(**{key: text for key, text in files.items() if key != name}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HOST_ID", "host-b"),
        ("HOST_ID", ""),
        ("TOKEN", "short"),
        ("TOKEN_FILE", "/nowhere/token"),
        ("PORT", "0"),
        ("PORT", "http"),
        ("POOLS", "mnt/a"),
        ("POOLS", "/mnt/../etc"),
        ("ALLOWED_ROOTS", "/"),
        ("HEARTBEAT_INTERVAL", "0"),
        ("HEARTBEAT_INTERVAL", "nan"),
        ("SAMPLE_INTERVAL", "31"),
        ("PATIENCE", "long"),
        ("LAB_PLAIN_FOLDERS", "maybe"),
    ],
)
def test_an_impossible_value_is_one_line_that_says_where(
    name: str,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for variable, value in env(**{name: text}).items():
        monkeypatch.setenv(variable, value)
    assert main(["serve"]) == 78
    error = capsys.readouterr().err
    assert error.startswith("hostfence-agent: ")
    assert error.count("\n") == 1


def test_a_config_file_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "agent.env"
    file.write_text("port: 8441\n")
    assert main(["--config", str(file), "serve"]) == 78
    assert "line 1" in capsys.readouterr().err
    assert main(["--config", str(tmp_path / "none"), "serve"]) == 78


DOCUMENTED = (Path(__file__).parents[3] / "docs" / "agent.md").read_text()


def test_every_setting_is_documented_with_its_default() -> None:
    rows = [row.split(" | ") for row in DOCUMENTED.splitlines() if row.startswith("| `HOSTFENCE_AGENT_")]
    defaults = {name: row[-1] for row in rows for name in re.findall(r"`HOSTFENCE_AGENT_(\w+)`", row[0])}
    assert set(defaults) == set(_PARSERS)
    made = AgentConfig()
    for name in ("LISTEN", "PORT", "HEARTBEAT_INTERVAL", "SAMPLE_INTERVAL", "PATIENCE", "UID", "ALLOWED_ROOTS"):
        value = getattr(made, name.lower())
        text = ",".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)
        assert defaults[name] == f"`{text}` |", name


def test_every_code_of_a_look_that_told_nothing_is_documented() -> None:
    assert {code for code in ReadingCode if f"| `{code}` |" in DOCUMENTED} == set(ReadingCode)
