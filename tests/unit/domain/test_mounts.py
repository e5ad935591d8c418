"""What readiness says of a mount, in plain words; and what it leaves unsaid."""

import re

import pytest

from controller.domain.evidence import Beat
from controller.domain.model import Severity
from controller.domain.mounts import Beside, MountCode, not_seen, notes_on
from controller.domain.watch import PoolSeen
from shared.enums import ReadingCode

HARD = "rw,relatime,vers=4.2,hard,addr=192.0.2.1"
MOVES = Beat(known=True, moved_age=2.0)
STILL = Beat(known=True, moved_age=None)


def a_pool(fs_type: str = "nfs4", options: str = HARD, source: str = "nas:/vol1", **more: object) -> PoolSeen:
    fields = {"root": "/mnt/p1", "readable": True, "fs_type": fs_type, "mount_options": options, "mount_source": source}
    return PoolSeen(**{**fields, **more})  # type: ignore[arg-type]


def beside(pool: PoolSeen, host_id: str = "h2") -> Beside:
    return Beside(host_id=host_id, host_name=f"kvm-{host_id}", pool=pool)


def codes(pool: PoolSeen, *others: PoolSeen) -> list[MountCode]:
    """Of the warnings; what is merely said of every NFS mount is left out."""
    hosts = [beside(other, f"h{n}") for n, other in enumerate(others, start=2)]
    return [note.code for note in notes_on("h1", pool, hosts) if note.severity is Severity.WARNING]


def test_a_hard_mount_that_all_share_is_nothing_to_warn_of() -> None:
    assert codes(a_pool(), a_pool(), a_pool()) == []


@pytest.mark.parametrize("option", ["noac", "actimeo=3", "acregmax=600", "nolock", "rsize=1048576", "norootsquash"])
def test_options_that_are_of_no_matter_are_not_mentioned(option: str) -> None:
    assert codes(a_pool(options=f"{HARD},{option}")) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("rw,soft,vers=4.2", [MountCode.SOFT]),
        ("rw,soft,vers=3", [MountCode.SOFT]),
        ("ro,relatime,rw,vers=4.2", [MountCode.READ_ONLY]),
        ("rw,relatime,ro,vers=4.2,soft", [MountCode.READ_ONLY, MountCode.SOFT]),
    ],
)
def test_options_that_cost_something_are_warned_of(options: str, expected: list[MountCode]) -> None:
    assert codes(a_pool(options=options)) == expected


def test_soft_means_something_on_nfs_only() -> None:
    assert codes(a_pool("ceph", "rw,soft")) == []


def test_a_mount_that_the_agent_refuses_is_named_with_its_reason() -> None:
    said = "mounted with softerr, which answers from old memory when its server is gone"
    (note,) = notes_on("h1", a_pool("nfs", "rw,softerr", code=ReadingCode.MOUNT_REFUSED, detail=said), [])
    assert (note.code, said in note.text) == (MountCode.REFUSED, True)
    (bare,) = notes_on("h1", a_pool("", "", "", code=ReadingCode.MOUNT_REFUSED), [])
    assert bare.text.endswith("it refuses such mounts.")


def test_a_pool_that_cannot_be_read_says_why() -> None:
    (note,) = notes_on("h1", a_pool("", "", "", code=ReadingCode.NOT_MOUNTED, detail="nothing is mounted there"), [])
    assert note.text == "The agent cannot read it now: not mounted, nothing is mounted there."
    assert codes(a_pool("", "", "", code=ReadingCode.MOUNT_STUCK)) == [MountCode.UNREADABLE]


@pytest.mark.parametrize(
    ("fs_type", "options", "expected"),
    [
        ("nfs", "rw,vers=3", [MountCode.NFS_3]),
        ("nfs4", "rw,vers=4.2", [MountCode.NFS_4]),
        ("nfs4", "rw", [MountCode.NFS_4]),
        ("nfs", "rw,vers=4.1", [MountCode.NFS_4]),
        ("nfs", "rw", []),
        ("ceph", "rw", []),
        ("", "", []),
    ],
)
def test_what_the_nfs_version_means_is_said_without_a_warning(
    fs_type: str, options: str, expected: list[MountCode]
) -> None:
    notes = notes_on("h1", a_pool(fs_type, options), [])
    assert [note.code for note in notes] == expected
    assert {note.severity for note in notes} <= {Severity.INFO}


@pytest.mark.parametrize("fs_type", ["ext4", "xfs", "tmpfs"])
def test_a_file_system_of_one_host_is_no_shared_storage(fs_type: str) -> None:
    assert codes(a_pool(fs_type, "rw", "/dev/sda1")) == [MountCode.NOT_SHARED]


def test_another_kind_on_another_host_is_not_one_storage() -> None:
    notes = notes_on("h1", a_pool(), [beside(a_pool("ceph")), beside(a_pool(), "h3"), beside(a_pool("gfs2"), "h4")])
    (text,) = [note.text for note in notes if note.code is MountCode.OTHER_KIND]
    assert "nfs4, and ceph, gfs2 on kvm-h2, kvm-h4:" in text


def test_two_versions_of_nfs_are_one_kind() -> None:
    assert codes(a_pool(), a_pool("nfs", "rw,vers=3")) == []


def test_another_source_is_warned_of_unless_heartbeats_show_that_it_is_the_same() -> None:
    here, there = a_pool(), a_pool(source="nas2:/vol1")
    assert codes(here, there) == [MountCode.OTHER_SOURCE]
    assert codes(a_pool(others={"h2": STILL}), there) == [MountCode.OTHER_SOURCE], "an old record, copied along"
    unknown = Beat(known=False, code=ReadingCode.IO_ERROR, moved_age=2.0)
    assert codes(a_pool(others={"h2": unknown}), there) == [MountCode.OTHER_SOURCE]
    assert codes(a_pool(others={"h2": MOVES}), there) == []
    assert codes(here, a_pool(source="192.0.2.1:/vol1", others={"h1": MOVES})) == []
    assert codes(here, a_pool(source="nas2:/vol1", others={"h3": MOVES})) == [MountCode.OTHER_SOURCE]


def test_an_agent_that_tells_nothing_of_its_mount_is_compared_with_nobody() -> None:
    older = a_pool("", "", "")
    assert codes(older, a_pool()) == codes(a_pool(), older) == []
    assert codes(a_pool(), a_pool(source="")) == codes(a_pool(source=""), a_pool()) == []


def test_many_hosts_are_named_in_few_words() -> None:
    others = [beside(a_pool(source="nas2:/vol1"), f"h{n}") for n in range(10, 18)]
    (text,) = [n.text for n in notes_on("h1", a_pool(), others) if n.code is MountCode.OTHER_SOURCE]
    assert "kvm-h10, kvm-h11, kvm-h12, kvm-h13, kvm-h14 and 3 more" in text


def test_warnings_come_first_and_all_are_sentences() -> None:
    pool = a_pool("nfs", "ro,soft,vers=3", code=ReadingCode.IO_ERROR)
    notes = [*notes_on("h1", pool, [beside(a_pool("ceph"))]), *notes_on("h1", a_pool(), []), not_seen()]
    assert [note.severity for note in notes[:5]] == [Severity.WARNING] * 4 + [Severity.INFO]
    for note in notes:
        assert re.fullmatch(r"[A-Z].*\.", note.text), note.text
        assert not re.search(r"[{}]|  |\.\.|None", note.text), note.text
