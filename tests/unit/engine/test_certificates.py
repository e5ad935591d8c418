"""People are told in time that a certificate ends: a year of virtual time, looked at as the engine does."""

from dataclasses import replace
from datetime import timedelta

from controller.engine import certificates
from tests.fixtures.house import House, a_house

YEAR = timedelta(days=365)


async def enrol(house: House, host_id: str = "h1") -> None:
    until = await house.clock.now() + YEAR
    async with house.store.transaction() as tx:
        host = await tx.host(host_id)
        assert host is not None
        await tx.save_host(replace(host, agent_tls=True, agent_tls_until=until))


async def days(house: House, number: float) -> list[tuple[str, str]]:
    """Let them pass, looking six times a day; what was told in them, as (host, severity)."""
    known = {notice.id for notice in await house.notices()}
    for _ in range(int(number * 6)):
        house.clock.advance(timedelta(hours=4))
        await certificates.warn(house.world)
    return sorted((n.host_name, n.severity.value) for n in await house.notices() if n.id not in known)


async def test_a_certificate_that_nobody_renews_is_told_of_three_times() -> None:
    house = await a_house()
    await enrol(house)
    assert await days(house, 334) == []
    host = (await house.host("h1")).name
    assert await days(house, 2) == [(host, "warning")]
    assert await days(house, 21) == []
    assert await days(house, 2) == [(host, "warning")]
    assert await days(house, 5) == []
    assert await days(house, 2) == [(host, "critical")]
    assert await days(house, 100) == []


async def test_one_that_is_renewed_in_time_is_told_of_never() -> None:
    house = await a_house()
    await enrol(house)
    for _ in range(4):
        assert await days(house, 250) == []
        await enrol(house)


async def test_the_next_certificate_is_told_of_as_well() -> None:
    house = await a_house()
    await enrol(house)
    assert len(await days(house, 340)) == 1
    await enrol(house)
    assert await days(house, 334) == []
    assert len(await days(house, 2)) == 1


async def test_each_host_is_told_of_and_a_late_look_tells_only_what_is_the_case_now() -> None:
    house = await a_house()
    for host_id in ("h1", "h2"):
        await enrol(house, host_id)
    house.clock.advance(YEAR + timedelta(days=10))
    assert await certificates.warn(house.world) == 2
    assert await certificates.warn(house.world) == 0
    assert [severity for _, severity in await days(house, 1)] == []
    assert {n.severity.value for n in await house.notices()} == {"critical"}


async def test_a_host_that_the_cloud_does_not_know_any_more_is_not_told_of() -> None:
    house = await a_house()
    await enrol(house)
    gone = replace(await house.host("h1"), retired=True)
    async with house.store.transaction() as tx:
        await tx.save_host(gone)
    assert await days(house, 400) == []


async def test_hosts_that_never_enrolled_have_none() -> None:
    house = await a_house()
    assert await days(house, 400) == []
