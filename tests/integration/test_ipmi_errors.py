"""What a person on call reads when IPMI does not work: each kind of trouble is told apart, within its deadline."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerCode, PowerState
from controller.power.drivers.ipmi import IpmiDriver
from demo.bmc import Behaviour, DemoBmc
from tests.contracts.rig import boottime, silent_port
from tests.fixtures.ipmi_sim import PASSWORD, USER, ipmi_sim

SECRET = "s3cret pass"
DEADLINE_S = 1.5
TROUBLES = {
    "wrong password": (PowerCode.BAD_CREDENTIALS, "the password is wrong"),
    "wrong user": (PowerCode.BAD_CREDENTIALS, "it does not know this user"),
    "no listener": (PowerCode.NOT_LISTENING, "a machine is there, but nothing listens on UDP port"),
    "silent port": (PowerCode.NO_ANSWER, ""),
    "node busy": (PowerCode.BUSY, "Node Busy"),
    "sessions exhausted": (PowerCode.SESSIONS_EXHAUSTED, "it has no session left"),
}


@pytest.fixture
async def driver() -> AsyncIterator[IpmiDriver]:
    made = IpmiDriver()
    yield made
    await made.aclose()


def target_at(port: int) -> BmcTarget:
    return BmcTarget(driver="ipmi", address="127.0.0.1", port=port, username="admin", password=SECRET)


@asynccontextmanager
async def a_bmc(**behaviour: object) -> AsyncIterator[BmcTarget]:
    bmc = await DemoBmc(user="admin", password=SECRET, behaviour=Behaviour(**behaviour)).start()  # type: ignore[arg-type]
    yield target_at(bmc.port)
    bmc.close()


@contextmanager
def nobody() -> Iterator[int]:
    """A port that is taken, so that no other test gets it, by something that hears no UDP."""
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        yield tcp.getsockname()[1]


@asynccontextmanager
async def in_trouble(trouble: str) -> AsyncIterator[BmcTarget]:
    match trouble:
        case "wrong password":
            async with a_bmc() as target:
                yield replace(target, password="quite wrong")
        case "wrong user":
            async with a_bmc() as target:
                yield replace(target, username="nobody")
        case "no listener":
            with nobody() as port:
                yield target_at(port)
        case "silent port":
            with silent_port() as port:
                yield target_at(port)
        case "node busy":
            async with a_bmc(busy=True) as target:
                yield target
        case _:
            async with a_bmc(max_sessions=0) as target:
                yield target


def test_no_two_of_them_look_the_same() -> None:
    assert len(set(TROUBLES.values())) == len(TROUBLES)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_each_is_told_apart_within_its_deadline_and_sends_nothing(driver: IpmiDriver, trouble: str) -> None:
    code, words = TROUBLES[trouble]
    async with in_trouble(trouble) as target:
        reading = await driver.status(target, deadline_s=DEADLINE_S)
        outcome = await driver.act(target, PowerAction.OFF, deadline_s=DEADLINE_S, not_after=boottime() + 60)
    assert (reading.state, reading.code, outcome.code) == (PowerState.UNKNOWN, code, code)
    assert words in reading.said
    assert words in outcome.said
    assert max(reading.took_s, outcome.took_s) < DEADLINE_S + 1
    assert outcome.accepted is (Accepted.NO if code is PowerCode.BUSY else Accepted.NOT_SENT)
    assert SECRET not in repr((reading, outcome, target))


async def test_where_nothing_listens_the_deadline_is_not_waited_for(driver: IpmiDriver) -> None:
    """It may be the first of two devices: the second's turn comes sooner."""
    with nobody() as port:
        reading = await driver.status(target_at(port), deadline_s=30)
    assert (reading.code, reading.took_s < 5) == (PowerCode.NOT_LISTENING, True)


async def test_a_device_that_answers_slowly_is_no_device_without_a_listener(driver: IpmiDriver) -> None:
    """It is asked whether anybody is there, answers nothing to that, and goes on with its login."""
    async with a_bmc(login_delay_s=0.35) as target:
        reading = await driver.status(target, deadline_s=20)
    assert (reading.state, reading.code) == (PowerState.ON, PowerCode.NONE)


@pytest.mark.parametrize(
    ("privilege", "highest"),
    [("user", 2), ("operator", 3), ("administrator", 4)],
)
async def test_the_privilege_asked_for_is_the_one_that_the_settings_name(
    driver: IpmiDriver, privilege: str, highest: int
) -> None:
    """No more: who has just that much gets in; and no less: who has one level less is told which setting to look at."""
    async with a_bmc(highest_privilege=highest) as target:
        reading = await driver.status(_asking(target, privilege), deadline_s=5)
    assert reading.state is PowerState.ON
    async with a_bmc(highest_privilege=highest - 1) as target:
        reading = await driver.status(_asking(target, privilege), deadline_s=5)
    assert (reading.state, reading.code) == (PowerState.UNKNOWN, PowerCode.BAD_CREDENTIALS)
    assert "privilege level that ipmi.privilege names" in reading.said


@pytest.mark.debian("ipmi_sim")
async def test_a_privilege_that_reads_but_may_not_switch_is_refused_by_the_device(
    driver: IpmiDriver, tmp_path: Path
) -> None:
    async with ipmi_sim(tmp_path) as sim:
        target = BmcTarget(driver="ipmi", address="127.0.0.1", port=sim.port, username=USER, password=PASSWORD)
        assert (await driver.status(_asking(target, "user"), deadline_s=5)).state is PowerState.ON
        for privilege, accepted in (("user", Accepted.NO), ("operator", Accepted.YES)):
            asking = _asking(target, privilege)
            outcome = await driver.act(asking, PowerAction.OFF, deadline_s=5, not_after=boottime() + 60)
            assert outcome.accepted is accepted
            assert sim.is_on is (accepted is Accepted.NO)


def _asking(target: BmcTarget, privilege: str) -> BmcTarget:
    return replace(target, options=(("privilege", privilege),))
