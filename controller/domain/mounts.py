"""What is worth knowing of a pool's mount before the host dies: for readiness, never for a verdict. Pure.

The figures were measured with real NFS servers. Attribute caching (``noac``, ``actimeo``) is of no matter here, since
every look is forced through to the server.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from controller.domain.model import Severity
from controller.domain.watch import PoolSeen
from shared.enums import ReadingCode


class MountCode(StrEnum):
    """What a note is about."""

    NOT_SEEN = "not_seen"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    READ_ONLY = "read_only"
    SOFT = "soft"
    NOT_SHARED = "not_shared"
    OTHER_KIND = "other_kind"
    OTHER_SOURCE = "other_source"
    NFS_3 = "nfs_3"
    NFS_4 = "nfs_4"


@dataclass(frozen=True, slots=True, kw_only=True)
class MountNote:
    """One note, for people."""

    code: MountCode
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The pool of the same root as another host of the cluster has it."""

    host_id: str
    host_name: str
    pool: PoolSeen


_NAMES_SHOWN = 5
_NFS = frozenset({"nfs", "nfs4"})
_OF_ONE_HOST = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "squashfs", "vfat"})
_WORDS = {
    MountCode.NOT_SEEN: "The host's agent has no such pool: mount it there, or name it in HOSTFENCE_AGENT_POOLS.",
    MountCode.READ_ONLY: "Mounted read-only: the host writes no heartbeat there, and its guests write nothing either.",
    MountCode.SOFT: (
        "Mounted soft: when its server does not answer for 10 to 100 seconds, writes of the guests fail instead of "
        "waiting, and their data may be damaged. Mount it hard."
    ),
    MountCode.NFS_3: (
        "NFS 3: where guests do not use cache=none, the times of a dead host's files may go on moving for some 90 "
        "seconds and then jump back. Use cache=none, or keep min_silence above 125 seconds."
    ),
    MountCode.NFS_4: (
        "NFS 4: where guests do not use cache=none, a look at a dead host's files may hang for about a minute although "
        "the server is well, and tells nothing meanwhile. Use cache=none."
    ),
}


def not_seen() -> MountNote:
    """A pool of the inventory that the host's agent does not have."""
    return _note(MountCode.NOT_SEEN)


def notes_on(host_id: str, pool: PoolSeen, beside: Iterable[Beside]) -> tuple[MountNote, ...]:
    """All notes on this host's pool, warnings first. ``beside``: the hosts of its cluster that have it too."""
    found = [*_access(pool), *_kind(pool), *_sameness(host_id, pool, list(beside))]
    return tuple(sorted(found, key=lambda note: note.severity is Severity.INFO))


def _access(pool: PoolSeen) -> Iterator[MountNote]:
    if pool.code is ReadingCode.MOUNT_REFUSED:
        yield _note(MountCode.REFUSED, f"The agent reads nothing there: {pool.detail or 'it refuses such mounts'}.")
    elif pool.code is not None:
        why = pool.code.replace("_", " ") + (f", {pool.detail}" if pool.detail else "")
        yield _note(MountCode.UNREADABLE, f"The agent cannot read it now: {why}.")
    if "ro" in _options(pool):
        yield _note(MountCode.READ_ONLY)


def _kind(pool: PoolSeen) -> Iterator[MountNote]:
    if pool.fs_type in _OF_ONE_HOST:
        said = f"{pool.fs_type} is a file system of one host alone: no neighbor sees what is written there."
        yield _note(MountCode.NOT_SHARED, said)
    if pool.fs_type not in _NFS:
        return
    options = _options(pool)
    if "soft" in options:
        yield _note(MountCode.SOFT)
    if any(option.startswith("vers=3") for option in options):
        yield _note(MountCode.NFS_3, severity=Severity.INFO)
    elif pool.fs_type == "nfs4" or any(option.startswith("vers=4") for option in options):
        yield _note(MountCode.NFS_4, severity=Severity.INFO)


def _sameness(host_id: str, pool: PoolSeen, beside: list[Beside]) -> Iterator[MountNote]:
    """One path is not one storage. Servers have several names, so sources that differ are fine where beats are seen."""
    told = [one for one in beside if one.pool.fs_type and pool.fs_type]
    others = [one for one in told if _family(one.pool) != _family(pool)]
    if others:
        kinds = ", ".join(sorted({one.pool.fs_type for one in others}))
        said = f"Here it is {pool.fs_type}, and {kinds} on {_names(others)}: one path, and not one storage."
        yield _note(MountCode.OTHER_KIND, said)
    apart = [
        one
        for one in told
        if one not in others
        and one.pool.mount_source
        and pool.mount_source
        and one.pool.mount_source != pool.mount_source
        and not (_moves(one.host_id, pool) or _moves(host_id, one.pool))
    ]
    if apart:
        sources = ", ".join(sorted({one.pool.mount_source for one in apart}))
        said = (
            f"Here it is {pool.mount_source}, and {sources} on {_names(apart)}, and neither sees the other's heartbeat "
            "there: it may not be one storage."
        )
        yield _note(MountCode.OTHER_SOURCE, said)


def _moves(host_id: str, pool: PoolSeen) -> bool:
    """True when this host's heartbeat is seen moving in the pool of another: then it is the same storage."""
    beat = pool.others.get(host_id)
    return beat is not None and beat.known and beat.moved_age is not None


def _family(pool: PoolSeen) -> str:
    return "nfs" if pool.fs_type in _NFS else pool.fs_type


def _options(pool: PoolSeen) -> list[str]:
    return pool.mount_options.split(",")


def _names(beside: list[Beside]) -> str:
    names = sorted(one.host_name for one in beside)
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _note(code: MountCode, text: str = "", *, severity: Severity = Severity.WARNING) -> MountNote:
    return MountNote(code=code, severity=severity, text=text or _WORDS[code])
