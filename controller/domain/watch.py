"""The own watch, pure.

From what each poll of all agents showed to "this host has gone silent", and to "others vanished".

Carries rule 12: ages are by one monotonic clock (this process's for agents, each witness's own for heartbeats).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.domain.evidence import Beat
from controller.domain.policy import Policy
from controller.domain.reasons import Reason
from shared.enums import Reach, ReadingCode

BEATS_MISSED = 3
"""A heartbeat that has been still for longer than this many of its intervals is not said to move, though it may yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSeen:
    """One pool in one agent's watch answer: its own heartbeat and those of all others it samples, by host id.

    ``code``: why it is not readable. What is mounted there is empty where the agent does not tell.
    """

    root: str
    readable: bool
    own: Beat | None = None
    others: dict[str, Beat] = field(default_factory=dict)
    detail: str = ""
    code: ReadingCode | None = None
    fs_type: str = ""
    mount_options: str = ""
    mount_source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One agent's answer to one poll, or that there was none."""

    host_id: str
    reach: Reach
    boot_id: str = ""
    pools: tuple[PoolSeen, ...] = ()
    detail: str = ""
    agent_version: str = ""

    @property
    def answered(self) -> bool:
        """True when the agent itself spoke."""
        return self.reach is Reach.AGENT_ANSWERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What this process remembers of one host, in seconds of its own monotonic clock."""

    answered_at: float | None = None
    beat_at: float | None = None
    boot_id: str = ""
    tracked_since: float = 0.0

    def last_life(self) -> float | None:
        """The newest sign of life, None when there never was one in this process's life."""
        times = [t for t in (self.answered_at, self.beat_at) if t is not None]
        return max(times) if times else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A host has gone silent. ``silent_for``: seconds since the last sign of life that the watch knows of."""

    host_id: str
    silent_for: float
    reasons: tuple[Reason, ...]


def newest_beat_age(host_id: str, seen: Iterable[Seen]) -> float | None:
    """Seconds since anybody saw this host's heartbeat move on any pool; None when nobody ever did."""
    ages = [
        beat.moved_age
        for witness in seen
        if witness.answered and witness.host_id != host_id
        for pool in witness.pools
        if (beat := pool.others.get(host_id)) is not None and beat.moved_age is not None
    ]
    return min(ages) if ages else None


def follow(track: Track, seen: Seen, beat_age: float | None, *, at: float) -> Track:
    """The track after one poll at ``at`` (monotonic seconds)."""
    beat_at = track.beat_at
    if beat_age is not None:
        beat_at = max(at - beat_age, track.beat_at if track.beat_at is not None else at - beat_age)
    return Track(
        answered_at=at if seen.answered else track.answered_at,
        beat_at=beat_at,
        boot_id=seen.boot_id or track.boot_id,
        tracked_since=track.tracked_since,
    )


def suspect(host_id: str, track: Track, seen: Seen, policy: Policy, *, at: float) -> Suspicion | None:
    """A suspicion when the agent does not answer and it, or the heartbeat, has been silent for ``watch_timeout``.

    An agent that answers is life, whatever its heartbeat does (that is a matter for readiness). A host that was never
    seen alive by this process is suspected only once it has been tracked for the time-out.
    """
    if seen.answered:
        return None
    timeout = policy.watch_timeout.total_seconds()
    agent_for = at - (track.answered_at if track.answered_at is not None else track.tracked_since)
    beat_for = at - track.beat_at if track.beat_at is not None else None
    agent_silent = agent_for >= timeout
    beat_silent = beat_for is not None and beat_for >= timeout
    if not agent_silent and not beat_silent:
        return None
    last = track.last_life()
    silent_for = at - (last if last is not None else track.tracked_since)
    moving = beat_for is not None and beat_for <= BEATS_MISSED * policy.heartbeat_interval.total_seconds()
    reasons = (Reason.AGENT_ONLY,) if moving else ()
    return Suspicion(host_id=host_id, silent_for=silent_for, reasons=reasons)


def vanished(
    seen: Iterable[Seen], *, but: str, command_age: float, within: float, interval: float, answering: frozenset[str]
) -> tuple[str, ...]:
    """Hosts whose heartbeat stopped about when a power command was sent to ``but``: the BMC may be theirs.

    A heartbeat is written every ``interval`` seconds and sampled as often. So one written before the command may be
    seen moving after it, and one has stopped only once it has not moved for longer than two of them.

    ``command_age``: seconds since the command was sent; ``within``: how far from it the last movement may lie, before
    or after; ``answering``: hosts whose agent answers now (they live).
    """
    newest: dict[str, float] = {}
    for witness in seen:
        for pool in witness.pools:
            for host_id, beat in pool.others.items():
                if beat.moved_age is not None:
                    newest[host_id] = min(newest.get(host_id, beat.moved_age), beat.moved_age)
    return tuple(
        sorted(
            host_id
            for host_id, age in newest.items()
            if host_id != but and host_id not in answering and age > 2 * interval and abs(age - command_age) <= within
        )
    )
