"""The registry finds drivers by name and closes them all."""

import pytest

from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerCode, PowerState
from controller.power.registry import PowerRegistry
from tests.fakes.power import FakePower


class Stuck:
    """A driver that cannot be closed."""

    def __init__(self) -> None:
        inner = FakePower(clock=lambda: 0.0)
        self.status, self.test, self.act = inner.status, inner.test, inner.act

    async def aclose(self) -> None:
        raise OSError("stuck")


def target(driver: str) -> BmcTarget:
    return BmcTarget(driver=driver, address="10.0.0.1", port=623, username="u", password="p")


def test_finds_the_driver_a_target_names() -> None:
    fake = FakePower(clock=lambda: 0.0)
    registry = PowerRegistry({"fake": fake, "another": FakePower(clock=lambda: 0.0)})
    assert registry.driver_for(target("fake")) is fake
    assert registry.names == ("another", "fake")


async def test_an_unknown_name_answers_not_configured_and_sends_nothing() -> None:
    driver = PowerRegistry({}).driver_for(target("gone"))
    reading = await driver.status(target("gone"), deadline_s=1)
    assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.NOT_CONFIGURED)
    outcome = await driver.act(target("gone"), PowerAction.OFF, deadline_s=1, not_after=1e12)
    assert (outcome.accepted, outcome.code) == (Accepted.NOT_SENT, PowerCode.NOT_CONFIGURED)
    assert "gone" in outcome.said
    await driver.aclose()


async def test_closes_the_rest_when_one_fails() -> None:
    last = FakePower(clock=lambda: 0.0)
    registry = PowerRegistry({"stuck": Stuck(), "last": last})
    with pytest.raises(ExceptionGroup):
        await registry.aclose()
    assert last.closed
