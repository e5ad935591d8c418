import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from controller.config import (
    Config,
    ConfigError,
    encryption_keys,
    is_encryption_key,
    keep_former_key,
    key_id,
    load_config,
    new_key,
    write_keys,
)

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
    assert encryption_keys(load_config()) == (KEY,)


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
    (key,) = encryption_keys(config)
    assert is_encryption_key(key)
    assert encryption_keys(config) == (key,)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["encryption.key"]
    assert (tmp_path / "state" / "encryption.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path)
    encryption_keys(config)
    (tmp_path / "encryption.key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        encryption_keys(config)


def test_a_spoilt_key_is_refused_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "encryption.key"
    path.write_text("half a k")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="restore it from a backup"):
        encryption_keys(Config(data_dir=tmp_path))
    assert path.read_text() == "half a k"


def test_a_data_folder_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="HOSTFENCE_DATA_DIR"):
        encryption_keys(Config(data_dir=tmp_path / "file"))


def test_several_keys_are_given_with_commas_or_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = new_key()
    monkeypatch.setenv("HOSTFENCE_ENCRYPTION_KEY", f"{other}, {KEY}")
    assert encryption_keys(load_config()) == (other, KEY)
    monkeypatch.delenv("HOSTFENCE_ENCRYPTION_KEY")
    (tmp_path / "encryption.key").touch(0o600)
    (tmp_path / "encryption.key").write_text(f"{other}\n{KEY}\n")
    assert encryption_keys(load_config(data_dir=tmp_path)) == (other, KEY)


@pytest.mark.parametrize("text", ["nonsense", f"{KEY},nonsense", ","])
def test_what_is_no_key_is_refused_without_being_repeated(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("HOSTFENCE_ENCRYPTION_KEY", text)
    with pytest.raises(ConfigError, match=r"is set, but it is not a key: .*key new") as caught:
        load_config()
    assert "nonsense" not in str(caught.value)


def test_the_keys_of_the_data_folder_are_replaced_at_once_and_a_former_one_is_kept(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path)
    (old,) = encryption_keys(config)
    new = new_key()
    write_keys(config, [new, old])
    assert encryption_keys(config) == (new, old)
    kept = keep_former_key(config, old)
    write_keys(config, [new])
    assert encryption_keys(config) == (new,)
    assert kept.read_text().strip() == old
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["encryption.key", kept.name])
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_given_key_is_not_changed_by_us(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="HOSTFENCE_ENCRYPTION_KEY"):
        write_keys(Config(data_dir=tmp_path, encryption_key=SecretStr(KEY)), [new_key()])
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_known_by_a_few_letters_that_are_none_of_its_own() -> None:
    keys = [KEY, new_key(), new_key()]
    assert len({key_id(key) for key in keys}) == 3
    assert key_id(KEY) == key_id(KEY)
    assert all(len(key_id(key)) == 8 and key_id(key) not in key for key in keys)


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "postgresql://me:hunter2@db/x"), ("ENCRYPTION_KEY", KEY), ("CLOUDSTACK_SECRET_KEY", "hunter2")],
)
def test_a_secret_may_be_given_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    (tmp_path / "secret").write_text(f"{value}\n")
    rest = {"DATABASE_URL": "postgresql://u@db/x", "ENCRYPTION_KEY": KEY, "CLOUDSTACK_URL": "https://cloud/client/api"}
    rest |= {"CLOUDSTACK_API_KEY": "k", "CLOUDSTACK_SECRET_KEY": "s"}
    for other, text in rest.items():
        monkeypatch.setenv(f"HOSTFENCE_{other}", text)
    monkeypatch.setenv(f"HOSTFENCE_{name}_FILE", str(tmp_path / "secret"))
    with pytest.raises(ConfigError, match=f"HOSTFENCE_{name}_FILE is set, and HOSTFENCE_{name} too"):
        load_config()
    monkeypatch.delenv(f"HOSTFENCE_{name}")
    found = getattr(load_config(), name.lower())
    assert found.get_secret_value() == value


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), (b"", "is empty"), (b"\xff\xfe", "no text")])
def test_a_secrets_file_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("HOSTFENCE_DATABASE_URL_FILE", str(tmp_path / "secret"))
    with pytest.raises(ConfigError, match=said) as caught:
        load_config()
    assert str(caught.value).startswith("HOSTFENCE_DATABASE_URL_FILE is ")
