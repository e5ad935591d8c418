"""How an agent comes to its certificate: the authority that signs it, and the token that is good for one."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The certificate authority of all agents of this database, in PEM. The key is encrypted at rest."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinToken:
    """The one join token of a host that is not used yet; only its SHA-256 is kept."""

    host_id: str
    digest: str = field(repr=False)
    expires_at: datetime
