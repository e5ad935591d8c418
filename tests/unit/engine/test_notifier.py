from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.domain.model import Delivery, DeliveryStatus
from controller.engine.notifier import LEASE, deliver_due, failed, retry_at
from controller.notifications.base import Channel, ChannelError, Rendered
from tests.fakes.channel import FakeChannel, down, refused
from tests.fakes.clock import START, FakeClock
from tests.fixtures.notices import a_notice
from tests.simulation.memory_store import MemoryStore


def _source(**channels: Channel) -> Callable[[], Awaitable[Mapping[str, Channel]]]:
    async def current() -> Mapping[str, Channel]:
        return channels

    return current


async def _store(*channels: str, notices: int = 1) -> MemoryStore:
    store = MemoryStore()
    async with store.transaction() as tx:
        for number in range(notices):
            notice = a_notice(number, incident_id=None, at=START + timedelta(milliseconds=number - notices))
            await tx.add_notice(notice, channels=channels)
    return store


async def _deliveries(store: MemoryStore) -> list[Delivery]:
    async with store.transaction() as tx:
        return [delivery for _, deliveries in await tx.notices() for delivery in deliveries]


async def _delivery(store: MemoryStore) -> Delivery:
    [delivery] = await _deliveries(store)
    return delivery


async def test_nothing_due_is_nothing_done() -> None:
    assert await deliver_due(MemoryStore(), FakeClock(), _source()) == 0


async def test_a_notice_goes_out_once() -> None:
    store, clock, mail = await _store("mail"), FakeClock(), FakeChannel()
    assert await deliver_due(store, clock, _source(mail=mail), link_base="https://hf") == 1
    assert await deliver_due(store, clock, _source(mail=mail)) == 0
    delivery = await _delivery(store)
    assert (delivery.status, delivery.sent_at, delivery.tries) == (DeliveryStatus.SENT, START, 1)
    assert "https://hf/hosts/h-a3" in mail.taken[0].text


async def test_messages_of_a_channel_go_in_order() -> None:
    store, mail = await _store("mail", notices=3), FakeChannel()
    await deliver_due(store, FakeClock(), _source(mail=mail))
    ages = [one.notice.at for one in mail.taken]
    assert len(ages) == 3
    assert ages == sorted(ages)


async def test_451_then_ok_loses_nothing_and_tells_once() -> None:
    store, clock, mail = await _store("mail"), FakeClock(), FakeChannel(refused(for_good=False))
    await deliver_due(store, clock, _source(mail=mail))
    delivery = await _delivery(store)
    assert (delivery.status, delivery.last_error) == (DeliveryStatus.PENDING, "451 later")
    assert delivery.next_try_at == START + timedelta(seconds=10)
    assert await deliver_due(store, clock, _source(mail=mail)) == 0
    clock.advance(timedelta(seconds=10))
    assert await deliver_due(store, clock, _source(mail=mail)) == 1
    assert len(mail.taken) == 1


async def test_a_permanent_refusal_is_dead_and_stays_visible() -> None:
    store, clock, mail = await _store("mail"), FakeClock(), FakeChannel(refused(for_good=True))
    await deliver_due(store, clock, _source(mail=mail))
    delivery = await _delivery(store)
    assert (delivery.status, delivery.last_error) == (DeliveryStatus.DEAD, "550 no")
    clock.advance(timedelta(days=1))
    assert await deliver_due(store, clock, _source(mail=mail)) == 0


async def test_a_server_down_for_hours_loses_nothing() -> None:
    store, clock, mail = await _store("mail", notices=60), FakeClock(), FakeChannel()
    mail.always = down()
    for _ in range(200):
        await deliver_due(store, clock, _source(mail=mail))
        clock.advance(timedelta(minutes=2))
    mail.always = None
    for _ in range(40):
        await deliver_due(store, clock, _source(mail=mail))
        clock.advance(timedelta(minutes=2))
    assert len(mail.taken) == len({one.notice.id for one in mail.taken}) == 60


async def test_a_server_down_is_asked_once_a_batch() -> None:
    store, mail = await _store("mail", notices=10), FakeChannel()
    mail.always = down()
    await deliver_due(store, FakeClock(), _source(mail=mail))
    assert mail.calls == 1
    assert {delivery.last_error for delivery in await _deliveries(store)} == {"no answer"}


async def test_one_dead_channel_holds_up_no_other() -> None:
    store, bad, good = await _store("bad", "good", notices=3), FakeChannel(), FakeChannel()
    bad.always = down()
    await deliver_due(store, FakeClock(), _source(bad=bad, good=good))
    assert len(good.taken) == 3


async def test_after_24_hours_it_is_given_up() -> None:
    store, clock, mail = await _store("mail"), FakeClock(), FakeChannel()
    mail.always = down()
    clock.advance(timedelta(hours=24, seconds=1))
    await deliver_due(store, clock, _source(mail=mail))
    assert (await _delivery(store)).status is DeliveryStatus.DEAD


async def test_a_channel_that_is_gone_is_waited_for() -> None:
    store = await _store("mail")
    await deliver_due(store, FakeClock(), _source())
    delivery = await _delivery(store)
    assert delivery.status is DeliveryStatus.PENDING
    assert "no channel of this name" in delivery.last_error


async def test_a_channel_that_breaks_its_contract_breaks_nothing_else() -> None:
    store, mail = await _store("mail", notices=2), FakeChannel(RuntimeError("password=x"))
    assert await deliver_due(store, FakeClock(), _source(mail=mail)) == 2
    assert len(mail.taken) == 1
    assert "unexpected RuntimeError" in {delivery.last_error for delivery in await _deliveries(store)}


async def test_two_processes_do_not_send_the_same() -> None:
    store, clock, mail = await _store("mail"), FakeClock(), FakeChannel()
    other_found: list[int] = []

    class Slow:
        async def send(self, rendered: Rendered) -> str:
            del rendered
            other_found.append(await deliver_due(store, clock, _source(mail=mail)))
            return ""

    await deliver_due(store, clock, _source(mail=Slow()))
    assert other_found == [0]
    assert mail.taken == []


async def test_a_crash_between_send_and_store_is_the_only_way_to_a_second_copy() -> None:
    store, clock, mail = await _store("mail"), FakeClock(), FakeChannel()
    claimed = store.commits + 1

    def crash() -> None:
        if store.commits >= claimed:
            raise ConnectionError

    store.before_commit = crash
    assert await deliver_due(store, clock, _source(mail=mail)) == 1
    store.before_commit = None
    assert (await _delivery(store)).status is DeliveryStatus.PENDING
    assert await deliver_due(store, clock, _source(mail=mail)) == 0
    clock.advance(LEASE)
    assert await deliver_due(store, clock, _source(mail=mail)) == 1
    assert [one.notice.id for one in mail.taken] == [mail.taken[0].notice.id] * 2


async def test_without_a_database_nothing_is_sent_and_nothing_raised() -> None:
    store, mail = await _store("mail"), FakeChannel()
    store.unavailable = True
    assert await deliver_due(store, FakeClock(), _source(mail=mail)) == 0
    assert mail.calls == 0


async def test_settings_that_cannot_be_read_claim_nothing() -> None:
    async def broken() -> Mapping[str, Channel]:
        raise RuntimeError

    store = await _store("mail")
    assert await deliver_due(store, FakeClock(), broken) == 0
    assert (await _delivery(store)).tries == 0


async def test_what_is_not_begun_in_time_is_due_again_at_once() -> None:
    store, clock = await _store("mail", notices=2), FakeClock()

    class Slow:
        async def send(self, rendered: Rendered) -> str:
            del rendered
            clock.advance(timedelta(seconds=61))
            return ""

    await deliver_due(store, clock, _source(mail=Slow()))
    states = sorted((d.status, d.tries) for d in await _deliveries(store))
    assert states == [(DeliveryStatus.PENDING, 0), (DeliveryStatus.SENT, 1)]
    assert await deliver_due(store, clock, _source(mail=FakeChannel())) == 1


@pytest.mark.parametrize(("tries", "seconds"), [(0, 10), (1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (999, 3600)])
def test_back_off_doubles_up_to_an_hour(tries: int, seconds: int) -> None:
    delivery = Delivery(
        id="d", notice_id="n", channel="mail", status=DeliveryStatus.PENDING, next_try_at=START, tries=tries
    )
    assert retry_at(delivery, START) - START == timedelta(seconds=seconds)


def test_errors_are_cut_to_a_readable_length() -> None:
    error = ChannelError("x" * 10_000, permanent=False)
    delivery = Delivery(id="d", notice_id="n", channel="mail", status=DeliveryStatus.PENDING, next_try_at=START)
    assert len(failed(replace(delivery, tries=1), a_notice(), error, START).last_error) == 400
