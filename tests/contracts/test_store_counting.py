"""What every store promises of counts for monitoring, and of its listener (`controller/db/store.py`, 10)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from controller.db.store import Store
from controller.domain.figures import Counts, Written
from controller.domain.incident import Incident, State
from controller.domain.model import DeliveryStatus, EffectKind, EffectStatus
from controller.domain.power import Accepted
from controller.domain.reasons import Reason
from tests.fixtures import builders as a
from tests.fixtures.builders import at
from tests.fixtures.stores import furnish, raising


async def counted(store: Store, *, now: float = 0) -> Counts:
    async with store.transaction() as tx:
        return await tx.counts(now=at(now), dead_since=at(now) - timedelta(days=3))


class TestCounts:
    async def test_nothing_is_nothing(self, store: Store) -> None:
        found = await counted(store)
        assert found == Counts(
            incidents={},
            held={},
            held_since=None,
            storms={},
            due_since=None,
            leased=0,
            unfinished=0,
            effects={},
            effects_since=None,
            pending={},
            pending_since=None,
            dead={},
        )

    async def test_open_incidents_by_state_and_hold(self, store: Store) -> None:
        await furnish(store, hosts=4)
        reasons = (Reason.STORM, Reason.PAUSED)
        async with store.transaction() as tx:
            for number, state in enumerate((State.CHECKING, State.HELD, State.HELD, State.SUSPECT), start=1):
                made = a.incident(
                    f"i{number}",
                    host_id=f"h{number}",
                    state=state,
                    reasons=reasons[: number - 1],
                    sticky=frozenset(reasons[: max(0, number - 2)]),
                    held_since=at(10 * number) if state is State.HELD else None,
                    next_step_at=at(100 + number),
                )
                assert await tx.open_incident(made)
                if state is State.SUSPECT:
                    await tx.save_incident(replace(made, state=State.RECOVERED, next_step_at=None), end_lease=True)
        found = await counted(store, now=101.5)
        assert found.incidents == {State.CHECKING: 1, State.HELD: 2}
        assert found.held == {Reason.STORM: 2, Reason.PAUSED: 1}
        assert found.held_since == at(20)
        assert found.storms == {"c1": 1}, "of two that are held one is part of a storm, and of a closed one nobody asks"
        assert found.due_since == at(101)
        assert (await counted(store, now=50)).due_since is None

    async def test_what_is_leased_waits_for_nobody(self, store: Store) -> None:
        await furnish(store)
        async with store.transaction() as tx:
            assert await tx.open_incident(a.incident())
            await tx.claim_due(now=at(5), lease_until=at(20), token="w", limit=1)
        found = await counted(store, now=10)
        assert (found.leased, found.due_since) == (1, None)
        found = await counted(store, now=20)
        assert (found.leased, found.due_since) == (0, at(0))

    async def test_commands_and_effects_under_way(self, store: Store) -> None:
        await furnish(store)
        async with store.transaction() as tx:
            await tx.add_attempt(a.attempt(incident_id=None))
            done = a.attempt("a2", incident_id=None)
            await tx.add_attempt(done)
            await tx.save_attempt(replace(done, finished_at=at(1), accepted=Accepted.YES))
            for number, status in enumerate(EffectStatus):
                effect = a.effect(f"e{number}", incident_id=None, status=status, intended_at=at(number))
                await tx.add_effect(effect)
        found = await counted(store)
        assert found.unfinished == 1
        assert found.effects == {EffectKind.QUARANTINE: 1}
        assert found.effects_since == at(0)

    async def test_messages_that_wait_and_those_given_up_lately(self, store: Store) -> None:
        day = 24 * 3600
        async with store.transaction() as tx:
            for number, told in enumerate((0, day, 4 * day)):
                notice = a.notice(f"n{number}", key=f"k{number}", at=at(told), incident_id=None)
                await tx.add_notice(notice, channels=("mail", "pager"))
            for channel, status in (("mail", DeliveryStatus.DEAD), ("pager", DeliveryStatus.SENT)):
                for delivery, _ in await tx.deliveries_due(channel=channel, now=at(2 * day), limit=10):
                    await tx.save_delivery(replace(delivery, status=status, next_try_at=None))
        found = await counted(store, now=3.5 * day)
        assert found.pending == {"mail": 1, "pager": 1}
        assert found.pending_since == at(4 * day)
        assert found.dead == {"mail": 1}


class TestListener:
    async def test_it_hears_what_was_committed_in_order(self, store: Store, heard: list[Sequence[Written]]) -> None:
        await furnish(store)
        assert heard == [], "nobody asked to be told of inventory"
        incident, event, record, attempt = a.incident(), a.event(), a.round_record(), a.attempt()
        async with store.transaction() as tx:
            assert await tx.open_incident(incident)
            await tx.add_event(event)
            await tx.add_round(record)
            await tx.add_attempt(attempt)
            await tx.save_attempt(attempt)
            await tx.save_incident(incident, end_lease=True)
            assert heard == [], "it is not committed yet"
        assert [list(one) for one in heard] == [[incident, event, record, attempt, attempt, incident]]

    async def test_effects_and_deliveries_too(self, store: Store, heard: list[Sequence[Written]]) -> None:
        await furnish(store)
        effect = a.effect(incident_id=None)
        async with store.transaction() as tx:
            await tx.add_effect(effect)
            await tx.save_effect(replace(effect, status=EffectStatus.DONE))
            await tx.add_notice(a.notice(incident_id=None), channels=("mail",))
            ((delivery, _),) = await tx.deliveries_due(channel="mail", now=at(0), limit=10)
            await tx.save_delivery(delivery)
        assert [list(one) for one in heard] == [[effect, replace(effect, status=EffectStatus.DONE), delivery]]

    async def test_what_was_taken_back_or_refused_is_not_told(
        self, store: Store, heard: list[Sequence[Written]]
    ) -> None:
        await furnish(store)
        with raising(ZeroDivisionError):
            async with store.transaction() as tx:
                assert await tx.open_incident(a.incident())
                raise ZeroDivisionError
        assert heard == []
        async with store.transaction() as tx:
            assert await tx.open_incident(a.incident())
        async with store.transaction() as tx:
            assert not await tx.open_incident(a.incident("i2"))
        told = [one for written in heard for one in written]
        assert [one.id for one in told if isinstance(one, Incident)] == ["i1"]
