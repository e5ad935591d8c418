import os
from pathlib import Path

import pytest

from controller.config import Config, ConfigError, encryption_key, is_encryption_key, load_config

KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HOSTFENCE_") and not name.startswith("HOSTFENCE_TEST_"):
            monkeypatch.delenv(name)


def test_an_empty_environment_is_enough_to_start() -> None:
    config = load_config()
    assert (config.listen_host, config.listen_port) == ("127.0.0.1", 8440)
    assert config.database_url is None
    assert config.exec_allowed == ()
    assert not config.lab_allow_loopback_bmc


def test_the_data_folder_follows_the_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert load_config().data_dir == tmp_path / "hostfence"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert load_config().data_dir == Path("/var/lib/hostfence")


def test_allowed_programs_are_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTFENCE_EXEC_ALLOWED", "/usr/bin/ipmitool, /usr/sbin/fence_ipmilan,")
    assert load_config().exec_allowed == (Path("/usr/bin/ipmitool"), Path("/usr/sbin/fence_ipmilan"))


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("HOSTFENCE_LISTEN_PORT", "abc", "1 to 65535"),
        ("HOSTFENCE_LISTEN_PORT", "70000", "1 to 65535"),
        ("HOSTFENCE_DATA_DIR", "relative/path", "absolute path"),
        ("HOSTFENCE_PUBLIC_URL", "fencing", "https://"),
        ("HOSTFENCE_EXEC_ALLOWED", "ipmitool", "absolute paths"),
        ("HOSTFENCE_LAB_ALLOW_LOOPBACK_BMC", "perhaps", "true or false"),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, remedy: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_config()
    message = str(caught.value)
    assert message.startswith(f"{name} is {value!r}, but ")
    assert remedy in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "secret"),
    [("HOSTFENCE_DATABASE_URL", "mysql://me:hunter2@db/x"), ("HOSTFENCE_ENCRYPTION_KEY", "hunter2")],
)
def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str, secret: str) -> None:
    monkeypatch.setenv(name, secret)
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert str(caught.value).startswith(f"{name} is set, but ")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_secrets_stay_out_of_the_repr() -> None:
    config = load_config(database_url="postgresql://me:hunter2@db/x", encryption_key=KEY)
    assert "hunter2" not in repr(config)
    assert KEY not in repr(config)


def test_an_own_database_needs_a_given_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTFENCE_DATABASE_URL", "postgresql://me:pw@db/x")
    with pytest.raises(ConfigError, match=r"^HOSTFENCE_ENCRYPTION_KEY is not set"):
        load_config()
    monkeypatch.setenv("HOSTFENCE_ENCRYPTION_KEY", KEY)
    assert encryption_key(load_config()) == KEY


def test_a_misspelt_name_is_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTFENCE_DATABSE_URL", "postgresql://me:pw@db/x")
    with pytest.raises(ConfigError, match="did you mean HOSTFENCE_DATABASE_URL"):
        load_config()


def test_the_environment_of_other_programs_is_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTFENCE_AGENT_LISTEN_PORT", "abc")
    monkeypatch.setenv("HOSTFENCE_URL", "http://127.0.0.1:8440")
    load_config()


def test_a_key_is_made_once_and_only_for_us(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "state")
    key = encryption_key(config)
    assert is_encryption_key(key)
    assert encryption_key(config) == key
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["encryption.key"]
    assert (tmp_path / "state" / "encryption.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path)
    encryption_key(config)
    (tmp_path / "encryption.key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        encryption_key(config)


def test_a_spoilt_key_is_refused_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "encryption.key"
    path.write_text("half a k")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="restore it from a backup"):
        encryption_key(Config(data_dir=tmp_path))
    assert path.read_text() == "half a k"


def test_a_data_folder_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="HOSTFENCE_DATA_DIR"):
        encryption_key(Config(data_dir=tmp_path / "file"))
