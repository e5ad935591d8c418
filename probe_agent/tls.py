"""What an enrolled agent serves with, and asks its neighbors with: its certificate, and the authority of all of them.

Everybody who connects shows a certificate of that authority: the controller, or a neighbor. A neighbor comes no further
than ``/healthz``; all else wants this host's own token as well.
"""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from probe_agent.config import PREFIX, AgentConfig, ConfigError, TlsFiles

_log = logging.getLogger(__name__)


class Credentials:
    """The contexts made of the files; a renewed pair is taken up while they are in use.

    ``serving``: for the HTTP service. ``asking``: for trying a neighbor.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Raises :class:`ConfigError`: a file is missing, open to others, or holds something else."""
        self._files = files
        self._stamp = _stamp(files.key)
        _check_private(files.key)
        self.asking = load_files(files)
        self.serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.serving.verify_mode = ssl.CERT_REQUIRED
        self.serving.load_verify_locations(files.ca)
        with _pair(files) as (certificate, key):
            self.serving.load_cert_chain(certificate, key)

    def refresh(self) -> bool:
        """Take up what a renewal left; True when there was something.

        Handshakes from now on show it. Connections that are open stay open: both certificates are good. A file that is
        of no use is named once, and the earlier pair goes on.
        """
        stamp = _stamp(self._files.key)
        if stamp == self._stamp or self._files.key != self._files.certificate:
            return False
        self._stamp = stamp
        try:
            _check_private(self._files.key)
            with _pair(self._files) as (certificate, key):
                # In a context of its own first: one of those in use would be left with half a pair.
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key)
                for context in (self.serving, self.asking):
                    context.load_cert_chain(certificate, key)
        except (ConfigError, OSError) as error:
            _log.warning("the new certificate is of no use, the one before goes on: %s", error)
            return False
        _log.info("a renewed certificate is in use")
        return True


def credentials(config: AgentConfig) -> Credentials | None:
    """None where the agent has no certificate and speaks plain HTTP. Raises :class:`ConfigError`."""
    return None if config.tls is None else Credentials(config.tls)


def load_files(files: TlsFiles) -> ssl.SSLContext:
    """For asking: trusts the authority alone, and shows this host's certificate. Raises :class:`ConfigError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(files.ca)
    except OSError as error:
        raise ConfigError(f"{PREFIX}TLS_CA: {files.ca} cannot be read: {error}; enrol again") from error
    try:
        with _pair(files) as (certificate, key):
            context.load_cert_chain(certificate, key)
    except OSError as error:
        raise ConfigError(
            f"{PREFIX}TLS_CERTIFICATE, {PREFIX}TLS_KEY: {files.certificate} and {files.key} cannot be read, or do not"
            f" belong together: {error}; enrol again"
        ) from error
    return context


@contextmanager
def _pair(files: TlsFiles) -> Iterator[tuple[str, str]]:
    """Paths of certificate and key that belong together, though a renewal replaces the file right now.

    The ssl module opens the one file twice: both times this one.
    """
    if files.certificate != files.key:
        yield str(files.certificate), str(files.key)
        return
    with files.key.open("rb") as file:
        opened = f"/proc/self/fd/{file.fileno()}"
        yield opened, opened


def _stamp(file: Path) -> tuple[int, int]:
    """Tells one file from the next at this path; zeros where there is none."""
    try:
        found = file.stat()
    except OSError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)


def _check_private(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{PREFIX}TLS_KEY: {key} cannot be read: {error}") from error
    if mode & 0o077:
        raise ConfigError(f"{PREFIX}TLS_KEY: {key} is open to others: chmod 600 it")
