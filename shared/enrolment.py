"""What an agent that joins, or renews its certificate, and the controller say to each other.

Also the name that a host's certificate is for: a host is known by its id, never by its address.
"""

from pydantic import Field

from shared.protocol import Wire

ENROL_PATH = "/api/v1/enrol"
CHALLENGE_PATH = "/api/v1/renew/challenge"
RENEW_PATH = "/api/v1/renew"
MAX_REQUEST = 16 * 1024
"""Bytes of the whole request: asked by somebody nobody knows yet."""


class EnrolRequest(Wire):
    """``join_token``: from ``POST /api/v1/hosts/{host}/join-token``. ``csr``: PKCS #10 in PEM; only its key is used."""

    join_token: str = Field(min_length=1, max_length=512)
    csr: str = Field(min_length=1, max_length=8192)


class EnrolAnswer(Wire):
    """Who the host is, its secret with the controller, and its certificate (PEM) with the authority's."""

    host_id: str
    host_name: str
    agent_port: int
    agent_token: str = Field(repr=False)
    certificate: str
    ca_certificate: str


class ChallengeRequest(Wire):
    """``POST`` to :data:`CHALLENGE_PATH`: the first half of a renewal."""

    host_id: str = Field(pattern=r"^[0-9A-Za-z-]{1,64}$")


class ChallengeAnswer(Wire):
    """What the second half has to sign: good for a minute and for one renewal of this host."""

    challenge: str


class RenewRequest(Wire):
    """``POST`` to :data:`RENEW_PATH`: a certificate for another key, asked for by who holds the present one.

    ``csr`` and ``certificate`` (the present one) in PEM. ``signature``: over :func:`to_be_signed` with the present
    certificate's key and SHA-256, in base64; ``proof``: :func:`shared.protocol.sign` of the same with the host's token.
    """

    host_id: str = Field(pattern=r"^[0-9A-Za-z-]{1,64}$")
    challenge: str = Field(pattern=r"^[0-9a-f.]{1,256}$")
    csr: str = Field(min_length=1, max_length=8192)
    certificate: str = Field(min_length=1, max_length=4096)
    signature: str = Field(min_length=1, max_length=1024)
    proof: str = Field(min_length=1, max_length=128)


class RenewAnswer(Wire):
    """The new certificate (PEM). Host id, token and authority stay what they are."""

    certificate: str


def to_be_signed(host_id: str, challenge: str, csr: str) -> bytes:
    """What a renewal is signed over: nothing of it fits another host, another key or another time."""
    return f"hostfence renewal\n{host_id}\n{challenge}\n{csr}".encode()


def server_name(host_id: str) -> str:
    """The DNS name in the certificate of this host's agent. Nothing resolves it."""
    return f"{host_id}.agent.hostfence"
