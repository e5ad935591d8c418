"""The agent's configuration: environment variables, or the same names as lines of a file; nothing else.

Standard library only, because the heartbeat reads it too. An unknown name is a warning and no error: an agent that
refuses to start looks like a host that died.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probe_agent.records import is_host_id

PREFIX = "HOSTFENCE_AGENT_"
DEFAULT_PORT = 8441
DEFAULT_UID = 64841
"""One fixed number on all hosts: NFS knows users by number only."""
_MIN_TOKEN = 16


class ConfigError(Exception):
    """A setting is missing or impossible; the text names it and fits on one line."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where this host's certificate, its key and the authority's certificate lie (PEM)."""

    certificate: Path
    key: Path
    ca: Path


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """What the environment says. Intervals are in seconds."""

    host_id: str = ""
    token: str = field(default="", repr=False)
    listen: str = "0.0.0.0"  # noqa: S104  controllers and neighbors ask from other machines
    port: int = DEFAULT_PORT
    pools: tuple[str, ...] = ()
    allowed_roots: tuple[str, ...] = ("/mnt",)
    heartbeat_interval: float = 5.0
    sample_interval: float = 2.0
    patience: float = 100.0
    uid: int = DEFAULT_UID
    tls: TlsFiles | None = None
    controller: str = ""
    controller_ca: Path | None = None
    memory_folder: Path | None = None
    probe_settings: Path | None = None
    lab_boot_id: Path | None = None
    lab_plain_folders: bool = False


def load(
    environ: Mapping[str, str], file: Path | None = None, *, needs_host: bool = True
) -> tuple[AgentConfig, list[str]]:
    """Read the configuration; the environment wins over the file. Returns it with warnings.

    Raises:
        ConfigError: naming the setting and the remedy.
    """
    raw = {**(file_settings(file) if file else {}), **_prefixed(environ)}
    warnings = [f"{PREFIX}{name}: no such setting, ignored" for name in sorted(raw) if name not in _PARSERS]
    values = {name.lower(): _parsed(name, text) for name, text in raw.items() if name in _PARSERS and text}
    if "token_file" in values:
        values["token"] = _read_token(values.pop("token_file"))
    values["tls"] = _tls_files(values)
    if needs_host and "host_id" not in values:
        raise ConfigError(f"{PREFIX}HOST_ID is not set: give this host's hostfence id (a uuid)")
    if len(values.get("token", "x" * _MIN_TOKEN)) < _MIN_TOKEN:
        raise ConfigError(f"the token is shorter than {_MIN_TOKEN} characters")
    return AgentConfig(**values), warnings


def _prefixed(source: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(PREFIX): text.strip() for name, text in source.items() if name.startswith(PREFIX)}


def file_settings(file: Path) -> dict[str, str]:
    """The file's settings as text, by their names without the prefix. Raises :class:`ConfigError`."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"config file {file} cannot be read: {error}") from error
    settings: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        name, equals, text = line.strip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals or not name.strip().startswith(PREFIX):
            raise ConfigError(f"config file {file}, line {number}: expected {PREFIX}NAME=value")
        settings[name.strip()] = text.strip().strip("\"'")
    return _prefixed(settings)


def _parsed(name: str, text: str) -> Any:
    try:
        return _PARSERS[name](text)
    except ValueError as error:
        raise ConfigError(f"{PREFIX}{name}: {error}") from error


def _read_token(file: Path) -> str:
    try:
        if file.stat().st_mode & 0o077:
            raise ConfigError(f"{PREFIX}TOKEN_FILE: {file} is open to others: chmod 600 it")
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{PREFIX}TOKEN_FILE: {file} cannot be read: {error}") from error
    if not token:
        raise ConfigError(f"{PREFIX}TOKEN_FILE: {file} is empty")
    return token


def _tls_files(values: dict[str, Any]) -> TlsFiles | None:
    """Take the three out of ``values``. Some of them only would be plain HTTP by mistake."""
    found = {name: values.pop(f"tls_{name}") for name in ("certificate", "key", "ca") if f"tls_{name}" in values}
    if not found:
        return None
    if len(found) < 3:
        raise ConfigError(f"{PREFIX}TLS_CERTIFICATE, {PREFIX}TLS_KEY and {PREFIX}TLS_CA: set all three, or none")
    return TlsFiles(**found)


def _host_id(text: str) -> str:
    if not is_host_id(text.lower()):
        raise ValueError(f"{text!r} is not a uuid; take the id that hostfence shows for this host")
    return text.lower()


def _roots(text: str) -> tuple[str, ...]:
    roots = tuple(part.strip() for part in text.split(",") if part.strip())
    for root in roots:
        if not root.startswith("/") or os.path.normpath(root) != root or root == "/":
            raise ValueError(f"{root!r} is not a plain absolute path below /")
    return roots


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"{text!r} is not a number between {low:g} and {high:g}")
        return value

    return parse


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"{text!r} is not a whole number between {low} and {high}")
        return int(text)

    return parse


def _flag(text: str) -> bool:
    if text.lower() not in {"0", "1", "true", "false", "yes", "no"}:
        raise ValueError(f"{text!r} is neither 1 nor 0")
    return text.lower() in {"1", "true", "yes"}


_PARSERS: dict[str, Callable[[str], Any]] = {
    "HOST_ID": _host_id,
    "TOKEN": str,
    "TOKEN_FILE": Path,
    "LISTEN": str,
    "PORT": _whole(1, 65535),
    "POOLS": _roots,
    "ALLOWED_ROOTS": _roots,
    "HEARTBEAT_INTERVAL": _number(0.05, 30),
    "SAMPLE_INTERVAL": _number(0.05, 30),
    "PATIENCE": _number(1, 600),
    "UID": _whole(0, 2**31),
    "TLS_CERTIFICATE": Path,
    "TLS_KEY": Path,
    "TLS_CA": Path,
    "CONTROLLER": str,
    "CONTROLLER_CA": Path,
    "MEMORY_FOLDER": Path,
    "PROBE_SETTINGS": Path,
    "LAB_BOOT_ID": Path,
    "LAB_PLAIN_FOLDERS": _flag,
}
