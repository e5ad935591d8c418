"""Somebody changes a BMC's password on a Tuesday. From the device to the mail: found within hours, told once.

The device is a real server, read by the product's drivers; the mail is taken by a real mail server; time is virtual.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from controller.domain.inheritance import channels_of
from controller.domain.model import Level
from controller.domain.power import PowerCode
from controller.engine import readiness
from controller.engine.notifier import Notifier
from controller.notifications.channels.email import Email
from controller.notifications.registry import ChannelRegistry, Outlet
from tests.fixtures import real_devices as real
from tests.fixtures.house import House
from tests.fixtures.mail_server import MailServer, mail_server
from tests.fixtures.real_devices import Device
from tests.fixtures.real_power import told

MakeDevice = Callable[[Path], AbstractAsyncContextManager[Device]]

NEW = "Calvin-is-new"
BEAT_MINUTES = 20
DEVICES = [
    pytest.param(real.ipmi, id="ipmi"),
    pytest.param(real.ipmitool, id="ipmitool", marks=pytest.mark.debian("ipmitool")),
    pytest.param(real.redfish, id="redfish"),
]


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with mail_server() as made:
        yield made


class Loops:
    """Readiness and the notifier of one controller, beat by beat."""

    def __init__(self, house: House, port: int) -> None:
        self._house = house
        self._port = port
        self._notifier = Notifier(house.store, house.clock, self._current)
        self._channels = ChannelRegistry({"email": Email})

    async def begin(self) -> None:
        people = {"sender": "hostfence@example.org", "recipients": ["ann@example.org"]}
        channel = {"name": "ops", "kind": "email", "host": "127.0.0.1", "port": self._port, "tls": "none", **people}
        await self._house.settings(channels=[channel])

    async def for_hours(self, hours: int) -> None:
        for _ in range(hours * 60 // BEAT_MINUTES):
            self._house.advance(60 * BEAT_MINUTES)
            await self._house.change_health(seen_at=await self._house.clock.now())
            await readiness.check_devices(self._house.world)
            await self._notifier.beat()
            await self._notifier.rest()

    async def _current(self) -> Mapping[str, Outlet]:
        async with self._house.store.transaction() as tx:
            return self._channels.current(channels_of(await tx.setting_rows(owners=("",))))


@pytest.mark.parametrize("make", DEVICES)
async def test_it_is_found_within_hours_told_once_and_mended_where_it_is_corrected(
    make: MakeDevice, tmp_path: Path, mail: MailServer
) -> None:
    async with make(tmp_path) as device, told(device) as story:
        house, loops = story.house, Loops(story.house, mail.port)
        await loops.begin()
        await loops.for_hours(1)
        assert (mail.mails, (await house.health()).bmc_code) == ([], PowerCode.NONE)

        device.rotates(NEW)
        logins = device.logins()
        await loops.for_hours(6)
        [(takers, message)] = mail.mails
        assert takers == ["ann@example.org"]
        assert "BMC does not work" in message["Subject"]
        assert (await house.health()).bmc_code is PowerCode.BAD_CREDENTIALS

        await loops.for_hours(66)
        assert len(mail.mails) == 1, "three days later still the only one"
        assert device.logins() - logins < 20, "and its account is not locked by us"

        await house.settings(Level.HOST, "h1", ipmi__password=NEW)
        await loops.for_hours(1)
        assert (await house.health()).bmc_code is PowerCode.NONE

        device.rotates(real.SECRET)
        await loops.for_hours(7)
        assert len(mail.mails) == 2, "another rotation is another piece of news"
        shown = "".join(message.as_string() for _, message in mail.mails)
        assert [secret for secret in (NEW, real.SECRET) if secret in shown] == []
