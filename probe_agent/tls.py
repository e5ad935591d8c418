"""What an enrolled agent serves with, and asks its neighbors with: its certificate, and the authority of all of them.

Everybody who connects shows a certificate of that authority: the controller, or a neighbor. A neighbor comes no further
than ``/healthz``; all else wants this host's own token as well.
"""

import ssl
from pathlib import Path
from typing import Any

from probe_agent.config import PREFIX, AgentConfig, ConfigError, TlsFiles


def serving(config: AgentConfig) -> dict[str, Any]:
    """The options for uvicorn; none where the agent has no certificate and speaks plain HTTP.

    Raises:
        ConfigError: a file is missing, open to others, or holds something else.
    """
    if config.tls is None:
        return {}
    asking(config)  # the same files: what is wrong with them is said in one line, before anything is started
    return {
        "ssl_certfile": str(config.tls.certificate),
        "ssl_keyfile": str(config.tls.key),
        "ssl_ca_certs": str(config.tls.ca),
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
    }


def asking(config: AgentConfig) -> ssl.SSLContext | None:
    """For trying a neighbor: trusts the authority alone, and shows this host's certificate. None without one.

    Raises:
        ConfigError: see :func:`serving`.
    """
    if config.tls is None:
        return None
    _check_private(config.tls.key)
    return load_files(config.tls)


def load_files(files: TlsFiles) -> ssl.SSLContext:
    """The same from the files alone. Raises :class:`ConfigError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(files.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{PREFIX}TLS_CA: {files.ca} cannot be read: {error}; enrol again") from error
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{PREFIX}TLS_CERTIFICATE, {PREFIX}TLS_KEY: {files.certificate} and {files.key} cannot be read, or do not"
            f" belong together: {error}; enrol again"
        ) from error
    return context


def _check_private(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{PREFIX}TLS_KEY: {key} cannot be read: {error}") from error
    if mode & 0o077:
        raise ConfigError(f"{PREFIX}TLS_KEY: {key} is open to others: chmod 600 it")
