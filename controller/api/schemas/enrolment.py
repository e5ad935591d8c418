"""Join tokens on the wire. What an agent sends and gets stands in :mod:`shared.enrolment`."""

from datetime import datetime

from controller.api.schemas.base import Answer


class JoinTokenOut(Answer):
    """A join token, shown only here, and what the agent's side compares the authority with."""

    host_id: str
    join_token: str
    expires_at: datetime
    ca_fingerprint: str
