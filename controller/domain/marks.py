"""Marks: what tells, without reading it, that something of interest was changed. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Marked(StrEnum):
    """What is marked. Of growing records (audit, notices, attempts) the newest; hosts, a cluster at a time."""

    INCIDENT = "incident"
    ATTEMPT = "attempt"
    EFFECT = "effect"
    DELIVERY = "delivery"
    PAUSE = "pause"
    CLUSTER = "cluster"
    HOSTS = "hosts"
    AUDIT = "audit"
    NOTICE = "notice"
    CLOUD = "cloud"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One row. ``version`` is opaque: another one means that the row was written again."""

    kind: Marked
    id: str
    version: str
    incident_id: str = ""
    host_id: str = ""
    cluster_id: str = ""


def changed(before: Iterable[Mark], after: Iterable[Mark]) -> tuple[Mark, ...]:
    """The marks that came, went, or have another version."""
    old, new = _by_key(before), _by_key(after)
    gone = [mark for key, mark in old.items() if key not in new]
    return (*gone, *(mark for key, mark in new.items() if old.get(key) != mark))


def _by_key(marks: Iterable[Mark]) -> Mapping[tuple[Marked, str], Mark]:
    return {(mark.kind, mark.id): mark for mark in marks}
