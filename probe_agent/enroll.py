"""``hostfence-agent enroll``: a key made here, a certificate for it from the controller, and settings that name both.

Nothing of an earlier enrolment is touched until everything of the new one lies on the disk; the settings file, replaced
in one step, is what makes it count.
"""

import hashlib
import ipaddress
import os
import secrets
import shutil
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult

from pydantic import ValidationError

from probe_agent.config import DEFAULT_UID, PREFIX, ConfigError, TlsFiles, file_settings
from probe_agent.controller import UnreadableAnswerError, ask, parsed_url
from probe_agent.identity import CredentialsError, join, make_key, write
from probe_agent.records import is_host_id
from probe_agent.tls import load_files
from shared.enrolment import ENROL_PATH, EnrolAnswer, EnrolRequest

DEFAULT_CONFIG = Path("/etc/hostfence-agent/agent.conf")
_FOLDERS = "credentials-"
_CONTROLLER_CA = "controller-ca.pem"
_REPLACED = (
    *("HOST_ID", "TOKEN", "TOKEN_FILE", "PORT", "TLS_CERTIFICATE", "TLS_KEY", "TLS_CA"),
    *("CONTROLLER", "CONTROLLER_CA"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """What the person gives. ``controller``: its URL. ``controller_ca``: file of authorities to trust for that URL.

    ``ca_fingerprint``: SHA-256 of the agents' authority, shown with the join token. ``allow_http``: send the join token
    in plain HTTP to another machine: whoever listens can join in this host's place.
    """

    controller: str
    token: str = field(repr=False)
    config: Path = DEFAULT_CONFIG
    ca_fingerprint: str = ""
    controller_ca: Path | None = None
    allow_http: bool = False


def enroll(joining: Joining) -> EnrolAnswer:
    """Enrol, or enrol again. Run as root, the files belong to the agents' user (``HOSTFENCE_AGENT_UID``).

    Raises:
        CredentialsError: nothing was changed on this host.
        OSError: the settings' folder cannot be written.
    """
    url = _checked_url(joining)
    config = joining.config.resolve()
    owner = _owner(config)
    folder = config.parent / f"{_FOLDERS}{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        answer = _ask(url, _request(joining.token, make_key(folder)), joining.controller_ca)
        _check(answer, joining.ca_fingerprint)
        _store(folder, answer, joining.controller_ca, owner=owner)
        _switch(config, folder, answer, joining)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    for earlier in folder.parent.glob(f"{_FOLDERS}*"):
        if earlier != folder:
            shutil.rmtree(earlier, ignore_errors=True)
    return answer


def fingerprint(certificate: str) -> str:
    """SHA-256 of a certificate in PEM, in hex."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


def _checked_url(joining: Joining) -> SplitResult:
    url = parsed_url(joining.controller)
    if url.scheme == "http" and not joining.allow_http and not _is_this_machine(url.hostname or ""):
        raise CredentialsError("the join token would go over the network in plain text: give an https:// address")
    return url


def _is_this_machine(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _owner(config: Path) -> int:
    """The number of the user that the agent runs as, from the settings there are."""
    try:
        text = file_settings(config).get("UID", "") if config.exists() else ""
        return int(text or DEFAULT_UID)
    except (ConfigError, ValueError) as error:
        raise CredentialsError(str(error)) from error


def _request(token: str, csr: str) -> EnrolRequest:
    try:
        return EnrolRequest(join_token=token, csr=csr)
    except ValidationError as error:
        raise CredentialsError("give the join token, whole: with --token, or on standard input") from error


def _ask(url: SplitResult, request: EnrolRequest, controller_ca: Path | None) -> EnrolAnswer:
    try:
        return ask(url, ENROL_PATH, request, EnrolAnswer, ca=controller_ca)
    except UnreadableAnswerError as error:
        raise CredentialsError(f"{error}; the join token may be used up: make another") from error


def _check(answer: EnrolAnswer, expected: str) -> None:
    try:
        seen = fingerprint(answer.ca_certificate)
    except ValueError as error:
        raise CredentialsError("the answer holds no authority's certificate") from error
    if expected and expected.replace(":", "").lower() != seen:
        raise CredentialsError(
            f"the authority's fingerprint is {seen}, not the one given: somebody answers in the controller's place;"
            " the join token is used up"
        )
    if not is_host_id(answer.host_id):
        raise CredentialsError(f"the answer is for host {answer.host_id!r}, which is no hostfence id")


def _files(folder: Path) -> TlsFiles:
    identity = folder / "identity.pem"
    return TlsFiles(certificate=identity, key=identity, ca=folder / "ca.pem")


def _store(folder: Path, answer: EnrolAnswer, controller_ca: Path | None, *, owner: int) -> None:
    files = _files(folder)
    join(folder / "key.pem", answer.certificate, files.key)
    write(files.ca, answer.ca_certificate, mode=0o600)
    write(folder / "token", answer.agent_token + "\n", mode=0o600)
    if controller_ca is not None:  # where the agent's user can read it, for its renewals
        write(folder / _CONTROLLER_CA, controller_ca.read_text(encoding="utf-8"), mode=0o600)
    try:
        load_files(files)
    except ConfigError as error:
        raise CredentialsError(f"the certificate is of no use: {error}") from error
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner, -1)


def _switch(config: Path, folder: Path, answer: EnrolAnswer, joining: Joining) -> None:
    """Put the new settings in the place of the old ones; every other line stays as it is."""
    files = _files(folder)
    new = {
        "HOST_ID": answer.host_id,
        "PORT": str(answer.agent_port),
        "TOKEN_FILE": str(folder / "token"),
        "TLS_CERTIFICATE": str(files.certificate),
        "TLS_KEY": str(files.key),
        "TLS_CA": str(files.ca),
        "CONTROLLER": joining.controller,
    }
    if joining.controller_ca is not None:
        new["CONTROLLER_CA"] = str(folder / _CONTROLLER_CA)
    earlier = config.stat() if config.exists() else None
    lines = [line for line in _lines(config, earlier) if not _is_replaced(line)]
    lines += [f"{PREFIX}{name}={text}" for name, text in new.items()]
    partial = folder / config.name  # the same file system, and gone with the folder
    write(partial, "\n".join(lines) + "\n", mode=0o644 if earlier is None else earlier.st_mode & 0o777)
    if earlier is not None and os.geteuid() == 0:
        os.chown(partial, earlier.st_uid, earlier.st_gid)
    partial.replace(config)


def _lines(config: Path, earlier: os.stat_result | None) -> list[str]:
    return config.read_text(encoding="utf-8").splitlines() if earlier is not None else []


def _is_replaced(line: str) -> bool:
    return line.partition("=")[0].strip() in {f"{PREFIX}{name}" for name in _REPLACED}
