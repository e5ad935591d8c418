"""An agent joins: a one-time token made by an admin, and for it the host's id, secret and certificate.

Whoever sends a join token is nobody yet: until it is found to be good, nothing is locked that an intent waits for.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from controller.db.store import Clock, Store, Tx
from controller.domain.enrolment import Authority, JoinToken
from controller.domain.model import Host
from controller.probing.authority import BadCsrError, fingerprint, make_authority, sign_host
from controller.services.changes import changing, record
from controller.services.errors import BadInput, Forbidden
from controller.services.lookup import host_by_ref

log = structlog.get_logger(__name__)

GOOD_FOR = timedelta(hours=1)
_PREFIX = "hfj"
"""Lets secret scanners and people see what a leaked string is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeJoinToken:
    """``join_token`` is shown only here. ``ca_fingerprint``: SHA-256 of the authority's certificate, in hex."""

    host_id: str
    join_token: str = field(repr=False)
    expires_at: datetime
    ca_fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A host with its new secret and certificate (PEM), and the authority's certificate."""

    host: Host
    certificate: str
    ca_certificate: str


async def make_join_token(store: Store, clock: Clock, ref: str, *, actor: str) -> MadeJoinToken:
    """A token for the host's agent to join with, once and within an hour; an earlier unused one is worth nothing."""
    now = await clock.now()
    secret = secrets.token_urlsafe(32)
    async with changing(store) as tx:
        host = await host_by_ref(tx, ref)
        authority = await _authority(tx, now)
        token = JoinToken(host_id=host.id, digest=_digest(secret), expires_at=now + GOOD_FOR)
        await tx.save_join_token(token)
        await record(tx, at=now, actor=actor, action="host.join_token", target=host.name, id=host.id)
    return MadeJoinToken(
        host_id=host.id,
        join_token=f"{_PREFIX}_{host.id}_{secret}",
        expires_at=token.expires_at,
        ca_fingerprint=fingerprint(authority.certificate),
    )


async def enrol(store: Store, clock: Clock, *, join_token: str, csr: str) -> Enrolled:
    """Use a join token: a new secret and a certificate for the key in ``csr``. The earlier ones are worth nothing.

    From now on the host's agent is asked over TLS only. A bad request for a certificate does not use the token up.
    """
    now = await clock.now()
    host_id, secret = _parts(join_token)
    async with store.transaction() as tx:
        _check(await tx.join_token(host_id), secret, now)
    async with changing(store) as tx:
        _check(await tx.join_token(host_id), secret, now)  # two may have come at once
        host = await tx.host(host_id)
        assert host is not None  # noqa: S101 - its token would have gone with it
        authority = await _authority(tx, now)
        try:
            certificate, until = sign_host(authority, csr, host.id, now=now)
        except BadCsrError as error:
            raise BadInput(f"csr: {error}", code="bad_csr", field="csr") from error
        host = replace(host, agent_token=secrets.token_urlsafe(32), agent_tls=True, agent_tls_until=until)
        await tx.save_host(host)
        await tx.delete_join_token(host.id)
        await record(tx, at=now, actor="join token", action="host.enrol", target=host.name, id=host.id)
    log.info("a host's agent has enrolled", host=host.name, host_id=host.id, until=until.isoformat())
    return Enrolled(host=host, certificate=certificate, ca_certificate=authority.certificate)


async def _authority(tx: Tx, now: datetime) -> Authority:
    """The one there is, or the first one. Called under the guard: nobody else makes one at the same time."""
    known = await tx.authority()
    if known is not None:
        return known
    made = make_authority(now)
    await tx.settle_authority(made)
    return made


def _check(known: JoinToken | None, secret: str, now: datetime) -> None:
    """One answer to everybody who does not know a token; who does know it is told that it came too late."""
    matches = hmac.compare_digest(known.digest if known is not None else "", _digest(secret))
    if known is None or not matches:
        log.warning("a join token was refused")
        raise Forbidden(
            "this join token is not known: used already, or replaced by a newer one; make another with"
            " POST /api/v1/hosts/HOST/join-token",
            code="join_token_refused",
        )
    if now >= known.expires_at:
        raise Forbidden(
            "this join token has expired; make another with POST /api/v1/hosts/HOST/join-token",
            code="join_token_expired",
        )


def _parts(join_token: str) -> tuple[str, str]:
    """Host id and secret of a token's text; of any other text, an id and a secret that fit nothing."""
    prefix, _, rest = join_token.strip().partition("_")
    host_id, _, secret = rest.partition("_")
    return (host_id, secret) if prefix == _PREFIX else ("", "")


def _digest(secret: str) -> str:
    """Plain SHA-256 is enough: the secret has 256 random bits, so nobody can guess it from its digest."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
