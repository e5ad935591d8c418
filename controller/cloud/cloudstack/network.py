"""Whom the client trusts, and what goes wrong on the way to CloudStack, in words."""

import os
import socket
import ssl
from collections.abc import Iterator


def trust(verify: bool | str) -> ssl.SSLContext:  # noqa: FBT001 - as httpx and every other client has it
    """The TLS settings.

    Args:
        verify: True: the system's authorities. A path: those in that file (PEM; the server's own certificate may stand
            there). False: anyone, so that whoever is in the way can change answers and repeat requests.

    Raises:
        ValueError: the file cannot be read, or holds no certificate.
    """
    if verify is False:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        context = ssl.create_default_context(cafile=None if verify is True else verify)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ValueError(f"{verify} holds no certificates that can be read: {error}") from error
    if verify is not True:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Python 3.13 asks for extensions that in-house authorities often leave out; 3.11 does not. One behaviour.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def tls_trouble(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS trouble among the causes, if there is one: asking again does not cure it."""
    return next((one for one in _causes(error) if isinstance(one, ssl.SSLError)), None)


def in_words(error: Exception) -> str:
    """What happened, as the operating system or TLS said it where they did."""
    if tls := tls_trouble(error):
        if isinstance(tls, ssl.SSLCertVerificationError):
            return f"certificate verify failed: {tls.verify_message}; give the authority's file"
        return f"no TLS connection: {tls.reason or tls}"
    system = next((one for one in _causes(error) if isinstance(one, OSError) and one.errno is not None), None)
    if isinstance(system, socket.gaierror):
        return f"{type(error).__name__}: {system.strerror}"
    return f"{type(error).__name__}: {os.strerror(system.errno) if system and system.errno else error}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from (httpx and anyio wrap it several times)."""
    ahead, seen = [error], set[int]()
    while ahead:
        one = ahead.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            ahead.extend(one.exceptions)
        ahead += [one.__context__, one.__cause__]  # httpcore's has only a context, and hides that
