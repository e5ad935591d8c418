"""The agents' certificate authority: made once, signs hosts' certificates, and makes the controller's own.

The only home of X.509 in the controller. Certificates begin two days before they are made, so that no clock that was
set by hours makes one useless (rule 12).
"""

import hashlib
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.domain.enrolment import Authority
from shared.enrolment import server_name

BACKDATED = timedelta(days=2)
AUTHORITY_LASTS = timedelta(days=30 * 365)
HOST_LASTS = timedelta(days=365)
CONTROLLER_LASTS = timedelta(days=3)
_LEAST_RSA = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class BadCsrError(ValueError):
    """A certificate signing request that is none, or whose key is of no use; the text says which."""


class BadCertificateError(ValueError):
    """Whoever shows this certificate does not hold it, or it is not this host's of this authority."""


class EndedCertificateError(BadCertificateError):
    """It was this host's."""


def make_authority(now: datetime) -> Authority:
    """A new authority; it may sign certificates of hosts and nothing below them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("hostfence agents")
    certificate = (
        _builder(name, name, key.public_key(), now=now, lasts=AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=_pem(certificate), key=_key_pem(key))


def fingerprint(certificate: str) -> str:
    """SHA-256 of a certificate in PEM, in hex: what a person compares."""
    return hashlib.sha256(x509.load_pem_x509_certificate(certificate.encode()).public_bytes(_DER)).hexdigest()


def sign_host(authority: Authority, csr: str, host_id: str, *, now: datetime) -> tuple[str, datetime]:
    """The certificate (PEM) for the key in ``csr``, as this host's agent and nobody else's; and when it ends.

    Nothing of the request is taken over but its key. It is good for serving, and for asking neighbors for their health.

    Raises:
        BadCsrError: it cannot be read, is not signed with its own key, or the key is weak.
    """
    alternative = x509.SubjectAlternativeName(
        [x509.DNSName(server_name(host_id)), x509.UniformResourceIdentifier(f"urn:hostfence:host:{host_id}")]
    )
    certificate = _issue(
        authority,
        _key_of(csr),
        "hostfence agent",
        alternative,
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
        now=now,
        lasts=HOST_LASTS,
    )
    return _pem(certificate), certificate.not_valid_after_utc


def check_holder(
    authority: Authority, certificate: str, host_id: str, *, message: bytes, signature: bytes, now: datetime
) -> None:
    """Pass when ``message`` is signed with the key of this host's certificate, and that has not ended.

    Raises:
        BadCertificateError: it is another's, or the signature is.
        EndedCertificateError: everything fits, but it has ended.
    """
    try:
        shown = x509.load_pem_x509_certificate(certificate.encode())
        shown.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate.encode()))
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        _check_signature(shown.public_key(), message, signature)
    except Exception as error:  # of many kinds, as whatever was sent is read here
        raise BadCertificateError from error
    if server_name(host_id) not in names.get_values_for_type(x509.DNSName):
        raise BadCertificateError
    if now >= shown.not_valid_after_utc:
        raise EndedCertificateError


def make_controller_pair(authority: Authority, *, now: datetime) -> str:
    """A new key and its certificate for asking agents, in one PEM text; it cannot serve as a host."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _issue(
        authority,
        key.public_key(),
        "hostfence controller",
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:hostfence:controller")]),
        [ExtendedKeyUsageOID.CLIENT_AUTH],
        now=now,
        lasts=CONTROLLER_LASTS,
    )
    return _key_pem(key) + _pem(certificate)


_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_DER = serialization.Encoding.DER


def _key_of(csr: str) -> _PublicKey:
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        signed = request.is_signature_valid
    except Exception as error:  # the parser has errors of many kinds, for keys it does not know too
        raise BadCsrError("it cannot be read") from error
    if not signed:
        raise BadCsrError("it is not signed with its own key")
    strong = (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA
    )
    if not strong or not isinstance(key, _PublicKey):
        raise BadCsrError(f"its key is neither on a NIST curve nor RSA of at least {_LEAST_RSA} bits")
    return key


def _check_signature(key: object, message: bytes, signature: bytes) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    else:
        raise BadCertificateError  # sign_host signs for no other


def _issue(
    authority: Authority,
    key: _PublicKey,
    name: str,
    alternative: x509.SubjectAlternativeName,
    purposes: list[x509.ObjectIdentifier],
    *,
    now: datetime,
    lasts: timedelta,
) -> x509.Certificate:
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    issuer_key = serialization.load_pem_private_key(authority.key.encode(), password=None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - make_authority made it
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        _builder(_name(name), issuer.subject, key, now=now, lasts=lasts)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(alternative, critical=False)
        .add_extension(identifier, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: _PublicKey, *, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
