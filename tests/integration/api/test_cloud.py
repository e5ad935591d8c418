"""What people read of the cloud."""

from datetime import timedelta

from controller.domain.cloud import CloudReport
from controller.domain.model import Role
from tests.integration.api.conftest import Api


async def test_before_the_first_reading_there_is_nothing(site: Api) -> None:
    assert await site.ok("GET", "/cloud", role=Role.VIEWER) == {
        "problem": "",
        "warnings": [],
        "unmapped": [],
        "counts": {},
        "restarts_after_s": None,
        "restarts_after_s_by_zone": {},
        "at": None,
        "read_at": None,
    }


async def test_the_last_reading_problems_first(site: Api) -> None:
    now = await site.clock.now()
    report = CloudReport(
        at=now,
        problem="listHosts: no answer",
        warnings=("The key may not call declareHostAsDegraded.",),
        unmapped=("Disks of web cannot be checked.",),
        counts={"hosts": 3},
        restarts_after_s=150.0,
        restarts_after_s_by_zone={"north": 150.0, "south": None},
        read_at=now - timedelta(minutes=1),
    )
    async with site.store.transaction() as tx:
        await tx.save_cloud_report(report)
    found = await site.ok("GET", "/cloud", role=Role.VIEWER)
    assert next(iter(found)) == "problem"
    assert found == {
        "problem": "listHosts: no answer",
        "warnings": ["The key may not call declareHostAsDegraded."],
        "unmapped": ["Disks of web cannot be checked."],
        "counts": {"hosts": 3},
        "restarts_after_s": 150.0,
        "restarts_after_s_by_zone": {"north": 150.0, "south": None},
        "at": "2025-01-07T03:12:00Z",
        "read_at": "2025-01-07T03:11:00Z",
    }


async def test_a_reporter_reads_nothing_of_it(site: Api) -> None:
    assert (await site.call("GET", "/cloud", role=Role.REPORTER)).status_code == 403


async def test_hosts_show_what_the_cloud_says_of_them(site: Api) -> None:
    found = await site.ok("GET", "/hosts/a", role=Role.VIEWER)
    assert (found["retired"], found["cloud_ha"]) == (False, False)
