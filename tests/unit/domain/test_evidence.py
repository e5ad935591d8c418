"""Disk lists: what leaves them, and what stays."""

from controller.domain.evidence import DiskList, Machine
from tests.fixtures.evidence import target


def test_what_others_may_write_to_by_now_is_left_out_and_its_machines_stay_named() -> None:
    disks = DiskList(
        known=True,
        targets=(target("/mnt/p1/a", vm_id="a"), target("/mnt/p1/b", vm_id="b")),
        machines=(Machine(id="a", name="web-a"), Machine(id="b", name="web-b"), Machine(id="c", name="web-c")),
        uncheckable=("web-a", "web-c"),
        elsewhere=("web-a", "web-b"),
        pool_roots=("/mnt/p1",),
    )
    left = disks.without({"a"})
    assert [t.vm_id for t in left.targets] == ["b"]
    assert (left.uncheckable, left.elsewhere) == (("web-c",), ("web-b",))
    assert left.vms == disks.vms == ("web-a", "web-b", "web-c")
    assert disks.without(()) == disks
