"""Reads the controller's process environment (``HOSTFENCE_*``): what it needs before it can ask its database.

Everything that an operator changes while it runs is a setting in the database, not here.
"""

import base64
import binascii
import difflib
import hashlib
import os
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "HOSTFENCE_"
KEY_FILE = "encryption.key"

_SECRET = ("database_url", "encryption_key", "cloudstack_api_key", "cloudstack_secret_key")
FROM_FILE = "_FILE"
"""``HOSTFENCE_DATABASE_URL_FILE`` names a file that holds the value: for every secret, as containers and systemd's
credentials give them."""
_OTHER_PROGRAMS = ("HOSTFENCE_AGENT_", "HOSTFENCE_TEST_", "HOSTFENCE_DEMO_")
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
"""Scheme, host and port: it goes into a header as it is."""
_KEY_REMEDY = "give 32 bytes in URL-safe base64, as `hostfence-controller key new` prints them"
_REMEDY = {
    "database_url": "write postgresql://user:password@host:5432/database, or unset it to use the embedded PostgreSQL",
    "data_dir": "give an absolute path",
    "encryption_key": _KEY_REMEDY,
    "listen_host": "give an address of this machine, for example 127.0.0.1 or 0.0.0.0",
    "listen_port": "give a port number from 1 to 65535",
    "public_url": "write the address under which people reach the web pages, for example https://fencing.example.org",
    "frame_ancestors": "list the origins whose pages may show hostfence in a frame, separated by commas, for example "
    "https://cloud.example.org",
    "exec_allowed": "list absolute paths of programs, separated by commas",
    "standalone_quarantine": "write the command with the absolute path of its program",
    "standalone_unquarantine": "write the command with the absolute path of its program",
    "standalone_release": "write the command with the absolute path of its program",
    "standalone_webhook": "write an address such as https://orchestrator.example.org/hostfence",
    "cloudstack_url": "write the address of CloudStack's API, for example https://cloud.example.org/client/api",
    "cloudstack_api_key": "write the API key of a root admin",
    "cloudstack_secret_key": "write the secret key that belongs to HOSTFENCE_CLOUDSTACK_API_KEY",
    "cloudstack_ca_file": "write the absolute path of a file with certificates",
    "metrics_without_token": "write true or false",
    "lab_allow_loopback_bmc": "write true or false",
}


class ConfigError(Exception):
    """The environment cannot be used; one line that names the variable, its value unless secret, and the remedy."""


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/hostfence")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "hostfence"


class Config(BaseSettings):
    """The environment, read once at the start. Make it with :func:`load_config`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    database_url: SecretStr | None = None
    """``postgresql://…`` of an own server; without it the controller runs an embedded one."""
    data_dir: Path = Field(default_factory=_default_data_dir)
    """Where the embedded database and the key live, unless both are given; and each controller's own memory of when it
    was last alive, which a restored database is known by."""
    encryption_key: SecretStr | None = None
    """What stored passwords are encrypted with; several while they are changed: see :func:`encryption_keys`."""
    listen_host: str = "127.0.0.1"
    listen_port: int = Field(default=8440, ge=1, le=65535)
    public_url: AnyHttpUrl | None = None
    """For links in notifications; without it they carry none. With https cookies are for https alone."""
    frame_ancestors: Annotated[tuple[str, ...], NoDecode] = ()
    """Whose pages (CloudStack's UI) may show hostfence's embedded ones in a frame; without it nobody's."""
    exec_allowed: Annotated[tuple[Path, ...], NoDecode] = ()
    """The programs that the ``exec`` power driver may run. Here and not in the database, so that whoever can change
    settings still cannot run any program on this machine."""
    standalone_quarantine: Annotated[tuple[str, ...], NoDecode] = ()
    """Without a cloud: the command that keeps a host out of use; split like a shell's line, never run by a shell."""
    standalone_unquarantine: Annotated[tuple[str, ...], NoDecode] = ()
    standalone_release: Annotated[tuple[str, ...], NoDecode] = ()
    """Without a cloud: the command that starts a fenced host's machines elsewhere (JSON on its standard input)."""
    standalone_webhook: AnyHttpUrl | None = None
    """Without a cloud: called with the same JSON for each of the three."""
    cloudstack_url: str = ""
    """CloudStack's API, like ``https://cloud.example.org/client/api``; without it there is no cloud."""
    cloudstack_api_key: SecretStr | None = None
    cloudstack_secret_key: SecretStr | None = None
    """Of a root admin's: disks and their places are shown to nobody else."""
    cloudstack_ca_file: Path | None = None
    """Certificate authorities that CloudStack's certificate is checked with, instead of the system's."""
    metrics_without_token: bool = False
    """Let whoever reaches the port read ``/metrics``, where clusters and hosts are named."""
    lab_allow_loopback_bmc: bool = False
    """Accept a BMC on a loopback or link-local address: for laboratories, where BMCs are simulated."""

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith("postgresql://"):
            raise ValueError("it does not begin with postgresql://")
        return url

    @field_validator("data_dir")
    @classmethod
    def _is_absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError("it is not an absolute path")
        return path

    @field_validator("encryption_key")
    @classmethod
    def _is_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not all(map(is_encryption_key, _split_keys(key.get_secret_value()) or [""])):
            raise ValueError("it is not a key")
        return key

    @field_validator("frame_ancestors", "exec_allowed", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("frame_ancestors")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin} is not an origin such as https://cloud.example.org")
        return origins

    @field_validator("standalone_quarantine", "standalone_unquarantine", "standalone_release", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return shlex.split(value) if isinstance(value, str) else value

    @field_validator("standalone_quarantine", "standalone_unquarantine", "standalone_release")
    @classmethod
    def _is_command(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if command and not Path(command[0]).is_absolute():
            raise ValueError(f"{command[0]} is not an absolute path")
        return command

    @field_validator("exec_allowed")
    @classmethod
    def _are_absolute(cls, programs: tuple[Path, ...]) -> tuple[Path, ...]:
        for program in programs:
            if not program.is_absolute():
                raise ValueError(f"{program} is not an absolute path")
        return programs


def load_config(**given: Any) -> Config:
    """The configuration from the process environment; ``given`` values win over it.

    Raises:
        ConfigError: for the first thing found wrong.
    """
    _refuse_misspelt(os.environ)
    try:
        config = Config(**{**_from_files(os.environ), **given})
    except ValidationError as error:
        raise ConfigError(_one_line(error)) from None  # the original would print secrets
    if config.database_url is not None and config.encryption_key is None:
        raise ConfigError(
            "HOSTFENCE_ENCRYPTION_KEY is not set, but HOSTFENCE_DATABASE_URL is: every controller on that database "
            f"needs the same key; {_KEY_REMEDY}"
        )
    _check_cloud(config)
    return config


def _check_cloud(config: Config) -> None:
    """All of CloudStack's variables or none, and not beside the commands for where there is no cloud."""
    names = ("cloudstack_url", "cloudstack_api_key", "cloudstack_secret_key")
    given = [name for name in names if getattr(config, name)]
    if not given:
        return
    for name in names:
        if name not in given:
            raise ConfigError(f"{PREFIX}{name.upper()} is not set, but {PREFIX}{given[0].upper()} is: {_REMEDY[name]}")
    alone = [name for name in type(config).model_fields if name.startswith("standalone_") and getattr(config, name)]
    if alone:
        raise ConfigError(
            f"{PREFIX}{alone[0].upper()} is for hosts without a cloud, but HOSTFENCE_CLOUDSTACK_URL is set: unset one"
        )


def encryption_keys(config: Config) -> tuple[str, ...]:
    """The keys for stored passwords: the given ones, else the data folder's, where one is made at the first call.

    The first one writes, all of them read: so a key can be changed while controllers run (``docs/operate.md``).

    Raises:
        ConfigError: the keys' file is readable by others, spoilt, or cannot be made.
    """
    if config.encryption_key is not None:
        return _split_keys(config.encryption_key.get_secret_value())
    path = config.data_dir / KEY_FILE
    try:
        if not path.exists():
            _create_key(path)
        mode = path.stat().st_mode & 0o777
        keys = _split_keys(path.read_text())
    except OSError as error:
        raise ConfigError(
            f"HOSTFENCE_DATA_DIR is {str(config.data_dir)!r}, but {path} cannot be read or made ({error.strerror}): "
            "give a folder this user can write"
        ) from error
    if mode & 0o077:
        raise ConfigError(f"the encryption key {path} is open to other users (mode {mode:04o}): chmod 600 {path}")
    if not keys or not all(map(is_encryption_key, keys)):
        raise ConfigError(f"{path} holds no key: restore it from a backup; stored passwords cannot be read without it")
    return keys


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrigin:
    """Where the key comes from. ``mode`` None: from no file that can be looked at."""

    source: str
    path: Path | None = None
    mode: int | None = None


def key_origin(config: Config) -> KeyOrigin:
    """The key's place as it stands now."""
    named = os.environ.get(f"{PREFIX}ENCRYPTION_KEY{FROM_FILE}", "")
    if config.encryption_key is not None and not named:
        return KeyOrigin(source="environment")
    path = Path(named) if config.encryption_key is not None else config.data_dir / KEY_FILE
    try:
        return KeyOrigin(source="file", path=path, mode=path.stat().st_mode & 0o777)
    except OSError:
        return KeyOrigin(source="file", path=path)


def write_keys(config: Config, keys: Sequence[str]) -> None:
    """Put these into the data folder's file, which is replaced at once: a crash leaves the earlier keys or these.

    Raises:
        ConfigError: the keys come from the environment, or the folder takes no files.
    """
    path = config.data_dir / KEY_FILE
    if config.encryption_key is not None:
        raise ConfigError("the key comes from HOSTFENCE_ENCRYPTION_KEY: change it there")
    try:
        _write_private(path, keys).replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror})") from error


def keep_former_key(config: Config, key: str) -> Path:
    """Put a key that is not used any more into a file of its own beside the one in use, for the backups of its time."""
    path = config.data_dir / f"{KEY_FILE}.{key_id(key)}"
    try:
        return _write_private(path, [key]).replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror})") from error


def new_key() -> str:
    """32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def key_id(key: str) -> str:
    """A few letters to tell a key by, of which nobody can tell the key: to know which one a backup needs."""
    return hashlib.sha256(b"hostfence key id:" + key.encode()).hexdigest()[:8]


def _split_keys(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def is_encryption_key(text: str) -> bool:
    """Whether ``text`` is 32 bytes in URL-safe base64."""
    try:
        return len(base64.b64decode(text.encode(), altchars=b"-_", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def _create_key(path: Path) -> None:
    """Make the key's file appear at once and whole: a key half written before a crash would lock everything out."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True)
        # Root's embedded PostgreSQL runs under another account, which must be able to pass through.
        path.parent.chmod(0o711 if os.geteuid() == 0 else 0o700)
    partial = _write_private(path, [new_key()])
    try:
        path.hardlink_to(partial)  # refuses to replace a key that another process made meanwhile
    except FileExistsError:
        pass
    finally:
        partial.unlink()


def _write_private(path: Path, keys: Sequence[str]) -> Path:
    """A file beside ``path`` with these keys, a line each, down to the disk."""
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("".join(f"{key}\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    return partial


def _from_files(environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets that are given in files."""
    found = {}
    for name in _SECRET:
        variable = f"{PREFIX}{name.upper()}{FROM_FILE}"
        if not (path := environ.get(variable)):
            continue
        if environ.get(f"{PREFIX}{name.upper()}"):
            raise ConfigError(f"{variable} is set, and {PREFIX}{name.upper()} too: unset one of them")
        try:
            found[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigError(f"{variable} is {path!r}, but the file cannot be read ({said})") from error
        if not found[name]:
            raise ConfigError(f"{variable} is {path!r}, but the file is empty: {_REMEDY[name]}")
    return found


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """A misspelt HOSTFENCE_DATABASE_URL would quietly start an empty database of our own."""
    known = {f"{PREFIX}{name.upper()}" for name in Config.model_fields}
    known |= {f"{PREFIX}{name.upper()}{FROM_FILE}" for name in _SECRET}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known or name.startswith(_OTHER_PROGRAMS):
            continue
        if close := difflib.get_close_matches(name, known, n=1, cutoff=0.88):
            raise ConfigError(f"{name} is not a known variable: did you mean {close[0]}?")


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0])
    reason = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    value = "set" if field in _SECRET else repr(str(os.environ.get(f"{PREFIX}{field.upper()}", first["input"])))
    return f"{PREFIX}{field.upper()} is {value}, but {reason[:1].lower()}{reason[1:]}: {_REMEDY[field]}"
