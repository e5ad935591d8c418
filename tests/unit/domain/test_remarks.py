"""Sentences for people: each said once, with the names it is about."""

from controller.domain.remarks import NAMED, Remarks, listed


def test_what_is_said_of_several_is_said_once() -> None:
    remarks = Remarks()
    for name in ("b", "a", "b"):
        remarks.say("Disks of {names} cannot be checked.", name)
    remarks.say("No names here.")
    assert remarks.sentences() == ("Disks of b and a cannot be checked.", "No names here.")


def test_another_ones_remarks_join_ours_with_their_names() -> None:
    ours, theirs = Remarks(), Remarks()
    ours.say("Left out: {names}.", "a")
    theirs.say("Left out: {names}.", "b")
    theirs.say("And this.")
    ours.take(theirs)
    assert ours.sentences() == ("Left out: a and b.", "And this.")


def test_long_lists_end_with_a_number() -> None:
    names = [f"h{number}" for number in range(NAMED + 3)]
    assert listed(names) == f"{', '.join(names[:NAMED])} and 3 more"
    assert listed([]) == ""
    assert listed(["a"]) == "a"
