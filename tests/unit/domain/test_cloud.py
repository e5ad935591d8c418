"""What a cloud's report says of a zone."""

import pytest

from controller.domain.cloud import CloudReport
from tests.fixtures import builders as a

REPORT = CloudReport(at=a.T0, restarts_after_s=90.0, restarts_after_s_by_zone={"z1": 150.0, "z2": None})


@pytest.mark.parametrize(("zone", "after"), [("z1", 150.0), ("z2", None), ("z9", 90.0), ("", 90.0)])
def test_a_zone_that_is_not_known_may_be_the_soonest_of_all(zone: str, after: float | None) -> None:
    assert REPORT.restarts_after_in(zone) == after
