"""What every store promises of intents, side effects, notices, tokens and audit."""

from dataclasses import replace

import pytest

from controller.db.store import Conflict, Store, StoreError
from controller.db.store_outbox import ChannelState
from controller.domain.digest import Message
from controller.domain.model import Delivery, DeliveryStatus, EffectKind, EffectStatus, Role, Severity
from controller.domain.power import Accepted, PowerAction, PowerCode
from controller.domain.reasons import Reason
from tests.fixtures import builders as a
from tests.fixtures.builders import T0, at
from tests.fixtures.stores import furnish, raising


@pytest.fixture
async def world(store: Store) -> Store:
    """One open incident."""
    await furnish(store)
    async with store.transaction() as tx:
        await tx.open_incident(a.incident())
    return store


async def test_attempts_are_found_by_incident_time_and_fate(world: Store) -> None:
    by_hand = a.attempt("a2", incident_id=None, host_id="h2", automatic=False, takes_slot=False, intended_at=at(5))
    async with world.transaction() as tx:
        await tx.guard()
        await tx.add_attempt(by_hand)
        await tx.add_attempt(a.attempt("a1"))
        assert await tx.attempt("a2") == by_hand
        assert await tx.attempt("a9") is None
        assert await tx.attempts_of("i1") == [a.attempt("a1")]
        assert await tx.attempts_since(at(-1)) == [a.attempt("a1"), by_hand]
        assert await tx.attempts_since(T0) == [by_hand], "the edge of a window is outside"
        done = a.attempt("a1", finished_at=at(9), accepted=Accepted.NO, code=PowerCode.REFUSED, said="no")
        await tx.save_attempt(done)
        assert await tx.attempts_unfinished() == [by_hand]
        assert await tx.attempt("a1") == done


@pytest.mark.parametrize("action", PowerAction)
async def test_every_action_is_kept(world: Store, action: PowerAction) -> None:
    async with world.transaction() as tx:
        await tx.add_attempt(a.attempt(action=action))
        assert await tx.attempts_of("i1") == [a.attempt(action=action)]


async def test_due_effects_come_earliest_first_until_they_are_settled(world: Store) -> None:
    async with world.transaction() as tx:
        await tx.add_effect(a.effect("late", next_try_at=at(-1)))
        await tx.add_effect(a.effect("early", next_try_at=at(-9), incident_id=None, kind=EffectKind.POWER_ON))
        await tx.add_effect(a.effect("future", next_try_at=at(1)))
        await tx.add_effect(a.effect("never", next_try_at=None))
        assert [e.id for e in await tx.effects_due(now=T0, limit=9)] == ["early", "late"]
        assert [e.id for e in await tx.effects_due(now=T0, limit=1)] == ["early"]
        done = a.effect("late", status=EffectStatus.DONE, tries=3, finished_at=at(2), said="ok", earlier="Enabled")
        await tx.save_effect(done)
        assert [e.id for e in await tx.effects_due(now=T0, limit=9)] == ["early"]
        assert done in await tx.effects_of(host_id="h1")
        assert await tx.effects_of(host_id="h2") == []


async def test_results_without_an_intent_are_refused(world: Store) -> None:
    with raising(StoreError):
        async with world.transaction() as tx:
            await tx.save_attempt(a.attempt())
    with raising(StoreError):
        async with world.transaction() as tx:
            await tx.save_effect(a.effect())
    with raising(StoreError):
        async with world.transaction() as tx:
            await tx.save_delivery(_delivery("n1", "mail"))


@pytest.mark.parametrize("incident_id", ["i1", "nobody"])
async def test_intents_are_stored_once_and_for_incidents_there_are(world: Store, incident_id: str) -> None:
    async with world.transaction() as tx:
        await tx.add_attempt(a.attempt())
        await tx.add_effect(a.effect())
    field = "id" if incident_id == "i1" else "incident_id"
    with raising(Conflict) as caught:
        async with world.transaction() as tx:
            await tx.add_attempt(a.attempt("a1" if field == "id" else "a2", incident_id=incident_id))
    assert caught.error.field == field
    with raising(Conflict) as caught:
        async with world.transaction() as tx:
            await tx.add_effect(a.effect("x1" if field == "id" else "x2", incident_id=incident_id))
    assert caught.error.field == field


def _delivery(notice_id: str, channel: str) -> Delivery:
    return Delivery(
        id=f"{notice_id}/{channel}",
        notice_id=notice_id,
        channel=channel,
        status=DeliveryStatus.PENDING,
        next_try_at=T0,
    )


async def test_a_notice_is_told_once_on_each_channel(world: Store) -> None:
    notice = a.notice(
        severity=Severity.CRITICAL,
        incident_id="i1",
        host_id="h1",
        cluster_id="c1",
        host_name="host h1",
        what="held",
        why=(Reason.STORM, Reason.PAUSED),
        next="wait",
        how_to_stop="cancel",
    )
    async with world.transaction() as tx:
        assert await tx.add_notice(notice, channels=("mail", "snmp", "mail"))
        assert not await tx.add_notice(a.notice("n2", key=notice.key), channels=("mail",))
    async with world.transaction() as tx:
        assert await tx.notices() == [(notice, [_delivery("n1", "mail"), _delivery("n1", "snmp")])]


async def test_a_notice_without_a_channel_is_kept(world: Store) -> None:
    async with world.transaction() as tx:
        assert await tx.add_notice(a.notice(), channels=())
        assert await tx.notices() == [(a.notice(), [])]
        assert await tx.channels_due(now=at(99)) == []


async def test_a_notice_of_an_unknown_incident_is_a_conflict(world: Store) -> None:
    with raising(Conflict) as caught:
        async with world.transaction() as tx:
            await tx.add_notice(a.notice(incident_id="nobody"), channels=())
    assert caught.error.field == "incident_id"


async def test_deliveries_are_due_until_sent_or_given_up(world: Store) -> None:
    async with world.transaction() as tx:
        await tx.add_notice(a.notice("n2", at=at(-5)), channels=("mail",))
        await tx.add_notice(a.notice("n1"), channels=("mail", "snmp", "hook"))
        await tx.add_notice(a.notice("n3", at=at(5)), channels=("mail", "later"))
        assert await tx.channels_due(now=T0) == ["hook", "mail", "snmp"]
        due = await tx.deliveries_due(channel="mail", now=T0, limit=9)
        assert [(d.id, n.id) for d, n in due] == [("n2/mail", "n2"), ("n1/mail", "n1")]
        assert await tx.deliveries_due(channel="mail", now=T0, limit=1) == due[:1]
        assert await tx.deliveries_due(channel="mail", now=at(-6), limit=9) == []
        assert await tx.deliveries_due(channel="nobody", now=T0, limit=9) == []
        again = replace(_delivery("n1", "hook"), next_try_at=at(60), tries=1, last_error="refused", doubtful=True)
        sent = replace(_delivery("n1", "mail"), status=DeliveryStatus.SENT, next_try_at=None, sent_at=at(1))
        dead = replace(_delivery("n1", "snmp"), status=DeliveryStatus.DEAD, resent_at=at(-9))
        for delivery in (again, sent, dead):
            await tx.save_delivery(delivery)
        assert await tx.channels_due(now=at(59)) == ["later", "mail"]
        assert [d.id for d, _ in await tx.deliveries_due(channel="mail", now=T0, limit=9)] == ["n2/mail"]
        assert [d for d, _ in await tx.deliveries_due(channel="hook", now=at(60), limit=9)] == [again]
        assert await tx.notice("n1") == (a.notice("n1"), [again, sent, dead])
        assert await tx.notice("n9") is None


async def test_a_channels_turn_is_had_by_one_transaction(world: Store) -> None:
    async with world.transaction() as tx:
        assert await tx.channel_turn("mail")
        assert await tx.channel_turn("mail"), "it has it already"
    async with world.transaction() as tx:
        assert await tx.channel_turn("mail")


async def test_what_is_put_off_is_due_later(world: Store) -> None:
    async with world.transaction() as tx:
        for number in range(3):
            await tx.add_notice(a.notice(f"n{number}"), channels=("mail",))
        await tx.save_delivery(replace(_delivery("n2", "mail"), status=DeliveryStatus.SENT, next_try_at=None))
        await tx.put_off(["n0/mail", "n2/mail"], until=at(30))
        assert [d.id for d, _ in await tx.deliveries_due(channel="mail", now=T0, limit=9)] == ["n1/mail"]
        assert [d.id for d, _ in await tx.deliveries_due(channel="mail", now=at(30), limit=9)] == ["n1/mail", "n0/mail"]
        await tx.put_off([], until=at(30))


async def test_what_is_folded_is_told_in_the_digest_and_nowhere_else(world: Store) -> None:
    async with world.transaction() as tx:
        for number in (1, 0):
            await tx.add_notice(a.notice(f"n{number}", at=at(number)), channels=("mail", "hook"))
        await tx.add_notice(a.notice("d1", at=at(2), kind="digest"), channels=("mail",))
        await tx.fold(["n0/mail", "n1/mail"], digest_id="d1")
        assert [one.id for one in await tx.members_of("d1")] == ["n0", "n1"]
        assert await tx.members_of("n0") == []
        assert await tx.channels_due(now=at(9)) == ["hook", "mail"]
        assert [d.id for d, _ in await tx.deliveries_due(channel="mail", now=at(9), limit=9)] == ["d1/mail"]
        [(found, _)] = await tx.deliveries(channel="mail", status=DeliveryStatus.IN_DIGEST, limit=1)
        told = replace(_delivery("n1", "mail"), status=DeliveryStatus.IN_DIGEST, next_try_at=None, digest_id="d1")
        assert found == told
    with raising(Conflict) as caught:
        async with world.transaction() as tx:
            await tx.fold(["n0/hook"], digest_id="nobody")
    assert caught.error.field == "digest_id"


async def test_what_a_channel_was_told_lately_is_counted(world: Store) -> None:
    begun = [
        replace(_delivery("n0", "mail"), tries=1, doubtful=True),
        replace(_delivery("n1", "mail"), status=DeliveryStatus.SENT, tries=1),
        replace(_delivery("n2", "mail"), status=DeliveryStatus.DEAD, tries=2),
        replace(_delivery("n3", "mail"), status=DeliveryStatus.SENT, tries=1),
    ]
    async with world.transaction() as tx:
        assert await tx.told_on(channel="mail", since=T0) == []
        for number in range(4):
            await tx.add_notice(a.notice(f"n{number}", at=at(number)), channels=("mail", "hook"))
        for number in (5, 6):
            await tx.add_notice(a.notice(f"d{number}", at=at(number), kind="digest"), channels=("mail",))
        await tx.add_notice(a.notice("n9", at=at(9)), channels=("mail",))
        for one in begun:
            await tx.save_delivery(one)
        await tx.fold(["n9/mail"], digest_id="d6")
        assert await tx.told_on(channel="mail", since=T0) == [
            *(Message(at(number)) for number in (1, 2, 3)),
            *(Message(at(number), is_digest=True) for number in (5, 6)),
        ], "the edge is outside"
        assert await tx.told_on(channel="mail", since=at(6)) == []
        assert await tx.told_on(channel="hook", since=at(-1)) == [], "nobody has begun"


async def test_deliveries_are_found_for_people(world: Store) -> None:
    async with world.transaction() as tx:
        for number in range(4):
            incident = "i1" if number % 2 else None
            await tx.add_notice(a.notice(f"n{number}", at=at(number), incident_id=incident), channels=("mail", "hook"))
        dead = replace(_delivery("n2", "mail"), status=DeliveryStatus.DEAD)
        await tx.save_delivery(dead)
        assert [d.id for d, _ in await tx.deliveries(limit=3)] == ["n3/mail", "n3/hook", "n2/mail"]
        assert [(d, n.id) for d, n in await tx.deliveries(status=DeliveryStatus.DEAD)] == [(dead, "n2")]
        assert [d.id for d, _ in await tx.deliveries(channel="hook", before=at(2))] == ["n1/hook", "n0/hook"]
        assert [n.id for _, n in await tx.deliveries(channel="hook", incident_id="i1")] == ["n3", "n1"]


async def test_the_dead_of_a_channel_are_tried_again(world: Store) -> None:
    dead = replace(_delivery("n1", "mail"), status=DeliveryStatus.DEAD, next_try_at=None, tries=7, doubtful=True)
    async with world.transaction() as tx:
        for number in range(3):
            await tx.add_notice(a.notice(f"n{number}"), channels=("mail", "hook"))
        await tx.save_delivery(dead)
        await tx.save_delivery(replace(dead, id="n1/hook", channel="hook"))
        await tx.save_delivery(replace(dead, id="n2/mail", notice_id="n2", status=DeliveryStatus.SENT))
        assert await tx.resend_dead(channel="mail", at=at(9)) == 1
        again = replace(
            dead, status=DeliveryStatus.PENDING, next_try_at=at(9), resent_at=at(9), tries=0, doubtful=False
        )
        assert again in [one for one, _ in await tx.deliveries(channel="mail", status=DeliveryStatus.PENDING)]
        assert await tx.resend_dead(channel="mail", at=at(9)) == 0


async def test_how_the_channels_do(world: Store) -> None:
    async with world.transaction() as tx:
        for number in range(4):
            await tx.add_notice(a.notice(f"n{number}", at=at(number)), channels=("mail",))
        await tx.add_notice(a.notice("n9"), channels=("hook",))
        for number in (0, 1):
            await tx.save_delivery(
                replace(_delivery(f"n{number}", "mail"), status=DeliveryStatus.SENT, sent_at=at(10 + number))
            )
        await tx.save_delivery(replace(_delivery("n2", "mail"), status=DeliveryStatus.DEAD))
        assert await tx.channel_states() == {
            "hook": ChannelState(pending=1),
            "mail": ChannelState(pending=1, dead=1, last_sent_at=at(11)),
        }


async def test_notices_come_newest_first(world: Store) -> None:
    async with world.transaction() as tx:
        for number in range(4):
            notice = a.notice(f"n{number}", at=at(number), incident_id="i1" if number % 2 else None)
            await tx.add_notice(notice, channels=("mail",))
        assert [n.id for n, _ in await tx.notices(limit=3)] == ["n3", "n2", "n1"]
        assert [n.id for n, _ in await tx.notices(incident_id="i1")] == ["n3", "n1"]
        assert [n.id for n, _ in await tx.notices(incident_id="i1", limit=1)] == ["n3"]
        assert [n.id for n, _ in await tx.notices(before=at(2))] == ["n1", "n0"], "the edge is outside"


async def test_tokens_are_found_by_digest_even_when_revoked(store: Store) -> None:
    revoked = a.api_token("t2", role=Role.ADMIN, created_at=at(-5), revoked_at=at(1))
    async with store.transaction() as tx:
        await tx.save_token(a.api_token("t1"))
        await tx.save_token(a.api_token("t2", role=Role.ADMIN, created_at=at(-5)))
        await tx.save_token(revoked)
        assert await tx.tokens() == [revoked, a.api_token("t1")]
        assert await tx.token_by_digest("digest-t2") == revoked
        assert await tx.token_by_digest("nothing") is None


@pytest.mark.parametrize("field", ["name", "digest"])
async def test_tokens_differ_in_name_and_digest(store: Store, field: str) -> None:
    async with store.transaction() as tx:
        await tx.save_token(a.api_token("t1"))
    with raising(Conflict) as caught:
        async with store.transaction() as tx:
            await tx.save_token(a.api_token("t2", **{field: getattr(a.api_token("t1"), field)}))
    assert caught.error.field == field


async def test_audit_comes_newest_first_page_by_page(store: Store) -> None:
    rows = [a.audit_row(f"au{n}", at=at(n), data={"before": None, "after": n}) for n in range(4)]
    async with store.transaction() as tx:
        for row in rows:
            await tx.add_audit(row)
        assert await tx.audit(limit=2) == [rows[3], rows[2]]
        assert await tx.audit(before=at(2)) == [rows[1], rows[0]]
