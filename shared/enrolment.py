"""What an agent that joins and the controller say to each other once: ``POST /api/v1/enrol``.

Also the name that a host's certificate is for: a host is known by its id, never by its address.
"""

from pydantic import Field

from shared.protocol import Wire

ENROL_PATH = "/api/v1/enrol"
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


def server_name(host_id: str) -> str:
    """The DNS name in the certificate of this host's agent. Nothing resolves it."""
    return f"{host_id}.agent.hostfence"
