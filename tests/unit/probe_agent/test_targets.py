import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe_agent.targets import Sorted, sort_targets
from shared.enums import ReadingCode

ROOTS = ["/mnt/pool/inner", "/mnt/pool", "/mnt/other"]


def test_each_target_goes_to_the_deepest_root_and_duplicates_stay() -> None:
    targets = ["/mnt/pool/a", "/mnt/pool/inner/b", "/mnt/other/c", "/mnt/pool/a"]
    assert sort_targets(targets, ROOTS).by_root == {
        "/mnt/pool": [0, 3],
        "/mnt/pool/inner": [1],
        "/mnt/other": [2],
    }


def test_a_plug_ins_targets_go_to_their_pool() -> None:
    targets = ["rbd:vms/a", "rbd:vms/kvm/a", "/mnt/pool/a", "rbd:vms/b"]
    assert sort_targets(targets, ROOTS).by_root == {"rbd:vms": [0, 3], "rbd:vms/kvm": [1], "/mnt/pool": [2]}


@pytest.mark.parametrize(
    "target",
    [
        "/etc/passwd",
        "/mnt/pool",
        "/mnt/poolside/x",
        "/mnt/pool-2/x",
        "nobody:pool/image",
    ],
)
def test_what_lies_below_no_root_is_refused(target: str) -> None:
    result = sort_targets([target], ROOTS)
    assert result.by_root == {}
    assert result.refused[0][0] is ReadingCode.OUTSIDE_ROOTS


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "a",
        "mnt/pool/a",
        "/mnt/pool/../../etc/passwd",
        "/mnt/pool/./a",
        "/mnt/pool//a",
        "//mnt/pool/a",
        "/mnt/pool/a/",
        "/mnt/pool/a\0b",
        "/mnt/pool/\udc80",
        "/mnt/pool/" + "a" * 5000,
    ],
)
def test_what_is_no_plain_path_is_refused(target: str) -> None:
    result = sort_targets([target], ROOTS)
    assert result.by_root == {}
    assert result.refused[0][0] is ReadingCode.BAD_PATH


def test_a_refused_target_leaves_the_others_alone() -> None:
    result = sort_targets(["/etc/passwd", "/mnt/pool/ü"], ROOTS)
    assert (list(result.refused), result.by_root) == ([0], {"/mnt/pool": [1]})


PIECES = ["/", "//", "/.", "/..", ".", "a", "b", "\0", "é", "\udc80", "x" * 4090, "rbd:", *ROOTS]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=4).map("".join), max_size=5), st.sampled_from(ROOTS))
def test_a_list_that_is_sorted_at_once_is_sorted_as_each_of_it(some: list[str], root: str) -> None:
    needs_a_closer_look = f"{root}/é"
    for targets in (some, [f"{root}/{target}" for target in some]):
        slowly = sort_targets([*targets, needs_a_closer_look], ROOTS)
        slowly.by_root[root].remove(len(targets))
        if not slowly.by_root[root]:
            del slowly.by_root[root]
        assert one_by_one(sort_targets(targets, ROOTS), targets) == slowly


def one_by_one(result: Sorted, targets: list[str]) -> Sorted:
    """The same without the short cut for one root."""
    if result.all_below is None:
        return result
    assert (result.by_root, result.refused) == ({}, {})
    return Sorted(by_root={result.all_below: list(range(len(targets)))})


def test_the_disks_of_one_pool_are_sorted_at_once() -> None:
    assert sort_targets(["/mnt/pool/a", "/mnt/pool/b/c"], [*ROOTS[1:]]).all_below == "/mnt/pool"
    assert sort_targets(["/mnt/pool/a"], ROOTS).all_below is None, "a deeper root may hold one of them"
