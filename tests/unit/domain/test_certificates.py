from datetime import timedelta

import pytest

from controller.domain.certificates import Ending, ending
from tests.fakes.clock import START


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (timedelta(days=365), None),
        (timedelta(days=30, seconds=1), None),
        (timedelta(days=30), Ending.MONTH),
        (timedelta(days=7, seconds=1), Ending.MONTH),
        (timedelta(days=7), Ending.WEEK),
        (timedelta(seconds=1), Ending.WEEK),
        (timedelta(0), Ending.ENDED),
        (timedelta(days=-400), Ending.ENDED),
    ],
)
def test_how_near_the_end_is(left: timedelta, expected: Ending | None) -> None:
    assert ending(START + left, START) is expected


def test_without_a_certificate_nothing_ends() -> None:
    assert ending(None, START) is None
