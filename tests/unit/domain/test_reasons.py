import re

import pytest

from controller.domain.reasons import LIFE, NEEDS_A_PERSON, WAITS, Reason


@pytest.mark.parametrize("reason", list(Reason))
def test_a_code_is_its_name_in_small_letters(reason: Reason) -> None:
    assert reason.value == reason.name.lower()
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.value)


def test_no_code_stands_twice() -> None:
    assert len({r.value for r in Reason}) == len(Reason.__members__)


def test_what_needs_a_person_is_never_cured_by_time() -> None:
    assert not NEEDS_A_PERSON & WAITS
    assert not NEEDS_A_PERSON & LIFE


def test_life_is_never_waited_away() -> None:
    assert not LIFE & WAITS


@pytest.mark.parametrize(
    "not_life",
    [Reason.KERNEL_ANSWERS, Reason.CLOUD_SAYS_UP, Reason.HEARTBEAT_WITHDRAWN, Reason.INODE_CHANGED],
)
def test_what_is_neither_life_nor_silence_is_not_among_the_signs_of_life(not_life: Reason) -> None:
    assert not_life not in LIFE


@pytest.mark.parametrize(
    "final",
    [
        Reason.CAP_REACHED,
        Reason.GLOBAL_CAP_REACHED,
        Reason.CLUSTER_UNHEALTHY,
        Reason.NOT_DEAD,
        Reason.LIFE_SINCE,
        Reason.BMC_UNPROVEN,
        Reason.COMMAND_BUDGET,
        Reason.PAUSED,
    ],
)
def test_what_people_must_be_told_of_is_not_waited_for_silently(final: Reason) -> None:
    assert final not in WAITS
