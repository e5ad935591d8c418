"""An agent gets its next certificate without a person: it proves that it holds the present one, and the host's token.

Once for every challenge, and a challenge is worth nothing after a minute of this database's own clock: the host's clock
takes no part. Nothing is stored for a challenge, so whoever only asks for some costs a look.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from controller.db.store import Clock, Store
from controller.domain.enrolment import Authority
from controller.domain.model import Host
from controller.probing.authority import (
    HOST_LASTS,
    BadCsrError,
    EndedCertificateError,
    check_holder,
    sign_host,
)
from controller.services.changes import changing, record
from controller.services.errors import BadInput, Forbidden, Refused
from shared.enrolment import RenewRequest, to_be_signed
from shared.protocol import verify

log = structlog.get_logger(__name__)

GOOD_FOR = timedelta(seconds=60)
NOT_SOONER_THAN = timedelta(seconds=60)
"""After the last certificate. It lets the end of a certificate, which counts whole seconds, tell each from the next."""
_ENROL = "make a join token with POST /api/v1/hosts/HOST/join-token and enrol the host with it"


async def make_challenge(store: Store, clock: Clock, *, host_id: str) -> str:
    """What the host has to sign for its next certificate. Given for hosts that do not exist too: it says nothing."""
    now = await clock.now()
    async with store.transaction() as tx:
        host, authority = await tx.host(host_id), await tx.authority()
    if authority is None:
        raise _unknown()
    return _challenge(authority, host_id, host, f"{int(now.timestamp())}.{secrets.token_hex(8)}")


async def renew(store: Store, clock: Clock, request: RenewRequest) -> str:
    """A certificate (PEM) for the key in the request. The present one stays good until its end.

    Raises:
        Forbidden: whoever asks has not the host's token, or not a certificate of it that is good; or asks too late.
        Refused: the present certificate was made just now.
        BadInput: the request for a certificate is of no use.
    """
    now = await clock.now()
    async with store.transaction() as tx:
        _check(await tx.authority(), await tx.host(request.host_id), request, now)
    async with changing(store) as tx:
        # Again: of two that sign one challenge, the second one finds another certificate than it was made for.
        authority, host = _check(await tx.authority(), await tx.host(request.host_id), request, now)
        try:
            certificate, until = sign_host(authority, request.csr, host.id, now=now)
        except BadCsrError as error:
            raise BadInput(f"csr: {error}", code="bad_csr", field="csr") from error
        await tx.save_host(replace(host, agent_tls_until=until))
        await record(tx, at=now, actor="agent", action="host.renew", target=host.name, id=host.id)
    log.info("a host's agent has renewed its certificate", host=host.name, host_id=host.id, until=until.isoformat())
    return certificate


def _check(
    authority: Authority | None, host: Host | None, request: RenewRequest, now: datetime
) -> tuple[Authority, Host]:
    """Who does not know the host's token is told one thing only; who does, what is wrong."""
    message = to_be_signed(request.host_id, request.challenge, request.csr)
    if authority is None or host is None or not host.agent_tls:
        raise _unknown()
    if not verify(host.agent_token, request.challenge, message, request.proof):
        raise _unknown()
    _check_challenge(authority, host, request.challenge, now)
    try:
        signature = base64.b64decode(request.signature, validate=True)
        check_holder(authority, request.certificate, host.id, message=message, signature=signature, now=now)
    except EndedCertificateError as error:
        raise Forbidden(f"this host's certificate has ended; {_ENROL}", code="certificate_ended") from error
    except ValueError as error:
        raise Forbidden(f"this is not signed with this host's certificate; {_ENROL}", code="bad_signature") from error
    if host.agent_tls_until is not None and host.agent_tls_until - now > HOST_LASTS - NOT_SOONER_THAN:
        raise Refused("the host got a certificate just now; try again in a minute", code="renewed_just_now")
    return authority, host


def _check_challenge(authority: Authority, host: Host, challenge: str, now: datetime) -> None:
    head, _, _ = challenge.rpartition(".")
    at, _, _ = head.partition(".")
    is_ours = hmac.compare_digest(_challenge(authority, host.id, host, head).encode(), challenge.encode())
    if not is_ours or not timedelta(0) <= now - datetime.fromtimestamp(int(at), UTC) <= GOOD_FOR:
        raise Forbidden(
            "this challenge is not good any more: it was used, or is older than a minute; ask for another one",
            code="challenge_refused",
        )


def _challenge(authority: Authority, host_id: str, host: Host | None, head: str) -> str:
    """``head`` and a seal that every controller can make again: it fits one host between two of its certificates."""
    until = host.agent_tls_until.isoformat() if host is not None and host.agent_tls_until is not None else ""
    key = hashlib.sha256(b"hostfence renewal challenges\n" + authority.key.encode()).digest()
    seal = hmac.new(key, f"{host_id}\n{until}\n{head}".encode(), hashlib.sha256).hexdigest()
    return f"{head}.{seal}"


def _unknown() -> Forbidden:
    log.warning("a renewal was refused")
    return Forbidden(
        f"no host is known by these credentials: it was removed, enrolled again, or given another token; {_ENROL}",
        code="renewal_refused",
    )
