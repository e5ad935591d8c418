import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from typing_extensions import override

from controller.db.store import Tx
from controller.domain.channels.email import EmailChannel
from controller.domain.model import Cluster, Delivery, DeliveryStatus
from controller.engine.mailbag import LEASE
from controller.engine.notifier import Notifier, failed, retry_at
from controller.notifications.base import Channel, ChannelError, Rendered
from controller.notifications.registry import Outlet
from tests.fakes.channel import FakeChannel, down, lost_answer, refused
from tests.fakes.clock import START, FakeClock
from tests.fixtures.notices import a_notice
from tests.simulation.memory_store import MemoryStore

Source = Callable[[], Awaitable[Mapping[str, Outlet]]]


def _source(*, digest_after: int = 0, **channels: Channel) -> Source:
    outlets = {
        name: Outlet(
            channel=channel,
            settings=EmailChannel(
                name=name, host="mail", sender="a@x.org", recipients=("b@x.org",), digest_after=digest_after
            ),
        )
        for name, channel in channels.items()
    }

    async def current() -> Mapping[str, Outlet]:
        return outlets

    return current


async def deliver_due(store: MemoryStore, clock: FakeClock, channels: Source, *, link_base: str = "") -> int:
    """One beat to its end; the number of couriers."""
    notifier = Notifier(store, clock, channels, link_base=link_base)
    begun = await notifier.beat()
    await notifier.rest()
    return begun


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


async def _delivery_in(tx: Tx) -> Delivery:
    [(delivery, _)] = await tx.deliveries()
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


async def test_what_was_put_off_is_due_together_and_was_not_tried() -> None:
    store, clock, mail = await _store("mail", notices=10), FakeClock(), FakeChannel()
    mail.always = down()
    for _ in range(40):
        await deliver_due(store, clock, _source(mail=mail))
        clock.advance(timedelta(seconds=10))
    found = await _deliveries(store)
    assert sorted(one.tries for one in found)[:-1] == [0] * 9
    assert not any(one.doubtful for one in found)
    assert len({one.next_try_at for one in found}) == 1
    before = mail.calls
    mail.always = None
    clock.advance(timedelta(minutes=5))
    await deliver_due(store, clock, _source(mail=mail))
    assert (mail.calls - before, len(mail.taken)) == (10, 10), "a channel that was down is asked every five minutes"


async def test_one_slow_channel_keeps_no_other_waiting() -> None:
    store, clock, good = await _store("slow", "good"), FakeClock(), FakeChannel()
    begun, answer = asyncio.Event(), asyncio.Event()

    class Slow(FakeChannel):
        @override
        async def send(self, rendered: Rendered) -> str:
            begun.set()
            await answer.wait()
            return await super().send(rendered)

    slow = Slow()
    notifier = Notifier(store, clock, _source(slow=slow, good=good))
    assert await notifier.beat() == 2
    await begun.wait()
    async with store.transaction() as tx:
        await tx.add_notice(a_notice(9, incident_id=None, at=START), channels=("slow", "good"))
    async with asyncio.timeout(5):
        while len(good.taken) < 2:
            await notifier.beat()
            await asyncio.sleep(0)
    assert slow.taken == []
    answer.set()
    await notifier.rest()
    assert await notifier.beat() == 1, "what came up meanwhile"
    await notifier.rest()
    assert len(slow.taken) == 2


async def test_asked_to_stop_it_ends_the_message_under_way_and_begins_no_other() -> None:
    store, clock = await _store("mail", notices=3), FakeClock()
    begun, answer = asyncio.Event(), asyncio.Event()

    class Slow(FakeChannel):
        @override
        async def send(self, rendered: Rendered) -> str:
            begun.set()
            await answer.wait()
            return await super().send(rendered)

    mail = Slow()
    notifier = Notifier(store, clock, _source(mail=mail))
    await notifier.beat()
    await begun.wait()
    stopping = asyncio.create_task(notifier.stop())
    await asyncio.sleep(0)
    answer.set()
    await stopping
    assert len(mail.taken) == 1
    assert sorted(one.status for one in await _deliveries(store)) == ["pending", "pending", "sent"]
    assert await notifier.beat() == 0
    other = FakeChannel()
    assert await deliver_due(store, clock, _source(mail=other)) == 1
    assert len(other.taken) == 2, "due at once for the next process"


async def test_a_storm_is_a_digest_that_names_every_host() -> None:
    store, clock, mail = await _store("mail", notices=200), FakeClock(), FakeChannel()
    await deliver_due(store, clock, _source(mail=mail, digest_after=20), link_base="https://hf")
    [message] = mail.taken
    assert message.subject == "[hostfence] CRITICAL 1 host: 1 held, storm"
    assert len({one.notice.id for one in message.members}) == 200
    assert await deliver_due(store, clock, _source(mail=mail, digest_after=20)) == 0
    async with store.transaction() as tx:
        [(own, digest_notice)] = await tx.deliveries(status=DeliveryStatus.SENT)
        told = await tx.deliveries(status=DeliveryStatus.IN_DIGEST, limit=999)
    assert own.notice_id == digest_notice.id == message.notice.id
    assert {one.digest_id for one, _ in told} == {digest_notice.id}


async def test_a_digest_that_is_not_taken_is_tried_again_as_the_same_one() -> None:
    store, clock = await _store("mail", notices=30), FakeClock()
    mail = FakeChannel(refused(for_good=False), refused(for_good=False))
    seen: list[tuple[str, int]] = []

    class Noting(FakeChannel):
        @override
        async def send(self, rendered: Rendered) -> str:
            seen.append((rendered.notice.id, len(rendered.members)))
            return await mail.send(rendered)

    for _ in range(5):
        await deliver_due(store, clock, _source(mail=Noting(), digest_after=20))
        clock.advance(timedelta(seconds=30))
    assert len(mail.taken) == 1
    assert seen == [(mail.taken[0].notice.id, 30)] * 3


async def test_a_digest_that_was_given_up_is_sent_again_as_the_same_one() -> None:
    store, clock = await _store("mail", notices=30), FakeClock()
    mail = FakeChannel(refused(for_good=True))
    source = _source(mail=mail, digest_after=20)
    await deliver_due(store, clock, source)
    async with store.transaction() as tx:
        [(dead, notice)] = await tx.deliveries(status=DeliveryStatus.DEAD)
        clock.advance(timedelta(days=2))
        assert await tx.resend_dead(channel="mail", at=await clock.now()) == 1
    await deliver_due(store, clock, source)
    [message] = mail.taken
    assert (message.notice, dead.notice_id, len(message.members)) == (notice, message.notice.id, 30)


async def test_what_comes_after_a_digest_waits_a_minute_for_company() -> None:
    store, clock, mail = await _store("mail", notices=30), FakeClock(), FakeChannel()
    source = _source(mail=mail, digest_after=20)
    await deliver_due(store, clock, source)
    clock.advance(timedelta(seconds=5))
    async with store.transaction() as tx:
        for number in range(100, 130):
            await tx.add_notice(a_notice(number, incident_id=None, at=await clock.now()), channels=("mail",))
    for _ in range(54):
        await deliver_due(store, clock, source)
        clock.advance(timedelta(seconds=1))
    assert len(mail.taken) == 1
    clock.advance(timedelta(seconds=1))
    await deliver_due(store, clock, source)
    assert [len(one.members) for one in mail.taken] == [30, 30]


async def test_what_may_have_been_taken_is_never_folded() -> None:
    """The server took it and its answer was lost: as part of a digest nobody could tell that it is a copy."""
    store, clock = await _store("mail", notices=3), FakeClock()
    mail = FakeChannel(lost_answer(), lost_answer(), refused(for_good=False))
    await deliver_due(store, clock, _source(mail=mail, digest_after=20))
    async with store.transaction() as tx:
        for number in range(100, 130):
            await tx.add_notice(a_notice(number, incident_id=None, at=START), channels=("mail",))
    clock.advance(timedelta(seconds=10))
    await deliver_due(store, clock, _source(mail=mail, digest_after=20))
    assert sorted(len(one.members) for one in mail.taken) == [0, 0, 31], "the one that was refused nobody has"


async def test_doubt_stays_whatever_comes_after() -> None:
    store, clock = await _store("mail"), FakeClock()
    mail = FakeChannel(lost_answer(), down(), refused(for_good=False))
    for _ in range(3):
        await deliver_due(store, clock, _source(mail=mail))
        assert (await _delivery(store)).doubtful
        clock.advance(timedelta(minutes=5))
    await deliver_due(store, clock, _source(mail=mail))
    assert not (await _delivery(store)).doubtful


async def test_a_crash_while_a_digest_is_made_loses_and_repeats_nothing() -> None:
    store, clock, mail = await _store("mail", notices=30), FakeClock(), FakeChannel()
    source = _source(mail=mail, digest_after=20)
    before = store.commits

    def crash() -> None:
        if store.commits > before:
            raise ConnectionError

    store.before_commit = crash
    await deliver_due(store, clock, source)
    assert mail.calls == 0
    store.before_commit = None
    await deliver_due(store, clock, source)
    assert [len(one.members) for one in mail.taken] == [30]


async def test_the_clusters_name_goes_along() -> None:
    store, mail = await _store("mail"), FakeChannel()
    async with store.transaction() as tx:
        await tx.save_cluster(Cluster(id="c-1", name="kvm-a"))
    await deliver_due(store, FakeClock(), _source(mail=mail))
    assert mail.taken[0].cluster == "kvm-a"


async def test_resent_it_has_its_full_time_again() -> None:
    store, clock, mail = await _store("mail"), FakeClock(), FakeChannel()
    mail.always = down()
    clock.advance(timedelta(days=3))
    async with store.transaction() as tx:
        await tx.save_delivery(replace(await _delivery_in(tx), resent_at=await clock.now()))
    await deliver_due(store, clock, _source(mail=mail))
    assert (await _delivery(store)).status is DeliveryStatus.PENDING


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
    assert await deliver_due(store, FakeClock(), _source(mail=mail)) == 1
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
    claimed = store.commits + 2  # looking for channels, and the claim

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
    async def broken() -> Mapping[str, Outlet]:
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
