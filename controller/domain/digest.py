"""When many notices are told in one message, and what that message is. Pure.

A storm of 200 hosts makes two thousand notices. They are all told; but people who get two thousand mails read none. So
a channel carries a few messages on their own, and then one a minute with everything that came up meanwhile.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from controller.domain.headlines import LOUDNESS, heading
from controller.domain.model import Notice, Severity
from controller.domain.notice_texts import TEXTS, NoticeKind
from controller.domain.reasons import Reason

WINDOW = timedelta(minutes=10)
"""A channel's messages are counted this far back."""

GATHER = timedelta(seconds=60)
"""The least time between two digests of a channel: a notice waits no longer than this for company."""

SUDDEN = 3
"""This part (a third) of what may go on its own in :data:`WINDOW` may do so in :data:`GATHER`: storms come suddenly."""

MOST = 500
"""Notices in one digest, at most."""

_NAMESPACE = UUID("0d5a3c52-9b7e-4d53-8a38-54c1f7f7b6a4")


@dataclass(frozen=True, slots=True)
class Message:
    """One that a channel was given, or may have been: when it was decided, and whether it is a digest."""

    at: datetime
    is_digest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Each notice stands in exactly one of these, in the order in which they came up."""

    singly: tuple[Notice, ...] = ()
    digests: tuple[tuple[Notice, ...], ...] = ()
    waiting: tuple[Notice, ...] = ()
    wait_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Notices of a digest that say the same of several hosts."""

    heading: str
    severity: Severity
    notices: tuple[Notice, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts, each once."""
        return tuple(dict.fromkeys(one.host_name for one in self.notices))


def sort(fresh: Sequence[Notice], *, told: Sequence[Message], after: int, room: int, now: datetime) -> Sorted:
    """What becomes of ``fresh``, which the far side cannot have yet.

    Args:
        fresh: oldest first.
        told: what the channel was given within :data:`WINDOW`.
        after: messages in :data:`WINDOW` that go on their own; 0: all of them, always.
        room: characters of names that fit into one message; 0: any number.
        now: time of the decision.
    """
    if after == 0 or _quiet(len(fresh), told, after=after, now=now):
        return Sorted(singly=tuple(fresh))
    alone = len(fresh) == 1
    since = max((one.at for one in told if one.is_digest or alone), default=None)
    if since is not None and now < since + GATHER:
        return Sorted(waiting=tuple(fresh), wait_until=since + GATHER)
    parts = tuple(_parts(fresh, room))
    return Sorted(
        singly=tuple(part[0] for part in parts if len(part) == 1),
        digests=tuple(part for part in parts if len(part) > 1),
    )


def _quiet(count: int, told: Sequence[Message], *, after: int, now: datetime) -> bool:
    """Whether this many more may go on their own."""
    lately = sum(one.at > now - GATHER for one in told)
    return len(told) + count <= after and lately + count <= max(1, after // SUDDEN)


def digest(members: Sequence[Notice], *, channel: str, at: datetime) -> Notice:
    """The message that tells ``members`` on ``channel``: it names every host, under what was decided of it."""
    texts = TEXTS[NoticeKind.DIGEST]
    ids = "/".join(one.id for one in members)
    key = f"{NoticeKind.DIGEST}:{channel}:{at.isoformat()}:{uuid5(_NAMESPACE, ids)}"
    hosts = len({one.host_name for one in members})
    clusters = {one.cluster_id for one in members}
    return Notice(
        id=str(uuid5(_NAMESPACE, key)),
        key=key,
        at=at,
        kind=NoticeKind.DIGEST,
        severity=max((one.severity for one in members), key=LOUDNESS.__getitem__),
        cluster_id=clusters.pop() if len(clusters) == 1 else None,
        host_name="1 host" if hosts == 1 else f"{hosts} hosts",
        what=texts.what.format(count=len(members), hosts=in_short(groups(members))),
        why=_reasons(members),
        next=texts.next,
        how_to_stop=texts.how_to_stop,
    )


def groups(members: Sequence[Notice]) -> tuple[Group, ...]:
    """Who shares what, the gravest and then the largest first."""
    found: dict[tuple[Severity, str], list[Notice]] = {}
    for one in members:
        found.setdefault((one.severity, heading(one)), []).append(one)
    made = [Group(heading=text, severity=loud, notices=tuple(ones)) for (loud, text), ones in found.items()]
    return tuple(sorted(made, key=lambda group: (-LOUDNESS[group.severity], -len(group.notices), group.heading)))


def in_short(found: Sequence[Group]) -> str:
    """All of it in one line: ``CRITICAL held, storm: kvm-a1, kvm-a2 | INFO fenced: kvm-b7``."""
    return " | ".join(f"{one.severity.upper()} {one.heading}: {', '.join(one.names)}" for one in found)


def counted(found: Sequence[Group]) -> str:
    """How many of each, for a subject: ``2 held, storm | 1 fenced``."""
    return " | ".join(f"{len(one.names)} {one.heading}" for one in found)


def _parts(fresh: Sequence[Notice], room: int) -> Iterator[tuple[Notice, ...]]:
    """Pieces of at most :data:`MOST` notices whose names fit into ``room``; what fits nowhere stands alone."""
    part: list[Notice] = []
    length = 0
    headings: set[tuple[Severity, str]] = set()
    for one in fresh:
        what = (one.severity, heading(one))
        # a new heading costs itself, its severity and the punctuation around it; a name its comma
        costs = len(one.host_name) + 2 + (0 if what in headings else len(what[0]) + len(what[1]) + 6)
        if part and (len(part) == MOST or (room and length + costs > room)):
            yield tuple(part)
            part, length, headings = [], 0, set()
            costs = len(one.host_name) + len(what[0]) + len(what[1]) + 8
        part.append(one)
        headings.add(what)
        length += costs
    if part:
        yield tuple(part)


def _reasons(members: Sequence[Notice]) -> tuple[Reason, ...]:
    """Every reason of what is louder than information, or of all where nothing is; those of most notices first."""
    loud = [one for one in members if one.severity is not Severity.INFO]
    counts: dict[Reason, int] = {}
    for one in loud or members:
        for reason in one.why:
            counts[reason] = counts.get(reason, 0) + 1
    return tuple(sorted(counts, key=lambda reason: -counts[reason]))
