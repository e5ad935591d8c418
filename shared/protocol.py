"""Wire models between controller and probe agent, version 1.

Rules that these models carry: no wall-clock time crosses the wire except file times, which are only ever compared with
an earlier reading of the same file (rule 12); everything else is a duration in seconds by the agent's own monotonic
clock. An answer repeats the request's nonce and is signed (see :func:`sign`), so that a late or foreign answer is
recognised. Unknown fields are ignored so that a newer peer can add some; a different ``protocol`` is refused.
"""

import hashlib
import hmac

from pydantic import BaseModel, ConfigDict, Field

from shared.enums import PROTOCOL_VERSION, Reach, ReadingCode, ReadingMethod, ReadingStatus

SIGNATURE_HEADER = "X-Hostfence-Signature"
MAX_TARGETS = 100_000


class Wire(BaseModel):
    """Base of every wire model: immutable."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Request(Wire):
    """What every request carries. ``nonce`` comes back in the answer; ``deadline_s`` is the caller's patience."""

    protocol: int = PROTOCOL_VERSION
    nonce: str = Field(min_length=8, max_length=64)
    deadline_s: float = Field(default=5.0, gt=0, le=120)


class Answer(Wire):
    """What every answer carries: who speaks, since which boot, and to which request."""

    protocol: int = PROTOCOL_VERSION
    nonce: str
    host_id: str
    boot_id: str
    agent_version: str
    took_s: float = Field(ge=0)


class ReachTarget(Wire):
    """An address the witness shall try: ``GET http(s)://address:port/healthz``.

    ``tls_name``: over TLS, with a certificate for this name; empty: plain. A witness that is older, or has no
    certificate itself, asks in plain and learns that a kernel answers.
    """

    address: str = Field(min_length=1, max_length=253)
    port: int = Field(ge=1, le=65535)
    tls_name: str = Field(default="", max_length=253)


class ReachResult(Wire):
    """What the address answered the witness. ``host_id`` and ``boot_id`` only when an agent answered."""

    outcome: Reach
    detail: str = ""
    host_id: str | None = None
    boot_id: str | None = None


class FileReading(Wire):
    """One look at one file. Times are the storage server's; compare only with an earlier reading of the same path.

    With ``status == unknown`` only ``path``, ``code``, ``detail`` and ``took_s`` mean anything. ``held_by``: addresses
    of clients that have it open for writing now, where the storage can tell (``rbd``: an image's watchers); with one of
    them the numbers mean nothing, without one they do.
    """

    path: str
    status: ReadingStatus
    code: ReadingCode | None = None
    detail: str = ""
    how: ReadingMethod | None = None
    took_s: float = Field(default=0.0, ge=0)
    device: str = ""
    inode: int = 0
    size: int = 0
    blocks: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    held_by: tuple[str, ...] = ()


class HeartbeatSight(Wire):
    """What the witness knows of one host's heartbeat on one pool, by its continuous sampling.

    ``moved_age_s``: seconds since this witness last saw the record change (None: never seen changing since it watches;
    the first sight of a record is not a change). ``sampled_age_s``: seconds since the last successful fresh read
    (None: never). ``watched_for_s``: seconds since sampling of this record began. ``withdrawn``: the record says its
    writer stopped in order. ``disputed``: two hosts write this record, so that its movement is life of one of them and
    its silence is nobody's.
    """

    status: ReadingStatus
    code: ReadingCode | None = None
    detail: str = ""
    boot_id: str = ""
    counter: int = 0
    withdrawn: bool = False
    disputed: bool = False
    moved_age_s: float | None = Field(default=None, ge=0)
    sampled_age_s: float | None = Field(default=None, ge=0)
    watched_for_s: float = Field(default=0.0, ge=0)


class PoolSight(Wire):
    """One pool (named by its root path) as the witness sees it: its own heartbeat there, and the others'."""

    root: str
    status: ReadingStatus
    code: ReadingCode | None = None
    detail: str = ""
    fs_type: str = ""
    mount_options: str = ""
    mount_source: str = ""
    own: HeartbeatSight | None = None
    others: dict[str, HeartbeatSight] = Field(default_factory=dict)


class WatchRequest(Request):
    """``POST /v1/watch``: is the agent alive, and what does it see of all heartbeats on all its pools?"""


class WatchAnswer(Answer):
    """Every pool of the agent's configuration with every heartbeat in it."""

    pools: list[PoolSight]


class ProbeRequest(Request):
    """``POST /v1/probes``: look at these files, at the subject's heartbeat on these pools, and at its address.

    ``paths`` are absolute; ``pool_roots`` are the roots of the pools they lie on; ``reach`` may be empty.
    """

    subject_host_id: str
    paths: list[str] = Field(default_factory=list, max_length=MAX_TARGETS)
    pool_roots: list[str] = Field(default_factory=list, max_length=256)
    reach: list[ReachTarget] = Field(default_factory=list, max_length=8)


class ProbeAnswer(Answer):
    """One reading per path asked (same order), one sight per pool root asked, one result per reach target.

    In each :class:`PoolSight` ``others`` holds at most the subject's heartbeat (absent key: no record there).
    """

    readings: list[FileReading]
    pools: list[PoolSight]
    reach: list[ReachResult]


class Health(Wire):
    """``GET /healthz``, without a token: enough to see that this host's agent lives, nothing more."""

    status: str = "ok"
    host_id: str
    boot_id: str
    protocol: int = PROTOCOL_VERSION


class AgentProblem(Wire):
    """RFC 9457 ``application/problem+json`` as the agent answers errors."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str


def sign(token: str, nonce: str, body: bytes) -> str:
    """Hex HMAC-SHA256 of ``nonce`` and ``body`` under the host's token; travels in :data:`SIGNATURE_HEADER`."""
    made = hmac.new(token.encode(), nonce.encode() + b"\n", hashlib.sha256)
    made.update(body)  # by itself: an answer about ten thousand files is not copied for it
    return made.hexdigest()


def verify(token: str, nonce: str, body: bytes, signature: str) -> bool:
    """True when ``signature`` is what :func:`sign` makes of the same input; constant time."""
    # As bytes: compare_digest raises for text that is not ASCII, and the signature is whatever the other side sent.
    return hmac.compare_digest(sign(token, nonce, body).encode(), signature.encode(errors="replace"))
