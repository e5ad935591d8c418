"""How a Redfish device is trusted: by the system's authorities, by a given one, or (unsafely) not at all."""

import functools
import ssl


@functools.lru_cache(maxsize=256)
def trust(ca: str, *, verify: bool = True) -> ssl.SSLContext:
    """The TLS settings for one device. Kept, because reading the system's authorities takes tens of milliseconds.

    Args:
        ca: certificates in PEM that are trusted instead of the system's; empty: the system's. The device's own
            certificate is possible too: then exactly that one is trusted.
        verify: False takes any certificate, so that whoever is in the way learns the password.

    Raises:
        ValueError: ``ca`` holds no certificate.
    """
    if not verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if not ca:
        return _lenient(ssl.create_default_context())
    try:
        context = _lenient(ssl.create_default_context(cadata=ca))
    except (ssl.SSLError, ValueError) as error:
        raise ValueError("holds no certificate that can be read; write it in PEM") from error
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def certificate_fault(ca: str) -> str:
    """What is wrong with a text of trusted certificates, or an empty string. Empty text is fine."""
    try:
        if ca:
            trust(ca)
    except ValueError as error:
        return str(error)
    return ""


def _lenient(context: ssl.SSLContext) -> ssl.SSLContext:
    """Python 3.13 asks for extensions that certificates made by BMCs often lack; 3.11 does not. One behaviour."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
