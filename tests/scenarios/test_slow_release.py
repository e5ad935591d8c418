"""A release that takes longer than one step: called again and again, and looked for life before every call (rule 1)."""

from dataclasses import replace
from typing import Any

import pytest

from controller.cloud.base import EffectResult
from controller.domain.incident import Incident, State
from controller.domain.model import EffectKind, EffectStatus, Severity
from controller.domain.reasons import Reason
from tests.fakes.cloud import FAILED, one_vm
from tests.fixtures.house import House, a_house
from tests.scenarios.test_steps import DISK

VM = "vm-of-h1"


def under_way(step: int = 1, begun: tuple[str, ...] = ()) -> EffectResult:
    return EffectResult(done=False, pending=True, said="under way", progress={"step": step}, begun=begun)


async def releasing(*answers: EffectResult, **settings: Any) -> House:
    house = await a_house(**settings)
    house.cloud.answer("release", *answers)
    await house.dead()
    await house.until(State.RELEASING)
    return house


async def until_called(house: House, times: int) -> Incident:
    for _ in range(60):
        if house.cloud.did("release") >= times:
            break
        await house.run(1)
    return await house.incident()


async def release_effects(house: House) -> list[tuple[EffectStatus, dict[str, object]]]:
    return [(e.status, e.progress) for e in await house.effects() if e.kind is EffectKind.RELEASE]


async def test_it_goes_on_from_where_it_was() -> None:
    house = await releasing(under_way(step=1), under_way(step=2))
    incident = await house.until(State.FENCED)
    assert house.cloud.progress_given == [{}, {"step": 1}, {"step": 2}]
    assert await release_effects(house) == [(EffectStatus.DONE, {"step": 2})]
    assert (await house.told()).count("fenced") == 1
    assert incident.released_at is not None


async def test_one_that_failed_goes_on_from_where_it_was_too() -> None:
    house = await releasing(under_way(step=1), FAILED)
    await house.until(State.FENCED)
    assert house.cloud.progress_given == [{}, {"step": 1}, {"step": 1}]


async def test_what_runs_elsewhere_by_now_is_no_life_of_the_old_host() -> None:
    house = await releasing(*[under_way(begun=(VM,))] * 3)
    await until_called(house, 1)
    for _ in range(4):
        house.probing.write(DISK)
        await house.run(2)
    assert (await house.until(State.FENCED)).state is State.FENCED


@pytest.mark.parametrize("begun", [(), ("another",)])
async def test_what_was_not_begun_is_life_in_the_middle_of_a_release(begun: tuple[str, ...]) -> None:
    house = await releasing(*[under_way(begun=begun)] * 20)
    await until_called(house, 2)
    called = house.cloud.did("release")
    house.probing.write(DISK)
    incident = await house.until(State.HELD)
    assert Reason.CONTRADICTION in incident.reasons
    assert house.cloud.did("release") <= called + 1


async def test_a_heartbeat_stops_it_whatever_was_begun() -> None:
    house = await releasing(*[under_way(begun=(VM,))] * 20)
    await until_called(house, 1)
    called = house.cloud.did("release")
    house.probing.hosts["h1"].silent_since = None
    assert Reason.CONTRADICTION in (await house.until(State.HELD)).reasons
    assert house.cloud.did("release") == called


async def test_one_without_end_is_held_and_told() -> None:
    house = await releasing(*[under_way(begun=(VM,))] * 1000, checking_limit=30)
    incident = await house.until(State.HELD)
    assert incident.reasons == (Reason.RELEASE_FAILED,)


async def test_machines_that_the_cloud_took_away_before_the_proof_are_named_at_the_end() -> None:
    """``released_by_cloud``: for a while two may have written to one disk, and somebody has to look."""
    house = await a_house()
    house.cloud.placed["h1"] = replace(one_vm("h1"), targets=(), elsewhere=(VM,))
    await house.dead()
    await house.until(State.FENCED)
    told = {n.kind: n for n in await house.notices()}
    assert told["placed_elsewhere"].severity is Severity.CRITICAL
    assert Reason.RELEASED_BY_CLOUD in told["fenced"].why
    assert Reason.RELEASED_BY_CLOUD in (await house.events())[-1].reasons
