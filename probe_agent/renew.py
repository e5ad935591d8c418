"""``hostfence-agent renew``: another key and certificate for this host, with the present ones as the proof, unattended.

Everything of the new pair lies on the disk, and was looked at, before one rename puts it in the place of the old one; a
crash at any moment leaves one whole pair. Both are good meanwhile, and ``serve`` takes the new one up by itself.
"""

import base64
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from probe_agent import identity
from probe_agent.config import PREFIX, AgentConfig, ConfigError, TlsFiles
from probe_agent.controller import ask, parsed_url
from probe_agent.identity import CredentialsError, Life
from probe_agent.tls import load_files
from shared.enrolment import (
    CHALLENGE_PATH,
    RENEW_PATH,
    ChallengeAnswer,
    ChallengeRequest,
    RenewAnswer,
    RenewRequest,
    server_name,
    to_be_signed,
)
from shared.protocol import sign

_UNFINISHED = "renewal-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The certificate that is in use now, and whether it is another one than before."""

    renewed: bool
    life: Life


def renew(config: AgentConfig, *, force: bool = False) -> Outcome:
    """Renew when less than a third of the present certificate's life is left, or with ``force``.

    Nothing of what is sent helps who listens, so the controller may be asked in plain HTTP here: the answer is checked
    against the authority that this host knows already.

    Raises:
        ConfigError: this host has not enrolled, or not in the way that renews.
        CredentialsError: nothing was changed.
        OSError: the files' folder cannot be written.
    """
    files = _renewable(config)
    present = identity.life(files.key)
    if not force and not present.is_due(time.time()):  # noqa: TID251  certificates are about the time of day
        return Outcome(renewed=False, life=present)
    with _alone(files.key.parent) as folder:
        _replace(config, files, folder)
        return Outcome(renewed=True, life=identity.life(files.key))


def _renewable(config: AgentConfig) -> TlsFiles:
    if config.tls is None or not config.token:
        raise ConfigError(f"{PREFIX}TLS_KEY is not set: this host has not enrolled")
    if not config.controller:
        raise ConfigError(f"{PREFIX}CONTROLLER is not set: give the controller's address, or enrol again")
    if config.tls.key != config.tls.certificate:
        raise ConfigError(
            f"{PREFIX}TLS_KEY and {PREFIX}TLS_CERTIFICATE are two files, which cannot be replaced at once: enrol again"
        )
    return config.tls


@contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """A folder for what is not finished, beside the files, so that a rename stays on one file system."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CredentialsError("another renewal is under way") from error
        for left in folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder) as unfinished:
            yield Path(unfinished)
        os.fsync(lock)
    finally:
        os.close(lock)


def _replace(config: AgentConfig, files: TlsFiles, folder: Path) -> None:
    certificate = _ask(config, files, identity.make_key(folder), folder)
    made = folder / "identity.pem"
    identity.join(folder / "key.pem", certificate, made)
    identity.check(made, ca=files.ca, name=server_name(config.host_id))
    try:
        load_files(TlsFiles(certificate=made, key=made, ca=files.ca))
    except ConfigError as error:
        raise CredentialsError(f"the certificate is of no use: {error}") from error
    if os.geteuid() == 0:
        before = files.key.stat()
        os.chown(made, before.st_uid, before.st_gid)
    made.replace(files.key)


def _ask(config: AgentConfig, files: TlsFiles, csr: str, folder: Path) -> str:
    url, ca = parsed_url(config.controller), config.controller_ca
    challenge = ask(url, CHALLENGE_PATH, ChallengeRequest(host_id=config.host_id), ChallengeAnswer, ca=ca).challenge
    message = to_be_signed(config.host_id, challenge, csr)
    request = RenewRequest(
        host_id=config.host_id,
        challenge=challenge,
        csr=csr,
        certificate=identity.certificate_of(files.certificate),
        signature=base64.b64encode(identity.signature(files.key, message, folder=folder)).decode(),
        proof=sign(config.token, challenge, message),
    )
    return ask(url, RENEW_PATH, request, RenewAnswer, ca=ca).certificate
