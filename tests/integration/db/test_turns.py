"""Whose turn it is at a power device, over several controllers on one PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from controller.db.engine import make_engine
from controller.db.turns import WANTED_FOR, PostgresTurns
from controller.domain.power import Accepted, BmcTarget, PowerAction, PowerState
from controller.power.devices import GatedDevices
from controller.power.drivers.ipmi import IpmiDriver
from controller.power.gate import Gate
from controller.power.registry import PowerRegistry
from demo.bmc import Behaviour, DemoBmc
from tests.contracts.rig import SECRET, boottime
from tests.fakes.clock import FakeClock

BMC, OTHER = "10.0.0.7:623/", "10.0.0.8:623/"
APART_S = 5.0


class Site:
    """Controllers on one database, and the time they share."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.clock = FakeClock()
        self._engine = engine
        self.first, self.second = self.controller("one"), self.controller("two")

    def controller(self, name: str) -> PostgresTurns:
        return PostgresTurns(self._engine, self.clock, holder=name)

    def pass_s(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    engine = make_engine(database_url)
    yield Site(engine)
    await engine.dispose()


async def read(turns: PostgresTurns, device: str = BMC, *, for_s: float = 8) -> bool:
    return await turns.take(device, for_s=for_s, apart_s=None)


async def command(turns: PostgresTurns, device: str = BMC) -> bool:
    return await turns.take(device, for_s=8, apart_s=APART_S)


async def done(turns: PostgresTurns, device: str = BMC, *, commanded: bool = False) -> None:
    await turns.give_back(device, commanded=commanded)
    await turns.aclose()


async def test_a_device_is_one_controllers_at_a_time(site: Site) -> None:
    assert await read(site.first)
    assert not await read(site.second)
    assert await read(site.second, OTHER)
    await done(site.first)
    assert await read(site.second)
    assert not await read(site.first)


async def test_of_ten_that_ask_in_the_same_moment_one_gets_it(site: Site) -> None:
    for device in (BMC, OTHER):  # a row that is not there yet, and then one that is
        asked = [read(site.controller(f"c{number}"), device) for number in range(10)]
        assert sorted(await asyncio.gather(*asked)) == [False] * 9 + [True]


async def test_whoever_died_is_waited_for_as_long_as_its_operation_could_last(site: Site) -> None:
    assert await read(site.first, for_s=8)
    site.pass_s(7.9)
    assert not await read(site.second)
    site.pass_s(0.2)
    assert await read(site.second)
    await done(site.first)
    assert not await read(site.first), "one that wakes up gives nobody else's turn away"


async def test_a_command_that_waits_comes_before_reads_of_others(site: Site) -> None:
    third = site.controller("three")
    assert await read(site.first)
    assert not await command(site.second)
    await done(site.first)
    assert not await read(third)
    assert not await read(site.first)
    assert await command(site.second)
    await done(site.second, commanded=True)
    assert await read(third)


async def test_a_command_that_is_no_longer_asked_for_keeps_nobody_away(site: Site) -> None:
    assert await read(site.first)
    assert not await command(site.second)
    await done(site.first)
    site.pass_s(WANTED_FOR.total_seconds())
    assert await read(site.first)


async def test_commands_of_all_controllers_keep_their_distance_and_reads_do_not(site: Site) -> None:
    assert await command(site.first)
    await done(site.first, commanded=True)
    assert await read(site.second)
    await done(site.second)
    site.pass_s(APART_S - 0.1)
    assert not await command(site.second)
    site.pass_s(0.1)
    assert await command(site.second)


async def test_without_a_database_it_is_nobodys_turn(site: Site, past_the_store: asyncpg.Connection) -> None:
    await past_the_store.execute("ALTER TABLE device_turns RENAME TO gone")
    assert not await read(site.first)
    await done(site.first)
    await past_the_store.execute("ALTER TABLE gone RENAME TO device_turns")
    assert await read(site.first)


async def test_a_crash_of_the_database_frees_every_device(past_the_store: asyncpg.Connection) -> None:
    kind = await past_the_store.fetchval("SELECT relpersistence FROM pg_class WHERE relname = 'device_turns'")
    assert kind == b"u"


async def test_two_controllers_never_talk_to_one_bmc_at_once(site: Site) -> None:
    """The product's own drivers and gates, a real BMC; told from the BMC's own account of its sessions."""
    bmc = await DemoBmc(user="admin", password=SECRET, behaviour=Behaviour(login_delay_s=0.05)).start()
    target = BmcTarget(driver="ipmi", address="127.0.0.1", port=bmc.port, username="admin", password=SECRET)
    drivers = [IpmiDriver(), IpmiDriver()]
    turns = [site.first, site.second]
    controllers = [
        GatedDevices(PowerRegistry({"ipmi": driver}), Gate(turns=mine, spacing_s=0))
        for driver, mine in zip(drivers, turns, strict=True)
    ]
    reads = [one.status(target, deadline_s=10) for one in controllers for _ in range(6)]
    off = controllers[1].act(target, PowerAction.OFF, deadline_s=10, not_after=boottime() + 60)
    readings, outcome = await asyncio.gather(asyncio.gather(*reads), off)
    assert {reading.state for reading in readings} <= {PowerState.ON, PowerState.OFF}
    assert outcome.accepted is Accepted.YES
    sessions = [entry.peer for entry in bmc.entries if entry.what in ("login", "status", "off", "logout")]
    changes = [later for earlier, later in pairwise(["", *sessions]) if later != earlier]
    assert len(changes) == len(set(changes)) == len(reads) + 1, "no session began before the last one had ended"
    for mine, driver in zip(turns, drivers, strict=True):
        await mine.aclose()
        await driver.aclose()
    bmc.close()
