"""Receivers that are down, slow, refuse, or die in the middle: nothing is lost, nothing is told twice.

The receivers are real ones on loopback; the store is in memory and time is virtual: a day of trying passes at once.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from controller.domain.channels.base import ChannelSettings
from controller.domain.channels.email import EmailChannel, Tls
from controller.domain.channels.kinds import channel_to_json
from controller.domain.channels.snmp import SnmpVersion
from controller.domain.channels.webhook import WebhookChannel
from controller.domain.inheritance import channels_of
from controller.domain.model import DeliveryStatus, Level, SettingRow
from controller.engine.notifier import Notifier
from controller.notifications.base import Channel
from controller.notifications.channels.email import Email
from controller.notifications.channels.webhook import Webhook
from controller.notifications.registry import Outlet
from controller.services import resending
from controller.services.telling import tell
from tests.fakes.clock import FakeClock
from tests.fixtures.hook_server import DIES, HANGS, hook_server
from tests.fixtures.mail_server import Dies, mail_server
from tests.fixtures.notices import a_notice
from tests.fixtures.trap_receiver import snmp, snmp_post, trap_receiver
from tests.simulation.memory_store import MemoryStore

SOON = timedelta(seconds=0.3)
DAY = timedelta(days=1)


class Office:
    """A store with one channel, a notifier, and virtual time."""

    def __init__(self, settings: ChannelSettings, channel: Channel) -> None:
        self.store, self.clock = MemoryStore(), FakeClock()
        self._settings = settings
        self._outlets = {settings.name: Outlet(settings=settings, channel=channel)}
        self.notifier = Notifier(self.store, self.clock, self._current)
        self.told: list[str] = []

    async def _current(self) -> Mapping[str, Outlet]:
        return self._outlets

    async def write_down(self) -> None:
        row = SettingRow(level=Level.GLOBAL, owner_id="", field="channels", value=[channel_to_json(self._settings)])
        async with self.store.transaction() as tx:
            await tx.put_setting(row, secret=True)
            assert channels_of(await tx.setting_rows())

    async def tell(self, count: int) -> None:
        async with self.store.transaction() as tx:
            for _ in range(count):
                number = len(self.told)
                notice = a_notice(number, incident_id=None, at=await self.clock.now())
                assert await tell(tx, notice)
                self.told.append(notice.id)

    async def try_for(self, span: timedelta, *, every: timedelta = timedelta(seconds=10)) -> None:
        until = await self.clock.now() + span
        while await self.clock.now() < until:
            await self.notifier.beat()
            await self.notifier.rest()
            self.clock.advance(every)

    async def standing(self) -> dict[str, DeliveryStatus]:
        async with self.store.transaction() as tx:
            return {notice.id: one.status for one, notice in await tx.deliveries(limit=999)}


def _mail(port: int) -> EmailChannel:
    return EmailChannel(
        name="on call", host="127.0.0.1", port=port, tls=Tls.NONE, sender="a@x.org", recipients=("b@x.org",)
    )


@pytest.mark.parametrize("fault", ["451 4.7.1 later", Dies.WHILE_READING, Dies.NEVER])
async def test_a_mail_server_in_trouble_gets_every_mail_once(fault: str | Dies) -> None:
    async with mail_server() as server:
        office = Office(_mail(server.port), Email(_mail(server.port), timeout=SOON))
        await office.write_down()
        server.data = [fault] * 3
        await office.tell(5)
        await office.try_for(timedelta(minutes=10))
    got = [str(mail["Message-ID"]).strip("<>").partition("@")[0] for _, mail in server.mails]
    assert sorted(got) == sorted(office.told)
    assert set((await office.standing()).values()) == {DeliveryStatus.SENT}


async def test_one_that_dies_with_the_mail_gets_a_copy_with_the_same_identity() -> None:
    """Nobody can know whether it has the mail. Its users' programs drop a second one of the same Message-ID."""
    async with mail_server() as server:
        office = Office(_mail(server.port), Email(_mail(server.port), timeout=SOON))
        await office.write_down()
        server.data = [Dies.BEFORE_ITS_ANSWER]
        await office.tell(3)
        await office.try_for(timedelta(minutes=10))
    got = [str(mail["Message-ID"]).strip("<>").partition("@")[0] for _, mail in server.mails]
    assert (len(got), set(got)) == (4, set(office.told))


async def test_a_mail_server_that_is_away_for_hours_gets_everything_and_in_few_mails() -> None:
    async with mail_server() as server:
        office = Office(_mail(server.port), Email(_mail(server.port), timeout=SOON))
        await office.write_down()
        await server.stop()
        for _ in range(12):
            await office.tell(5)
            await office.try_for(timedelta(minutes=20), every=timedelta(minutes=1))
        assert server.mails == []
        await server.start()
        await office.try_for(timedelta(minutes=10))
    assert len(server.mails) < 15, "of 60"
    standing = await office.standing()
    assert set(standing.values()) == {DeliveryStatus.SENT, DeliveryStatus.IN_DIGEST}
    assert standing.keys() > set(office.told)


async def test_what_is_refused_for_good_is_dead_visibly_and_goes_out_when_a_person_asks() -> None:
    async with mail_server() as server:
        office = Office(_mail(server.port), Email(_mail(server.port), timeout=SOON))
        await office.write_down()
        server.data = ["550 5.7.1 not from you"] * 2
        await office.tell(3)
        await office.try_for(timedelta(minutes=2))
        standing = await office.standing()
        dead = [one for one in office.told if standing[one] is DeliveryStatus.DEAD]
        assert (len(dead), len(server.mails)) == (2, 1)
        await office.try_for(2 * DAY, every=timedelta(minutes=30))
        assert len(server.mails) == 1
        count = await resending.resend_channel(office.store, office.clock, "on call", actor="eva")
        await office.try_for(timedelta(minutes=2))
    assert (count, len(server.mails)) == (2, 3)
    assert set((await office.standing()).values()) == {DeliveryStatus.SENT}


async def test_a_server_that_never_comes_back_leaves_everything_dead_and_visible() -> None:
    async with mail_server() as server:
        office = Office(_mail(server.port), Email(_mail(server.port), timeout=SOON))
        await office.write_down()
        await server.stop()
        await office.tell(60)
        await office.try_for(DAY + timedelta(hours=2), every=timedelta(minutes=5))
    async with office.store.transaction() as tx:
        found = await tx.deliveries(limit=999)
        told = {one.id for digest, _ in found for one in await tx.members_of(digest.notice_id)}
    dead = {notice.id for one, notice in found if one.status is DeliveryStatus.DEAD}
    assert dead | told >= set(office.told)
    assert {one.status for one, _ in found} == {DeliveryStatus.DEAD, DeliveryStatus.IN_DIGEST}
    assert all(one.last_error for one, _ in found if one.status is DeliveryStatus.DEAD)


@pytest.mark.parametrize("fault", ["500 Later\r\n\r\n", "503 Busy\r\nRetry-After: 60\r\n\r\n", HANGS])
async def test_a_webhook_in_trouble_gets_every_event_once(fault: str) -> None:
    async with hook_server() as server:
        settings = WebhookChannel(name="pager", url=server.url, secret="0123456789abcdef")
        office = Office(settings, Webhook(settings, source="urn:x", timeout=SOON))
        await office.write_down()
        server.answers = [fault] * 3
        await office.tell(5)
        await office.try_for(timedelta(minutes=20))
    assert sorted(event["id"] for event in server.events()) == sorted(office.told)


async def test_a_webhook_that_dies_with_the_event_gets_it_again_under_the_same_id() -> None:
    async with hook_server() as server:
        settings = WebhookChannel(name="pager", url=server.url, secret="0123456789abcdef")
        office = Office(settings, Webhook(settings, source="urn:x", timeout=SOON))
        await office.write_down()
        server.answers = [DIES]
        await office.tell(2)
        await office.try_for(timedelta(minutes=5))
    got = [event["id"] for event in server.events()]
    assert (len(got), set(got)) == (3, set(office.told))


@pytest.mark.debian("snmptrapd", "mibs")
@pytest.mark.parametrize("version", SnmpVersion)
async def test_informs_to_a_receiver_that_is_killed_and_started_again_arrive_once(
    tmp_path: Path, version: SnmpVersion
) -> None:
    async with trap_receiver(tmp_path) as receiver, snmp_post(tmp_path / "engine") as post:
        channel = snmp(post, receiver.port, version)
        office = Office(channel._settings, channel)
        await office.write_down()
        await office.tell(2)
        await office.try_for(timedelta(seconds=10))
        await receiver.kill()
        await office.tell(6)
        await office.try_for(timedelta(seconds=30))
        assert len(receiver.received) == 2
        await receiver.start()
        await office.try_for(timedelta(minutes=6))
        assert sorted(one["NoticeId"] for one in receiver.received) == sorted(office.told)


@pytest.mark.debian("snmptrapd", "mibs")
async def test_a_trap_is_sent_once_and_its_delivery_says_that_nothing_confirms_it(tmp_path: Path) -> None:
    async with trap_receiver(tmp_path) as receiver, snmp_post(tmp_path / "engine") as post:
        channel = snmp(post, receiver.port, SnmpVersion.V2C, inform=False)
        office = Office(channel._settings, channel)
        await office.write_down()
        await office.tell(1)
        await office.try_for(timedelta(minutes=5))
        await receiver.wait_for(1)
    async with office.store.transaction() as tx:
        [(delivery, _)] = await tx.deliveries()
    assert (delivery.status, delivery.tries) == (DeliveryStatus.SENT, 1)
    assert delivery.last_error.startswith("sent as a trap: nothing confirms that it arrived")
