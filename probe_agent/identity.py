"""This host's key with its certificate, in one file: made and looked at by the host's own ``openssl``.

Python's standard library can neither make a key nor sign with one, and the agent shall stay light. One file, because
both change together, in one step.
"""

import os
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_WITHIN_S = 30
_REQUEST_SETTINGS = "[req]\ndistinguished_name=name\nprompt=no\n[name]\nCN=hostfence agent\n"


class CredentialsError(Exception):
    """It did not work and nothing was changed on this host; the text says why and fits on one line.

    Where the controller had answered an enrolment already, the join token is used up: another one makes it whole.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """From when to when a certificate is good, in seconds since 1970."""

    begins: float
    ends: float

    def is_due(self, now: float) -> bool:
        """True when less than a third is left."""
        return self.ends - now < (self.ends - self.begins) / 3


def make_key(folder: Path) -> str:
    """A new key, ``key.pem`` in ``folder``; returns a certificate signing request for it."""
    settings, request = folder / "request.cnf", folder / "request.pem"
    settings.write_text(_REQUEST_SETTINGS, encoding="ascii")
    command = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl(*command, "-config", str(settings), "-keyout", str(folder / "key.pem"), "-out", str(request))
    csr = request.read_text(encoding="ascii")
    settings.unlink()
    request.unlink()
    return csr


def join(key: Path, certificate: str, identity: Path) -> None:
    """Put a key and its certificate into one file, for its owner alone; the key's own file is gone afterwards."""
    write(identity, key.read_text(encoding="ascii") + certificate, mode=0o600)
    key.unlink()


def signature(identity: Path, message: bytes, *, folder: Path) -> bytes:
    """Over ``message``, with the key of ``identity`` and SHA-256. ``folder`` is for files that are gone afterwards."""
    text, signed = folder / "message", folder / "signature"
    text.write_bytes(message)
    _openssl("dgst", "-sha256", "-sign", str(identity), "-out", str(signed), str(text))
    made = signed.read_bytes()
    text.unlink()
    signed.unlink()
    return made


def life(identity: Path) -> Life:
    """Of the certificate in this file."""
    said = _openssl("x509", "-noout", "-dates", "-in", str(identity))
    dates = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    try:
        begins, ends = (float(ssl.cert_time_to_seconds(dates[name])) for name in ("notBefore", "notAfter"))
    except (KeyError, ValueError) as error:
        raise CredentialsError(f"openssl does not say when the certificate in {identity} ends: {said!r}") from error
    return Life(begins=begins, ends=ends)


def certificate_of(identity: Path) -> str:
    """The certificate alone, in PEM."""
    return _openssl("x509", "-in", str(identity))


def check(identity: Path, *, ca: Path, name: str) -> None:
    """Raise unless the certificate is of this authority and for this name; this host's clock has no say."""
    _openssl(
        *("verify", "-no_check_time", "-purpose", "sslserver", "-verify_hostname", name),
        *("-CAfile", str(ca), str(identity)),
    )


def write(path: Path, text: str, *, mode: int) -> None:
    """A new file that is on the disk when this returns."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())


def _openssl(*arguments: str) -> str:
    try:
        with subprocess.Popen(  # noqa: S603  names that were made here
            ["openssl", *arguments],  # noqa: S607  each system has it elsewhere
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            umask=0o077,
        ) as popen:
            try:
                said, _ = popen.communicate(timeout=_WITHIN_S)
            except subprocess.TimeoutExpired as error:
                popen.kill()
                raise CredentialsError(f"openssl {arguments[0]} did not end in {_WITHIN_S} s") from error
    except FileNotFoundError as error:
        raise CredentialsError("the program openssl is not there: install it") from error
    text = said.decode(errors="replace")
    if popen.returncode != 0:
        raise CredentialsError(f"openssl {arguments[0]} failed: {text.strip().splitlines()[-1:]}")
    return text
