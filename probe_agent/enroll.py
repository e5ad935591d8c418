"""``hostfence-agent enroll``: a key made here, a certificate for it from the controller, and settings that name both.

The key is made by the host's own ``openssl``: Python's standard library cannot, and the agent shall stay light. Nothing
of an earlier enrolment is touched until everything of the new one lies on the disk; the settings file, replaced in one
step, is what makes it count.
"""

import hashlib
import http.client
import ipaddress
import os
import secrets
import shutil
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import ValidationError

from probe_agent.config import DEFAULT_UID, PREFIX, ConfigError, TlsFiles, file_settings
from probe_agent.records import is_host_id
from probe_agent.tls import load_files
from shared.enrolment import ENROL_PATH, EnrolAnswer, EnrolRequest
from shared.protocol import AgentProblem

DEFAULT_CONFIG = Path("/etc/hostfence-agent/agent.conf")
_FOLDERS = "credentials-"
_WITHIN_S = 30
_LONGEST_ANSWER = 64 * 1024
_REPLACED = ("HOST_ID", "TOKEN", "TOKEN_FILE", "PORT", "TLS_CERTIFICATE", "TLS_KEY", "TLS_CA")
_REQUEST_SETTINGS = "[req]\ndistinguished_name=name\nprompt=no\n[name]\nCN=hostfence agent\n"


class EnrolError(Exception):
    """It did not work and nothing was changed on this host; the text says why and fits on one line.

    Where the controller had answered already, the join token is used up: another one makes it whole.
    """


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
        EnrolError: nothing was changed on this host.
        OSError: the settings' folder cannot be written.
    """
    url = _checked_url(joining)
    config = joining.config.resolve()
    owner = _owner(config)
    folder = config.parent / f"{_FOLDERS}{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        answer = _ask(url, _request(joining.token, _make_key(folder)), joining.controller_ca)
        _check(answer, joining.ca_fingerprint)
        _store(folder, answer, owner=owner)
        _switch(config, folder, answer)
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
    url = urlsplit(joining.controller)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise EnrolError(f"{joining.controller!r} is not a controller's address, such as https://hostfence.example.org")
    if url.scheme == "http" and not joining.allow_http and not _is_this_machine(url.hostname):
        raise EnrolError("the join token would go over the network in plain text: give an https:// address")
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
        raise EnrolError(str(error)) from error


def _request(token: str, csr: str) -> EnrolRequest:
    try:
        return EnrolRequest(join_token=token, csr=csr)
    except ValidationError as error:
        raise EnrolError("give the join token, whole: with --token, or on standard input") from error


def _make_key(folder: Path) -> str:
    """A new key in ``folder``; returns a certificate signing request for it."""
    settings, request = folder / "request.cnf", folder / "request.pem"
    settings.write_text(_REQUEST_SETTINGS, encoding="ascii")
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-config", str(settings), "-keyout", str(folder / "key.pem"), "-out", str(request)]
    try:
        with subprocess.Popen(  # noqa: S603  a fixed command; names that were made here
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, umask=0o077
        ) as popen:
            said, _ = popen.communicate(timeout=_WITHIN_S)
    except FileNotFoundError as error:
        raise EnrolError("the program openssl is not there: install it") from error
    if popen.returncode != 0:
        raise EnrolError(f"openssl made no key: {said.decode(errors='replace').strip().splitlines()[-1:]}")
    csr = request.read_text(encoding="ascii")
    settings.unlink()
    request.unlink()
    return csr


def _ask(url: SplitResult, request: EnrolRequest, controller_ca: Path | None) -> EnrolAnswer:
    path = url.path.rstrip("/") + ENROL_PATH
    try:
        connection = _connection(url, controller_ca)
        try:
            connection.request("POST", path, request.model_dump_json(), {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read(_LONGEST_ANSWER)
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise EnrolError(f"{url.geturl()} cannot be asked: {error!r}") from error
    if response.status != http.HTTPStatus.OK:
        raise EnrolError(_refusal(response.status, body))
    try:
        return EnrolAnswer.model_validate_json(body)
    except ValidationError as error:
        raise EnrolError("the answer is not a controller's; the join token may be used up: make another") from error


def _connection(url: SplitResult, controller_ca: Path | None) -> http.client.HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "http":
        return http.client.HTTPConnection(host, url.port, timeout=_WITHIN_S)
    context = ssl.create_default_context(cafile=controller_ca)
    return http.client.HTTPSConnection(host, url.port, timeout=_WITHIN_S, context=context)


def _refusal(status: int, body: bytes) -> str:
    try:
        problem = AgentProblem.model_validate_json(body)
    except ValidationError:
        return f"the controller answered HTTP {status}"
    return f"the controller refused: {problem.detail}"


def _check(answer: EnrolAnswer, expected: str) -> None:
    try:
        seen = fingerprint(answer.ca_certificate)
    except ValueError as error:
        raise EnrolError("the answer holds no authority's certificate") from error
    if expected and expected.replace(":", "").lower() != seen:
        raise EnrolError(
            f"the authority's fingerprint is {seen}, not the one given: somebody answers in the controller's place;"
            " the join token is used up"
        )
    if not is_host_id(answer.host_id):
        raise EnrolError(f"the answer is for host {answer.host_id!r}, which is no hostfence id")


def _files(folder: Path) -> TlsFiles:
    return TlsFiles(certificate=folder / "certificate.pem", key=folder / "key.pem", ca=folder / "ca.pem")


def _store(folder: Path, answer: EnrolAnswer, *, owner: int) -> None:
    files = _files(folder)
    for path, text in (
        (files.certificate, answer.certificate),
        (files.ca, answer.ca_certificate),
        (folder / "token", answer.agent_token + "\n"),
    ):
        _write(path, text, mode=0o600)
    try:
        load_files(files)
    except ConfigError as error:
        raise EnrolError(f"the certificate is of no use: {error}") from error
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner, -1)


def _switch(config: Path, folder: Path, answer: EnrolAnswer) -> None:
    """Put the new settings in the place of the old ones; every other line stays as it is."""
    files = _files(folder)
    new = {
        "HOST_ID": answer.host_id,
        "PORT": str(answer.agent_port),
        "TOKEN_FILE": str(folder / "token"),
        "TLS_CERTIFICATE": str(files.certificate),
        "TLS_KEY": str(files.key),
        "TLS_CA": str(files.ca),
    }
    earlier = config.stat() if config.exists() else None
    lines = [line for line in _lines(config, earlier) if not _is_replaced(line)]
    lines += [f"{PREFIX}{name}={text}" for name, text in new.items()]
    partial = folder / config.name  # the same file system, and gone with the folder
    _write(partial, "\n".join(lines) + "\n", mode=0o644 if earlier is None else earlier.st_mode & 0o777)
    if earlier is not None and os.geteuid() == 0:
        os.chown(partial, earlier.st_uid, earlier.st_gid)
    partial.replace(config)


def _lines(config: Path, earlier: os.stat_result | None) -> list[str]:
    return config.read_text(encoding="utf-8").splitlines() if earlier is not None else []


def _is_replaced(line: str) -> bool:
    return line.partition("=")[0].strip() in {f"{PREFIX}{name}" for name in _REPLACED}


def _write(path: Path, text: str, *, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
