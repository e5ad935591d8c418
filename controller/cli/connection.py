"""Where the controller is and what proves who is asking: from the environment, or from what ``login`` saved.

Never from the command line: every user of a machine sees the arguments of its processes.
"""

import json
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from controller.cli.errors import CliError, Exit

DEFAULT_URL = "http://127.0.0.1:8440"
_LOGIN = "hostfence login, or set HOSTFENCE_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach the controller. ``ca_file`` None: the system's authorities."""

    url: str
    token: str = field(repr=False)
    ca_file: str | None = None


def credentials_path() -> Path:
    """Where ``login`` keeps what it was given."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(config) / "hostfence" / "credentials.json"


def find_connection(url: str | None, ca_file: str | None) -> Connection:
    """The connection to use: what is given here wins over what was saved; a saved token only goes where it belongs."""
    saved = _saved()
    chosen = checked_url(url or saved.get("url") or DEFAULT_URL)
    token = os.environ.get("HOSTFENCE_TOKEN") or _from_file(os.environ.get("HOSTFENCE_TOKEN_FILE"))
    if not token and saved:
        if saved.get("url") != chosen:
            raise CliError(
                f"the saved token is for {saved.get('url')}, not for {chosen}", code=Exit.NOT_ALLOWED, hints=(_LOGIN,)
            )
        token = saved.get("token", "")
    if not token:
        raise CliError("there is no token to show who you are", code=Exit.NOT_ALLOWED, hints=(_LOGIN,))
    belongs = saved.get("url") == chosen
    return Connection(
        url=chosen, token=checked_token(token), ca_file=ca_file or (belongs and saved.get("ca_file")) or None
    )


def save(connection: Connection) -> Path:
    """Keep it for the next commands, readable by this user only; appears at once and whole."""
    path = credentials_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    kept = {"url": connection.url, "token": connection.token, "ca_file": connection.ca_file}
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(kept, file)
    partial.replace(path)
    return path


def forget() -> bool:
    """Remove what was saved; whether there was anything."""
    path = credentials_path()
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed


def checked_url(url: str) -> str:
    """``url`` without a trailing slash; raises :class:`CliError` for what can't be one."""
    host = url.split("://", 1)[-1].split("/", 1)[0]
    if not url.startswith(("http://", "https://")) or not host or "@" in host or "?" in url or "#" in url:
        raise CliError(
            f"{url!r} is no address of a controller",
            code=Exit.USAGE,
            hints=("write it like https://fencing.example.org",),
        )
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """``token`` without surrounding white space; raises :class:`CliError` for what can't be sent."""
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CliError("that is no token: it is one word of plain letters, digits and signs", code=Exit.USAGE)
    return token


def is_exposed(url: str) -> bool:
    """Whether a token sent there crosses a network in the open."""
    host = url.removeprefix("http://").split("/", 1)[0]
    return url.startswith("http://") and not host.startswith(("127.", "localhost", "[::1]"))


def _saved() -> dict[str, str]:
    path = credentials_path()
    text = _private_text(path, missing_ok=True)
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CliError(f"{path} cannot be read", code=Exit.USAGE, hints=("remove it, and run hostfence login again",))
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _from_file(name: str | None) -> str:
    return _private_text(Path(name), missing_ok=False).strip() if name else ""


def _private_text(path: Path, *, missing_ok: bool) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise CliError(
                f"{path} holds a token and is open to other users (mode {stat.S_IMODE(mode):04o})",
                code=Exit.USAGE,
                hints=(f"chmod 600 {path}",),
            )
        return path.read_text()
    except FileNotFoundError:
        if missing_ok:
            return ""
        raise CliError(f"there is no file {path}", code=Exit.USAGE) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{path} cannot be read: {error}", code=Exit.USAGE) from error
